// @ts-check
/** The class's confusion matrix: a table whose cells open their drawings. */

import { confusionMatrix } from "../confusion.js";
import { el } from "../dom.js";
import { t } from "../text.js";

const CLASSES = 10;

/** @param {(meant: number, read: number) => void} onpick */
export function confusionTable(onpick) {
  const none = el("abbr", { title: t("common.no_digit") }, "–");
  const heads = [...Array.from({ length: CLASSES }, (_, k) => String(k)), none];
  const { table, cells } = confusionMatrix({ classes: CLASSES, caption: t("class.confusion_caption"), corner: el("td"), heads, onpick });
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
