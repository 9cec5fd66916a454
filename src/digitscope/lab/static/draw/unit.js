// @ts-check
/** One unit: its value, what it sees, its weights, its sum, and the test images that excite it most. */

import { digit } from "../digit.js";
import { el } from "../dom.js";
import { decode } from "../engine.js";
import { number, t } from "../text.js";
import { whyPanel } from "../why.js";
import { Layout, paintTiles, scaled } from "./maps.js";

/** @typedef {{layer: string, index: number[]}} Unit */

/**
 * @param {object} options
 * @param {(unit: number) => void} options.onoff
 * @param {() => void} options.onclose
 * @param {() => Record<string, unknown>} options.body the drawing and the network, for the panel "why?"
 * @param {(factors: {name: string | null, index: number[]}[]) => void} options.onlight
 */
export function unitView(options) {
  const element = el("section", { class: "card unit", tabindex: "-1", "aria-labelledby": "unit-title" });
  element.addEventListener("keydown", (event) => event.key === "Escape" && options.onclose());

  const whyPlace = el("div");
  const why = whyPanel(whyPlace, { path: "/api/draw/terms", body: options.body, onlight: options.onlight, title: (name) => (/^\d/.test(name) ? t("draw.layer_name", { name }) : name) });

  return {
    element,
    /**
     * @param {any} found what the server says about the unit
     * @param {Unit} unit
     * @param {{shape: number[], values: ArrayLike<number>}} image what the network sees
     * @param {boolean} finished false while a stroke is drawn
     */
    show(found, unit, image, finished) {
      const { layer, index } = unit;
      const [unitNumber, ...rest] = index.map(String);
      const place = index.length === 3
        ? t("draw.unit_map", { layer, channel: unitNumber, row: rest[0], column: rest[1] })
        : index.length === 2
          ? t("draw.unit_step", { layer, channel: unitNumber, step: rest[0] })
          : t("draw.unit_neuron", { layer, unit: unitNumber });
      const close = el("button", { class: "quiet", onclick: options.onclose }, t("common.close"));
      const off = el("button", { onclick: () => options.onoff(index[0]) }, found.off ? t("draw.switch_on") : t("draw.switch_off"));
      element.replaceChildren(
        el("div", { class: "unit-head" }, el("h3", { id: "unit-title" }, place), close),
        el("p", { class: "value" }, el("strong", { class: "numbers" }, number(found.value)), found.off ? ` (${t("draw.is_off")})` : ""),
        el("div", { class: "controls" }, off),
        fieldPart(found, image),
        ...weightsPart(found),
        whyPlace,
        ...excitingPart(found),
      );
      whyPlace.hidden = found.off;
      if (finished && !found.off) void why.show(layer, [...index, 0]);
    },
  };
}

/** @param {any} found @param {{shape: number[], values: ArrayLike<number>}} image */
function fieldPart(found, image) {
  const [top, left, bottom, right] = found.field;
  const whole = bottom - top === image.shape[0] && right - left === image.shape[1];
  const text = whole ? t("draw.sees_all") : t("draw.sees", { height: String(bottom - top), width: String(right - left) });
  return el("figure", { class: "field" }, thumbnail(image.shape, image.values, found.field, 5), el("figcaption", { class: "small" }, text));
}

/** @param {any} found */
function weightsPart(found) {
  if (!found.weights) return [];
  const [count, rows, columns] = found.weights.shape;
  const tiles = { values: scaled(decode(found.weights)), count, rows, columns };
  const canvas = el("canvas", { role: "img", "aria-label": t("draw.weights_of", { count, rows, columns }) });
  paintTiles(canvas, tiles, new Layout(tiles, 320, { cell: Math.max(2, Math.min(14, Math.floor((count > 1 ? 40 : 170) / columns))), gap: 5 }));
  return [el("h4", {}, t("draw.weights")), el("p", { class: "small muted" }, t("draw.weights_read")), canvas];
}

/** @param {any} found */
function excitingPart(found) {
  const title = el("h4", {}, t("draw.exciting"));
  if (found.exciting === null) return [title, el("p", { class: "small muted", role: "status" }, t("draw.searching"))];
  if (!found.exciting.length) return [];
  const items = found.exciting.map((/** @type {any} */ one) => {
    const name = t("draw.exciting_image", { label: String(one.label), index: String(one.index), value: number(one.value) });
    return el("li", {}, thumbnail(one.image.shape, decode(one.image), one.field, 2, name), el("span", { class: "small numbers", "aria-hidden": "true" }, `${one.label} · ${number(one.value, { maximumSignificantDigits: 3 })}`));
  });
  return [title, el("p", { class: "small muted" }, t("draw.exciting_read")), el("ul", { class: "exciting" }, items)];
}

/**
 * An image with a framed part.
 * @param {number[]} shape @param {ArrayLike<number>} values @param {number[]} field @param {number} cell @param {string} [name]
 */
function thumbnail([rows, columns], values, [top, left, bottom, right], cell, name) {
  const frame = el("span", { class: "frame" });
  /** @param {number} part @param {number} whole */
  const share = (part, whole) => `${(100 * part) / whole}%`;
  Object.assign(frame.style, {
    top: share(top, rows), left: share(left, columns), height: share(bottom - top, rows), width: share(right - left, columns),
  });
  const framed = el("span", { class: "framed" }, digit(values, name, [rows, columns]), frame);
  framed.style.width = `${columns * cell}px`;
  return framed;
}
