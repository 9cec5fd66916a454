// @ts-check
/** The end of a step: the loss before and after it, the learning rate, the curve, and the steps that were taken. */

import { el, scrollingTable, svg } from "../dom.js";
import { ask, decode, latest } from "../engine.js";
import { number, percent, t } from "../text.js";
import { exact } from "../why.js";
import { rateOf } from "./data.js";

/** @typedef {import("./data.js").StepData} StepData @typedef {import("./data.js").State} State */

const RATES = Array.from({ length: 49 }, (_, k) => 10 ** (-4 + k / 8));
const [LEAST, MOST] = [-4, 2];
/** As many as the server takes. */
const MOST_STEPS = 400;
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [560, 230, 52, 34, 12];

/**
 * @param {HTMLElement} host @param {StepData} data @param {State} state
 * @param {{take: (steps: number) => void, visit: (step: number) => void, rate: (rate: number) => void, another: () => void}} on
 */
export async function showResult(host, data, state, on) {
  const { outline } = data;
  const found = await ask("/api/step/curve", { step: data.asked, rates: RATES });
  const before = el("strong", {}, shown(outline.loss));
  const after = el("strong", {});
  const verdict = el("p", { class: "verdict", "aria-live": "polite" });
  host.append(el("p", { class: "losses" }, el("span", {}, t("step.loss_before"), before), el("span", { class: "arrow", "aria-hidden": "true" }, "→"), el("span", {}, t("step.loss_after"), after)), verdict);

  const take = el("button", { class: "main", disabled: state.step + 1 > MOST_STEPS, onclick: () => on.take(1) }, t("step.take"));
  const ten = el("button", { disabled: state.step + 10 > MOST_STEPS, onclick: () => on.take(10) }, t("step.take_ten"));
  host.append(el("div", { class: "controls" }, take, ten));

  const slider = el("input", { type: "range", min: LEAST, max: MOST, step: 0.05, "aria-label": t("step.rate") });
  const field = el("input", { type: "number", min: 0, max: 1e6, step: "any", class: "rate", "aria-label": t("step.rate") });
  const { chart, point } = curve(found);
  host.append(el("h3", { class: "part" }, t("step.sweep")), el("p", {}, t("step.sweep_text")), chart,
    el("div", { class: "rate-row" }, el("label", {}, t("step.rate"), " ", field), slider));
  if (state.images.length === 1 && !found.losses.some((/** @type {number | null} */ loss) => loss === null || loss > (found.loss ?? 0))) {
    host.append(el("p", { class: "notice" }, t("step.never_rises"), " ", el("button", { onclick: on.another }, t("step.add_image"))));
  }
  const rows = RATES.map((rate, k) => el("tr", {}, el("td", {}, exact(rate)), el("td", {}, shown(found.losses[k]))));
  host.append(el("details", { class: "small" }, el("summary", {}, t("common.as_table")), scrollingTable(t("step.curve_label"), [t("step.rate"), t("step.loss_after")], rows)));
  host.append(probabilities(data));
  if (outline.losses.length > 1 || state.rates.length) host.append(history(state, outline, on.visit));

  const try_ = latest("/api/step/curve");
  /** @param {number} rate @param {number | null} loss */
  function tell(rate, loss) {
    after.textContent = shown(loss);
    const change = loss === null || outline.loss === null ? 1 : loss - outline.loss;
    const kind = change < 0 ? "falls" : change > 0 ? "rises" : "stays";
    after.className = change <= 0 ? "good" : "bad";
    verdict.textContent = t(`step.verdict_${kind}`, { rate: exact(rate) });
    point(rate, loss);
  }
  /** @param {number} rate */
  async function turn(rate) {
    const answer = await try_({ step: data.asked, rates: [rate] });
    if (answer) tell(rate, answer.losses[0]);
  }
  const rate = rateOf(state);
  slider.value = String(Math.log10(Math.max(rate, 1e-9)));
  slider.setAttribute("aria-valuetext", exact(rate));
  field.value = String(rate);
  tell(rate, outline.loss_after);
  slider.addEventListener("input", () => {
    const chosen = Number((10 ** Number(slider.value)).toPrecision(3));
    field.value = String(chosen);
    slider.setAttribute("aria-valuetext", exact(chosen));
    void turn(chosen);
  });
  slider.addEventListener("change", () => on.rate(Number(field.value)));
  field.addEventListener("change", () => {
    if (field.value !== "" && Number(field.value) >= 0) on.rate(Number(field.value));
  });
  return { pictures: null, start: { of: "loss", index: /** @type {number[]} */ ([]) } };
}

