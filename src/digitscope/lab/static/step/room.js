// @ts-check
/** One step of training, number by number. */

import { complain, el, main } from "../dom.js";
import { decode } from "../engine.js";
import { readState, writeState } from "../state.js";
import { number, percent, t } from "../text.js";
import { whyPanel } from "../why.js";
import { DEFAULTS, StepData, positions, rateOf, request, title } from "./data.js";
import { showResult } from "./result.js";
import { setup } from "./setup.js";
import { sentence, showQuestion, showStage, showWhole, stageTitle } from "./stages.js";

/** @typedef {import("./data.js").State} State */

const PHASES = { whole: "whole", predict: "question", result: "result" };

let state = read();
/** @type {StepData | null} */
let data = null;
/** The newest state that could be shown. */
let shown = state;
/** @type {import("./pictures.js").Pictures | null} */
let pictures = null;
let [loading, drawing] = [0, 0];

const top = el("section", { class: "card setup", "aria-label": t("step.setup") });
const summary = el("p", { class: "summary", "aria-live": "polite" });
const back = el("button", { class: "go", disabled: true, onclick: () => move(-1) }, el("span", { "aria-hidden": "true" }, "◀"), el("span", { class: "word" }, t("common.back")));
const next = el("button", { class: "go main", disabled: true, onclick: () => move(1) }, el("span", { class: "word" }, t("common.next")), el("span", { "aria-hidden": "true" }, "▶"));
const slider = el("input", { type: "range", min: 0, step: 1, value: 0, disabled: true, "aria-label": t("step.timeline") });
const phases = el("div", { class: "phases", "aria-hidden": "true" });
const where = el("p", { class: "where", "aria-live": "polite" });
const bar = el("nav", { class: "bar", "aria-label": t("step.timeline") }, back, el("div", { class: "line" }, where, slider, phases), next);
const heading = el("h2", { tabindex: "-1" });
const saying = el("p", { class: "saying" });
const content = el("div", { class: "content" });
const stage = el("section", { class: "card stage", "aria-label": t("step.stage") }, heading, saying, content);
const side = el("div", { class: "side" });
const body = el("div", { class: "body" }, stage, side);
const keys = el("p", { class: "muted small keys" }, t("step.keys"), " ", el("button", { class: "quiet small", onclick: copy }, t("step.copy_link")));
main.append(top, bar, body, keys);

const images = setup(top, summary, (change) => void apply(change));
const why = whyPanel(side, {
  body: () => ({ step: data?.asked }),
  title,
  derivative: (name) => data?.outline.arrays[`d${name}`] !== undefined,
  onlight: (factors) => pictures?.light(factors),
  onsymbol: (symbol) => pictures?.lightSymbol(symbol),
  onshow: ({ of, index }) => {
    Object.assign(state, { of, index });
    pictures?.choose(of, index);
    writeState(state, DEFAULTS);
  },
});

function read() {
  /** @type {State} */
  const found = readState(DEFAULTS);
  for (const name of /** @type {const} */ (["images", "rates", "index"])) {
    if (!Array.isArray(found[name])) Object.assign(found, { [name]: DEFAULTS[name] });
  }
  if (!found.images.length) found.images = DEFAULTS.images;
  found.step = Math.max(0, Math.min(found.step, found.rates.length));
  return found;
}

/** Changes the state; the step is computed again if it depends on what has changed. @param {Partial<State>} change */
async function apply(change) {
  const before = JSON.stringify(request(state));
  state = { ...state, ...change };
  writeState(state, DEFAULTS);
  if (data === null || before !== JSON.stringify(request(state))) await load();
  else {
    if (data.image !== state.image) {
      data = data.ofImage(Math.min(state.image, state.images.length - 1));
      // The same number of the other image.
      if (data.outline.arrays[state.of]?.batch) {
        state.index = state.of === "images" ? [data.image, ...state.index.slice(1)] : [...state.index.slice(0, -1), data.image];
      }
    }
    await draw();
  }
}

