// @ts-check
/** From the drawing to what the network sees: one picture for each step, and what the answer would be without them. */

import { digit } from "../digit.js";
import { el } from "../dom.js";
import { decode } from "../engine.js";
import { matrix } from "../matrix.js";
import { has, number, t } from "../text.js";
import { inWords } from "./answer.js";

/**
 * @param {HTMLElement} host
 * @param {{prepared: boolean, onswitch: (prepared: boolean) => void}} options
 */
export function preparationView(host, options) {
  const strip = el("ol", { class: "strip" });
  const box = el("input", { type: "checkbox", role: "switch", id: "unprepared", onchange: () => options.onswitch(!box.checked) });
  box.checked = !options.prepared;
  const compared = el("p", { class: "compared", role: "status" });
  const look = el("div", { class: "numbers-of-image" });
  const details = el("details", {}, el("summary", {}, t("draw.as_numbers")), look);
  host.append(
    strip,
    el("div", { class: "controls" }, el("label", { for: "unprepared", class: "switch" }, box, el("span", {}, t("draw.unprepared")))),
    compared, details,
  );
  /** @type {any} */
  let shown = null;
  /** @type {ReturnType<typeof matrix> | null} */
  let grid = null;

  /** @param {number} rows @param {number} columns @param {ArrayLike<number>} values */
  function numbers(rows, columns, values) {
    if (!details.open) return;
    if (grid) grid.update(values);
    else {
      const options = { rows, columns, values, label: t("draw.image_seen"), scale: /** @type {const} */ ("ink"), most: 255, cell: 30 };
      grid = matrix(look, options);
    }
  }
  details.addEventListener("toggle", () => shown && numbers(shown.rows, shown.columns, shown.values));

  return {
    /**
     * @param {any} found the server's answer
     * @param {boolean} prepared which of the two images the network is shown
     */
    show(found, prepared) {
      const image = prepared || !found.unprepared ? found.image : found.unprepared.image;
      const [rows, columns] = image.shape;
      shown = { rows, columns, values: decode(image) };
      const steps = found.steps ?? [{ key: "image", values: { width: columns, height: rows } }];
      const kept = prepared ? steps : steps.slice(0, 1);
      const items = kept.filter((/** @type {any} */ step) => step.picture).map(stepItem);
      if (!prepared) items.push(rawItem(shown));
      else if (!items.length) items.push(rawItem(shown, "draw.step_image"));
      strip.replaceChildren(...items);
      compared.textContent = found.unprepared
        ? t("draw.compared", { with: said(found.answer), without: said(found.unprepared.answer) })
        : "";
      numbers(rows, columns, shown.values);
    },
    empty() {
      shown = null;
      strip.replaceChildren();
      compared.textContent = "";
    },
    /** @param {boolean} prepared */
    set(prepared) {
      box.checked = !prepared;
    },
  };
}

/** @param {any} answer */
const said = (answer) => inWords(answer, answer.probabilities[answer.digit]);

/** @param {any} step */
function stepItem(step) {
  const values = Object.fromEntries(
    Object.entries(step.values).map(([name, value]) => [name, number(value, { maximumFractionDigits: 1 })]),
  );
  const { key } = step;
  let variant = key;
  if (key === "strokes") {
    const { width, target } = step.values;
    variant = width === target ? "strokes_kept" : target > width ? "strokes_thicker" : "strokes_thinner";
  }
  const text = t(`draw.step_${has(`draw.step_${variant}`) ? variant : "other"}`, values);
  const kind = key === "picture" || key === "closer" ? "photo" : "ink";
  const picture = el("img", { src: `data:image/png;base64,${step.picture}`, alt: "", class: kind });
  return el("li", { class: key }, el("figure", {}, picture, el("figcaption", {}, text)));
}

/** @param {{rows: number, columns: number, values: ArrayLike<number>}} image @param {string} [key] */
function rawItem({ rows, columns, values }, key = "draw.step_scaled") {
  const caption = el("figcaption", {}, t(key, { width: String(columns), height: String(rows) }));
  return el("li", {}, el("figure", {}, digit(values, "", [rows, columns]), caption));
}
