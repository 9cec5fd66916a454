// @ts-check
/** The answer: large, in words for screen readers, and the probability of each digit. */

import { el, setText } from "../dom.js";
import { number, percent, t } from "../text.js";

/** Classes that are listed. */
const MOST = 12;
/** Smaller probabilities are not told apart. */
const LEAST = 0.001;

/**
 * @param {HTMLElement} host
 * @param {HTMLElement} badge shows the answer once more, beside the pen, where the screen is small
 */
export function answerView(host, badge) {
  const digit = el("span", { class: "digit" });
  const words = el("span", { class: "words" });
  const output = el("output", { class: "answer-now", "aria-label": t("draw.answer"), "aria-live": "polite" }, digit, words);
  const body = el("tbody");
  const head = el("tr", {}, el("th", { scope: "col" }, t("common.digit")), el("th", { scope: "col" }, t("draw.probability")));
  const columns = el("colgroup", {}, el("col", { class: "digits" }), el("col"));
  const caption = el("caption", { class: "hidden" }, t("draw.probabilities"));
  const bars = el("table", { class: "bars" }, caption, columns, el("thead", { class: "hidden" }, head), body);
  const score = el("p", { class: "small muted score" });
  host.append(output, bars, score);

  /** @param {{label: number, share: number, kind: string}[]} rows */
  function showBars(rows) {
    while (body.rows.length > rows.length) body.deleteRow(-1);
    rows.forEach(({ label, share, kind }, place) => {
      const row = body.rows[place] ?? body.appendChild(bar());
      row.className = kind;
      row.cells[0].textContent = String(label);
      const [fill, text] = row.cells[1].children;
      /** @type {HTMLElement} */ (fill).style.width = `${100 * share}%`;
      text.textContent = share > 0 && share < LEAST ? `< ${percent(LEAST)}` : percent(share);
    });
  }

  /** @param {any} answer @returns {{label: number, share: number, kind: string}[]} */
  function classes({ probabilities, plausible, is_digit: isDigit }) {
    const listed = probabilities.map((/** @type {number} */ share, /** @type {number} */ label) => {
      const kind = !isDigit || !plausible.includes(label) ? "" : label === plausible[0] ? "first" : "plausible";
      return { label, share, kind };
    });
    if (listed.length > MOST) listed.sort((/** @type {any} */ a, /** @type {any} */ b) => b.share - a.share).splice(MOST);
    return listed;
  }

  return {
    /** @param {any} found the server's answer, with or without a number */
    show(found) {
      const { answer, number: several } = found;
      const { probabilities, plausible } = answer;
      const share = percent(probabilities[plausible[0]]);
      let shown = String(answer.digit);
      let said = t("common.sure", { share });
      if (several) {
        shown = several.lines.join(" ");
        said = t("draw.several", { digits: several.digits.length, share: percent(several.confidence) });
      } else if (!answer.is_digit) {
        shown = "–";
        said = t("draw.no_digit", { digit: String(answer.digit) });
      } else if (plausible.length > 1) {
        const others = plausible.slice(1).map((/** @type {number} */ k) => `${k} (${percent(probabilities[k])})`);
        said = t("draw.unsure", { share, others: others.join(", ") });
      }
      setText(digit, shown);
      digit.classList.toggle("long", shown.length > 2);
      output.classList.toggle("none", !several && !answer.is_digit);
      setText(words, said);
      badge.textContent = several || answer.is_digit ? shown : "";
      if (several) {
        showBars(several.digits.map((/** @type {any} */ d) => ({ label: d.label, share: d.confidence, kind: "first" })));
        setText(score, t("draw.as_one"));
        return;
      }
      showBars(classes(answer));
      const usual = answer.threshold === null ? "" : t("draw.usual", {
        share: percent(1 - answer.refuse, 0), score: number(answer.threshold, { maximumFractionDigits: 1 }),
      });
      setText(score, `${t("draw.score", { score: number(answer.evidence, { maximumFractionDigits: 1 }) })} ${usual}`);
    },
    empty() {
      setText(digit, "");
      setText(words, t("draw.empty"));
      output.classList.remove("none");
      badge.textContent = "";
      showBars(Array.from({ length: 10 }, (_, label) => ({ label, share: 0, kind: "" })));
      setText(score, "");
    },
  };
}

/**
 * What was read, with its probability.
 * @param {{digit: number, is_digit: boolean}} answer @param {number} probability of the digit
 */
export function inWords({ digit, is_digit: isDigit }, probability) {
  const name = String(digit);
  return isDigit ? t("draw.digit_share", { digit: name, share: percent(probability) }) : t("draw.no_digit", { digit: name });
}

function bar() {
  const fill = el("div", { class: "fill" });
  const row = el("tr", {}, el("th", { scope: "row" }), el("td", {}, fill, el("span", { class: "numbers" })));
  return row;
}
