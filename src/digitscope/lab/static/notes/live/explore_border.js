// @ts-check
/** The network (3.2), its bends leaky by some slope: the border of exactly one appears as the slope goes to 0. */
import { el, place, shown, slider, svg, table } from "./_shared.js";

const POINTS = [[0, 0], [1, 0], [0, 1], [1, 1]];

/** @param {number} s the sum of both inputs @param {number} leak the slope of negative numbers @param {number} second where the second unit bends */
export function output(s, leak, second) {
  const bend = (/** @type {number} */ z) => (z > 0 ? z : leak * z);
  return bend(s) - 2 * bend(s - second);
}

const host = place("border", "The network (3.2) with bends that you make: from a straight line (slope 1) to a ReLU (slope 0). When does it get all four right?");
if (host) {
  let leak = 1;
  let second = 1;
  const drawing = svg("svg", { viewBox: "-70 -190 260 260", role: "img", "aria-label": "The plane of the inputs, with the region in which the network says yes" });
  const said = el("p", { role: "status" });
  const numbers = el("div", {});
  const at = (/** @type {number} */ x, /** @type {number} */ y) => [120 * x, -120 * y];
  const [LOW, HIGH] = [-0.55, 1.55];

  const draw = () => {
    // The output depends on the sum alone, so the border is made of parallel lines; the picture is cut at its frame.
    const sums = Array.from({ length: 421 }, (_, k) => 2 * LOW + 0.01 * k);
    /** @type {number[][]} */
    const strips = [];
    let open = null;
    for (const s of sums) {
      const yes = output(s, leak, second) > 0.5;
      if (yes && open === null) open = s;
      if (open !== null && (!yes || s === sums.at(-1))) {
        strips.push([open, s]);
        open = null;
      }
    }
    /** The corners of the frame's part with sums from a to b. @param {number[]} strip */
    const corners = ([a, b]) => {
      /** @param {number} s @returns {number[][]} */
      const cut = (s) => (s <= LOW + HIGH ? [[LOW, s - LOW], [s - LOW, LOW]] : [[s - HIGH, HIGH], [HIGH, s - HIGH]]);
      const [low, high] = [cut(a), cut(b)];
      const between = (/** @type {number} */ s) => a < s && s < b;
      const upper = between(LOW + HIGH) ? [[LOW, HIGH]] : [];
      const lower = between(LOW + HIGH) ? [[HIGH, LOW]] : [];
      return [low[0], ...upper, high[0], high[1], ...lower, low[1]].map(([x, y]) => at(x, y).map((v) => v.toFixed(1)).join(",")).join(" ");
    };
    let right = 0;
    const rows = POINTS.map(([a, b]) => {
      const y = output(a + b, leak, second);
      const good = y > 0.5 === (a + b === 1);
      right += Number(good);
      return { a, b, y, good };
    });
    drawing.replaceChildren(...strips.map((strip) => svg("polygon", { class: "yes", points: corners(strip) })),
      ...rows.flatMap(({ a, b, good }) => {
        const [x, y] = at(a, b);
        return [svg("circle", { class: a + b === 1 ? "filled" : "hollow", cx: x, cy: y, r: 8 }), good ? "" : svg("path", { class: "cross", d: `M${x - 13} ${y - 13}l26 26m0-26l-26 26` })];
      }));
    numbers.replaceChildren(table("What it says; yes is above 0.5", ["inputs", "output", "says", "should say"], rows.map(({ a, b, y }) => [`${a}, ${b}`, shown(y, 2), y > 0.5 ? "yes" : "no", a + b === 1 ? "yes" : "no"])));
    said.textContent = `${right} of 4 are right.`;
  };
  host.append(
    slider("slope below 0", { min: 0, max: 1, step: 0.05, value: leak }, (value) => { leak = value; draw(); }).element,
    slider("second bend at", { min: 0.5, max: 1.5, step: 0.05, value: second }, (value) => { second = value; draw(); }).element,
    el("div", { class: "pair" }, drawing, numbers), said);
  draw();
}
