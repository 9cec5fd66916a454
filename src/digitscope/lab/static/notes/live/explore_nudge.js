// @ts-check
/** The network of figure 5.2: a nudge of one weight spreads, path by path, and the way back computes all derivatives. */
import { el, place, product, shown, slider, svg, table } from "./_shared.js";

const X = [[1, 0], [2, 1], [0, 1]];
const Q = [[1, 1], [0, 0]];
const START = {
  W1: [[0.5, 0.5, -1], [-1, 0.5, 0.5], [0.5, -0.5, 0], [1, 0, 0.5]],
  b1: [0, 0.5, 0, 0],
  W2: [[1, -1, 0.5, 0], [0, 0.5, 1, -1]],
  b2: [0.25, 0],
};

/** One image n forward and back. @param {typeof START} network @param {number} n */
export function step({ W1, b1, W2, b2 }, n) {
  const x = X.map((row) => row[n]);
  const z1 = W1.map((row, o) => row.reduce((sum, w, i) => sum + w * x[i], b1[o]));
  const a1 = z1.map((z) => Math.max(z, 0));
  const z2 = W2.map((row, o) => row.reduce((sum, w, i) => sum + w * a1[i], b2[o]));
  const powers = z2.map(Math.exp);
  const p = powers.map((e) => e / (powers[0] + powers[1]));
  const dz2 = p.map((share, k) => (share - Q[k][n]) / 2);
  const da1 = a1.map((_, i) => W2[0][i] * dz2[0] + W2[1][i] * dz2[1]);
  const dz1 = da1.map((d, i) => (z1[i] > 0 ? d : 0));
  return { x, z1, a1, z2, p, dz2, da1, dz1, loss: -Math.log(p[0]) / 2 };
}

