// @ts-check
/** What is shown of each stage: the whole step, one stage with its arrays, the question about the weights. */

import { el } from "../dom.js";
import { ask } from "../engine.js";
import { has, number, t } from "../text.js";
import { exact, placed } from "../why.js";
import { title } from "./data.js";
import { Pictures, largestPlace } from "./pictures.js";

/** @typedef {import("./data.js").StepData} StepData @typedef {import("./data.js").Stage} Stage */

/** Arrays of more numbers are not drawn in the view of the whole step. */
const MOST_IN_WHOLE = 24_000;

/** The name of a stage. @param {Stage} stage */
export function stageTitle(stage) {
  const how = way(stage);
  if (stage.phase === "loss" || stage.key === "loss.backward") return t(`step.title_${stage.key.replace("loss.", "loss_")}`);
  if (stage.phase === "input") return t("step.title_input");
  return t(`step.title_${how}`, { layer: stage.layer, kind: stage.phase === "update" ? stage.kind : stage.text.replace(/\(.*/s, "") });
}

/** forward, statistics, parameters, ...: what kind of stage it is. @param {Stage} stage */
function way(stage) {
  return stage.key.slice(stage.key.lastIndexOf(".") + 1);
}

/** What happens in a stage, in a sentence. @param {Stage} stage */
export function sentence(stage) {
  if (stage.phase === "input") return t("step.say_image");
  if (stage.key === "loss") return t(`step.say_loss_${stage.kind}`);
  if (stage.key.startsWith("loss.")) {
    const own = `step.say_loss_${way(stage)}_${stage.kind}`;
    return t(has(own) ? own : `step.say_loss_${way(stage)}`);
  }
  const own = `step.say_${way(stage)}_${stage.kind}`;
  return t(has(own) ? own : `step.say_${way(stage)}`);
}

/**
 * One stage: its arrays, what they are computed from, and the formula.
 * @param {HTMLElement} host @param {StepData} data @param {Stage} stage @param {(name: string, index: number[]) => void} onpick
 */
export async function showStage(host, data, stage, onpick) {
  const outputs = stage.outputs.map((output) => output.name);
  const inputs = stage.inputs.filter((input) => !outputs.includes(input.name));
  if (stage.key === "loss.probability") inputs.unshift({ name: "exponential", symbol: "e" }, { name: "total", symbol: "t" });
  await data.need([...outputs, ...inputs.map((input) => input.name)]);
  const pictures = new Pictures(data, onpick);
  const formula = el("div", { class: "formula", tabindex: "0", role: "group", "aria-label": t("why.formula") });
  for (const line of new Set(stage.outputs.flatMap((output) => output.formula))) {
    const p = el("p", {});
    // Markup that the server made from the docstrings of the installed source.
    p.innerHTML = line;
    formula.append(p);
  }
  for (const symbol of formula.querySelectorAll("[data-symbol]")) {
    symbol.addEventListener("pointerenter", () => pictures.lightSymbol(symbol.getAttribute("data-symbol")));
    symbol.addEventListener("pointerleave", () => pictures.lightSymbol(null));
  }
  const from = el("div", { class: "arrays from" });
  const to = el("div", { class: "arrays to" });
  host.append(formula, el("h3", { class: "part" }, t("step.computed")), to);
  if (inputs.length) host.append(el("h3", { class: "part" }, t("step.from")), from);
  const width = host.clientWidth - 10;
  for (const output of stage.outputs) pictures.add(to, output.name, { width: Math.min(640, width), height: 320, symbol: output.symbol });
  // A picture of pixels fits beside the weights.
  const most = stage.phase === "update" ? Math.max(300, Math.floor((width - 50) / 2)) : 450;
  for (const input of inputs) pictures.add(from, input.name, { width: Math.min(most, width), height: 210, symbol: simple(input.symbol) });
  const [first] = outputs;
  return { pictures, start: { of: first, index: data.index(first, largestPlace(data.get(first))) } };
}

/** A symbol that can stand before an array; none for functions of the array's numbers. @param {string} symbol */
function simple(symbol) {
  return /^\w+$/.test(symbol) ? symbol : "";
}

/**
 * The whole step at once: each layer's parameters and outputs, and below them their derivatives.
 * @param {HTMLElement} host @param {StepData} data
 * @param {(key: string, name: string, index: number[]) => void} ongo
 */
export async function showWhole(host, data, ongo) {
  const { stages, arrays } = data.outline;
  /** @param {string} name */
  const maker = (name) => stages.find((stage) => stage.outputs.some((output) => output.name === name));
  /** @type {{head: string, text: string, parameters: string[], output: string, key: string}[]} */
  const columns = [{ head: t("step.array_input"), text: "", parameters: [], output: "input", key: "input" }];
  for (const stage of stages) {
    if (stage.phase !== "forward" || !stage.key.endsWith(".forward")) continue;
    const own = stage.inputs.map((input) => input.name).filter((name) => new RegExp(`^${stage.layer.replaceAll(".", "\\.")}\\.(weight|bias|scale|shift)$`).test(name));
    const sorted = ["weight", "bias", "scale", "shift"].flatMap((end) => own.filter((name) => name.endsWith(end)));
    columns.push({ head: t("step.layer", { layer: stage.layer }), text: stage.text, parameters: sorted, output: stage.outputs[0].name, key: stage.key });
  }
  if (arrays.probability) columns.push({ head: t("step.array_probability"), text: "softmax", parameters: [], output: "probability", key: "loss.probability" });
  columns.push({ head: t("step.array_loss"), text: "", parameters: [], output: "loss", key: "loss" });
  const drawn = (/** @type {string} */ name) => arrays[name] !== undefined && data.shape(name).reduce((a, b) => a * b, 1) <= MOST_IN_WHOLE;
  /** The derivative below an array. @param {string} name */
  const below = (name) => (name === "probability" ? "doutput" : `d${name}`);
  const names = columns.flatMap(({ parameters, output }) => [...parameters, output]).flatMap((name) => [name, below(name)]);
  await data.need(names.filter(drawn));

  const pictures = new Pictures(data, (name, index) => {
    const stage = maker(name) ?? stages.find((found) => found.inputs.some((input) => input.name === name));
    if (stage) ongo(stage.key, name, index);
  });
  const map = el("div", { class: "whole", role: "group", "aria-label": t("step.whole_label") });
  map.append(el("div", { class: "whole-side" }, el("span", {}), el("strong", { class: "forward" }, t("step.forward_arrow")), el("strong", { class: "backward" }, t("step.backward_arrow"))));
  const scroller = el("div", { class: "whole-columns", tabindex: "0", role: "region", "aria-label": t("step.whole_label") });
  map.append(scroller);
  host.append(map);
  for (const column of columns) {
    const head = el("button", { class: "whole-head", onclick: () => ongo(column.key, "", []) }, el("span", {}, column.head), el("small", {}, column.text));
    const up = el("div", { class: "whole-cell" });
    const down = el("div", { class: "whole-cell derivative" });
    scroller.append(el("div", { class: "whole-column" }, head, up, down));
    for (const name of [...column.parameters, column.output]) {
      one(up, name);
      one(down, below(name));
    }
  }

  /** @param {HTMLElement} cell @param {string} name */
  function one(cell, name) {
    if (arrays[name] === undefined) return;
    if (!drawn(name)) {
      const count = data.shape(name).reduce((a, b) => a * b, 1);
      cell.append(el("p", { class: "muted small" }, t("step.too_many", { n: count })));
      return;
    }
    const [tiles, rows, tileColumns] = arrays[name].tiles;
    const wide = tiles * rows * tileColumns > 1000 && tiles > 1 ? 306 : 140;
    const host = pictures.add(cell, name, { width: wide, height: 140, plain: true, zoom: false, small: true });
    host.title = `${title(name)} (${name})`;
  }
  return { pictures, start: null };
}

/**
 * The question which weight moves most.
 * @param {HTMLElement} host @param {StepData} data @param {() => void} onskip
 */
export async function showQuestion(host, data, onskip) {
  const found = await ask("/api/step/question", { step: data.asked });
  await data.need([found.name, "input"]);
  const letters = ["A", "B", "C", "D"];
  const answered = el("div", { class: "answered", "aria-live": "polite" });
  const list = el("div", { class: "candidates" });
  const pixels = data.outline.arrays[found.name].tiles[0] > 1 && found.name === "0.weight" && found.candidates[0].length === 2;
  const width = data.outline.images.shape[2];
  const input = data.get("input");
  /** @param {number[]} place */
  const described = (place) => {
    if (!pixels) return placed(found.name, place);
    const ink = input[place[1]];
    return t("step.candidate", { row: String(Math.floor(place[1] / width)), column: String(place[1] % width), ink: number(ink, { maximumFractionDigits: 2 }), unit: String(place[0]) });
  };
  const most = Math.max(...found.moves.map((/** @type {number | null} */ move) => Math.abs(move ?? 0)), 1e-300);
  found.candidates.forEach((/** @type {number[]} */ place, /** @type {number} */ i) => {
    const bar = el("span", { class: "move" });
    const said = el("span", { class: "moved number" });
    const button = el("button", { class: "candidate", onclick: () => answer(i) },
      el("strong", { class: "letter" }, letters[i]), el("span", {}, described(place)),
      el("span", { class: "number muted" }, t("step.is_now", { value: exact(found.values[i]) })), said, bar);
    list.append(button);
  });

  /** @param {number} chosen */
  function answer(chosen) {
    const right = found.answers.includes(chosen);
    const best = found.answers.map((/** @type {number} */ i) => letters[i]).join(", ");
    [...list.children].forEach((child, i) => {
      const button = /** @type {HTMLButtonElement} */ (child);
      button.disabled = true;
      button.classList.toggle("best", found.answers.includes(i));
      button.classList.toggle("chosen", i === chosen);
      const bar = /** @type {HTMLElement} */ (button.querySelector(".move"));
      bar.style.width = `${(100 * Math.abs(found.moves[i] ?? 0)) / most}%`;
      const said = /** @type {HTMLElement} */ (button.querySelector(".moved"));
      said.textContent = t("step.moves_by", { move: exact(found.moves[i]) });
    });
    answered.replaceChildren(
      el("p", { class: `notice ${right ? "good" : ""}` }, found.answers.length === letters.length ? t("step.all_equal") : right ? t("step.right") : t("step.wrong", { best }), " ", t("step.because")),
      el("button", { class: "main", onclick: onskip }, t("step.see_why")));
    /** @type {HTMLElement} */ (answered.querySelector("button")).focus({ preventScroll: true });
  }

  host.append(el("p", {}, t("step.question_text")), list, answered, el("button", { class: "quiet", onclick: onskip }, t("step.skip")));
  const pictures = new Pictures(data, (name, index) => {
    const i = found.candidates.findIndex((/** @type {number[]} */ place) => name === found.name && place.join() === index.join());
    if (i >= 0) answer(i);
  });
  const box = el("div", { class: "arrays" });
  host.append(box);
  const space = Math.min(640, host.clientWidth - 8);
  pictures.add(box, "input", { width: Math.min(space, 240), height: 240 });
  pictures.add(box, found.name, { width: space });
  const cells = new Map(found.candidates.map((/** @type {number[]} */ place) => [data.place(found.name, place), "--accent"]));
  pictures.all.get(found.name)?.picture.mark(cells);
  if (pixels) pictures.all.get("input")?.picture.mark(new Map(found.candidates.map((/** @type {number[]} */ place) => [place[1], "--accent"])));
  return { pictures, start: null };
}
