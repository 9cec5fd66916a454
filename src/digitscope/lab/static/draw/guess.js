// @ts-check
/** Predict, then see: what will the network say without one of the strokes? */

import { colour, el } from "../dom.js";
import { t } from "../text.js";
import { inWords } from "./answer.js";

/** Stands for "no digit" among the guesses. */
const NONE = -1;

/** @param {HTMLElement} host @param {ReturnType<typeof import("../drawing.js").drawing>} board */
export function guessView(host, board) {
  host.hidden = true;
  /** The guess that waits for its answer. @type {{guess: number} | null} */
  let waiting = null;

  function end() {
    waiting = null;
    host.hidden = true;
    host.replaceChildren();
    board.colour(new Map());
  }

  /** @param {number} stroke @param {number} guess */
  function reveal(stroke, guess) {
    waiting = { guess };
    board.set(board.strokes.filter((_, k) => k !== stroke));
  }

  return {
    get isOpen() {
      return !host.hidden;
    },
    end,
    /** What it asks, or said, is about another drawing now. */
    outdate() {
      if (!waiting && !host.hidden) end();
    },
    /**
     * Asks about one stroke.
     * @param {number} stroke
     * @param {any} answer the server's answer to the whole drawing
     * @param {any} effect what the server says about this stroke
     */
    ask(stroke, answer, effect) {
      waiting = null;
      const order = answer.probabilities.map((/** @type {number} */ _, /** @type {number} */ k) => k);
      order.sort((/** @type {number} */ a, /** @type {number} */ b) => answer.probabilities[b] - answer.probabilities[a]);
      const choices = [...new Set([answer.digit, effect.digit, ...order])].slice(0, 4).sort((a, b) => a - b);
      const buttons = [...choices, NONE].map((choice) =>
        el("button", { onclick: () => reveal(stroke, choice) }, choice === NONE ? t("draw.nothing") : String(choice)));
      host.replaceChildren(
        el("h2", {}, t("draw.guess_title")),
        el("p", {}, t("draw.guess_question", { digit: String(answer.digit) })),
        el("div", { class: "controls choices" }, buttons, el("button", { class: "quiet", onclick: end }, t("draw.skip"))),
      );
      host.hidden = false;
      board.colour(new Map([[stroke, colour("--positive")]]));
    },
    /** The answer to the drawing without the stroke. @param {any} answer */
    answered(answer) {
      if (!waiting) return false;
      const { guess } = waiting;
      waiting = null;
      const truth = answer.is_digit ? answer.digit : NONE;
      const said = inWords(answer, answer.probabilities[answer.digit]);
      const verdict = guess === truth ? t("draw.guess_right", { said }) : t("draw.guess_wrong", { said, guess: guess === NONE ? t("draw.nothing") : String(guess) });
      host.replaceChildren(
        el("h2", {}, t("draw.guess_title")),
        el("p", { role: "status", tabindex: "-1" }, verdict),
        el("div", { class: "controls" },
          el("button", { class: "main", onclick: () => { end(); board.clear(); board.canvas.focus(); } }, t("draw.draw_own")),
          el("button", { onclick: () => { end(); board.undo(); } }, t("draw.bring_back")),
        ),
      );
      /** @type {HTMLElement} */ (host.querySelector("p")).focus();
      return true;
    },
  };
}