/** @param {number | null} loss */
function shown(loss) {
  if (loss === null) return "∞";
  return loss !== 0 && Math.abs(loss) < 1e-3 ? exact(loss) : number(loss, { maximumSignificantDigits: 4 });
}

/** The loss after the step over the learning rate, which has a logarithmic axis. @param {any} found */
function curve(found) {
  const top = 1.6 * (found.loss ?? 1);
  /** @param {number} rate */
  const x = (rate) => LEFT + ((Math.log10(rate) - LEAST) / (MOST - LEAST)) * (WIDTH - LEFT - 22);
  /** @param {number | null} loss */
  const y = (loss) => HEIGHT - BOTTOM - (Math.min(top * 1.05, Math.max(0, loss ?? Infinity)) / (top * 1.05)) * (HEIGHT - BOTTOM - TOP);
  const line = RATES.map((rate, k) => `${x(rate).toFixed(1)},${y(found.losses[k]).toFixed(1)}`).join(" ");
  const dot = svg("circle", { r: 7, class: "dot" });
  const stem = svg("line", { class: "stem", y1: TOP, y2: HEIGHT - BOTTOM });
  const marks = [];
  for (let power = LEAST; power <= MOST; power++) {
    marks.push(svg("text", { x: x(10 ** power), y: HEIGHT - 12, class: "tick", "text-anchor": "middle" }, number(10 ** power)));
  }
  for (const loss of [0, found.loss ?? 1]) {
    marks.push(svg("text", { x: LEFT - 8, y: y(loss) + 4, class: "tick", "text-anchor": "end" }, number(loss, { maximumSignificantDigits: 3 })));
  }
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curve", role: "img", "aria-label": t("step.curve_label") },
    svg("line", { x1: LEFT, x2: WIDTH - 22, y1: y(found.loss), y2: y(found.loss), class: "before" }),
    svg("line", { x1: LEFT, x2: WIDTH - 22, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM, class: "axis" }),
    svg("polyline", { points: line, class: "line" }), marks, stem, dot);
  /** @param {number} rate @param {number | null} loss */
  const point = (rate, loss) => {
    const at = String(x(Math.min(10 ** MOST, Math.max(10 ** LEAST, rate))));
    dot.setAttribute("cx", at);
    dot.setAttribute("cy", String(y(loss)));
    stem.setAttribute("x1", at);
    stem.setAttribute("x2", at);
  };
  return { chart, point };
}

/** Each class's probability before and after the step. @param {StepData} data */
function probabilities(data) {
  const { outline, image } = data;
  const [before, after] = [decode(outline.probabilities), decode(outline.probabilities_after)];
  const rows = Array.from({ length: outline.classes }, (_, k) => {
    const at = image * outline.classes + k;
    const bars = el("td", { class: "bars" }, bar(before[at], "old"), bar(after[at], "new"));
    return el("tr", { class: k === outline.labels[image] ? "label" : "" }, el("th", { scope: "row" }, String(k)), bars, el("td", {}, percent(before[at])), el("td", {}, percent(after[at])));
  });
  const head = el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("common.digit")), el("td", {}), el("th", { scope: "col" }, t("common.before")), el("th", { scope: "col" }, t("common.after"))));
  return el("div", { class: "probabilities" }, el("h3", { class: "part" }, t("step.answers")), el("table", {}, head, el("tbody", {}, rows)));
}

/** @param {number} share @param {string} kind */
function bar(share, kind) {
  const inside = el("span", { class: kind });
  inside.style.width = `${100 * share}%`;
  return el("span", { class: "track", "aria-hidden": "true" }, inside);
}

/** The losses of all steps that were taken; each can be visited again. @param {State} state @param {any} outline @param {(step: number) => void} visit */
function history(state, outline, visit) {
  const steps = state.rates.length + 1;
  const items = [];
  for (let k = 0; k < steps; k++) {
    const loss = outline.losses[k];
    const known = loss === undefined ? "" : shown(loss);
    items.push(el("li", {}, el("button", { "aria-current": k === state.step ? "step" : null, onclick: () => visit(k) }, el("span", {}, t("step.number_of_step", { n: k })), el("span", { class: "number" }, known))));
  }
  return el("div", { class: "history" }, el("h3", { class: "part" }, t("step.taken")), el("p", {}, t("step.taken_text")), el("ol", {}, items));
}
