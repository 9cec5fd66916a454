// @ts-check
/** Feature maps, kernels and neurons side by side on one canvas: orange positive, blue negative. */

import { colour, rgb } from "../dom.js";
import { largest } from "../matrix.js";

/**
 * @typedef {object} Tiles
 * @property {ArrayLike<number>} values -1 to 1, one map after the other, each row by row
 * @property {number} count of maps
 * @property {number} rows of a map
 * @property {number} columns of a map
 */

/** How tiles are laid out in a width: cells of `cell` pixels, `across` maps side by side. */
export class Layout {
  /** @param {Tiles} tiles @param {number} width in CSS pixels @param {{cell?: number, gap?: number}} [options] */
  constructor(tiles, width, { cell, gap = 4 } = {}) {
    const { count, rows, columns } = tiles;
    this.gap = rows * columns === 1 ? 2 : gap;
    const ofMap = rows === 1 ? 6 : Math.max(1, Math.min(6, Math.round(52 / columns)));
    const wanted = cell ?? (rows * columns === 1 ? (count > 200 ? 8 : count > 40 ? 14 : 26) : ofMap);
    this.cell = Math.max(0.25, Math.min(wanted, (width - this.gap) / columns));
    this.step = { x: columns * this.cell + this.gap, y: rows * this.cell + this.gap };
    this.across = Math.max(1, Math.min(count, Math.floor((width + this.gap) / this.step.x)));
    this.width = this.across * this.step.x - this.gap;
    this.height = Math.ceil(count / this.across) * this.step.y - this.gap;
  }

  /** The upper left corner of a map. @param {number} k */
  corner(k) {
    return { x: (k % this.across) * this.step.x, y: Math.floor(k / this.across) * this.step.y };
  }

  /** The map, row and column at a place of the canvas, or null between maps. @param {Tiles} tiles @param {number} x @param {number} y */
  at(tiles, x, y) {
    const across = Math.floor(x / this.step.x);
    const down = Math.floor(y / this.step.y);
    const column = Math.floor((x - across * this.step.x) / this.cell);
    const row = Math.floor((y - down * this.step.y) / this.cell);
    const k = down * this.across + across;
    if (across >= this.across || k >= tiles.count || column >= tiles.columns || row >= tiles.rows) return null;
    return { k, row, column };
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Tiles} tiles
 * @param {Layout} layout
 */
export function paintTiles(canvas, tiles, layout) {
  const ratio = window.devicePixelRatio || 1;
  const { count, rows, columns, values } = tiles;
  canvas.width = Math.ceil(layout.width * ratio);
  canvas.height = Math.ceil(layout.height * ratio);
  canvas.style.width = `${layout.width}px`;
  canvas.style.height = `${layout.height}px`;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(ratio, ratio);
  context.imageSmoothingEnabled = false;
  const [paper, positive, negative] = ["--picture-paper", "--positive", "--negative"].map(rgb);
  const small = new OffscreenCanvas(columns, rows);
  const inner = /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d"));
  const pixels = inner.createImageData(columns, rows);
  const size = rows * columns;
  for (let k = 0; k < count; k++) {
    for (let i = 0; i < size; i++) {
      const value = values[k * size + i];
      const share = Math.min(1, Math.abs(value));
      const full = value < 0 ? negative : positive;
      for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = paper[c] + share * (full[c] - paper[c]);
      pixels.data[4 * i + 3] = 255;
    }
    inner.putImageData(pixels, 0, 0);
    const { x, y } = layout.corner(k);
    context.drawImage(small, x, y, columns * layout.cell, rows * layout.cell);
  }
}

/**
 * Frames one map.
 * @param {HTMLCanvasElement} canvas @param {Tiles} tiles @param {Layout} layout @param {number} k @param {string} name of a colour
 */
export function frameTile(canvas, tiles, layout, k, name) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const { x, y } = layout.corner(k);
  context.strokeStyle = colour(name);
  context.lineWidth = 3;
  context.strokeRect(x + 1, y + 1, tiles.columns * layout.cell - 2, tiles.rows * layout.cell - 2);
}

/**
 * Crosses a map out.
 * @param {HTMLCanvasElement} canvas @param {Tiles} tiles @param {Layout} layout @param {number} k
 */
export function crossTile(canvas, tiles, layout, k) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const { x, y } = layout.corner(k);
  const [width, height] = [tiles.columns * layout.cell, tiles.rows * layout.cell];
  context.strokeStyle = colour("--bad");
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x + 1, y + 1);
  context.lineTo(x + width - 1, y + height - 1);
  context.moveTo(x + width - 1, y + 1);
  context.lineTo(x + 1, y + height - 1);
  context.stroke();
}

/** Values divided by the largest absolute one, which then is 1. @param {ArrayLike<number>} values */
export function scaled(values) {
  const most = largest(values) || 1;
  return Float32Array.from(values, (value) => value / most);
}
