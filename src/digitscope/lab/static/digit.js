// @ts-check
/** Small images, such as digits, as pictures in the colours of the page: ink without a ground. */

import { el, rgb } from "./dom.js";
import { decode } from "./engine.js";

/** @type {WeakMap<HTMLCanvasElement, ArrayLike<number>>} */
const painted = new WeakMap();

/**
 * @param {ArrayLike<number>} values grey levels, 0 paper to 255 ink, row by row
 * @param {string} [label] what it shows; without it screen readers skip the picture
 * @param {number[]} [shape] rows and columns
 */
export function digit(values, label, [rows, columns] = [28, 28]) {
  const canvas = el("canvas", { class: "digit", width: columns, height: rows });
  if (label) {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
  } else canvas.setAttribute("aria-hidden", "true");
  painted.set(canvas, values);
  paint(canvas);
  return canvas;
}

/**
 * Each of several images, (N, rows, columns), which screen readers skip.
 * @param {import("./engine.js").Encoded} images
 */
export function digits(images) {
  const [count, rows, columns] = images.shape;
  const [values, size] = [decode(images), rows * columns];
  return Array.from({ length: count }, (_, n) => digit(values.subarray(n * size, (n + 1) * size), "", [rows, columns]));
}

/** @param {HTMLCanvasElement} canvas */
function paint(canvas) {
  const values = painted.get(canvas) ?? [];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const ink = rgb("--ink");
  const picture = context.createImageData(canvas.width, canvas.height);
  for (let k = 0; k < canvas.width * canvas.height; k++) picture.data.set([...ink, values[k] ?? 0], 4 * k);
  context.putImageData(picture, 0, 0);
}

addEventListener("theme", () => {
  for (const canvas of document.querySelectorAll("canvas.digit")) paint(/** @type {HTMLCanvasElement} */ (canvas));
});
