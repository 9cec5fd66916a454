// @ts-check
/** A pupil's page: draw the digit that is asked for, guess whether it will be read, send, see. */

import { digit } from "../digit.js";
import { el, main, setText } from "../dom.js";
import { drawing } from "../drawing.js";
import { EngineError, ask, decode } from "../engine.js";
import { percent, t } from "../text.js";

/** Milliseconds between two questions whether the class goes on. */
const POLL = 3000;
const KEPT = "digitscope-phone";

let phone = localStorage.getItem(KEPT) ?? "";
/** @type {any} */
let view = null;
/** @type {number | null} The digit that the pupil means to draw. */
let meant = null;
/** @type {boolean | null} */
let expected = null;
let sending = false;
let answered = false;
/** Why the last drawing was not taken, until something changes. */
let refusal = "";

const message = el("p", { class: "notice", role: "status" });
const heading = el("h1", { class: "asked" });
const choices = el(
  "div", { class: "choices", role: "group", "aria-label": t("phone.choose") },
  Array.from({ length: 10 }, (_, k) => el("button", { type: "button", "aria-pressed": "false", onclick: () => mean(k) }, String(k))),
);
const help = el("p", { class: "hidden", id: "drawing-help" }, t("draw.keys"));
const surface = el("div", { class: "surface" }, help);
const pad = drawing(surface, { label: t("draw.drawing"), help: "drawing-help", onchange: () => { refusal = ""; update(); } });
const undo = el("button", { type: "button", onclick: () => pad.undo() }, t("common.undo"));
const clear = el("button", { type: "button", onclick: () => pad.clear() }, t("common.clear"));
const guesses = [true, false].map((right) =>
  el("button", { type: "button", "aria-pressed": "false", onclick: () => guess(right) }, right ? t("phone.guess_right") : t("phone.guess_wrong")));
const send = el("button", { type: "button", class: "main send", onclick: () => void sendDrawing() }, t("phone.send"));
const form = el(
  "section", { class: "task" }, heading, choices, surface, el("div", { class: "controls" }, undo, clear),
  el("fieldset", {}, el("legend", {}, t("phone.guess")), el("div", { class: "controls" }, guesses)), send,
);
const answer = el("section", { class: "answer", "aria-label": t("phone.answer"), "aria-live": "polite", tabindex: "-1" });
const score = el("p", { class: "muted score" });
document.querySelector("h1")?.classList.add("hidden");
document.querySelector(".lead")?.remove();
main.append(message, form, answer, score);

/** @param {number} k */
function mean(k) {
  meant = k;
  update();
}

/** @param {boolean} right */
function guess(right) {
  expected = expected === right ? null : right;
  update();
}

/** Brings the page into agreement with what is known. */
function update() {
  const takes = view?.state === "open" || view?.state === "frozen";
  form.hidden = !takes || answered;
  answer.hidden = !answered;
  const text = view === null ? t("phone.joining") : view.state === "frozen" ? t("phone.frozen") : view.state === "open" ? refusal : t("phone.closed");
  say(text);
  if (!takes) return;
  const free = view.task === "free";
  choices.hidden = !free;
  [...choices.children].forEach((button, k) => button.setAttribute("aria-pressed", String(k === meant)));
  heading.replaceChildren(...(free ? [t("phone.choose")] : [t("phone.draw_a"), " ", el("strong", {}, String(meant))]));
  guesses.forEach((button, k) => button.setAttribute("aria-pressed", String(expected === (k === 0))));
  undo.disabled = clear.disabled = pad.strokes.length === 0;
  send.disabled = sending || view.state !== "open" || meant === null || pad.strokes.length === 0;
  send.textContent = sending ? t("phone.sending") : t("phone.send");
  score.textContent = view.sent ? t("phone.score", { right: view.right, sent: view.sent }) : "";
}

/** @param {string} text */
function say(text) {
  setText(message, text);
  message.hidden = text === "";
}

/** Asks how the class stands, and joins it if this phone is not known. */
async function look() {
  try {
    if (phone) view = await ask("/api/class/phone", { phone });
    if (!phone || view.state === "unknown") await join();
    if (view && view.task !== "free" && !answered && pad.strokes.length === 0) meant = view.asked;
    update();
  } catch (error) {
    say(error instanceof EngineError && error.status === 403 ? t("phone.closed") : t("phone.lost"));
  }
}

async function join() {
  const joined = await ask("/api/class/join", {});
  if (joined.phone) {
    phone = joined.phone;
    localStorage.setItem(KEPT, phone);
    view = await ask("/api/class/phone", { phone });
  } else {
    view = { state: "closed" };
    update();
    if (joined.open) say(t("phone.full"));
  }
}

async function sendDrawing() {
  sending = true;
  refusal = "";
  update();
  try {
    const reply = await ask("/api/class/send", { phone, meant, strokes: pad.strokes, expected });
    if (reply.refused) {
      if (reply.refused === "unknown") await join();
      refusal = t(`phone.refused_${reply.refused}`);
    } else show(reply);
  } catch {
    refusal = t("phone.lost");
  } finally {
    sending = false;
    update();
  }
}

/** @param {any} reply */
function show(reply) {
  answered = true;
  const read = reply.read === null ? t("common.no_digit") : String(reply.read);
  const chance = reply.read === null ? "" : t("common.sure", { share: percent(reply.probability) });
  const others = reply.read === null ? [] : reply.plausible.filter((/** @type {any} */ p) => p.digit !== reply.read)
    .map((/** @type {any} */ p) => t("phone.or", { digit: String(p.digit), share: percent(p.probability) }));
  const guessed = expected === null ? "" : expected === reply.right ? t("phone.guessed_it") : t("phone.not_guessed");
  answer.className = reply.right ? "answer right" : "answer wrong";
  answer.replaceChildren(
    el("h1", { class: "reads" }, t("phone.reads"), " ", el("strong", { class: reply.read === null ? "words" : "" }, read)),
    el("p", {}, [chance, ...others].join(" · ")),
    el("p", { class: reply.right ? "verdict good" : "verdict bad" }, reply.right ? `✓ ${t("phone.right")}` : `✗ ${t("phone.meant", { digit: String(meant) })} ${t("phone.wrong")}`, " ", guessed),
    el("figure", {}, digit(decode(reply.image), t("phone.seen")), el("figcaption", {}, t("phone.seen"))),
    el("button", { type: "button", class: "main", onclick: again }, t("phone.next")),
  );
  update();
  answer.focus();
  void look();
}

function again() {
  answered = false;
  expected = null;
  meant = view.task === "free" ? null : view.asked;
  pad.clear();
  update();
  void look();
}

update();
await look();
setInterval(() => document.visibilityState === "visible" && !sending && void look(), POLL);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && void look());
