// @ts-check
/** The class's confusion matrix: a table whose cells open their drawings. Arrow keys move in it. */

import { el } from "../dom.js";
import { t } from "../text.js";

const CLASSES = 10;

/** @param {(meant: number, read: number) => void} open */
export function confusionTable(open) {
  let at = { row: 0, column: 0 };
  /** @type {HTMLButtonElement[][]} */
  const cells = [];
  const body = el("tbody");
  for (let row = 0; row < CLASSES; row++) {
    cells[row] = [];
    const line = el("tr", {}, el("th", { scope: "row" }, String(row)));
    for (let column = 0; column <= CLASSES; column++) {
      const cell = el("button", { type: "button", tabindex: "-1", onclick: () => choose(row, column) });
      cells[row][column] = cell;
      line.append(el("td", { class: row === column ? "same" : "" }, cell));
    }
    body.append(line);
  }
  cells[0][0].tabIndex = 0;
  const heads = Array.from({ length: CLASSES }, (_, k) => el("th", { scope: "col" }, String(k)));
  const none = el("th", { scope: "col" }, el("abbr", { title: t("common.no_digit") }, "–"));
  const table = el(
    "table", {}, el("caption", {}, t("class.confusion_caption")),
    el("thead", {}, el("tr", {}, el("td"), heads, none)), body,
  );
  table.addEventListener("keydown", (event) => {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (!step) return;
    event.preventDefault();
    focus(Math.min(CLASSES - 1, Math.max(0, at.row + step[0])), Math.min(CLASSES, Math.max(0, at.column + step[1])));
  });

  /** @param {number} row @param {number} column */
  function focus(row, column) {
    cells[at.row][at.column].tabIndex = -1;
    at = { row, column };
    cells[row][column].tabIndex = 0;
    cells[row][column].focus();
  }

  /** @param {number} row @param {number} column */
  function choose(row, column) {
    focus(row, column);
    open(row, column);
  }

  return {
    element: el("div", { class: "matrix-table" }, table),
    /** @param {number[][]} counts */
    update(counts) {
      counts.forEach((line, row) => {
        const sum = line.reduce((a, b) => a + b, 0);
        line.forEach((count, column) => {
          const cell = cells[row][column];
          cell.textContent = count ? String(count) : "";
          const read = column === CLASSES ? t("common.no_digit") : String(column);
          cell.setAttribute("aria-label", t("class.cell", { meant: String(row), read, n: count }));
          const share = sum ? Math.round(12 + 33 * (count / sum)) : 0;
          const hue = row === column ? "--accent" : "--positive";
          cell.style.backgroundColor = count ? `color-mix(in srgb, var(${hue}) ${share}%, transparent)` : "";
        });
      });
    },
  };
}
