// @ts-check
/** A confusion matrix whose cells are buttons. Arrow keys move in it; one cell is a stop of the Tab key. */

import { arrow, el } from "./dom.js";

/**
 * @param {object} options
 * @param {number} options.classes rows, from 0 up
 * @param {string} options.caption
 * @param {Record<string, string>} [options.attributes] of the caption
 * @param {Node} options.corner the cell above the classes
 * @param {(string | Node)[]} options.heads of the columns
 * @param {(row: number, column: number) => void} options.onpick
 */
export function confusionMatrix({ classes, caption, attributes, corner, heads, onpick }) {
  let at = [0, 0];
  /** @param {number} row @param {number} column */
  const enter = (row, column) => {
    cells[at[0]][at[1]].tabIndex = -1;
    at = [row, column];
    cells[row][column].tabIndex = 0;
  };
  const cells = Array.from({ length: classes }, (_, row) => heads.map((_, column) => {
    const cell = el("button", { type: "button", tabindex: "-1", onfocus: () => enter(row, column), onclick: () => {
      cell.focus(); // Some browsers do not focus a button that is clicked.
      onpick(row, column);
    } });
    return cell;
  }));
  const rows = cells.map((line, row) =>
    el("tr", {}, el("th", { scope: "row" }, String(row)), line.map((cell, column) => el("td", { class: row === column ? "same" : "" }, cell))));
  const head = el("tr", {}, corner, heads.map((name) => el("th", { scope: "col" }, name)));
  const table = el("table", { class: "confusion" }, el("caption", attributes, caption), el("thead", {}, head), el("tbody", {}, rows));
  table.addEventListener("keydown", (event) => {
    const step = arrow(event);
    if (!step) return;
    event.preventDefault();
    const [row, column] = [at[0] + step[1], at[1] + step[0]];
    cells[(row + classes) % classes][(column + heads.length) % heads.length].focus();
  });
  enter(0, 0);
  return { table, cells };
}
