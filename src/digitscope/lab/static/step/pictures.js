// @ts-check
/** Arrays of the step as pictures, and the numbers that light up in them. */

import { el } from "../dom.js";
import { largest, matrix } from "../matrix.js";
import { t } from "../text.js";
import { exact, placed } from "../why.js";
import { title } from "./data.js";

/** @typedef {import("./data.js").StepData} StepData */

/** Up to how many numbers are shown as numbers at once. */
const FEW = 210;

/** The pictures of a stage, by the names of their arrays. */
export class Pictures {
  /** @param {StepData} data @param {(name: string, index: number[]) => void} onpick */
  constructor(data, onpick) {
    this.data = data;
    this.onpick = onpick;
    /** @type {Map<string, {picture: ReturnType<typeof matrix>, box: HTMLElement, symbol: string}>} */
    this.all = new Map();
    /** @type {{name: string, index: number[]} | null} */
    this.chosen = null;
  }

  /**
   * @param {HTMLElement} host @param {string} name
   * @param {{width: number, height?: number, symbol?: string, plain?: boolean, zoom?: boolean, small?: boolean}} how
   */
  add(host, name, how) {
    const { data } = this;
    let [tiles, rows, columns] = data.outline.arrays[name].tiles;
    const values = data.get(name);
    // A short list of numbers stands upright among pictures.
    if (how.small && tiles * rows === 1 && columns <= 10) [rows, columns] = [columns, 1];
    else if (how.small && tiles * rows === 1) [rows, columns] = [Math.ceil(columns / 4), 4];
    // A list that is too long for a narrow screen gets several rows.
    else if (tiles * rows === 1 && columns * 36 > how.width) [rows, columns] = [Math.ceil(columns / 5), 5];
    const list = how.small && columns === 1 && rows <= 16;
    const form = list ? { cell: 17, aspect: 2.75, across: 1 } : fitted(tiles, rows, columns, how.width, how.height ?? 380, how.small);
    const ink = name === "images" || name === "input";
    const most = ink ? (name === "images" ? 255 : 1) : largest(values);
    const box = el("div", { class: "array", "data-name": name });
    if (!how.plain) {
      const head = el("div", { class: "array-head" }, el("h3", {}, how.symbol ? el("i", { class: "symbol" }, how.symbol) : null, ` ${title(name)}`));
      box.append(head);
    }
    host.append(box);
    const shape = data.outline.arrays[name].shape.join(" × ") || "1";
    const caption = how.plain ? undefined : el("span", {}, el("code", {}, name), ` ${shape}`, ink ? "" : ` · ${t("step.full_colour", { most: exact(most) })}`);
    const picture = matrix(box, {
      values, tiles, rows, columns, ...form, most: most || 1, scale: ink ? "ink" : "signed", width: how.width,
      label: `${title(name)}, ${shape}`, caption, zoom: how.zoom ?? values.length > FEW, table: !how.small,
      onpick: (row, column, tile) => {
        const k = tile * rows * columns + row * columns + column;
        if (k < values.length) this.onpick(name, data.index(name, k));
      },
      name: (row, column, tile) => placed(name, data.index(name, Math.min(values.length - 1, tile * rows * columns + row * columns + column))),
    });
    this.all.set(name, { picture, box, symbol: how.symbol ?? "" });
    return box;
  }

  /** Frames the number that is explained. @param {string} name @param {number[]} index */
  choose(name, index) {
    this.chosen = { name, index };
    this.light([]);
  }

  /** Lights up numbers where they stand. @param {{name: string | null, index: number[]}[]} factors */
  light(factors) {
    for (const [name, { picture, box }] of this.all) {
      /** @type {Map<number, string>} */
      const cells = new Map();
      for (const factor of factors) {
        if (factor.name === name) cells.set(this.data.place(name, factor.index), "--accent");
      }
      cells.delete(-1);
      const lit = cells.size > 0;
      if (this.chosen?.name === name) {
        const k = this.data.place(name, this.chosen.index);
        if (k >= 0 && !cells.has(k)) cells.set(k, "--ink");
      }
      box.classList.toggle("lit", lit);
      picture.mark(cells, lit);
    }
  }

  /** Lights up the arrays of a symbol of the formula. @param {string | null} symbol */
  lightSymbol(symbol) {
    for (const { box, symbol: own } of this.all.values()) box.classList.toggle("lit", symbol !== null && own === symbol);
  }

  remove() {
    for (const { picture } of this.all.values()) picture.remove();
    this.all.clear();
  }
}

/**
 * The size of the cells, and the tiles beside each other, with which a picture fits.
 * @param {number} tiles @param {number} rows @param {number} columns @param {number} width @param {number} height @param {boolean} [small]
 */
function fitted(tiles, rows, columns, width, height, small) {
  if (!small && tiles * rows * columns <= FEW && columns <= 24) {
    // Numbers are wider than high.
    const broad = Math.min(52, Math.max(34, Math.floor((width - 2) / columns)));
    const one = columns * broad + 3;
    return { cell: 26, aspect: broad / 26, across: Math.max(1, Math.min(tiles, Math.floor((width + 3) / one))) };
  }
  let best = { cell: 0, aspect: 1, across: 1 };
  for (let across = 1; across <= tiles; across++) {
    const down = Math.ceil(tiles / across);
    if (tiles > 60 ? across * down - tiles >= across : tiles % across) continue;
    const gaps = tiles > 1 ? 3 : 0;
    const cell = Math.min((width - 2 - (across - 1) * gaps) / (across * columns), (height - (down - 1) * gaps) / (down * rows));
    if (cell > best.cell) best = { cell, aspect: 1, across };
  }
  const most = small ? 14 : 22;
  return { ...best, cell: best.cell >= 2 ? Math.min(most, Math.floor(best.cell)) : Math.max(0.75, best.cell) };
}

/** The place of the largest number. @param {ArrayLike<number>} values */
export function largestPlace(values) {
  let best = 0;
  for (let k = 1; k < values.length; k++) if (Math.abs(values[k]) > Math.abs(values[best])) best = k;
  return best;
}
