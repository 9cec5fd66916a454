// @ts-check
/** The start page: what the lab is, and a small picture of each room, drawn from the server's numbers. */

import { digit, digits } from "../digit.js";
import { colour, complain, el, main, rgb, svg } from "../dom.js";
import { decode, get } from "../engine.js";
import { number, percent, t } from "../text.js";
import { begin, offer } from "../tour.js";

const SIDE = 28;
const VISITS = "digitscope.visits";

const rooms = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll(".top nav a")]);
const tour = el("button", { id: "tour", onclick: begin }, t("start.tour"));
const draw = el("a", { class: "button main", href: "/draw" }, t("start.draw_now"));
main.querySelector(".lead")?.after(el("div", { class: "controls" }, draw, tour));

/** @type {Map<string, HTMLElement>} */
const pictures = new Map();
const list = el("ul", { class: "rooms", "aria-label": t("common.rooms") });
for (const room of rooms) {
  const name = room.pathname.slice(1);
  const picture = el("div", { class: "picture" });
  pictures.set(name, picture);
  const link = el("a", { href: room.pathname }, room.textContent);
  list.append(el("li", { class: "card" }, picture, el("h2", {}, link), el("p", {}, t(`start.about_${name}`))));
}
main.append(list);

const visits = Number(localStorage.getItem(VISITS)) || 0;
localStorage.setItem(VISITS, String(visits + 1));

/** @type {any} */
let shown = null;
get("/api/start", { image: visits % 10_000 }).then((found) => {
  shown = found;
  paint();
}).catch(complain);
addEventListener("theme", () => shown && paint());
offer();

function paint() {
  const painters = { draw: drawing, step: gradient, train: curve, explore: cloud, class: wall, notes: formula };
  for (const [name, picture] of pictures) {
    const painter = painters[/** @type {keyof typeof painters} */ (name)];
    picture.replaceChildren(...[painter?.() ?? []].flat());
  }
}

/** The digit, and the probability of each class. */
function drawing() {
  const { label, probabilities } = shown;
  const answer = probabilities.indexOf(Math.max(...probabilities));
  const bars = probabilities.map((/** @type {number} */ share, /** @type {number} */ k) => [
    svg("rect", { x: k * 14, y: 70 - 68 * share, width: 10, height: 68 * share + 2, rx: 1.5, fill: colour(k === answer ? "--positive" : "--strong-line") }),
    svg("text", { x: k * 14 + 5, y: 86, "text-anchor": "middle", "font-size": 11, fill: colour("--muted") }, String(k)),
  ]);
  const chart = svg("svg", { viewBox: "0 0 136 90", "aria-hidden": "true", class: "bars" }, ...bars.flat());
  const name = t("start.picture_draw", { label: String(label), answer: String(answer), share: percent(probabilities[answer]) });
  return el("div", { class: "pair", role: "img", "aria-label": name }, digit(decode(shown.image)), chart);
}

/** The derivative of each hidden unit's weights. */
function gradient() {
  const values = decode(shown.gradient);
  const most = Math.max(...values.map(Math.abs)) || 1;
  const [positive, negative] = [rgb("--positive"), rgb("--negative")];
  const tiles = el("div", { class: "tiles", role: "img", "aria-label": t("start.picture_step") });
  for (let unit = 0; unit < 10; unit++) {
    const canvas = el("canvas", { width: SIDE, height: SIDE });
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const picture = context.createImageData(SIDE, SIDE);
    for (let i = 0; i < SIDE * SIDE; i++) {
      const value = values[unit * SIDE * SIDE + i] / most;
      picture.data.set([...(value > 0 ? positive : negative), 255 * Math.sqrt(Math.abs(value))], 4 * i);
    }
    context.putImageData(picture, 0, 0);
    tiles.append(canvas);
  }
  return tiles;
}

/** The loss at each step. */
function curve() {
  const losses = /** @type {number[]} */ (shown.losses);
  const most = Math.max(...losses);
  const line = losses.map((loss, i) => `${((i * 236) / (losses.length - 1) + 2).toFixed(1)},${(104 - (100 * loss) / most).toFixed(1)}`);
  const name = t("start.picture_train", { n: losses.length, first: number(losses[0]), last: number(mean(losses.slice(-20))) });
  return svg("svg", { viewBox: "0 0 240 108", role: "img", "aria-label": name },
    svg("path", { d: "M 2 2 V 104 H 238", fill: "none", stroke: colour("--line"), "stroke-width": 1.5 }),
    svg("polyline", { points: line.join(" "), fill: "none", stroke: colour("--accent"), "stroke-width": 1.8, "stroke-linejoin": "round" }));
}

/** Test images by their outputs' principal components. */
function cloud() {
  const points = decode(shown.points);
  const labels = /** @type {number[]} */ (shown.point_labels);
  const xs = labels.map((_, i) => points[2 * i]);
  const ys = labels.map((_, i) => points[2 * i + 1]);
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const dots = labels.map((label, i) => svg("text", {
    x: 6 + (228 * (xs[i] - left)) / (right - left), y: 104 - (98 * (ys[i] - low)) / (high - low),
    "font-size": 7.5, "font-weight": 700, "text-anchor": "middle", fill: colour(`--class-${label}`),
  }, String(label)));
  return svg("svg", { viewBox: "0 0 240 108", role: "img", "aria-label": t("start.picture_explore", { n: labels.length }) }, ...dots);
}

/** Some digits and what was read. */
function wall() {
  const { wall_labels: labels, wall_answers: answers } = shown;
  const images = digits(shown.wall);
  const right = labels.filter((/** @type {number} */ label, /** @type {number} */ i) => label === answers[i]).length;
  const name = t("start.picture_class", { n: labels.length, right, wrong: labels.length - right });
  const read = answers.map((/** @type {number} */ answer, /** @type {number} */ i) => {
    const good = answer === labels[i];
    return el("span", { class: good ? "read" : "read wrong" }, images[i], el("b", {}, `${good ? "" : "✗ "}${answer}`));
  });
  return el("div", { class: "wall", role: "img", "aria-label": name }, read);
}

/** The formula of one derivative with its numbers. */
function formula() {
  const { formula: markup, dy, x, value } = shown.weight;
  const box = el("div", { class: "formula" });
  // Markup that the server made from a docstring of the installed source.
  box.innerHTML = markup;
  const signed = (/** @type {number} */ n) => number(n, { maximumSignificantDigits: 3 }).replace("-", "−");
  return el("div", {}, box, el("p", { class: "number" }, `= ${signed(dy)} × ${signed(x)} = ${signed(value)}`));
}

/** @param {number[]} numbers */
function mean(numbers) {
  return numbers.reduce((sum, n) => sum + n, 0) / numbers.length;
}