const host = place("nudge", "Choose a weight and nudge it. Where does the change go, and what does the way back say beforehand?");
if (host) {
  let layer = /** @type {"W1" | "W2"} */ ("W1");
  let [to, from] = [1, 1];
  let nudge = 0;
  let image = 1;
  let back = false;
  const at = { x: (/** @type {number} */ i) => [28, 50 + 60 * i], a: (/** @type {number} */ i) => [145, 26 + 57 * i], z: (/** @type {number} */ i) => [262, 72 + 78 * i], L: () => [368, 111] };
  const drawing = svg("svg", { viewBox: "0 0 396 224", role: "img" });
  const said = el("p", { role: "status" });
  const numbers = el("div", { class: "numbers" });
  const total = () => step(nudged(), 0).loss + step(nudged(), 1).loss;
  const nudged = () => {
    const network = structuredClone(START);
    network[layer][to][from] += nudge;
    return network;
  };

  const draw = () => {
    const now = step(nudged(), image);
    const weights = nudged();
    const touched = (/** @type {number} */ unit) => layer === "W1" ? unit === to : false;
    const open = (/** @type {number} */ unit) => now.z1[unit] > 0;
    /** @param {number[]} a @param {number[]} b @param {string} kind @param {(() => void) | null} choose */
    const line = (a, b, kind, choose = null) => svg("g", choose ? { class: "edge", onclick: choose } : {},
      svg("line", { x1: a[0], y1: a[1], x2: b[0], y2: b[1], class: kind }), choose ? svg("line", { x1: a[0], y1: a[1], x2: b[0], y2: b[1], class: "hit" }) : "");
    const lines = [];
    for (let o = 0; o < 4; o++) for (let i = 0; i < 3; i++) {
      const chosen = layer === "W1" && o === to && i === from;
      lines.push(line(at.x(i), at.a(o), chosen ? "chosen" : "quiet", () => choose("W1", o, i)));
    }
    for (let k = 0; k < 2; k++) for (let i = 0; i < 4; i++) {
      const chosen = layer === "W2" && k === to && i === from;
      const moved = touched(i) && open(i) && weights.W2[k][i] !== 0;
      lines.push(line(at.a(i), at.z(k), chosen ? "chosen" : moved ? "moved" : "quiet", () => choose("W2", k, i)));
    }
    for (let k = 0; k < 2; k++) {
      const moved = layer === "W2" ? now.a1[from] !== 0 : [0, 1, 2, 3].some((i) => touched(i) && open(i) && weights.W2[k][i] !== 0) && now.x[from] !== 0;
      lines.push(line(at.z(k), at.L(), moved ? "moved" : "quiet"));
    }
    /** @param {number[]} place @param {number} value @param {string} name */
    const box = ([x, y], value, name) => svg("g", {}, svg("circle", { cx: x, cy: y, r: 22, class: "unit" }), svg("text", { x, y: y + 4.5 }, svg("title", {}, name), shown(value, 2)));
    const values = back ? { x: [], a: now.dz1, z: now.dz2, L: 1 } : { x: now.x, a: now.a1, z: now.p, L: now.loss };
    drawing.classList.toggle("back", back);
    drawing.setAttribute("aria-label", back ? "The network with the derivative of the loss at each unit" : "The network with the value of each unit");
    drawing.replaceChildren(...lines,
      ...now.x.map((value, i) => box(at.x(i), value, `input ${i + 1}`)),
      ...values.a.map((value, i) => box(at.a(i), value, `hidden unit ${i + 1}`)),
      ...values.z.map((value, i) => box(at.z(i), value, back ? `score ${i + 1}` : `probability of class ${i + 1}`)),
      box(at.L(), values.L, "loss of this image, over two"));
    const before = step(START, 0).loss + step(START, 1).loss;
    // The derivative before the nudge, path by path, for both images.
    /** @type {(string | Node)[][]} */
    const rows = [];
    let derivative = 0;
    for (const n of [0, 1]) {
      const s = step(START, n);
      if (layer === "W2") {
        const slope = s.a1[from] * s.dz2[to];
        derivative += slope;
        rows.push([`image ${n + 1}: to score ${to + 1}`, product([s.a1[from], s.dz2[to]]), shown(slope)]);
      } else for (const k of [0, 1]) {
        const gate = s.z1[to] > 0 ? 1 : 0;
        const slope = s.x[from] * gate * START.W2[k][to] * s.dz2[k];
        derivative += slope;
        rows.push([`image ${n + 1}: through unit ${to + 1} to score ${k + 1}`, `${product([s.x[from], gate], 0)} · ${product([START.W2[k][to]], 1)} · ${product([s.dz2[k]])}`, shown(slope)]);
      }
    }
    rows.push(["together, the derivative", "", el("b", {}, shown(derivative))]);
    numbers.replaceChildren(table("Slopes along each path: they multiply, and the paths add up", ["path", "slopes", "product"], rows));
    const change = total() - before;
    said.textContent = nudge === 0
      ? `The loss of both images is ${shown(before)}. The derivative of this weight is ${shown(derivative)}.`
      : `The loss goes from ${shown(before)} to ${shown(before + change)}: it changes by ${shown(change)}. The derivative promised ${product([nudge, derivative])} = ${shown(nudge * derivative)}.`;
  };

  const weight = el("select", {});
  for (const [name, rows] of /** @type {["W1" | "W2", number[][]][]} */ ([["W1", START.W1], ["W2", START.W2]])) {
    rows.forEach((row, o) => row.forEach((_, i) => weight.append(el("option", { value: `${name} ${o} ${i}` }, name === "W1" ? `from input ${i + 1} to unit ${o + 1}` : `from unit ${i + 1} to score ${o + 1}`))));
  }
  const slide = slider("nudge", { min: -1, max: 1, step: 0.05, value: 0 }, (value) => { nudge = value; draw(); });
  /** @param {"W1" | "W2"} name @param {number} o @param {number} i */
  function choose(name, o, i) {
    [layer, to, from, nudge] = [name, o, i, 0];
    slide.set(0);
    weight.value = `${name} ${o} ${i}`;
    draw();
  }
  weight.addEventListener("change", () => {
    const [name, o, i] = weight.value.split(" ");
    choose(name === "W1" ? "W1" : "W2", Number(o), Number(i));
  });
  const pictures = el("select", {}, el("option", { value: 0 }, "first"), el("option", { value: 1 }, "second"));
  pictures.addEventListener("change", () => { image = Number(pictures.value); draw(); });
  pictures.value = "1";
  const turn = el("button", { type: "button", "aria-pressed": false, onclick: () => {
    back = !back;
    turn.setAttribute("aria-pressed", back);
    draw();
  } }, "Way back");
  host.append(el("p", {}, el("label", {}, "weight ", weight), " ", el("label", {}, "image ", pictures), " ", turn), slide.element, drawing, said, numbers);
  choose("W1", 1, 1);
}
