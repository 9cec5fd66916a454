// @ts-check
/** A matrix of numbers as a picture: cells of colour, numbers where there is room, a cursor for the keyboard, a table. */

import { colour, el } from "./dom.js";
import { number, t } from "./text.js";

/**
 * @typedef {object} MatrixOptions
 * @property {ArrayLike<number>} values row by row
 * @property {number} rows
 * @property {number} columns
 * @property {string} label the accessible name
 * @property {string} [caption] shown below the picture
 * @property {"signed" | "ink"} [scale] orange and blue around 0, or ink on paper from 0 up
 * @property {number} [most] the absolute value with the full colour; default: the largest
 * @property {number} [cell] the size of a cell in CSS pixels
 * @property {(row: number, column: number) => void} [onpick] what a click or Enter on a cell does
 * @property {(row: number, column: number) => string} [name] what a cell is called, for screen readers
 */

/** The largest number of cells of the table behind the picture. */
const TABLE = 1024;
/** The size of a cell, in CSS pixels, from which on its number is written into it. */
const LEGIBLE = 30;

/**
 * @param {HTMLElement} host the element that the matrix is added to
 * @param {MatrixOptions} options
 */
export function matrix(host, options) {
  const { rows, columns } = options;
  let values = options.values;
  let cursor = { row: 0, column: 0 };
  /** @type {Map<number, string>} */
  let marks = new Map();
  const cell = options.cell ?? Math.max(2, Math.min(24, Math.floor(280 / Math.max(rows, columns))));
  const canvas = el("canvas", { role: "img", "aria-label": options.label });
  const said = el("output", { class: "hidden", "aria-live": "polite" });
  const behind = el("details", { class: "small" }, el("summary", {}, t("common.as_table")));
  const figure = el("figure", { class: "matrix" }, canvas, said);
  if (options.caption) figure.append(el("figcaption", {}, options.caption));
  if (rows * columns <= TABLE) figure.append(behind);
  host.append(figure);

  if (options.onpick) {
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-roledescription", t("common.matrix"));
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(columns * cell * ratio);
    canvas.height = Math.round(rows * cell * ratio);
    canvas.style.width = `${columns * cell}px`;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.scale(ratio, ratio);
    const most = options.most ?? (largest(values) || 1);
    const colours = {
      paper: rgb(colour("--picture-paper")), ink: rgb(colour("--ink")),
      positive: rgb(colour("--positive")), negative: rgb(colour("--negative")),
    };
    for (let k = 0; k < rows * columns; k++) {
      const share = Math.min(1, Math.abs(values[k]) / most);
      const full = options.scale === "ink" ? colours.ink : values[k] < 0 ? colours.negative : colours.positive;
      const [x, y] = [(k % columns) * cell, Math.floor(k / columns) * cell];
      context.fillStyle = mixed(colours.paper, full, share);
      context.fillRect(x, y, cell, cell);
      if (cell >= LEGIBLE) {
        context.fillStyle = share > 0.55 ? colour("--picture-paper") : colour("--ink");
        context.font = `${Math.min(14, cell / 3.2)}px ${colour("--mono")}`;
        context.textAlign = "center";
        context.textBaseline = "middle";
        context.fillText(number(values[k], { maximumSignificantDigits: 3 }), x + cell / 2, y + cell / 2, cell - 2);
      }
    }
    for (const [k, name] of marks) frame(context, k, colour(name), 2);
    if (document.activeElement === canvas) frame(context, cursor.row * columns + cursor.column, colour("--accent"), 3);
  }

  /** @param {CanvasRenderingContext2D} context @param {number} k @param {string} stroke @param {number} width */
  function frame(context, k, stroke, width) {
    context.strokeStyle = stroke;
    context.lineWidth = width;
    context.strokeRect((k % columns) * cell + 1, Math.floor(k / columns) * cell + 1, cell - 2, cell - 2);
  }

  function say() {
    const { row, column } = cursor;
    const name = options.name?.(row, column) ?? t("common.cell", { row: String(row), column: String(column) });
    said.textContent = `${name}: ${number(values[row * columns + column])}`;
  }

  /** @param {number} row @param {number} column */
  function move(row, column) {
    cursor = { row: Math.min(rows - 1, Math.max(0, row)), column: Math.min(columns - 1, Math.max(0, column)) };
    say();
    draw();
  }

  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (step) move(cursor.row + step[0], cursor.column + step[1]);
    else if (event.key === "Enter" || event.key === " ") options.onpick?.(cursor.row, cursor.column);
    else return;
    event.preventDefault();
  });
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    move(row, column);
    options.onpick?.(cursor.row, cursor.column);
  });
  canvas.addEventListener("focus", draw);
  canvas.addEventListener("blur", draw);
  addEventListener("theme", draw);
  behind.addEventListener("toggle", () => {
    if (behind.open) behind.append(table(values, rows, columns, options.label));
    else behind.querySelector("div")?.remove();
  });
  draw();

  return {
    figure,
    /** @param {ArrayLike<number>} changed */
    update(changed) {
      values = changed;
      behind.open = false;
      draw();
    },
    /**
     * Frames cells in a colour of the style sheet.
     * @param {Map<number, string>} cells
     */
    mark(cells) {
      marks = cells;
      draw();
    },
    remove() {
      removeEventListener("theme", draw);
      figure.remove();
    },
  };
}

/** @param {ArrayLike<number>} values @param {number} rows @param {number} columns @param {string} label */
function table(values, rows, columns, label) {
  const body = el("tbody");
  for (let i = 0; i < rows; i++) {
    const cells = Array.from({ length: columns }, (_, j) => el("td", {}, number(values[i * columns + j])));
    body.append(el("tr", {}, el("th", { scope: "row" }, String(i)), cells));
  }
  const heads = Array.from({ length: columns }, (_, j) => el("th", { scope: "col" }, String(j)));
  const head = el("thead", {}, el("tr", {}, el("td"), heads));
  return el("div", { class: "table", tabindex: "0", role: "region", "aria-label": label }, el("table", {}, head, body));
}

/** @param {ArrayLike<number>} values */
function largest(values) {
  let most = 0;
  for (let k = 0; k < values.length; k++) most = Math.max(most, Math.abs(values[k]));
  return most;
}

/** @param {string} hex */
function rgb(hex) {
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}

/** @param {number[]} from @param {number[]} to @param {number} share */
function mixed(from, to, share) {
  const parts = from.map((value, k) => Math.round(value + share * (to[k] - value)));
  return `rgb(${parts.join(" ")})`;
}
