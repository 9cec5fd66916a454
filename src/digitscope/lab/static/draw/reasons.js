// @ts-check
/** Why this digit: which pixels and which strokes speak for it, and which against. */

import { colour, el } from "../dom.js";
import { SIDE, paint } from "../drawing.js";
import { decode } from "../engine.js";
import { matrix } from "../matrix.js";
import { number, t } from "../text.js";
import { inWords } from "./answer.js";

/** CSS pixels of the drawing with coloured strokes. */
const SIZE = 252;

/** @param {HTMLElement} host */
export function reasonsView(host) {
  const reason = el("p", { class: "because", role: "status" });
  const pixels = el("div");
  const canvas = el("canvas", { class: "coloured", role: "img" });
  const body = el("tbody");
  const head = el("tr", {}, ...["stroke", "effect", "without"].map((name) => el("th", { scope: "col" }, t(`draw.column_${name}`))));
  const table = el("div", { class: "table", tabindex: "0", role: "region", "aria-label": t("draw.strokes_read") }, el("table", {}, el("thead", {}, head), body));
  const strokesPart = el("div", { hidden: true }, el("h3", {}, t("draw.by_strokes")), el("p", { class: "small muted" }, t("draw.strokes_read")), el("div", { class: "beside" }, canvas, table));
  const pixelsRead = el("p", { class: "small muted" });
  host.append(reason, el("div", { class: "columns" }, el("div", {}, el("h3", {}, t("draw.by_pixels")), pixelsRead, pixels), strokesPart));
  /** @type {ReturnType<typeof matrix> | null} */
  let map = null;
  /** @type {() => void} */
  let repaint = () => {};
  addEventListener("theme", () => repaint());

  return {
    /** @param {any} why @param {import("../drawing.js").Stroke[]} strokes */
    show(why, strokes) {
      const [digit, other] = [String(why.digit), String(why.other)];
      pixelsRead.textContent = t("draw.pixels_read", { digit, other });
      const [rows, columns] = why.slopes.shape;
      const options = { rows, columns, values: decode(why.slopes), label: t("draw.pixels_label", { digit, other }), scale: /** @type {const} */ ("signed"), cell: 9 };
      map?.remove();
      map = matrix(pixels, options);
      const effects = why.strokes;
      const several = effects.length > 1;
      strokesPart.hidden = !several;
      reason.textContent = several ? because(effects, digit, other) : t("draw.margin", { digit, other, margin: number(why.margin) });
      if (!several) return;
      repaint = () => paintStrokes(canvas, strokes, effects);
      repaint();
      canvas.setAttribute("aria-label", t("draw.strokes_label", { digit, other }));
      body.replaceChildren(...effects.map(row));
    },
  };
}

/** @param {any[]} effects @param {string} digit @param {string} other */
function because(effects, digit, other) {
  const numbered = effects.map((effect, k) => ({ k: String(k + 1), effect: effect?.effect ?? 0 }));
  const most = numbered.reduce((a, b) => (b.effect > a.effect ? b : a));
  const least = numbered.reduce((a, b) => (b.effect < a.effect ? b : a));
  if (most.effect <= 0) return t("draw.because_none", { digit, other });
  const text = t("draw.because", { digit, other, stroke: most.k, effect: number(most.effect, { maximumSignificantDigits: 2 }) });
  return least.effect < 0 ? `${text} ${t("draw.but", { digit, stroke: least.k, effect: number(least.effect, { maximumSignificantDigits: 2 }) })}` : text;
}

/** @param {any} effect @param {number} k */
function row(effect, k) {
  const stroke = el("th", { scope: "row" }, String(k + 1));
  if (!effect) return el("tr", {}, stroke, el("td", { colspan: "2" }, t("draw.only_stroke")));
  const sign = effect.effect >= 0 ? "+" : "";
  const cell = el("td", { class: effect.effect < 0 ? "negative" : "positive" }, sign + number(effect.effect, { maximumSignificantDigits: 2 }));
  return el("tr", {}, stroke, cell, el("td", {}, inWords(effect, effect.probability)));
}

/** @param {HTMLCanvasElement} canvas @param {import("../drawing.js").Stroke[]} strokes @param {any[]} effects */
function paintStrokes(canvas, strokes, effects) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.height = SIZE * ratio;
  canvas.style.width = `${SIZE}px`;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(ratio, ratio);
  const most = Math.max(...effects.map((effect) => Math.abs(effect?.effect ?? 0))) || 1;
  const layer = el("canvas");
  strokes.forEach((stroke, k) => {
    const effect = effects[k]?.effect ?? 0;
    layer.width = layer.height = canvas.width;
    const inner = /** @type {CanvasRenderingContext2D} */ (layer.getContext("2d"));
    inner.strokeStyle = colour(effect < 0 ? "--negative" : "--positive");
    paint(inner, stroke, canvas.width);
    context.globalAlpha = 0.2 + (0.8 * Math.abs(effect)) / most;
    context.drawImage(layer, 0, 0, SIZE, SIZE);
  });
  context.globalAlpha = 1;
  context.font = `bold 15px ${colour("--text")}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  strokes.forEach(({ points }, k) => {
    const middle = 3 * Math.floor(points.length / 6);
    const [x, y] = [(points[middle] * SIZE) / SIDE, (points[middle + 1] * SIZE) / SIDE];
    context.fillStyle = colour("--surface");
    context.beginPath();
    context.arc(x, y, 11, 0, 7);
    context.fill();
    context.fillStyle = colour("--ink");
    context.fillText(String(k + 1), x, y + 1);
  });
}
