// @ts-check
/** "Learn from all of us": begin, progress, a guess, then before and after side by side. */

import { digit } from "../digit.js";
import { el } from "../dom.js";
import { decode } from "../engine.js";
import { percent, t } from "../text.js";

/**
 * @param {{learn: () => void, cancel: () => void, use: (name: string) => void}} actions
 */
export function lessonPanel(actions) {
  const learn = el("button", { type: "button", class: "main", onclick: actions.learn }, t("class.learn"));
  const explained = el("p", { class: "muted" }, t("class.learn_more"));
  const bar = el("progress", { max: 1, "aria-label": t("class.learning") });
  const running = el("div", {}, el("p", {}, t("class.learning")), bar, el("button", { type: "button", onclick: actions.cancel }, t("class.cancel")));
  const failed = el("p", { class: "notice bad" });
  const result = el("div", { class: "result" });
  const element = el("section", { class: "card lesson" }, el("h2", {}, t("class.learn")), explained, learn, running, failed, result);
  /** @type {any} The lesson whose result is shown, so that a guess is not undone by the next news. */
  let shown = null;
  let reading = "";

  /** @param {any} outcome */
  function question(outcome) {
    const guess = el("input", { type: "range", id: "guess", min: 0, max: outcome.held_out, value: outcome.before });
    const value = el("output", { for: "guess" }, String(outcome.before));
    guess.addEventListener("input", () => { value.textContent = guess.value; });
    result.replaceChildren(
      el("p", {}, t("class.held_out", { writers: outcome.writers_held_out, n: outcome.held_out })),
      el("p", { class: "before-only" }, t("class.before_only", { n: outcome.before, of: outcome.held_out })),
      el("label", { for: "guess" }, t("class.guess")), guess, value,
      el("div", { class: "controls" },
        el("button", { type: "button", class: "main", onclick: () => reveal(outcome, Number(guess.value)) }, t("class.reveal")),
        el("button", { type: "button", class: "quiet", onclick: () => reveal(outcome, null) }, t("class.skip"))),
    );
  }

  /** @param {any} outcome @param {number | null} guess */
  function reveal(outcome, guess) {
    const use = el("button", { type: "button", onclick: () => actions.use(reading === outcome.model ? outcome.former_model : outcome.model) });
    use.className = "use";
    result.replaceChildren(
      el("div", { class: "sides" }, side("before", outcome), side("after", outcome)),
      el("p", {}, t("class.changed", { fixed: outcome.fixed, broken: outcome.broken }), guess === null ? "" : ` ${t("class.guessed", { n: guess })}`),
      el("p", { class: "muted" }, t("class.evaluated", { learned: outcome.learned, writers: outcome.writers_learned, n: outcome.held_out, held: outcome.writers_held_out })),
      el("p", { class: "muted" }, t("class.mnist", { n: outcome.mnist, before: percent(outcome.mnist_before / outcome.mnist, 2), after: percent(outcome.mnist_after / outcome.mnist, 2) })),
      use,
      el("div", { class: "compared" }, outcome.drawings.map(compared)),
    );
    label(outcome);
  }

  /** @param {any} outcome */
  function label(outcome) {
    const use = result.querySelector(".use");
    if (use) use.textContent = reading === outcome.model ? t("class.use_former") : t("class.use_taught");
  }

  /** @param {"before" | "after"} name @param {any} outcome */
  function side(name, outcome) {
    const share = outcome[name] / outcome.held_out;
    const fill = el("span");
    fill.style.width = `${100 * share}%`;
    return el("div", { class: `side-${name}` }, el("h3", {}, t(`common.${name}`)), el("strong", { class: "share" }, percent(share, 0)),
      el("span", {}, t("class.of", { n: outcome[name], of: outcome.held_out })), el("span", { class: "bar", "aria-hidden": "true" }, fill));
  }

  /** @param {{image: import("../engine.js").Encoded, meant: number, before: number | null, after: number | null}} drawing */
  function compared(drawing) {
    const mark = (/** @type {number | null} */ read) => el("span", { class: read === drawing.meant ? "good" : "bad" }, read === drawing.meant ? `${read} ✓` : `${read ?? "?"} ✗`);
    const name = (/** @type {number | null} */ read) => (read === null ? t("common.no_digit") : String(read));
    const words = { meant: String(drawing.meant), before: name(drawing.before), after: name(drawing.after) };
    return el("figure", { class: drawing.before === drawing.after ? "" : "changed" }, digit(decode(drawing.image), t("class.compared", words)),
      el("figcaption", { "aria-hidden": "true" }, mark(drawing.before), " → ", mark(drawing.after)));
  }

  return {
    element,
    /** @param {any} lesson @param {{enough: boolean, reading: string}} now */
    update(lesson, now) {
      reading = now.reading;
      learn.hidden = lesson.status === "running";
      learn.disabled = !now.enough;
      running.hidden = lesson.status !== "running";
      bar.value = lesson.share ?? 0;
      failed.hidden = lesson.status !== "failed";
      failed.textContent = lesson.error ?? "";
      explained.hidden = lesson.status === "done";
      result.hidden = lesson.status !== "done";
      const id = lesson.outcome ? lesson.lesson : null;
      if (id !== shown) {
        shown = id;
        if (lesson.outcome) question(lesson.outcome);
        else result.replaceChildren();
      } else if (lesson.outcome) label(lesson.outcome);
    },
  };
}