async function load() {
  const mine = ++loading;
  main.setAttribute("aria-busy", "true");
  try {
    const found = await StepData.load(state);
    if (mine !== loading) return;
    data = found;
    shown = state;
    await draw();
  } catch (error) {
    if (mine !== loading) return;
    complain(error);
    if (data === null) {
      // What the address asks for cannot be shown; the beginning can.
      state = structuredClone(DEFAULTS);
      await load();
    } else {
      state = shown;
      writeState(state, DEFAULTS);
      await draw();
    }
  } finally {
    if (mine === loading) main.removeAttribute("aria-busy");
  }
}

/** Draws the stage of the state. */
async function draw() {
  if (data === null) return;
  const mine = ++drawing;
  const { outline } = data;
  const all = positions(outline);
  if (!all.includes(state.at)) state.at = "whole";
  const at = all.indexOf(state.at);
  const found = outline.stages.find(({ key }) => key === state.at);
  images.show(state, data);
  tell();
  slider.disabled = false;
  slider.max = String(all.length - 1);
  slider.value = String(at);
  back.disabled = at === 0;
  next.disabled = at === all.length - 1;
  heading.textContent = name(state.at);
  saying.textContent = found ? sentence(found) : t(`step.say_${state.at}`);
  const old = pictures;
  const fresh = el("div", { class: "content" });
  stage.setAttribute("aria-busy", "true");
  body.dataset.at = found ? "stage" : state.at;
  try {
    content.replaceChildren(fresh);
    old?.remove();
    pictures = null;
    const result =
      state.at === "whole" ? await showWhole(fresh, data, go)
      : state.at === "predict" ? await showQuestion(fresh, data, () => move(1))
      : found ? await showStage(fresh, data, found, pick)
      : await showResult(fresh, data, state, { take, visit, rate: turn, another: () => images.add(state) });
    if (mine !== drawing) return;
    pictures = result.pictures;
    if (state.at === "whole" || state.at === "predict") why.clear();
    else {
      const known = state.of && outline.arrays[state.of] !== undefined && (pictures === null ? state.of === "loss" : pictures.all.has(state.of));
      const place = known ? { of: state.of, index: state.index } : result.start;
      if (place) void why.show(place.of, place.index);
    }
  } catch (error) {
    if (mine === drawing) complain(error);
  } finally {
    if (mine === drawing) stage.removeAttribute("aria-busy");
  }
}

/** Writes above the timeline where it stands. @param {string} key @returns {string} the stage's title */
function name(key) {
  if (data === null) return "";
  const all = positions(data.outline);
  const at = all.indexOf(key);
  const found = data.outline.stages.find((stage) => stage.key === key);
  const title = found ? stageTitle(found) : t(`step.title_${key}`);
  slider.setAttribute("aria-valuetext", title);
  where.replaceChildren(el("span", { class: "count" }, t("step.where", { at: at + 1, all: all.length })), " ", el("strong", {}, title));
  marks(all, at);
  return title;
}

/** What the network answers before the step, in a sentence. */
function tell() {
  if (data === null) return;
  const { outline, image } = data;
  const shares = decode(outline.probabilities).subarray(image * outline.classes, (image + 1) * outline.classes);
  const answer = shares.indexOf(/** @type {never} */ (Math.max(...shares)));
  const label = outline.labels[image];
  const values = {
    step: outline.step, label: String(label), answer: String(answer), share: percent(shares[answer], 0), of_label: percent(shares[label] ?? 0, 0),
    loss: outline.loss === null ? "∞" : number(outline.loss, { maximumSignificantDigits: 3 }),
    after: outline.loss_after === null ? "∞" : number(outline.loss_after, { maximumSignificantDigits: 3 }), rate: number(rateOf(state)),
  };
  summary.replaceChildren(
    outline.step ? `${t("step.after_steps", { n: outline.step })} ` : "",
    t(answer === label ? "step.summary_right" : "step.summary_wrong", values), " ",
    t((outline.loss_after ?? Infinity) <= (outline.loss ?? Infinity) ? "step.summary_falls" : "step.summary_rises", values));
}

