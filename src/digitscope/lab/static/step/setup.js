// @ts-check
/** What the step begins with: images and their labels, the network, the optimizer. */

import { digits } from "../digit.js";
import { complain, el } from "../dom.js";
import { get } from "../engine.js";
import { t, whole } from "../text.js";

/** @typedef {import("./data.js").State} State */

const OPTIMIZERS = ["gradient-descent", "momentum", "nesterov", "adam", "adamw"];
const PAGE = 24;
/** The most images at once. */
const MOST_IMAGES = 8;

/**
 * @param {HTMLElement} host
 * @param {HTMLElement} summary what the network answers
 * @param {(change: Partial<State>) => void} onchange
 */
export function setup(host, summary, onchange) {
  const images = el("div", { class: "images" });
  const choices = el("div", { class: "choices" });
  const more = el("details", { class: "settings" }, el("summary", {}, t("step.settings")), choices);
  const name = el("span", { class: "network-name" });
  host.append(images, el("div", { class: "told" }, summary, el("div", { class: "network" }, name, more)));
  const dialog = gallery();
  document.body.append(dialog.element);
  /** @type {any} */
  let networks = null;

  /** @param {State} state @param {import("./data.js").StepData} data */
  function show(state, data) {
    const pictures = digits(data.outline.images);
    images.replaceChildren(
      ...state.images.map((image, n) => {
        const select = el("select", { "aria-label": t("step.label_of", { n: n + 1 }) },
          Array.from({ length: data.outline.classes }, (_, k) => el("option", { value: k, selected: k === image.label }, String(k))));
        select.addEventListener("change", () => onchange({ images: state.images.map((old, i) => (i === n ? { ...old, label: Number(select.value) } : old)), rates: [], step: 0 }));
        const shown = el("button", { class: "picture", "aria-pressed": String(n === state.image), "aria-label": t("step.show_image", { n: n + 1 }), onclick: () => onchange({ image: n }) }, pictures[n]);
        const swap = el("button", { class: "quiet small", onclick: () => dialog.open((found) => onchange({ images: state.images.map((old, i) => (i === n ? found : old)), rates: [], step: 0 })) }, t("step.swap"));
        const away = state.images.length > 1 ? el("button", { class: "quiet small", "aria-label": t("step.remove_image", { n: n + 1 }), onclick: () => onchange({ images: state.images.filter((_, i) => i !== n), image: 0, rates: [], step: 0 }) }, "×") : null;
        return el("div", { class: "image" }, shown, el("div", {}, el("label", {}, t("step.label"), " ", select), el("div", {}, swap, away)));
      }),
      state.images.length < MOST_IMAGES ? el("button", { class: "add", onclick: () => add(state) }, t("step.add_image")) : "",
    );
    name.replaceChildren(el("strong", {}, state.network), ` · ${t("common.parameters", { n: data.outline.parameters })} · ${t(`step.start_${state.start}`)}`);
    if (networks) fill(state);
    else void get("/api/step/networks").then((found) => { networks = found; fill(state); }, complain);
  }

  /** @param {State} state */
  function add(state) {
    dialog.open((found) => onchange({ images: [...state.images, found], image: state.images.length, rates: [], step: 0 }));
  }

  /** @param {State} state */
  function fill(state) {
    const network = el("select", {},
      el("optgroup", { label: t("step.networks_new") }, networks.new.map((/** @type {any} */ found) => el("option", { value: `new ${found.name}`, selected: state.start === "new" && state.network === found.name }, `${found.name} (${whole(found.parameters)})`))),
      el("optgroup", { label: t("step.networks_trained") }, networks.trained.map((/** @type {string} */ found) => el("option", { value: `trained ${found}`, selected: state.start === "trained" && state.network === found }, found))));
    network.addEventListener("change", () => {
      const [start, of] = network.value.split(" ");
      onchange({ start: /** @type {"new"} */ (start), network: of, rates: [], step: 0, at: "whole", of: "", index: [] });
    });
    const optimizer = el("select", {}, OPTIMIZERS.map((found) => el("option", { value: found, selected: found === state.optimizer }, found)));
    optimizer.addEventListener("change", () => onchange({ optimizer: optimizer.value, rates: [], step: 0, rate: optimizer.value.startsWith("adam") ? 0.001 : 0.01, at: "whole" }));
    const seed = el("input", { type: "number", min: 0, max: 2147483647, step: 1, value: state.seed });
    seed.addEventListener("change", () => onchange({ seed: Math.max(0, Math.min(2147483647, Math.round(Number(seed.value)))), rates: [], step: 0 }));
    const training = el("input", { type: "checkbox", checked: state.training });
    training.addEventListener("change", () => onchange({ training: training.checked, rates: [], step: 0 }));
    choices.replaceChildren(
      field("network", t("step.network"), network),
      field("optimizer", t("step.optimizer"), optimizer),
      field("seed", t("step.seed"), seed),
      el("label", { class: "check" }, training, " ", t("step.training")));
  }

  return { show, add };
}

/** A control with its label. @param {string} id @param {string} label @param {HTMLElement} control */
function field(id, label, control) {
  control.id = id;
  return el("div", { class: "field" }, el("label", { for: id }, label), control);
}

/** A dialog with MNIST's test images. */
function gallery() {
  const grid = el("div", { class: "gallery" });
  const filter = el("div", { class: "controls", role: "group", "aria-label": t("step.only_digit") });
  const next = el("button", { onclick: () => void fill(last + 1) }, t("step.more_images"));
  const close = el("button", { class: "quiet", onclick: () => element.close() }, t("common.close"));
  const element = el("dialog", { class: "gallery-dialog", "aria-label": t("step.choose_image") }, el("h2", {}, t("step.choose_image")), filter, grid, el("div", { class: "controls" }, next, close));
  /** @type {number | null} */
  let digit = null;
  let last = -1;
  /** @type {(found: import("./data.js").StepImage) => void} */
  let chosen = () => {};
  const buttons = [null, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((k) => {
    const button = el("button", { "aria-pressed": String(k === null), onclick: () => {
      digit = k;
      buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      void fill(0);
    } }, k === null ? t("step.all_digits") : String(k));
    return button;
  });
  filter.append(...buttons);

  /** @param {number} first */
  async function fill(first) {
    try {
      const found = await get("/api/test-images", { first: Math.min(first, 9_999), count: PAGE, digit });
      const pictures = digits(found.images);
      last = found.indices.length ? found.indices[found.indices.length - 1] : -1;
      if (found.indices.length < PAGE) last = -1;
      grid.replaceChildren(...found.indices.map((/** @type {number} */ index, /** @type {number} */ i) =>
        el("button", { "aria-label": t("step.test_image", { index: String(index), label: String(found.labels[i]) }), onclick: () => {
          element.close();
          chosen({ label: found.labels[i], index });
        } }, pictures[i])));
    } catch (error) {
      complain(error);
    }
  }

  return {
    element,
    /** @param {(found: import("./data.js").StepImage) => void} then */
    open(then) {
      chosen = then;
      element.showModal();
      if (!grid.children.length) void fill(0);
    },
  };
}
