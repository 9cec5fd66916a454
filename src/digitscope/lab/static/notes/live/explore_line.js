// @ts-check
/** The four numbers of (9.14): what comes back to batch normalization, the line through it, and what goes on, (9.12). */
import { el, place, shown, slider, svg, table } from "./_shared.js";

const H = [-1, -1, 1, 1];
const SCALE = 2;
const START = [1, 2, 0, 1];

/** dx of (9.12) with r = 1. @param {number[]} dy */
export function back(dy) {
  const mean = dy.reduce((a, b) => a + b) / dy.length;
  const slope = dy.reduce((sum, d, j) => sum + d * H[j], 0) / dy.length;
  return { mean, slope, dx: dy.map((d, j) => SCALE * (d - mean - slope * H[j])) };
}

const host = place("line", "Move what comes back to the four numbers of (9.14). What goes on is how far each point lies from the line.");
if (host) {
  let dy = [...START];
  const drawing = svg("svg", { viewBox: "-150 -110 300 220", role: "img", "aria-label": "Four points, the line of least squares, and their distances from it" });
  const said = el("p", { role: "status" });
  const numbers = el("div", {});
  const draw = () => {
    const { mean, slope, dx } = back(dy);
    const at = (/** @type {number} */ h, /** @type {number} */ d) => [85 * h, -22 * d];
    // The two points with one h stand side by side, so that both are seen.
    const aside = [-0.08, 0.08, -0.08, 0.08];
    const ends = [-1.5, 1.5].map((h) => at(h, mean + slope * h));
    drawing.replaceChildren(
      svg("line", { x1: -150, x2: 150, y1: 0, y2: 0 }), svg("line", { x1: 0, x2: 0, y1: -110, y2: 110 }),
      svg("line", { class: "moved", x1: ends[0][0], y1: ends[0][1], x2: ends[1][0], y2: ends[1][1] }),
      ...H.flatMap((h, j) => {
        const [x, y] = at(h + aside[j], dy[j]);
        const foot = at(h, mean + slope * h)[1];
        return [svg("line", { class: dx[j] > 0 ? "up-line" : "down-line", x1: x, x2: x, y1: y, y2: foot }), svg("circle", { class: dx[j] > 0 ? "up-dot" : "down-dot", cx: x, cy: y, r: 6 })];
      }));
    numbers.replaceChildren(table("What comes back, and what goes on", ["number", "h", "dy", "on the line", "dx"], H.map((h, j) => [String(j + 1), shown(h, 0), shown(dy[j], 2), shown(mean + slope * h, 2), shown(dx[j], 2)])));
    said.textContent = `The line has the height ${shown(mean, 2)} in the middle and the slope ${shown(slope, 2)}. What goes on adds up to ${shown(dx.reduce((a, b) => a + b), 2)}.`;
  };
  const sliders = START.map((value, j) => slider(`dy, number ${j + 1}`, { min: -4, max: 4, step: 0.25, value }, (to) => { dy[j] = to; draw(); }));
  /** @param {(d: number, j: number) => number} change */
  const all = (change) => {
    dy = dy.map((d, j) => Math.min(Math.max(change(d, j), -4), 4));
    sliders.forEach((one, j) => one.set(dy[j]));
    draw();
  };
  host.append(...sliders.map((one) => one.element),
    el("p", {}, el("button", { type: "button", onclick: () => all((d) => d + 0.5) }, "Ask all for more"), " ", el("button", { type: "button", onclick: () => all((d, j) => d + 0.5 * H[j]) }, "Ask for a stretch"), " ", el("button", { type: "button", onclick: () => all((_, j) => START[j]) }, "As in (9.14)")),
    drawing, said, numbers);
  draw();
}
