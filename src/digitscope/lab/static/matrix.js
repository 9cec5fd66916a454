// @ts-check
/**
 * Numbers as a picture: cells of colour that become numbers when they are large enough, zoom, a cursor for the
 * keyboard, a table. A matrix is one tile; feature maps and kernels are several, side by side.
 */

import { arrow, colour, el, rgb, scrollingTable } from "./dom.js";
import { number, t } from "./text.js";

/**
 * @typedef {object} MatrixOptions
 * @property {ArrayLike<number>} values row by row, one tile after the other
 * @property {number} rows of a tile
 * @property {number} columns of a tile
 * @property {number} [tiles] how many there are
 * @property {string} label the accessible name
 * @property {string | Node} [caption] shown below the picture
 * @property {"signed" | "ink"} [scale] orange and blue around 0, or ink on paper from 0 up
 * @property {number} [most] the absolute value with the full colour; default: the largest
 * @property {number} [cell] the height of a cell in CSS pixels
 * @property {number} [aspect] the width of a cell divided by its height
 * @property {number} [across] tiles beside each other; default: as many as make the whole about square
 * @property {number} [width] the width that is available, in CSS pixels
 * @property {boolean} [zoom] whether there are buttons to zoom
 * @property {boolean} [table] false where a table of these numbers is elsewhere on the page
 * @property {(row: number, column: number, tile: number) => void} [onpick] what a click or Enter on a cell does
 * @property {(row: number, column: number, tile: number) => string} [name] what a cell is called, for screen readers
 */

/** The largest number of cells of the table behind the picture. */
const TABLE = 1024;
/** The width of a cell, in CSS pixels, from which on its number is written into it. */
const LEGIBLE = 30;
const [SMALLEST, LARGEST] = [1, 72];
const GAP = 3;

/**
 * @param {HTMLElement} host the element that the matrix is added to
 * @param {MatrixOptions} options
 */
