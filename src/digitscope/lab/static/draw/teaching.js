// @ts-check
/** "No, it is a 7": teaches the network, says what changed and what it cost, and can be undone; the digits as files. */

import { digits } from "../digit.js";
import { complain, el } from "../dom.js";
import { ask, exclusive, get, listen } from "../engine.js";
import { percent, t } from "../text.js";
import { inWords } from "./answer.js";

const LESSON = "digitscope.lesson";
/** Milliseconds without an event until it is asked how the lesson is: one may be missed while a page is loaded. */
const PATIENCE = 2500;
const FORMS = ["csv", "idx", "png"];

/**
 * @param {HTMLElement} host
 * @param {HTMLElement} digitsHost
 * @param {object} options
 * @param {() => {model: string, drawing: any}} options.question
 * @param {(model: string) => void} options.onmodel another model is to answer from now on
 */
export function teachingView(host, digitsHost, options) {
  const labels = el("div", { class: "controls labels", role: "group", "aria-label": t("draw.teach_labels") });
  const result = el("div", { role: "status" });
  host.append(el("h2", {}, t("draw.teach_title")), el("p", { class: "muted" }, t("draw.teach_lead")), labels, result);
  /** The number of the lesson that this tab began, also before it was reloaded. */
  let mine = Number(sessionStorage.getItem(LESSON));
  /** @type {any} */
  let shown = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const teach = exclusive(async (/** @type {number} */ label) => {
    const { model, drawing } = options.question();
    const state = await ask("/api/draw/teach", { model, drawing, label });
    mine = state.lesson;
    sessionStorage.setItem(LESSON, String(mine));
    show(state);
    await listDigits();
  }, complain);

  /** @param {any} state of the lesson */
  function show(state) {
    if (state.lesson !== undefined && shown && state.lesson === shown.lesson && shown.status !== "running") return;
    const hasJustEnded = shown?.status === "running";
    shown = state;
    lock();
    clearTimeout(timer);
    if (state.status === "running") {
      timer = setTimeout(look, PATIENCE);
      showProgress(state.share);
    } else if (state.status === "failed") result.replaceChildren(el("p", { class: "notice bad" }, state.error));
    else if (state.status === "done") showOutcome(state, hasJustEnded);
    else result.replaceChildren();
  }

  function lock() {
    for (const button of labels.children) /** @type {HTMLButtonElement} */ (button).disabled = shown?.status === "running";
  }

  /** @param {number} share */
  function showProgress(share) {
    const known = result.querySelector("progress");
    if (known) known.value = share;
    else {
      const cancel = el("button", { onclick: () => void ask("/api/draw/lesson/cancel", {}).catch(complain) }, t("draw.cancel"));
      const bar = el("progress", { max: "1", value: String(share), "aria-label": t("draw.learning") });
      result.replaceChildren(el("p", {}, t("draw.learning")), el("div", { class: "controls" }, bar, cancel));
    }
  }

  /** @param {any} state @param {boolean} hasJustEnded */
  function showOutcome(state, hasJustEnded) {
    const label = String(state.label);
    if (state.problem) {
      const cost = percent((state.test_correct_before - state.test_correct_after) / state.test_images, 2);
      result.replaceChildren(el("p", { class: "notice bad" }, t(`draw.problem_${state.problem}`, { label, cost })));
      return;
    }
    const rows = [
      [t("draw.it_reads"), ...[state.before, state.after].map((p) => sure(p))],
      [t("draw.share_of", { label }), ...[state.before, state.after].map((p) => percent(p[state.label]))],
      [t("draw.test_images"), ...[state.test_correct_before, state.test_correct_after].map((n) => percent(n / state.test_images, 2))],
    ];
    const change = state.test_correct_after - state.test_correct_before;
    const cost = change === 0 ? t("draw.cost_none") : t(change < 0 ? "draw.cost" : "draw.gain", { n: Math.abs(change), all: state.test_images });
    const head = el("tr", {}, el("td"), el("th", { scope: "col" }, t("common.before")), el("th", { scope: "col" }, t("common.after")));
    const body = rows.map(([name, ...cells]) => el("tr", {}, el("th", { scope: "row" }, name), cells.map((cell) => el("td", {}, cell))));
    result.replaceChildren(
      el("p", { class: "notice good" }, t("draw.learned", { label })),
      el("table", { class: "changes" }, el("thead", {}, head), el("tbody", {}, body)),
      el("p", { class: "small" }, cost),
      el("div", { class: "controls" }, el("button", { onclick: () => void undo(state) }, t("draw.unlearn"))),
    );
    // It may also have ended while the page was reloaded.
    const waits = hasJustEnded || options.question().model === state.former;
    if (state.lesson === mine && waits) options.onmodel(state.model);
  }

  /** @param {any} state */
  async function undo(state) {
    try {
      await ask("/api/draw/taught/forget", { image: state.image });
      mine = 0;
      sessionStorage.removeItem(LESSON);
      options.onmodel(state.former);
      result.replaceChildren(el("p", { class: "notice" }, t("draw.unlearned", { model: state.former })));
      await listDigits();
    } catch (error) {
      complain(error);
    }
  }

  /** The digits that were taught, with links to download them. */
  async function listDigits() {
    const found = await get("/api/draw/taught");
    digitsHost.hidden = found.count === 0;
    if (digitsHost.hidden) return;
    const items = digits(found.newest.images).map((picture, k) => el("li", {}, picture, el("span", {}, String(found.newest.labels[k]))));
    const links = FORMS.map((form) => el("a", { class: "button", href: `/api/draw/taught/file?form=${form}`, download: true }, t(`draw.file_${form}`)));
    const forget = el("button", { class: "quiet", onclick: () => void forgetAll() }, t("draw.forget"));
    digitsHost.replaceChildren(
      el("h2", {}, t("draw.digits_title")), el("p", { class: "muted" }, t("draw.digits_lead", { n: found.count })),
      el("ul", { class: "taught" }, items), el("div", { class: "controls" }, links, forget),
    );
  }

  async function forgetAll() {
    try {
      await ask("/api/draw/taught/forget", {});
      await listDigits();
    } catch (error) {
      complain(error);
    }
  }

  listen("draw.lesson", update);
  listen("reset", look);
  look();
  void listDigits().catch(complain);

  function look() {
    void get("/api/draw/lesson").then(update).catch(complain);
  }

  /** @param {any} state of the lesson that is running, or of the last one */
  function update(state) {
    if (isOfInterest(state)) show(state);
    else unlock();
  }

  /** Lessons of others are of interest as long as they are in the way. @param {any} state */
  function isOfInterest(state) {
    return state.status === "running" || (state.lesson === mine && state.status !== "none");
  }

  function unlock() {
    if (shown?.status === "running") show({ status: "none" });
  }

  return {
    /**
     * Offers the digits that a drawing can be said to be.
     * @param {any | null} answer
     */
    show(answer) {
      host.hidden = answer === null;
      if (answer === null || labels.childElementCount === answer.probabilities.length) return;
      labels.replaceChildren(...answer.probabilities.map((/** @type {number} */ _, /** @type {number} */ k) => {
        const name = t("draw.teach_label", { label: String(k) });
        return el("button", { "aria-label": name, title: name, onclick: () => void teach(k) }, String(k));
      }));
      lock();
    },
  };
}

/** @param {number[]} probabilities */
function sure(probabilities) {
  const digit = probabilities.indexOf(Math.max(...probabilities));
  return inWords({ digit, is_digit: true }, probabilities[digit]);
}
