// @ts-check
/** The confusion matrix: a guess first, then the images behind each cell. */

import { confusionMatrix } from "../confusion.js";
import { el } from "../dom.js";
import { number, t, whole } from "../text.js";
import { awaited, gallery } from "./images.js";

/** @typedef {import("./room.js").Context} Context */

/** @param {HTMLElement} host @param {Context} context */
export async function show(host, { state, save, signal }) {
  const found = await awaited(host, "/api/explore/summary", { model: state.model }, signal);
  /** @type {number[][]} */
  const confusion = found.confusion;
  const classes = confusion.length;
  const most = Math.max(1, ...confusion.flatMap((row, i) => row.filter((_, j) => i !== j)));
  const [top] = found.most_confused;

  const said = el("p", { class: "notice", "aria-live": "polite" });
  const skip = el("button", { onclick: () => reveal(null) }, t("explore.skip"));
  const { table, cells } = confusionMatrix({
    classes, caption: t("explore.confusion_caption"), attributes: { class: "small muted" },
    corner: el("td", { class: "corner small" }, t("explore.true_answer")), heads: confusion.map((_, k) => String(k)), onpick: pick,
  });

  const heading = el("h2", {});
  const images = el("div", {});
  const all = el("button", { onclick: () => choose(-1, -1) }, t("explore.all_mistakes"));
  const query = new URLSearchParams({ model: state.model });
  const keep = el("p", { class: "controls" },
    el("a", { class: "button", href: `/api/explore/mistakes.csv?${query}`, download: `mistakes-${state.model}.csv` }, t("explore.keep_csv")),
    el("a", { class: "button", href: `/api/explore/mistakes.png?${query}`, download: `mistakes-${state.model}.png` }, t("explore.keep_png")));
  host.append(
    el("div", { class: "split" },
      el("div", { class: "card" }, el("h2", {}, t("common.confusion")), said, el("div", { class: "table" }, table), counts(found)),
      el("div", { class: "card" }, heading, all, images, keep)),
  );
  if (state.cell.length === 2 && top) state.guessed = true;
  if (!top) state.guessed = true;
  fill();
  if (state.guessed) told(null);
  else said.replaceChildren(t("explore.guess"), " ", skip);
  choose(state.cell[0] ?? -1, state.cell[1] ?? -1);

  function fill() {
    for (let i = 0; i < classes; i++) {
      for (let j = 0; j < classes; j++) {
        const hidden = !state.guessed && i !== j;
        const count = confusion[i][j];
        const values = { label: String(i), answer: String(j), count: whole(count) };
        cells[i][j].textContent = hidden ? "?" : count ? whole(count) : "·";
        cells[i][j].setAttribute("aria-label", hidden ? t("explore.cell_hidden", values) : t("explore.read_as", values));
        cells[i][j].className = i === j ? "right" : count && !hidden ? "wrong" : "";
        cells[i][j].style.setProperty("--share", hidden || i === j ? "0" : String(Math.sqrt(count / most)));
      }
    }
  }

  /** @param {number} i @param {number} j */
  function pick(i, j) {
    if (state.guessed) choose(i, j);
    else if (i !== j) reveal([i, j]);
  }

  /** @param {number[] | null} guess */
  function reveal(guess) {
    const had = document.activeElement === skip;
    state.guessed = true;
    fill();
    told(guess);
    choose(top[0], top[1]);
    if (had) cells[top[0]][top[1]].focus();
  }

  /** @param {number[] | null} guess */
  function told(guess) {
    if (!top) {
      said.textContent = t("explore.no_mistakes");
      return;
    }
    const answer = t("explore.most", { label: String(top[0]), answer: String(top[1]), count: top[2] });
    if (!guess) said.textContent = answer;
    else {
      const count = confusion[guess[0]][guess[1]];
      const values = { label: String(guess[0]), answer: String(guess[1]), count };
      said.textContent = `${count === top[2] ? t("explore.guess_right", values) : t("explore.guess_wrong", values)} ${count === top[2] ? "" : answer}`;
      cells[guess[0]][guess[1]].classList.add("guess");
    }
  }

  /** @param {number} i @param {number} j */
  function choose(i, j) {
    const isCell = i >= 0 && i < classes && j >= 0 && j < classes;
    state.cell = isCell ? [i, j] : [];
    save();
    for (const cell of cells.flat()) cell.setAttribute("aria-pressed", "false");
    if (isCell) cells[i][j].setAttribute("aria-pressed", "true");
    all.hidden = !isCell;
    images.replaceChildren();
    /** @type {Record<string, string | number>} */
    const values = isCell ? { label: String(i), answer: String(j), count: confusion[i][j] } : { count: found.mistakes };
    heading.textContent = !isCell ? t("explore.mistakes", values) : i === j ? t("explore.read_right", values) : t("explore.read_as", values);
    /** @type {Record<string, string | number>} */
    const wanted = isCell ? { kind: "cell", label: i, answer: j } : { kind: "mistakes" };
    void gallery(images, "/api/explore/images", { model: state.model, ...wanted }, state.model, signal);
  }
}

/** For each class how many of its images are read, and how many answers are right. @param {any} found */
function counts(found) {
  const body = el("tbody");
  const share = (/** @type {number | null} */ p) => (p === null ? "–" : number(p, { style: "percent", minimumFractionDigits: 1 }));
  for (const [k, recall] of found.recall.entries()) {
    body.append(el("tr", {}, el("th", { scope: "row" }, String(k)), el("td", {}, share(recall)), el("td", {}, share(found.precision[k]))));
  }
  const head = el("tr", {}, el("th", { scope: "col" }, t("common.digit")), el("th", { scope: "col" }, t("explore.recall")), el("th", { scope: "col" }, t("explore.precision")));
  return el("details", { class: "small" }, el("summary", {}, t("explore.each_class")), el("table", {}, el("thead", {}, head), body));
}
