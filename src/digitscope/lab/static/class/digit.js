// @ts-check
/** A digit in MNIST's format as a picture in the colours of the page. */

import { colour, el } from "../dom.js";

const SIDE = 28;

/** @type {WeakMap<HTMLCanvasElement, ArrayLike<number>>} */
const painted = new WeakMap();

/**
 * A canvas with the digit's ink on no ground.
 * @param {ArrayLike<number>} values 784 grey levels, 0 paper to 255 ink
 * @param {string} [label] what it shows; without it screen readers skip the picture
 */
export function digit(values, label) {
  const canvas = el("canvas", { class: "digit", width: SIDE, height: SIDE });
  if (label) {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
  } else canvas.setAttribute("aria-hidden", "true");
  painted.set(canvas, values);
  paint(canvas);
  return canvas;
}

/** @param {HTMLCanvasElement} canvas */
function paint(canvas) {
  const values = painted.get(canvas) ?? [];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const ink = colour("--ink");
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(ink.slice(at, at + 2), 16));
  const picture = context.createImageData(SIDE, SIDE);
  for (let k = 0; k < SIDE * SIDE; k++) picture.data.set([red, green, blue, values[k] ?? 0], 4 * k);
  context.putImageData(picture, 0, 0);
}

addEventListener("theme", () => {
  for (const canvas of document.querySelectorAll("canvas.digit")) paint(/** @type {HTMLCanvasElement} */ (canvas));
});
