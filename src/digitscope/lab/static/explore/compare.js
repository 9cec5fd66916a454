// @ts-check
/** Two models on the same images, one by one. */

import { complain, el } from "../dom.js";
import { number, percent, t, whole } from "../text.js";
import { awaited, gallery } from "./images.js";

const PARTS = ["both", "only_first", "only_second", "neither"];

/** @param {HTMLElement} host @param {import("./room.js").Context} context */
export async function show(host, { state, save, models, signal }) {
  if (!models.includes(state.other)) state.other = ["reader", "convnet", ...models].find((name) => name !== state.model) ?? state.model;
  if (!PARTS.includes(state.part)) state.part = "only_first";
  const other = el("select", { id: "other", onchange: () => {
    state.other = other.value;
    save();
    void compare().catch(complain);
  } }, models.filter((name) => name !== state.model).map((name) => el("option", { value: name, selected: name === state.other }, name)));
  const results = el("div", {});
  host.append(el("div", { class: "controls" }, el("label", { for: "other" }, t("explore.compare_with", { model: state.model })), other), results);
  save();
  await compare();

  async function compare() {
    results.replaceChildren();
    const pair = { first: state.model, second: state.other };
    const found = await awaited(results, "/api/explore/compare", pair, signal);
    if (pair.second !== state.other) return; // another model was chosen meanwhile
    const { parts, p, accuracies, intervals, images } = found;
    const counts = [parts.both, parts.only_first, parts.only_second, parts.neither];
    const buttons = PARTS.map((part, k) => el("button", { class: `part ${part}`, onclick: () => choose(part) },
      el("strong", { class: "number" }, whole(counts[k])), el("span", { class: "small" }, t(`explore.part_${part}`, pair))));
    const [both, first, second, neither] = buttons;
    const heading = el("h2", {});
    const below = el("div", {});
    const table = el("table", { class: "two" }, el("caption", { class: "hidden" }, t("explore.view_compare")),
      el("thead", {}, el("tr", {}, el("td"), el("th", { scope: "col" }, t("explore.model_right", { model: pair.second })), el("th", { scope: "col" }, t("explore.model_wrong", { model: pair.second })))),
      el("tbody", {}, el("tr", {}, el("th", { scope: "row" }, t("explore.model_right", { model: pair.first })), el("td", {}, both), el("td", {}, first)),
        el("tr", {}, el("th", { scope: "row" }, t("explore.model_wrong", { model: pair.first })), el("td", {}, second), el("td", {}, neither))));
    const coins = parts.only_first + parts.only_second;
    const sentence = coins ? t("explore.coins", { coins, first: parts.only_first, second: parts.only_second, p: number(p, { maximumSignificantDigits: 2 }) }) : t("explore.no_coins");
    const verdict = p < 0.05 ? t("explore.differs", { model: parts.only_first > parts.only_second ? pair.first : pair.second }) : t("explore.no_difference");
    results.replaceChildren(el("div", { class: "split" },
      el("div", { class: "card" }, el("h2", {}, t("explore.view_compare")),
        el("ul", {}, [0, 1].map((k) => el("li", {}, t("explore.one_accuracy", { model: k ? pair.second : pair.first, accuracy: percent(accuracies[k], 2), low: percent(intervals[k][0], 2), high: percent(intervals[k][1], 2) })))),
        el("div", { class: "table" }, table), el("p", { class: "notice" }, `${sentence} ${verdict}`), el("p", { class: "small muted" }, t("explore.mcnemar", { images: whole(images) }))),
      el("div", { class: "card" }, heading, below)));
    choose(state.part);

    /** @param {string} part */
    function choose(part) {
      state.part = part;
      save();
      PARTS.forEach((name, k) => buttons[k].setAttribute("aria-pressed", String(name === part)));
      heading.textContent = `${t(`explore.part_${part}`, pair)}: ${whole(counts[PARTS.indexOf(part)])}`;
      below.replaceChildren(el("p", { class: "muted small" }, t("explore.compare_caption", pair)));
      void gallery(below, "/api/explore/compared", { ...pair, part }, state.model, signal,
        (digit) => `${digit.label} → ${digit.answer}, ${digit.other?.answer}`);
    }
  }
}
