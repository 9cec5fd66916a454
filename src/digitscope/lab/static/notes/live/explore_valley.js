// @ts-check
/** Gradient descent with momentum in the valley of figure 6.2: (6.3) and (6.11). */
import { el, place, shown, slider, svg, table } from "./_shared.js";

const STEPS = 30;
const CURVATURES = [1, 9];
const host = place("valley", "Turn the rate and the momentum in the valley of figure 6.2. From which rate on does it climb?");

/** @param {number} rate @param {number} momentum */
export function descend(rate, momentum) {
  const path = [[9, 1]];
  const velocity = [0, 0];
  for (let t = 0; t < STEPS; t++) {
    const w = /** @type {number[]} */ (path.at(-1));
    path.push(w.map((x, i) => {
      velocity[i] = momentum * velocity[i] + CURVATURES[i] * x;
      return x - rate * velocity[i];
    }));
  }
  return path;
}

/** @param {number[]} w */
const loss = (w) => (CURVATURES[0] * w[0] ** 2 + CURVATURES[1] * w[1] ** 2) / 2;

if (host) {
  let rate = 0.1;
  let momentum = 0;
  const [X, Y] = [22, 26];
  const drawing = svg("svg", { viewBox: "-230 -90 460 180", role: "img", "aria-label": "The path over the valley's lines of equal loss" });
  const path = svg("polyline", { class: "path" });
  const points = svg("g", { class: "points" });
  for (const level of [1, 5, 15, 30, 45, 80]) drawing.append(svg("ellipse", { class: "level", rx: X * Math.sqrt(2 * level), ry: Y * Math.sqrt((2 * level) / 9) }));
  drawing.append(svg("path", { class: "cross", d: "M-4 0H4M0-4V4" }), path, points);
  const said = el("p", { role: "status" });
  const numbers = el("div", {});

  const draw = () => {
    const walked = descend(rate, momentum);
    const at = walked.map(([a, b]) => [Math.max(Math.min(X * a, 900), -900), Math.max(Math.min(-Y * b, 900), -900)]);
    path.setAttribute("points", at.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "));
    points.replaceChildren(...at.map(([x, y], t) => svg("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: t ? 2.5 : 4.5 })));
    const limit = (2 * (1 + momentum)) / CURVATURES[1];
    const end = loss(walked[STEPS]);
    const behaviour = rate > limit + 1e-9 ? "it climbs" : Math.abs(rate - limit) < 1e-9 ? "it never arrives" : "it comes down";
    said.textContent = `After ${STEPS} steps the loss is ${end < 1e-3 || end >= 1e4 ? end.toExponential(1).replace("-", "−") : shown(end)}, from 45: ${behaviour}. With this momentum the limit of the rate is ${shown(limit)}.`;
    numbers.replaceChildren(table("The first steps", ["step", "first", "second", "loss"], walked.slice(0, 6).map((w, t) => [String(t), shown(w[0]), shown(w[1]), shown(loss(w))])));
  };
  host.append(
    slider("rate", { min: 0, max: 0.45, step: 0.005, value: rate, digits: 3 }, (value) => { rate = value; draw(); }).element,
    slider("momentum", { min: 0, max: 0.95, step: 0.05, value: momentum }, (value) => { momentum = value; draw(); }).element,
    drawing, said, el("details", {}, el("summary", {}, "The path as numbers"), numbers));
  draw();
}
