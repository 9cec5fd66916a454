// @ts-check
/** Calibration: how often it was right, by how confident it was. */

import { el, scrollingTable, svg } from "../dom.js";
import { number, percent, t, whole } from "../text.js";
import { awaited, gallery } from "./images.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, SIDE] = [460, 400, 50, 46, 340];

/** @param {HTMLElement} host @param {import("./room.js").Context} context */
export async function show(host, { state, save, signal }) {
  const found = await awaited(host, "/api/explore/summary", { model: state.model }, signal);
  const { edges, counts, confidence, accuracy, intervals, error } = found.reliability;
  const x = (/** @type {number} */ p) => LEFT + SIDE * p;
  const y = (/** @type {number} */ p) => HEIGHT - BOTTOM - SIDE * p;
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "group", "aria-label": t("explore.calibration") });
  for (const p of [0, 0.25, 0.5, 0.75, 1]) {
    chart.append(svg("line", { class: "grid", x1: x(0), x2: x(1), y1: y(p), y2: y(p) }),
      svg("text", { x: x(0) - 8, y: y(p) + 4, "text-anchor": "end" }, percent(p, 0)), svg("text", { x: x(p), y: y(0) + 18, "text-anchor": "middle" }, percent(p, 0)));
  }
  chart.append(svg("text", { x: x(0.5), y: HEIGHT - 6, "text-anchor": "middle" }, t("explore.confidence_axis")),
    svg("text", { transform: `translate(13 ${y(0.5)}) rotate(-90)`, "text-anchor": "middle" }, t("explore.accuracy_axis")));
  const images = el("div", {});
  const heading = el("h2", {});
  /** @type {SVGGElement[]} */
  const bars = [];
  const rows = [];
  for (let k = 0; k < counts.length; k++) {
    if (!counts[k]) continue;
    const values = { low: percent(edges[k], 0), high: percent(edges[k + 1], 0), count: whole(counts[k]), confidence: percent(confidence[k]), accuracy: percent(accuracy[k]) };
    const bar = svg("g", { tabindex: "0", role: "button", "aria-label": t("explore.bin", values), class: "bin", onclick: () => choose(k),
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        choose(k);
      } },
      svg("title", {}, t("explore.bin", values)),
      svg("rect", { class: "target", x: x(edges[k]), y: y(1), width: x(edges[k + 1]) - x(edges[k]), height: SIDE }),
      svg("rect", { class: "bar", x: x(edges[k]) + 1.5, y: y(accuracy[k]), width: x(edges[k + 1]) - x(edges[k]) - 3, height: Math.max(1, SIDE * accuracy[k]), rx: 2 }),
      svg("line", { class: "interval", x1: x(confidence[k]), x2: x(confidence[k]), y1: y(intervals[k][0]), y2: y(intervals[k][1]) }),
      svg("circle", { class: "mean", cx: x(confidence[k]), cy: y(accuracy[k]), r: 3.5 }));
    bars[k] = bar;
    chart.append(bar);
    rows.push(el("tr", {}, el("th", { scope: "row" }, `${values.low} – ${values.high}`), el("td", {}, values.count), el("td", {}, values.confidence), el("td", {}, values.accuracy),
      el("td", {}, `${percent(intervals[k][0])} – ${percent(intervals[k][1])}`)));
  }
  chart.append(svg("line", { class: "diagonal", x1: x(0), x2: x(1), y1: y(0), y2: y(1) }));
  const last = counts.length - 1;
  const heads = [t("explore.confidence_axis"), t("explore.images"), t("explore.mean_confidence"), t("explore.accuracy_axis"), t("explore.interval")];
  host.append(el("div", { class: "split" },
    el("div", { class: "card" }, el("h2", {}, t("explore.calibration")),
      el("p", {}, t("explore.calibration_lead", { share: percent(counts[last] / found.images), low: percent(edges[last], 0) })),
      chart,
      el("dl", { class: "measures" },
        ...measure(t("explore.ece"), percent(error, 2)), ...measure(t("explore.nll"), number(found.negative_log_likelihood)), ...measure(t("explore.brier"), number(found.brier_score))),
      el("p", {}, el("a", { href: "/notes/11-uncertainty#does-90--mean-nine-in-ten" }, t("explore.to_notes"))),
      el("details", { class: "small" }, el("summary", {}, t("common.as_table")),
        scrollingTable(t("explore.calibration"), heads, rows))),
    el("div", { class: "card" }, heading, images)));
  choose(counts[state.bin] ? state.bin : widest());

  /** The bin whose bar is farthest from the diagonal, among those with ten images and more; else the last. */
  function widest() {
    const gaps = counts.map((/** @type {number} */ n, /** @type {number} */ k) => (n >= 10 ? Math.abs(accuracy[k] - confidence[k]) : -1));
    return Math.max(...gaps) < 0 ? last : gaps.indexOf(Math.max(...gaps));
  }

  /** @param {number} k */
  function choose(k) {
    state.bin = k;
    save();
    for (const bar of bars) bar?.setAttribute("aria-pressed", String(bar === bars[k]));
    heading.textContent = t("explore.bin_images", { low: percent(edges[k], 0), high: percent(edges[k + 1], 0), count: counts[k] });
    images.replaceChildren(el("p", { class: "muted" }, t("explore.bin_sentence", { confidence: percent(confidence[k]), accuracy: percent(accuracy[k]) })));
    void gallery(images, "/api/explore/images", { model: state.model, kind: "bin", bin: k }, state.model, signal);
  }
}

/** @param {string} name @param {string} value */
function measure(name, value) {
  return [el("div", {}, el("dt", {}, name), el("dd", { class: "number" }, value))];
}
