// @ts-check
/** Explore: one model and its test images, seen in six ways. The address holds the whole state. */

import { complain, el, main } from "../dom.js";
import { get } from "../engine.js";
import { readState, writeState } from "../state.js";
import { percent, t, whole } from "../text.js";
import { settled } from "./images.js";

/**
 * @typedef {object} State
 * @property {string} model
 * @property {string} view
 * @property {number[]} cell the true class and the answer, or nothing
 * @property {number} bin
 * @property {boolean} guessed
 * @property {string} layer
 * @property {number[]} axes the two components, from 1
 * @property {string} space
 * @property {number[]} frame the tour's frame in thousandths
 * @property {boolean} pictures
 * @property {string} other
 * @property {string} part
 * @property {number} sample
 * @property {number} moment where the training stands in the tour, in moments that it keeps; -1 for the model
 */
/**
 * @typedef {object} Context what a view is given
 * @property {State} state
 * @property {() => void} save writes the state into the address
 * @property {string[]} models
 * @property {AbortSignal} signal is aborted when another view is shown
 */
/** @typedef {{show: (host: HTMLElement, context: Context) => Promise<void>}} View */

/** @type {Record<string, () => Promise<View>>} */
const VIEWS = {
  mistakes: () => import("./mistakes.js"),
  confidence: () => import("./confidence.js"),
  robustness: () => import("./robustness.js"),
  layers: () => import("./layers.js"),
  tour: () => import("./tour.js"),
  compare: () => import("./compare.js"),
};

/** @type {State} */
const DEFAULTS = {
  model: "", view: "mistakes", cell: [], bin: -1, guessed: false, layer: "", axes: [1, 2], space: "logits",
  frame: [], pictures: false, other: "", part: "only_first", sample: 500, moment: -1,
};

const { models, default: first } = await get("/api/models");
/** @type {string[]} */
const names = models.map((/** @type {{name: string}} */ model) => model.name);
let state = read();

const chooser = el("select", { id: "model", onchange: () => change({ model: chooser.value, cell: [], bin: -1, layer: "" }) });
for (const { name, recipe } of models) {
  chooser.append(el("option", { value: name }, recipe && recipe !== name ? `${name} (${recipe})` : name));
}
const facts = el("p", { class: "facts", "aria-live": "polite" });
const tabs = el("div", { class: "tabs", role: "tablist", "aria-label": t("explore.views") });
const host = el("section", { id: "view", role: "tabpanel", tabindex: "-1" });
for (const name of Object.keys(VIEWS)) {
  tabs.append(el("button", { id: `tab-${name}`, role: "tab", "aria-controls": "view", onclick: () => change({ view: name }) }, t(`explore.view_${name}`)));
}
tabs.addEventListener("keydown", (event) => {
  const buttons = /** @type {HTMLElement[]} */ ([...tabs.children]);
  const at = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const button = buttons[(to + buttons.length) % buttons.length];
  button.focus();
  button.click();
});
main.append(el("div", { class: "controls" }, el("label", { for: "model" }, t("common.model")), chooser, facts), tabs, host);

/** @type {AbortController} */
let showing = new AbortController();

function read() {
  const found = readState(DEFAULTS);
  if (!names.includes(found.model)) found.model = first;
  if (!Object.hasOwn(VIEWS, found.view)) found.view = DEFAULTS.view;
  if (!["logits", "probabilities"].includes(found.space)) found.space = DEFAULTS.space;
  for (const name of /** @type {const} */ (["cell", "axes"])) {
    const list = found[name];
    if (!(Array.isArray(list) && list.length === 2 && list.every(Number.isInteger))) found[name] = DEFAULTS[name];
  }
  return found;
}

function save() {
  writeState(state, { ...DEFAULTS, model: first });
}

/** @param {Partial<State>} changes */
function change(changes) {
  Object.assign(state, changes);
  writeState(state, { ...DEFAULTS, model: first }, true);
  void show();
}

async function show() {
  showing.abort();
  showing = new AbortController();
  const { signal } = showing;
  chooser.value = state.model;
  for (const tab of /** @type {Iterable<HTMLElement>} */ (tabs.children)) {
    const chosen = tab.id === `tab-${state.view}`;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
  }
  host.setAttribute("aria-labelledby", `tab-${state.view}`);
  host.replaceChildren();
  void tell(signal);
  try {
    const view = await VIEWS[state.view]();
    if (!signal.aborted) await view.show(host, { state, save, models: names, signal });
  } catch (error) {
    if (!signal.aborted) complain(error);
  }
}

/** The accuracy beside the model's name. @param {AbortSignal} signal */
async function tell(signal) {
  facts.textContent = "";
  const found = await settled("/api/explore/summary", { model: state.model }, signal).catch(() => null);
  if (!found || signal.aborted) return;
  facts.textContent = t("explore.accuracy", {
    right: whole(found.images - found.mistakes), images: whole(found.images), accuracy: percent(found.accuracy, 2),
    low: percent(found.interval[0], 2), high: percent(found.interval[1], 2),
  });
  if (found.notice) facts.append(el("span", { lang: "en" }, ` ${found.notice}`));
}

addEventListener("popstate", () => {
  state = read();
  void show();
});
save();
await show();
