// @ts-check
/** Figure 11.3 for 1,000 images: how often an answer is right, by its confidence, at any temperature: (11.6) and (11.8). */
import { get } from "../../engine.js";
import { el, place, shown, slider, svg, table, unpack } from "./_shared.js";

const DATA = /** @type {{ scores: import("./_shared.js").Packed, labels: string }} */ (await get("/static/notes/live/calibration.json"));
const host = place("calibration", "Turn the temperature until the network is right as often as it says. Which one gives the smallest loss?");
const BINS = 15;
if (host) {
  const all = unpack(DATA.scores);
  const labels = [...DATA.labels].map(Number);
  const n = labels.length;
  let temperature = 1;
  const drawing = svg("svg", { viewBox: "-30 -215 260 245", role: "img", "aria-label": "The share that was right over the confidence; the diagonal is perfect calibration" });
  const said = el("p", { role: "status" });
  const numbers = el("div", {});

  const draw = () => {
    const bins = Array.from({ length: BINS }, () => ({ count: 0, confidence: 0, right: 0 }));
    let loss = 0;
    let right = 0;
    for (let i = 0; i < n; i++) {
      const z = Array.from({ length: 10 }, (_, k) => all[k * n + i] / temperature);
      const most = Math.max(...z);
      const total = z.reduce((sum, score) => sum + Math.exp(score - most), 0);
      const confidence = 1 / total;
      const hit = Number(z.indexOf(most) === labels[i]);
      // A bin has its upper limit.
      const bin = bins[Math.min(Math.max(Math.ceil(confidence * BINS - 1e-12) - 1, 0), BINS - 1)];
      bin.count += 1;
      bin.confidence += confidence;
      bin.right += hit;
      right += hit;
      loss += (most + Math.log(total) - z[labels[i]]) / n;
    }
    const error = bins.reduce((sum, bin) => sum + Math.abs(bin.right - bin.confidence), 0) / n;
    const filled = bins.filter((bin) => bin.count > 0).map((bin) => ({ count: bin.count, x: bin.confidence / bin.count, y: bin.right / bin.count }));
    drawing.replaceChildren(
      svg("line", { x1: 0, y1: 0, x2: 200, y2: -200 }), svg("path", { class: "frame", d: "M0-200V0H200" }),
      ...filled.map(({ count, x, y }) => svg("line", { class: y < x ? "up-line" : "down-line", x1: 200 * x, x2: 200 * x, y1: -200 * x, y2: -200 * y, opacity: count < 5 ? 0.3 : 1 })),
      ...filled.map(({ count, x, y }) => svg("circle", { class: y < x ? "up-dot" : "down-dot", cx: 200 * x, cy: -200 * y, r: 2 + Math.sqrt(count) / 4 })),
      svg("text", { class: "small", x: 100, y: 16 }, "confidence"), svg("text", { class: "small", x: 100, y: -8, transform: "rotate(-90)" }, "right"));
    const confidence = filled.reduce((sum, bin) => sum + bin.count * bin.x, 0) / n;
    said.textContent = `Right ${shown(right / n, 3)}, mean confidence ${shown(confidence, 3)}. Calibration error ${shown(error, 3)}, loss ${shown(loss, 3)}.`;
    numbers.replaceChildren(table("Points below the line are too sure", ["images", "confidence", "right"], filled.map(({ count, x, y }) => [String(count), shown(x), shown(y)])));
  };
  host.append(
    slider("temperature", { min: 0.5, max: 4, step: 0.05, value: temperature }, (value) => { temperature = value; draw(); }).element,
    drawing, said, el("details", {}, el("summary", {}, "The points as numbers"), numbers));
  draw();
}
