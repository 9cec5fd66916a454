// @ts-check
/** Accuracy on corrupted images, measured when the visitor asks for it. */

import { digits } from "../digit.js";
import { complain, el, scrollingTable, svg } from "../dom.js";
import { ask, get } from "../engine.js";
import { percent, t, whole } from "../text.js";
import { settled } from "./images.js";

const SIZES = [200, 500, 1000, 2000];

/** @param {HTMLElement} host @param {import("./room.js").Context} context */
export async function show(host, { state, save, signal }) {
  const size = el("select", { id: "sample" }, SIZES.map((n) => el("option", { value: String(n), selected: n === state.sample }, whole(n))));
  const start = el("button", { class: "main", onclick: () => void begin().catch(complain) }, t("explore.measure"));
  const bar = el("progress", { max: "1", value: "0", "aria-label": t("explore.measuring") });
  const status = el("p", { role: "status" });
  const results = el("div", {});
  bar.hidden = true;
  host.append(el("div", { class: "card" }, el("h2", {}, t("explore.view_robustness")), el("p", {}, t("explore.robustness_lead")),
    el("div", { class: "controls" }, el("label", { for: "sample" }, t("explore.sample_size")), size, start, bar), status), results);
  size.addEventListener("change", () => {
    state.sample = Number(size.value);
    save();
    results.replaceChildren();
    status.textContent = "";
    rest();
    void resume().catch(complain);
  });
  await resume();

  function rest() {
    start.disabled = false;
    bar.hidden = true;
  }

  async function resume() {
    const found = await get("/api/explore/corruptions", { model: state.model, images: Number(size.value) });
    if (found.state !== "absent") await wait();
  }

  async function begin() {
    await ask("/api/explore/corruptions", { model: state.model, images: Number(size.value) });
    await wait();
  }

  async function wait() {
    const images = Number(size.value);
    const isChosen = () => images === Number(size.value); // Another size may be chosen meanwhile.
    start.disabled = true;
    bar.hidden = false;
    status.textContent = t("explore.measuring");
    try {
      const found = await settled("/api/explore/corruptions", { model: state.model, images }, signal, (done) => { if (isChosen()) bar.value = done; });
      if (!isChosen()) return;
      status.textContent = t("explore.measured", { images: found.images, accuracy: percent(found.clean.accuracy) });
      results.replaceChildren(curves(found), behind(found));
    } finally {
      if (isChosen()) rest();
    }
  }
}

/** @param {any} found */
function curves(found) {
  const [kinds, strengths, ...shape] = found.samples.shape;
  const pictures = digits({ ...found.samples, shape: [kinds * strengths, ...shape] });
  const list = el("div", { class: "curves" });
  for (const [place, [name, result]] of Object.entries(found.corruptions).entries()) {
    const values = [found.clean.accuracy, ...result.accuracy];
    const intervals = [found.clean.interval, ...result.interval];
    const last = values.length - 1;
    list.append(el("figure", { class: "card" }, el("figcaption", {}, el("h3", {}, t(`explore.corruption_${name}`)),
      el("p", { class: "small muted" }, t("explore.falls", { accuracy: percent(values[last], 0), amount: amount(name, result.amounts[last - 1]) }))),
      curve(values, intervals, t(`explore.corruption_${name}`)),
      el("div", { class: "strengths" }, pictures.slice(place * strengths, (place + 1) * strengths))));
  }
  return list;
}

/** @param {string} name @param {number} value */
function amount(name, value) {
  return t(`explore.amount_${name}`, { value });
}

/** @param {number[]} values @param {number[][]} intervals @param {string} name */
function curve(values, intervals, name) {
  const x = (/** @type {number} */ k) => 42 + (k * 200) / (values.length - 1);
  const y = (/** @type {number} */ p) => 112 - 100 * p;
  const points = values.map((p, k) => `${x(k)},${y(p)}`).join(" ");
  const band = [...intervals.map(([low], k) => `${x(k)},${y(low)}`), ...intervals.map(([, high], k) => `${x(k)},${y(high)}`).reverse()].join(" ");
  return svg("svg", { viewBox: "0 0 256 136", class: "chart", role: "img", "aria-label": `${name}: ${values.map((p) => percent(p, 0)).join(", ")}` },
    [0, 0.5, 1].map((p) => svg("line", { class: "grid", x1: 42, x2: 244, y1: y(p), y2: y(p) })),
    [0, 0.5, 1].map((p) => svg("text", { x: 36, y: y(p) + 4, "text-anchor": "end" }, percent(p, 0))),
    values.map((_, k) => svg("text", { x: x(k), y: 130, "text-anchor": "middle" }, String(k))),
    svg("polygon", { class: "band", points: band }), svg("polyline", { class: "line", points }),
    values.map((p, k) => svg("circle", { class: "mean", cx: x(k), cy: y(p), r: 3 })));
}

/** @param {any} found */
function behind(found) {
  const heads = [t("explore.corruption"), ...[1, 2, 3, 4, 5].map((strength) => t("explore.strength", { strength }))];
  const rows = Object.entries(found.corruptions).map(([name, result]) => el("tr", {}, el("th", { scope: "row" }, t(`explore.corruption_${name}`)),
    result.accuracy.map((/** @type {number} */ p, /** @type {number} */ k) => el("td", {}, `${percent(p)} (${amount(name, result.amounts[k])})`))));
  return el("details", { class: "small" }, el("summary", {}, t("common.as_table")), scrollingTable(t("explore.view_robustness"), heads, rows));
}