export function matrix(host, options) {
  const { rows, columns } = options;
  const tiles = options.tiles ?? 1;
  const aspect = options.aspect ?? 1;
  const across = Math.min(tiles, options.across ?? Math.max(1, Math.round(Math.sqrt((tiles * rows) / (columns * aspect)))));
  const down = Math.ceil(tiles / across);
  const size = rows * columns;
  let values = options.values;
  let cursor = { row: 0, column: 0, tile: 0 };
  /** @type {Map<number, string>} */
  let marks = new Map();
  const fitting = options.cell ?? Math.max(2, Math.min(24, Math.floor(280 / Math.max(rows * down, columns * across * aspect))));
  let cell = fitting;

  const canvas = el("canvas", { role: "img", "aria-label": options.label });
  const space = el("div", { class: "space" });
  const view = el("div", { class: "view" }, canvas, space);
  const said = el("output", { class: "hidden", "aria-live": "polite" });
  const behind = el("details", { class: "small" }, el("summary", {}, t("common.as_table")));
  const figure = el("figure", { class: "matrix" }, view, said);
  const below = el("div", { class: "below" });
  if (options.caption) figure.append(el("figcaption", {}, options.caption));
  if (options.zoom) {
    below.append(
      el("button", { class: "tool", "aria-label": t("common.zoom_out"), title: t("common.zoom_out"), onclick: () => zoom(1 / 1.5) }, "−"),
      el("button", { class: "tool", "aria-label": t("common.zoom_in"), title: t("common.zoom_in"), onclick: () => zoom(1.5) }, "+"),
    );
  }
  if (options.table !== false && (options.zoom || size * tiles <= TABLE)) below.append(behind);
  if (below.children.length) figure.append(below);
  host.append(figure);

  if (options.onpick) {
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-roledescription", t("common.matrix"));
  }

  const wide = () => cell * aspect;
  const gap = () => (tiles > 1 ? GAP : 0);
  const total = () => ({
    width: across * columns * wide() + (across - 1) * gap(),
    height: down * rows * cell + (down - 1) * gap(),
  });

  /** The place of a cell in the picture. @param {number} k */
  function place(k) {
    const [tile, at] = [Math.floor(k / size), k % size];
    return {
      x: (tile % across) * (columns * wide() + gap()) + (at % columns) * wide(),
      y: Math.floor(tile / across) * (rows * cell + gap()) + Math.floor(at / columns) * cell,
    };
  }

  /** The cell at a place of the picture. @param {number} x @param {number} y */
  function at(x, y) {
    const [tall, broad] = [rows * cell + gap(), columns * wide() + gap()];
    const [i, j] = [Math.min(down - 1, Math.floor(y / tall)), Math.min(across - 1, Math.floor(x / broad))];
    const tile = Math.min(tiles - 1, i * across + j);
    return {
      tile,
      row: Math.max(0, Math.min(rows - 1, Math.floor((y - i * tall) / cell))),
      column: Math.max(0, Math.min(columns - 1, Math.floor((x - j * broad) / wide()))),
    };
  }

  const flat = ({ row, column, tile } = cursor) => tile * size + row * columns + column;

  function draw() {
    const whole = total();
    const ratio = window.devicePixelRatio || 1;
    const limit = { width: options.width ?? Infinity, height: 460 };
    const scrolls = whole.width > limit.width + 1 || whole.height > limit.height + 1;
    const shown = { width: Math.min(whole.width, limit.width), height: Math.min(whole.height, limit.height) };
    view.classList.toggle("scrolls", scrolls);
    view.style.maxHeight = scrolls ? `${shown.height}px` : "";
    view.style.width = scrolls ? `${shown.width}px` : "";
    space.style.width = scrolls ? `${whole.width}px` : "";
    space.style.height = scrolls ? `${Math.max(0, whole.height - shown.height)}px` : "";
    canvas.width = Math.max(1, Math.round(shown.width * ratio));
    canvas.height = Math.max(1, Math.round(shown.height * ratio));
    canvas.style.width = `${shown.width}px`;
    canvas.style.height = scrolls ? `${shown.height}px` : "";
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const [left, top] = scrolls ? [view.scrollLeft, view.scrollTop] : [0, 0];
    context.scale(ratio, ratio);
    context.translate(-left, -top);
    const most = options.most ?? (largest(values) || 1);
    const full = { ink: rgb("--ink"), positive: rgb("--positive"), negative: rgb("--negative") };
    const paper = rgb("--picture-paper");
    const [light, dark, mono] = [colour("--picture-paper"), colour("--ink"), colour("--mono")];
    const count = Math.min(values.length, size * tiles);
    const legible = wide() >= LEGIBLE && cell >= 14;
    // Cells of less than a pixel's distance leave no seams between them.
    for (let k = 0; k < count; k++) {
      const { x, y } = place(k);
      if (y + cell < top || x + wide() < left || y > top + shown.height || x > left + shown.width) continue;
      const share = Math.min(1, Math.abs(values[k]) / most) || 0;
      const of = options.scale === "ink" ? full.ink : values[k] < 0 ? full.negative : full.positive;
      context.fillStyle = mixed(paper, of, share);
      context.fillRect(x, y, wide() + (cell % 1 ? 0.5 : 0), cell + (cell % 1 ? 0.5 : 0));
      if (!legible) continue;
      context.fillStyle = share > 0.55 ? light : dark;
      context.font = `${Math.min(14, cell / 1.7, wide() / 3.6)}px ${mono}`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(short(values[k]), x + wide() / 2, y + cell / 2 + 0.5, wide() - 3);
    }
    if (tiles > 1) {
      context.strokeStyle = colour("--line");
      context.lineWidth = 1;
      for (let tile = 0; tile < tiles; tile++) {
        const { x, y } = place(tile * size);
        context.strokeRect(x - 0.5, y - 0.5, columns * wide() + 1, rows * cell + 1);
      }
    }
    for (const [k, name] of marks) frame(context, k, colour(name), 2);
    if (document.activeElement === canvas) frame(context, flat(), colour("--accent"), 3);
  }

  /** @param {CanvasRenderingContext2D} context @param {number} k @param {string} stroke @param {number} width */
  function frame(context, k, stroke, width) {
    const { x, y } = place(k);
    // A frame around a small cell stands outside it, so that it is seen.
    const out = Math.max(0, (8 - cell) / 2);
    context.lineWidth = width + 2;
    context.strokeStyle = colour("--picture-paper");
    context.strokeRect(x - out, y - out, wide() + 2 * out, cell + 2 * out);
    context.lineWidth = width;
    context.strokeStyle = stroke;
    context.strokeRect(x - out, y - out, wide() + 2 * out, cell + 2 * out);
  }

  function say() {
    const { row, column, tile } = cursor;
    const place = { row: String(row), column: String(column), tile: String(tile) };
    const name = options.name?.(row, column, tile) ?? t(tiles > 1 ? "common.cell_of_tile" : "common.cell", place);
    said.textContent = `${name}: ${number(values[flat()])}`;
  }

  /** @param {number} row @param {number} column @param {number} [tile] */
  function move(row, column, tile = cursor.tile) {
    // Beyond the edge of a tile is the next one.
    if (column < 0 && tile % across > 0) [tile, column] = [tile - 1, columns - 1];
    else if (column >= columns && tile % across < across - 1 && tile + 1 < tiles) [tile, column] = [tile + 1, 0];
    else if (row < 0 && tile >= across) [tile, row] = [tile - across, rows - 1];
    else if (row >= rows && tile + across < tiles) [tile, row] = [tile + across, 0];
    cursor = { tile, row: Math.min(rows - 1, Math.max(0, row)), column: Math.min(columns - 1, Math.max(0, column)) };
    if (flat() >= values.length) cursor.column = Math.max(0, (values.length % size) - cursor.row * columns - 1);
    reveal(flat());
    say();
    draw();
  }

  /** Scrolls until a cell is in sight. @param {number} k */
  function reveal(k) {
    const { x, y } = place(k);
    if (x < view.scrollLeft || x + wide() > view.scrollLeft + view.clientWidth) view.scrollLeft = x - view.clientWidth / 2;
    if (y < view.scrollTop || y + cell > view.scrollTop + view.clientHeight) view.scrollTop = y - view.clientHeight / 2;
  }

  /** @param {number} factor @param {{x: number, y: number}} [centre] in the view */
  function zoom(factor, centre = { x: view.clientWidth / 2, y: view.clientHeight / 2 }) {
    const before = cell;
    const next = Math.min(LARGEST, Math.max(Math.min(fitting, SMALLEST), cell * factor));
    const [x, y] = [(view.scrollLeft + centre.x) / before, (view.scrollTop + centre.y) / before];
    cell = next > fitting && next >= 6 ? Math.round(next) : next < fitting * 1.01 && factor < 1 ? fitting : next;
    draw();
    view.scrollLeft = x * cell - centre.x;
    view.scrollTop = y * cell - centre.y;
    draw();
  }

  canvas.addEventListener("keydown", (event) => {
    const step = arrow(event);
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (step) move(cursor.row + step[1], cursor.column + step[0]);
    else if (event.key === "Enter" || event.key === " ") options.onpick?.(cursor.row, cursor.column, cursor.tile);
    else if (event.key === "+") zoom(1.5);
    else if (event.key === "-") zoom(1 / 1.5);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = canvas.offsetWidth / box.width || 1;
    // CSS may show a picture that is too wide for a narrow screen smaller than it was drawn.
    const shrunk = view.classList.contains("scrolls") ? 1 : total().width / (box.width * scale || 1);
    const [x, y] = [(event.clientX - box.left) * scale * shrunk, (event.clientY - box.top) * scale * shrunk];
    const found = view.classList.contains("scrolls") ? at(x + view.scrollLeft, y + view.scrollTop) : at(x, y);
    move(found.row, found.column, found.tile);
    options.onpick?.(cursor.row, cursor.column, cursor.tile);
  });
  if (options.zoom) {
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = view.getBoundingClientRect();
      zoom(event.deltaY < 0 ? 1.25 : 0.8, { x: event.clientX - box.left, y: event.clientY - box.top });
    }, { passive: false });
    canvas.addEventListener("dblclick", (event) => {
      const box = view.getBoundingClientRect();
      zoom(2, { x: event.clientX - box.left, y: event.clientY - box.top });
    });
  }
  view.addEventListener("scroll", draw);
  canvas.addEventListener("focus", draw);
  canvas.addEventListener("blur", draw);
  addEventListener("theme", draw);
  behind.addEventListener("toggle", () => {
    behind.querySelector("div")?.remove();
    if (behind.open) behind.append(tables());
  });
  draw();

  /** The tile at the cursor as a table, or its row if the tile is too large for one. */
  function tables() {
    const first = cursor.tile * size;
    if (size <= TABLE) return table(values, first, rows, columns, options.label, 0);
    return table(values, first + cursor.row * columns, 1, columns, options.label, cursor.row);
  }

  return {
    /** @param {ArrayLike<number>} changed @param {number} [most] the absolute value with the full colour */
    update(changed, most) {
      values = changed;
      if (most !== undefined) options.most = most;
      behind.open = false;
      draw();
    },
    /**
     * Frames cells in a colour of the style sheet.
     * @param {Map<number, string>} cells
     * @param {boolean} [show] whether to scroll to the first of them
     */
    mark(cells, show = false) {
      marks = cells;
      const [first] = cells.keys();
      if (show && first !== undefined) reveal(first);
      draw();
    },
    remove() {
      removeEventListener("theme", draw);
      figure.remove();
    },
  };
}

