// @ts-check
/** Figure 6.4: the slopes of batches around that of all images, for any size of batch. */
import { get } from "../../engine.js";
import { el, place, shown, slider, svg, table, unpack } from "./_shared.js";

const DATA = /** @type {{ moments: import("./_shared.js").Packed[] }} */ (await get("/static/notes/live/cloud.json"));
const host = place("cloud", "Choose the size of the batch, draw new ones, and go to a later time of the training. Which batches still know where down is?");
const BATCHES = 100;

/** Numbers from 0 to 1, the same ones for a seed (mulberry32). @param {number} seed */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

if (host) {
  const moments = DATA.moments.map((packed) => {
    const all = unpack(packed);
    const n = packed.shape[1];
    return { along: all.slice(0, n), across: all.slice(n), n };
  });
  const SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
  let size = 3;
  let moment = 0;
  let seed = 1;
  const drawing = svg("svg", { viewBox: "-90 -130 380 260", role: "img", "aria-label": "The gradient of all images as an arrow, and the ends of those of batches as points" });
  const said = el("p", { role: "status" });
  const numbers = el("div", {});
  const mean = (/** @type {Float64Array} */ values) => values.reduce((a, b) => a + b) / values.length;

  const draw = () => {
    const { along, across, n } = moments[moment];
    const B = SIZES[size];
    const next = random(seed);
    const points = Array.from({ length: BATCHES }, () => {
      // The first B of a random order: none is drawn twice.
      const order = Uint16Array.from({ length: n }, (_, i) => i);
      let [x, y] = [0, 0];
      for (let k = 0; k < B; k++) {
        const other = k + Math.floor(next() * (n - k));
        [order[k], order[other]] = [order[other], order[k]];
        x += along[order[k]] / B;
        y += across[order[k]] / B;
      }
      return [x, y];
    });
    const g = mean(along);
    const middle = mean(across);
    const variance = along.reduce((sum, x, i) => sum + (x - g) ** 2 + (across[i] - middle) ** 2, 0) / n;
    const expected = Math.sqrt((variance / B) * ((n - B) / (n - 1)));
    const measured = Math.sqrt(points.reduce((sum, [x, y]) => sum + (x - g) ** 2 + (y - middle) ** 2, 0) / BATCHES);
    const backward = points.filter(([x]) => x < 0).length;
    const at = (/** @type {number[]} */ [x, y]) => [40 * x, -40 * (y - middle)];
    const [tip] = at([g, middle]);
    drawing.replaceChildren(
      svg("line", { x1: 0, x2: 0, y1: -130, y2: 130 }),
      ...points.map((point) => {
        const [x, y] = at(point);
        return svg("circle", { class: point[0] < 0 ? "up-dot" : "down-dot", cx: x.toFixed(1), cy: y.toFixed(1), r: 3, opacity: 0.7 });
      }),
      svg("path", { class: "arrow", d: `M0 0H${tip}m-8-5L${tip} 0l-8 5` }));
    said.textContent = `All images: length ${shown(g, 2)}. Batches of ${B} err by ${shown(expected, 2)} in this plane, by (6.9); these ${BATCHES} by ${shown(measured, 2)}. ${backward} of them point backwards.`;
    numbers.replaceChildren(table("The error in this plane, by (6.9)", ["images a batch", "error"], SIZES.map((b) => [String(b), shown(Math.sqrt((variance / b) * ((n - b) / (n - 1))))])));
  };
  const sizes = slider("images a batch", { min: 0, max: SIZES.length - 1, step: 1, value: size, digits: 0 }, (value) => { size = value; label(); draw(); });
  const label = () => {
    const output = /** @type {HTMLElement} */ (sizes.element.querySelector(".value"));
    output.textContent = String(SIZES[size]);
    sizes.element.querySelector("input")?.setAttribute("aria-valuetext", String(SIZES[size]));
  };
  const time = el("select", {}, el("option", { value: 0 }, "at the start"), el("option", { value: 1 }, "after 300 steps"));
  time.addEventListener("change", () => { moment = Number(time.value); draw(); });
  host.append(sizes.element, el("p", {}, el("label", {}, "time ", time), " ", el("button", { type: "button", onclick: () => { seed++; draw(); } }, "Draw other batches")), drawing, said, el("details", {}, el("summary", {}, "All sizes as numbers"), numbers));
  label();
  draw();
}
