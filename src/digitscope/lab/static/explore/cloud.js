// @ts-check
/**
 * Test images as points in a plane, each drawn as its digit. What has the pointer or the keyboard shows its image.
 */

import { arrow, colour, complain, el, scrollingTable } from "../dom.js";
import { decode } from "../engine.js";
import { t } from "../text.js";
import { cut, describe, openDigit } from "./images.js";

/**
 * @typedef {object} Points
 * @property {ArrayLike<number>} sample indices of test images
 * @property {ArrayLike<number>} labels
 * @property {ArrayLike<number>} answers
 * @property {ArrayLike<number>} confidence
 */

const COLUMNS = 40;
const SIDE = 28;
/** The distance from which the pointer finds a point, in CSS pixels. */
const REACH = 24;

/** @param {any} found the server's answer @returns {Points} */
export function decodePoints(found) {
  const [sample, labels, answers, confidence] = ["sample", "labels", "answers", "confidence"].map((name) => decode(found[name]));
  return { sample, labels, answers, confidence };
}

/**
 * @param {HTMLElement} host
 * @param {Points} points
 * @param {object} options
 * @param {string} options.model
 * @param {string} options.label the accessible name
 * @param {boolean} options.pictures whether images are drawn in place of digits
 * @param {AbortSignal} options.signal
 */
