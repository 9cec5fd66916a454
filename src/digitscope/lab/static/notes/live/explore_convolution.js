// @ts-check
/** The example (8.14): an output, a weight or a pixel lights the terms of its sum. */
import { el, place, product, shown } from "./_shared.js";

const x = [[1, 2, 0], [0, 1, 3], [2, 0, 1]];
const W = [[1, 0], [-1, 2]];
const dy = [[1, 0], [0, -1]];
const PAIRS = [0, 1].flatMap((i) => [0, 1].flatMap((j) => [0, 1].flatMap((u) => [0, 1].map((v) => ({ i, j, u, v, h: i + u, w: j + v })))));
/** @typedef {(typeof PAIRS)[number]} Pair */
/** What each grid asks: which terms a cell has, their factors, and its name. */
const ASKS = {
  y: { title: "output y", of: (/** @type {Pair} */ p) => [p.i, p.j], factors: (/** @type {Pair} */ p) => [W[p.u][p.v], x[p.h][p.w]], lit: ["W", "x"], size: 2 },
  W: { title: "weight: dW", of: (/** @type {Pair} */ p) => [p.u, p.v], factors: (/** @type {Pair} */ p) => [dy[p.i][p.j], x[p.h][p.w]], lit: ["y", "x"], size: 2 },
  x: { title: "pixel: dx", of: (/** @type {Pair} */ p) => [p.h, p.w], factors: (/** @type {Pair} */ p) => [dy[p.i][p.j], W[p.u][p.v]], lit: ["y", "W"], size: 3 },
};
/** @typedef {keyof typeof ASKS} Grid */

/** The terms of a number and their sum. @param {Grid} grid @param {number} row @param {number} column */
export function sum(grid, row, column) {
  const { of, factors } = ASKS[grid];
  const pairs = PAIRS.filter((pair) => of(pair)[0] === row && of(pair)[1] === column);
  return { pairs, total: pairs.reduce((total, pair) => total + factors(pair)[0] * factors(pair)[1], 0) };
}

const host = place("convolution", "Choose an output, a weight or a pixel of (8.14): the numbers of its sum light up.");
if (host) {
  const said = el("p", { role: "status" });
  /** @type {Record<string, HTMLButtonElement>} */
  const cells = {};
  const shownIn = { y: (/** @type {number} */ r, /** @type {number} */ c) => sum("y", r, c).total, W: (/** @type {number} */ r, /** @type {number} */ c) => W[r][c], x: (/** @type {number} */ r, /** @type {number} */ c) => x[r][c] };

  /** @param {Grid} grid @param {number} row @param {number} column */
  const ask = (grid, row, column) => {
    const { pairs, total } = sum(grid, row, column);
    const { factors, lit, title } = ASKS[grid];
    for (const cell of Object.values(cells)) cell.className = "";
    for (const pair of pairs) for (const other of /** @type {Grid[]} */ (lit)) {
      const [r, c] = ASKS[other].of(pair);
      cells[`${other}${r}${c}`].className = "lit";
    }
    for (const [name, cell] of Object.entries(cells)) cell.setAttribute("aria-pressed", String(name === `${grid}${row}${column}`));
    cells[`${grid}${row}${column}`].className = "asked";
    // Tab goes from grid to grid, arrows go within one.
    for (const [name, cell] of Object.entries(cells)) if (name[0] === grid) cell.tabIndex = name === `${grid}${row}${column}` ? 0 : -1;
    const terms = pairs.map((pair) => product(factors(pair), 0));
    said.textContent = `${title}, row ${row + 1}, column ${column + 1}: ${terms.join(" + ")} = ${shown(total, 0)}`;
  };

  /** @param {Grid} grid @param {string} caption */
  const board = (grid, caption) => {
    const { size } = ASKS[grid];
    const rows = Array.from({ length: size }, (_, r) => el("div", {}, ...Array.from({ length: size }, (_, c) => {
      const under = grid === "y" ? ` (${shown(dy[r][c], 0)})` : "";
      cells[`${grid}${r}${c}`] = el("button", { type: "button", "aria-label": `${grid}, row ${r + 1}, column ${c + 1}: ${shown(shownIn[grid](r, c), 0)}`, tabindex: r + c ? -1 : 0, onclick: () => ask(grid, r, c), onfocus: () => ask(grid, r, c), onpointerenter: () => ask(grid, r, c) }, shown(shownIn[grid](r, c), 0) + under);
      return cells[`${grid}${r}${c}`];
    })));
    const element = el("div", { class: "board", role: "group", "aria-label": caption }, el("p", {}, caption), ...rows);
    element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      const name = Object.keys(cells).find((key) => cells[key] === document.activeElement);
      if (!move || !name) return;
      event.preventDefault();
      cells[`${grid}${Number(name[1]) + move[0]}${Number(name[2]) + move[1]}`]?.focus();
    });
    return element;
  };
  host.append(el("div", { class: "boards" }, board("x", "pixels x"), board("W", "pattern W"), board("y", "outputs y (dy)")), said);
  ask("y", 0, 0);
}
