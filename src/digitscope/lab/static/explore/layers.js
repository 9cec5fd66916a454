// @ts-check
/** The test images in the principal components of one layer after the other. */

import { complain, el, svg } from "../dom.js";
import { decode, get } from "../engine.js";
import { percent, t, whole } from "../text.js";
import { classTable, cloud, decodePoints } from "./cloud.js";
import { awaited } from "./images.js";

/** @param {HTMLElement} host @param {import("./room.js").Context} context */
export async function show(host, { state, save, signal }) {
  const { layers } = await get("/api/explore/layers", { model: state.model });
  if (signal.aborted) return;
  /** @type {{name: string, text: string, shape: number[], most: number}[]} */
  const shapes = layers;
  const images = Math.max(100, Math.min(1000, ...shapes.map((shape) => shape.most)));
  let at = shapes.findIndex((shape) => shape.name === state.layer);
  if (at < 0) at = shapes.length - 1;

  const slider = el("input", { type: "range", min: "0", max: String(shapes.length - 1), id: "layer", oninput: () => go(Number(slider.value)) });
  const back = el("button", { class: "round", "aria-label": t("explore.previous_layer"), onclick: () => go(at - 1) }, "◀");
  const forth = el("button", { class: "round", "aria-label": t("explore.next_layer"), onclick: () => go(at + 1) }, "▶");
  const name = el("h2", { "aria-live": "polite" });
  const axes = [0, 1].map((axis) => {
    const select = el("select", { id: `axis-${axis}`, onchange: () => {
      state.axes[axis] = Number(select.value);
      save();
      arrange(true);
    } });
    return select;
  });
  const pictures = el("input", { type: "checkbox", id: "pictures", checked: state.pictures, onchange: () => {
    state.pictures = pictures.checked;
    save();
    picture?.showPictures(state.pictures);
  } });
  const plane = el("div", { class: "plane" });
  const waiting = el("div", {});
  const sentence = el("p", {});
  const shares = el("div", {});
  const behind = el("details", { class: "small", ontoggle: () => fillTable() }, el("summary", {}, t("common.as_table")));
  host.append(
    el("div", { class: "controls layer-steps" }, back, el("label", { for: "layer", class: "hidden" }, t("explore.layer")), slider, forth),
    el("div", { class: "split wide" },
      el("div", { class: "card" }, plane),
      el("div", { class: "card" }, name, waiting, sentence, shares,
        el("div", { class: "controls" }, axes.map((select, axis) => [el("label", { for: select.id }, axis ? t("explore.up") : t("explore.right_way")), select]).flat()),
        el("p", {}, el("label", { for: "pictures" }, pictures, " ", t("explore.as_pictures"))),
        behind, el("details", { class: "small" }, el("summary", {}, t("explore.what_components")), el("p", {}, t("explore.components_text"))))));

  /** @type {ReturnType<typeof cloud> | null} */
  let picture = null;
  /** @type {any} */
  let found = null;
  /** @type {import("./cloud.js").Points | null} */
  let points = null;
  /** @type {Float32Array} */
  let places = new Float32Array(0);
  let asked = 0;
  await go(at);

  /** @param {number} to */
  async function go(to) {
    at = Math.min(shapes.length - 1, Math.max(0, to));
    const shape = shapes[at];
    slider.value = String(at);
    slider.setAttribute("aria-valuetext", title(shape));
    back.disabled = at === 0;
    forth.disabled = at === shapes.length - 1;
    state.layer = shape.name;
    save();
    name.textContent = title(shape);
    const number_ = ++asked;
    try {
      const answer = await awaited(waiting, "/api/explore/components", { model: state.model, layer: shape.name, images }, signal);
      if (number_ !== asked || signal.aborted) return;
      found = answer;
      arrange(picture !== null);
      tell(shape);
    } catch (error) {
      complain(error);
    }
  }

  /** @param {{text: string, shape: number[]}} shape */
  function title(shape) {
    const size = shape.shape.join("×");
    return shape.text ? t("explore.layer_title", { at, last: shapes.length - 1, layer: shape.text.replace(/\(.*/, ""), size }) : t("explore.input_title", { size });
  }

  /** @param {{text: string}} shape */
  function tell(shape) {
    sentence.textContent = t("explore.neighbours", { images: found.sample.shape[0], share: percent(found.same_neighbour), dimensions: found.dimensions });
    if (shape.text) sentence.append(el("br"), el("code", { class: "small" }, shape.text));
  }

  /** Puts the points where the chosen components say. @param {boolean} moving whether they glide there */
  function arrange(moving) {
    const coordinates = decode(found.coordinates);
    const [count, components] = found.coordinates.shape;
    const chosen = state.axes.map((axis) => Math.min(Math.max(1, axis), Math.max(1, components)) - 1);
    axes.forEach((select, axis) => {
      select.replaceChildren(...Array.from({ length: components }, (_, k) => el("option", { value: String(k + 1) }, t("explore.component", { number: k + 1 }))));
      select.value = String(chosen[axis] + 1);
    });
    let most = 1e-12;
    const target = new Float32Array(2 * count);
    for (let i = 0; i < count; i++) {
      for (const axis of [0, 1]) {
        const value = components ? coordinates[i * components + chosen[axis]] : 0;
        target[2 * i + axis] = value;
        most = Math.max(most, Math.abs(value));
      }
    }
    for (let k = 0; k < target.length; k++) target[k] *= 0.94 / most;
    if (!picture) {
      points = decodePoints(found);
      picture = cloud(plane, points, { model: state.model, label: t("explore.layers_label"), pictures: state.pictures, signal });
    }
    explained(chosen);
    glide(target, moving);
    behind.open = false;
  }

  /** @param {Float32Array} target @param {boolean} moving */
  function glide(target, moving) {
    const from = places.length === target.length ? places : target;
    const began = performance.now();
    const length = moving && !matchMedia("(prefers-reduced-motion: reduce)").matches ? 700 : 0;
    const goal = found;
    places = target;
    const between = new Float32Array(target.length);
    const step = () => {
      if (goal !== found || places !== target || signal.aborted) return;
      const s = length ? Math.min(1, (performance.now() - began) / length) : 1;
      const share = s * s * (3 - 2 * s);
      for (let k = 0; k < target.length; k++) between[k] = from[k] + share * (target[k] - from[k]);
      picture?.place(between);
      if (s < 1) requestAnimationFrame(step);
    };
    step();
  }

  /** The fractions of the variance as bars. @param {number[]} chosen */
  function explained(chosen) {
    /** @type {number[]} */
    const parts = found.explained;
    const both = new Set(chosen);
    const sum = [...both].reduce((total, k) => total + (parts[k] ?? 0), 0);
    const bars = svg("svg", { viewBox: "0 0 220 84", class: "chart shares", role: "img", "aria-label": parts.map((p, k) => `${k + 1}: ${percent(p, 0)}`).join(", ") },
      parts.map((p, k) => [
        svg("rect", { class: both.has(k) ? "bar chosen" : "bar", x: 22 * k + 2, y: 60 - (56 * p) / Math.max(...parts), width: 18, height: (56 * p) / Math.max(...parts) + 0.5, rx: 2 }),
        svg("text", { x: 22 * k + 11, y: 76, "text-anchor": "middle" }, String(k + 1)),
      ]).flat());
    shares.replaceChildren(el("p", {}, t("explore.explained", { share: percent(sum, 0), dimensions: whole(found.dimensions) })), bars);
  }

  function fillTable() {
    behind.querySelector(".table")?.remove();
    if (behind.open && points) behind.append(classTable(points, places, [t("explore.right_way"), t("explore.up")]));
  }
}