export function cloud(host, points, { model, label, pictures, signal }) {
  const count = points.sample.length;
  const classes = 1 + Math.max(...Array.from(points.labels));
  const address = `/api/explore/sheet?sample=${count}&columns=${COLUMNS}`;
  const rows = Math.ceil(count / COLUMNS);
  const canvas = el("canvas", { tabindex: "0", role: "application", "aria-label": label, "aria-roledescription": t("explore.cloud") });
  const overlay = el("div", { class: "handles" });
  const stage = el("div", { class: "stage" }, canvas, overlay);
  const inspector = el("div", { class: "inspector" });
  const said = el("p", { "aria-live": "polite" });
  const legend = el("div", { class: "legend", role: "group", "aria-label": t("explore.legend") });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  /** @type {Float32Array} */
  let places = new Float32Array(2 * count);
  let [size, ratio, chosen, only] = [0, 1, -1, -1];
  /** @type {HTMLCanvasElement[]} */
  let glyphs = [];
  /** @type {HTMLCanvasElement | null} */
  let tinted = null;

  for (let k = 0; k < classes; k++) {
    const button = el("button", { "aria-pressed": "false", onclick: () => highlight(only === k ? -1 : k) }, String(k));
    button.style.setProperty("--class", `var(--class-${k % 10})`);
    legend.append(button);
  }
  host.append(stage, legend, inspector);
  rest();

  const sheet = new Image();
  sheet.addEventListener("load", () => (tint(), draw()));
  sheet.src = address;

  function resize() {
    size = stage.clientWidth;
    ratio = window.devicePixelRatio || 1;
    canvas.width = canvas.height = Math.round(size * ratio);
    paintGlyphs();
    draw();
  }

  function paintGlyphs() {
    glyphs = Array.from({ length: classes }, (_, k) => {
      const glyph = el("canvas", { width: Math.ceil(16 * ratio), height: Math.ceil(16 * ratio) });
      const pen = /** @type {CanvasRenderingContext2D} */ (glyph.getContext("2d"));
      pen.scale(ratio, ratio);
      pen.fillStyle = colour(`--class-${k % 10}`);
      pen.font = `600 ${classes > 10 ? 9 : 12}px ${colour("--text")}`;
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      pen.fillText(String(k), 8, 8.5);
      return glyph;
    });
  }

  /** The sheet of all images, each in the colour of its class. */
  function tint() {
    if (!sheet.complete || !sheet.naturalWidth) return;
    tinted = el("canvas", { width: sheet.naturalWidth, height: sheet.naturalHeight });
    const pen = /** @type {CanvasRenderingContext2D} */ (tinted.getContext("2d"));
    pen.drawImage(sheet, 0, 0);
    pen.globalCompositeOperation = "source-atop";
    for (let i = 0; i < count; i++) {
      pen.fillStyle = colour(`--class-${points.labels[i] % 10}`);
      pen.fillRect((i % COLUMNS) * SIDE, Math.floor(i / COLUMNS) * SIDE, SIDE, SIDE);
    }
  }

  /** @param {number} i */
  const at = (i) => [(0.5 + 0.5 * places[2 * i]) * size, (0.5 - 0.5 * places[2 * i + 1]) * size];

  function draw() {
    if (!size) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, size, size);
    const side = pictures ? 18 : 16;
    for (let i = 0; i < count; i++) {
      const [x, y] = at(i);
      context.globalAlpha = only >= 0 && points.labels[i] !== only ? 0.12 : 0.9;
      if (pictures && tinted) context.drawImage(tinted, (i % COLUMNS) * SIDE, Math.floor(i / COLUMNS) * SIDE, SIDE, SIDE, x - side / 2, y - side / 2, side, side);
      else context.drawImage(glyphs[points.labels[i]], x - 8, y - 8, 16, 16);
    }
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    context.strokeStyle = colour("--ink");
    let wrong = 0;
    for (let i = 0; i < count; i++) wrong += Number(points.labels[i] !== points.answers[i]);
    context.globalAlpha = Math.min(1, 80 / wrong); // a network that knows nothing yet would be all rings
    for (let i = 0; i < count; i++) {
      if (points.labels[i] !== points.answers[i] && (only < 0 || points.labels[i] === only)) ring(i, 9);
    }
    context.globalAlpha = 1;
    if (chosen >= 0) enlarge(chosen);
  }

  /** @param {number} i @param {number} radius */
  function ring(i, radius) {
    const [x, y] = at(i);
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
  }

  /** The image of a point beside it. @param {number} i */
  function enlarge(i) {
    const [x, y] = at(i);
    context.strokeStyle = colour("--accent");
    context.lineWidth = 3;
    ring(i, 11);
    if (!tinted) return;
    const [left, top] = [Math.min(Math.max(x + 14, 0), size - 60), Math.min(Math.max(y - 70, 0), size - 60)];
    context.fillStyle = colour("--surface");
    context.strokeStyle = colour("--strong-line");
    context.lineWidth = 1;
    context.beginPath();
    context.roundRect(left, top, 60, 60, 6);
    context.fill();
    context.stroke();
    context.drawImage(tinted, (i % COLUMNS) * SIDE, Math.floor(i / COLUMNS) * SIDE, SIDE, SIDE, left + 2, top + 2, 56, 56);
  }

  function rest() {
    said.textContent = t("explore.point_at", { images: count });
    inspector.replaceChildren(el("span", { class: "digit empty", "aria-hidden": "true" }), said);
  }

  /** @param {number} i */
  function choose(i) {
    if (i === chosen) return;
    chosen = i;
    if (i < 0) rest();
    else {
      const [index, label, answer, confidence] = [points.sample[i], points.labels[i], points.answers[i], points.confidence[i]];
      said.textContent = describe({ index, label, answer, confidence, label_probability: 0 });
      inspector.replaceChildren(cut(address, i, COLUMNS, rows, 84), said, el("button", { onclick: () => void openDigit(index, model).catch(complain) }, t("explore.probabilities")));
    }
    draw();
  }

  /** @param {number} k */
  function highlight(k) {
    only = k;
    [...legend.children].forEach((button, j) => button.setAttribute("aria-pressed", String(j === k)));
    draw();
  }

  /** @param {PointerEvent | MouseEvent} event */
  function nearest(event) {
    const box = canvas.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    let [best, reach] = [-1, REACH ** 2];
    for (let i = 0; i < count; i++) {
      if (only >= 0 && points.labels[i] !== only) continue;
      const [x, y] = at(i);
      const distance = (x - px) ** 2 + (y - py) ** 2;
      if (distance < reach) [best, reach] = [i, distance];
    }
    return best;
  }

  /** The nearest point within 45 degrees of a direction. @param {number} dx @param {number} dy */
  function towards(dx, dy) {
    if (chosen < 0) return 0;
    const [px, py] = at(chosen);
    let [best, reach] = [chosen, Infinity];
    for (let i = 0; i < count; i++) {
      if (only >= 0 && points.labels[i] !== only) continue;
      const [x, y] = [at(i)[0] - px, at(i)[1] - py];
      const along = x * dx + y * dy;
      if (along > 0.5 && along >= Math.abs(x * dy - y * dx) && along < reach) [best, reach] = [i, along];
    }
    return best;
  }

  /** The next point after the chosen one that fits. @param {(i: number) => boolean} fits */
  function next(fits) {
    for (let step = 1; step <= count; step++) {
      const i = (Math.max(chosen, -1) + step + count) % count;
      if (fits(i)) return i;
    }
    return chosen;
  }

  canvas.addEventListener("pointermove", (event) => event.pointerType === "touch" || choose(nearest(event)));
  canvas.addEventListener("click", (event) => choose(nearest(event)));
  canvas.addEventListener("dblclick", () => chosen >= 0 && void openDigit(points.sample[chosen], model).catch(complain));
  canvas.addEventListener("keydown", (event) => {
    const direction = arrow(event);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (direction) choose(towards(direction[0], direction[1]));
    else if (/^\d$/.test(event.key)) choose(next((i) => points.labels[i] === Number(event.key)));
    else if (event.key === "x") choose(next((i) => points.labels[i] !== points.answers[i]));
    else if (event.key === "Escape") choose(-1);
    else if (event.key === "Enter" && chosen >= 0) void openDigit(points.sample[chosen], model).catch(complain);
    else return;
    event.preventDefault();
  });
  const repaint = () => (paintGlyphs(), tint(), draw());
  addEventListener("theme", repaint, { signal });
  const observer = new ResizeObserver(resize);
  observer.observe(stage);
  signal.addEventListener("abort", () => observer.disconnect());

  return {
    stage,
    overlay,
    get size() {
      return size;
    },
    end() {
      observer.disconnect();
      removeEventListener("theme", repaint);
    },
    /** Moves the points; the plane is from -1 to 1. @param {Float32Array} changed x and y of each */
    place(changed) {
      places = changed;
      draw();
    },
    /** @param {boolean} changed */
    showPictures(changed) {
      pictures = changed;
      draw();
    },
  };
}

/** A table behind the cloud: where each class is, on average. @param {Points} points @param {Float32Array} places @param {string[]} axes */
export function classTable(points, places, axes) {
  /** @type {Map<number, number[]>} */
  const sums = new Map();
  for (let i = 0; i < points.labels.length; i++) {
    const sum = sums.get(points.labels[i]) ?? [0, 0, 0, 0];
    sums.set(points.labels[i], [sum[0] + 1, sum[1] + places[2 * i], sum[2] + places[2 * i + 1], sum[3] + Number(points.labels[i] !== points.answers[i])]);
  }
  const heads = [t("common.digit"), t("explore.images"), ...axes, t("explore.misread")];
  const rows = [...sums].sort(([a], [b]) => a - b).map(([k, [n, x, y, wrong]]) => el("tr", {}, el("th", { scope: "row" }, String(k)),
    el("td", {}, String(n)), el("td", {}, (x / n).toFixed(2)), el("td", {}, (y / n).toFixed(2)), el("td", {}, String(wrong))));
  return scrollingTable(t("explore.class_places"), heads, rows, { caption: t("explore.class_places") });
}