/**
 * @param {ArrayLike<number>} values @param {number} first @param {number} rows @param {number} columns
 * @param {string} label @param {number} row the number of the first row
 */
function table(values, first, rows, columns, label, row) {
  const lines = [];
  for (let i = 0; i < rows; i++) {
    const cells = [];
    for (let j = 0; j < columns; j++) {
      const value = values[first + i * columns + j];
      cells.push(el("td", {}, value === undefined ? "" : number(value)));
    }
    lines.push(el("tr", {}, el("th", { scope: "row" }, String(row + i)), cells));
  }
  return scrollingTable(label, ["", ...Array.from({ length: columns }, (_, j) => String(j))], lines);
}

/** A number in at most six characters or so. @param {number} value */
export function short(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 0.001 || size >= 1e5) return value.toExponential(0).replaceAll("-", "−");
  return number(value, size >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: size >= 1 ? 3 : 2 });
}

/** The largest absolute value. @param {ArrayLike<number>} values */
export function largest(values) {
  let most = 0;
  for (let k = 0; k < values.length; k++) if (Number.isFinite(values[k])) most = Math.max(most, Math.abs(values[k]));
  return most;
}

/** @param {number[]} from @param {number[]} to @param {number} share */
function mixed(from, to, share) {
  const parts = from.map((value, k) => Math.round(value + share * (to[k] - value)));
  return `rgb(${parts.join(" ")})`;
}
