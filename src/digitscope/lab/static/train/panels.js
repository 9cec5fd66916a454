// @ts-check
/** What can be seen of a network that learns: weights, layers, mistakes. */

import { digits } from "../digit.js";
import { el } from "../dom.js";
import { decode } from "../engine.js";
import { matrix } from "../matrix.js";
import { number, percent, t, whole } from "../text.js";

/** Images with a text below each. @param {import("../engine.js").Encoded} images @param {string[]} texts */
export function captioned(images, texts) {
  return el("ul", { class: "digits" }, digits(images).map((picture, n) => el("li", {}, picture, el("span", { class: "small" }, texts[n]))));
}

/** The first layer's weights. */
export function weightsPanel() {
  const host = el("div");
  const when = el("p", { class: "small muted" });
  const panel = el("section", { class: "card" }, el("h2", {}, t("train.weights")), el("p", { class: "small" }, t("train.weights_hint")), host, when);
  /** @type {{shape: string, picture: ReturnType<typeof matrix>} | null} */
  let drawn = null;
  return {
    panel,
    /** @param {any} inspection */
    update(inspection) {
      panel.hidden = !inspection?.weights;
      if (!inspection?.weights) return;
      const values = decode(inspection.weights);
      const [tiles, rows, columns] = inspection.weights.shape;
      const shape = inspection.weights.shape.join();
      when.textContent = t("train.at_step", { step: whole(inspection.step) });
      if (drawn && drawn.shape === shape) return drawn.picture.update(values);
      drawn?.picture.remove();
      const across = Math.min(tiles, columns > 10 ? 6 : 8);
      const cell = Math.max(1, Math.min(12, (host.clientWidth - 4 * across) / across / columns));
      drawn = { shape, picture: matrix(host, { values, rows, columns, tiles, across, cell, label: t("train.weights"), zoom: false }) };
    },
  };
}

/** Gradients and dead units, layer by layer. */
export function layersPanel() {
  const body = el("tbody");
  const head = el("tr", {}, ["layer", "gradient", "dead"].map((name) => el("th", { scope: "col" }, t(`train.column_${name}`))));
  const table = el("table", { class: "health" }, el("thead", {}, head), body);
  const panel = el(
    "section",
    { class: "card" },
    el("h2", {}, t("train.layers")),
    el("p", { class: "small" }, t("train.layers_hint")),
    el("div", { class: "table", tabindex: "0", role: "region", "aria-label": t("train.layers") }, table),
  );
  return {
    panel,
    /** @param {any} inspection */
    update(inspection) {
      panel.hidden = !inspection;
      if (!inspection) return;
      const norms = inspection.layers.map((/** @type {any} */ layer) => layer.gradient_norm).filter(Boolean);
      const most = Math.max(1e-9, ...norms);
      body.replaceChildren(...inspection.layers.map((/** @type {any} */ layer) => {
        const norm = layer.gradient_norm === null ? "" : number(layer.gradient_norm, { maximumSignificantDigits: 3 });
        // A logarithmic bar: a thousandth of the largest has no length.
        const length = layer.gradient_norm ? 1 + Math.log10(layer.gradient_norm / most) / 3 : 0;
        const dead = layer.dead === null ? "" : percent(layer.dead, 0);
        return el(
          "tr", {},
          el("th", { scope: "row" }, `${layer.name} ${layer.kind}`),
          el("td", {}, bar(length, "gradient"), norm),
          el("td", {}, layer.dead === null ? null : bar(layer.dead, "dead"), dead),
        );
      }));
    },
  };
}

/** @param {number} length from 0 to 1 @param {string} kind */
function bar(length, kind) {
  const inner = el("span", { class: kind });
  inner.style.width = `${Math.max(0, Math.min(1, length)) * 100}%`;
  return el("span", { class: "bar", "aria-hidden": "true" }, inner);
}

/** The confusion matrix and the mistakes of the last validation. */
export function mistakesPanel() {
  const matrixHost = el("div", { class: "table", tabindex: "0", role: "region", "aria-label": t("common.confusion") });
  const facts = el("p", { class: "small" });
  const list = el("div");
  const confusion = el("section", { class: "card" }, el("h2", {}, t("common.confusion")), el("p", { class: "small" }, t("train.confusion_hint")), matrixHost);
  const mistakes = el("section", { class: "card" }, el("h2", {}, t("train.mistakes")), facts, list);
  return {
    confusion,
    mistakes,
    /** @param {any} validation */
    update(validation) {
      confusion.hidden = mistakes.hidden = !validation;
      if (!validation) return;
      confusion.hidden = validation.confusion.length > 30;
      if (!confusion.hidden) matrixHost.replaceChildren(confusionTable(validation.confusion));
      facts.textContent = t("train.mistakes_facts", { wrong: whole(validation.wrong), images: whole(validation.images), step: whole(validation.step) });
      const texts = validation.mistakes.map((/** @type {any} */ one) => t("train.mistake", { label: one.label, digit: one.digit, share: percent(one.probability, 0) }));
      list.replaceChildren(captioned(validation.pictures, texts));
    },
  };
}

/** @param {number[][]} counts */
function confusionTable(counts) {
  const classes = counts.map((_, k) => k);
  const mistakes = counts.flatMap((row, i) => row.filter((_, j) => i !== j));
  const most = Math.max(1, ...mistakes);
  const head = el("tr", {}, el("th", { scope: "col", class: "corner small" }, t("train.true_read")), classes.map((k) => el("th", { scope: "col" }, String(k))));
  const rows = counts.map((row, i) => {
    const sum = row.reduce((a, b) => a + b, 0);
    const cells = row.map((count, j) => {
      const cell = el("td", { class: i === j ? "right" : count ? "wrong" : "none" }, count ? String(count) : "·");
      cell.style.setProperty("--share", String(i === j ? count / Math.max(1, sum) : count / most));
      return cell;
    });
    return el("tr", {}, el("th", { scope: "row" }, String(i)), cells);
  });
  return el("table", { class: "confusion number" }, el("thead", {}, head), el("tbody", {}, rows));
}