/** The phases below the timeline. @param {string[]} all @param {number} at */
function marks(all, at) {
  const kinds = all.map((key) => PHASES[/** @type {keyof typeof PHASES} */ (key)] ?? data?.outline.stages.find((found) => found.key === key)?.phase ?? "");
  /** @type {{name: string, count: number, first: number}[]} */
  const runs = [];
  for (const [i, kind] of kinds.entries()) {
    const name = kind === "input" ? "forward" : kind === "question" ? "backward" : kind;
    const run = runs[runs.length - 1];
    if (run?.name === name) run.count += 1;
    else runs.push({ name, count: 1, first: i });
  }
  phases.replaceChildren(...runs.map(({ name, count, first }) => {
    const word = count / kinds.length < 0.04 ? "" : t(`step.phase_${name}`);
    const part = el("span", { class: `phase ${first <= at && at < first + count ? "now" : ""}` }, word);
    part.style.flexGrow = String(count);
    return part;
  }));
}

/** @param {number} by */
function move(by) {
  if (data === null) return;
  const all = positions(data.outline);
  const at = Math.min(all.length - 1, Math.max(0, all.indexOf(state.at) + by));
  if (all[at] !== state.at) void apply({ at: all[at], of: "", index: [] });
}

/** Goes to a stage, and asks about one of its numbers. @param {string} key @param {string} of @param {number[]} index */
function go(key, of, index) {
  void apply({ at: key, of, index }).then(() => {
    heading.focus({ preventScroll: true });
    bar.scrollIntoView({ block: "start" });
  });
}

/** @param {string} name @param {number[]} index */
function pick(name, index) {
  if (data === null) return;
  void why.show(name, index).then(() => {
    if (matchMedia("(max-width: 1000px)").matches) why.panel.scrollIntoView({ block: "start", behavior: "smooth" });
  });
}

/** Takes steps with the rate of this one. @param {number} steps */
function take(steps) {
  const rate = rateOf(state);
  const rates = [...state.rates.slice(0, state.step), ...Array(steps).fill(rate)];
  void apply({ rates, step: state.step + steps, rate });
}

/** @param {number} step */
function visit(step) {
  void apply({ step });
}

/** Another rate makes the steps that followed others. @param {number} rate */
function turn(rate) {
  if (rate !== rateOf(state)) void apply({ rates: state.rates.slice(0, state.step), rate });
}

async function copy() {
  try {
    await navigator.clipboard.writeText(location.href);
    keys.querySelector("button")?.replaceChildren(t("step.copied"));
  } catch {
    complain(t("step.copy_failed"));
  }
}

let scrubbing = 0;
slider.addEventListener("input", () => {
  if (data === null) return;
  const at = positions(data.outline)[Number(slider.value)];
  name(at);
  // While the timeline is dragged, only the stage where it rests is drawn.
  clearTimeout(scrubbing);
  scrubbing = setTimeout(() => void apply({ at, of: "", index: [] }), 70);
});
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.closest("input, select, textarea, dialog, [role=application]")) return;
  const forward = ["ArrowRight", "PageDown"].includes(event.key) || (event.key === " " && !target.closest("button, summary, a"));
  if (forward) move(1);
  else if (["ArrowLeft", "PageUp"].includes(event.key)) move(-1);
  else return;
  event.preventDefault();
});
addEventListener("hashchange", () => {
  state = read();
  data = null;
  void load();
});
let width = innerWidth;
addEventListener("resize", () => {
  if (Math.abs(innerWidth - width) < 40) return;
  width = innerWidth;
  void draw();
});

await load();
