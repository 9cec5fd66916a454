// @ts-check
/**
 * The grand tour: test images as points with one coordinate for each class, projected to the plane. The server
 * computes the points and the frames (digitscope.projections); the page multiplies points by a frame, which is
 * drawing and no network: sixty times a second it could not ask.
 */

import { arrow, complain, el } from "../dom.js";
import { ask, decode, get, latest } from "../engine.js";
import { number, percent, t } from "../text.js";
import { classTable, cloud, decodePoints } from "./cloud.js";
import { awaited } from "./images.js";

/** Frames a second, and seconds that are asked for at a time. */
const [RATE, SECONDS] = [60, 5];

/** @param {HTMLElement} host @param {import("./room.js").Context} context */
export async function show(host, { state, save, models, signal }) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const { moments } = await get("/api/explore/moments");
  if (moments < 2) state.moment = -1;
  const ofTraining = state.moment >= 0;
  const found = await points_();
  if (signal.aborted) return;
  const points = decodePoints(found);
  const [answers, confidences] = [found.answers, found.confidence].map(decode);
  let watching = false;
  /** @type {(at: number) => void} */
  let show_ = () => {};
  const [count, classes] = found.points.shape.slice(-2);
  let all = decode(found.points);
  /** The points as they are drawn. @type {import("../engine.js").Numbers} */
  let coordinates = all;
  /** @type {number[][]} */
  let frame = valid(state.frame, classes) ?? found.frame;
  /** @type {{start: number, from: number[][], frames: ArrayLike<number>[], shown: number, asking: boolean}} */
  let path = fresh();
  let [playing, scale, dragging, clock] = [!calm && !state.frame.length, 1, -1, 0];
  const places = new Float32Array(2 * count);

  const play = el("button", { class: "main", onclick: () => run(!playing) });
  const circle = el("button", { onclick: () => void turn({ to: "circle" }) }, t("explore.circle"));
  const pick = [0, 1].map((which) => el("select", { id: `facing-${which}`, "aria-label": which ? t("explore.second_class") : t("explore.first_class") },
    Array.from({ length: classes }, (_, k) => el("option", { value: String(k), selected: k === (state.cell[which] ?? [4, 9][which]) }, String(k)))));
  const face = el("button", { onclick: () => void turn({ to: "facing", first: Number(pick[0].value), second: Number(pick[1].value) }) }, t("explore.face"));
  const space = el("select", { id: "space", onchange: changeSpace },
    ["logits", "probabilities"].map((name) => el("option", { value: name, selected: name === state.space }, t(`explore.space_${name}`))));
  const pictures = el("input", { type: "checkbox", id: "pictures", checked: state.pictures, onchange: () => {
    state.pictures = pictures.checked;
    save();
    picture.showPictures(state.pictures);
  } });
  const plane = el("div", { class: "plane" });
  const behind = el("details", { class: "small", ontoggle: () => {
    behind.querySelector(".table")?.remove();
    if (behind.open) behind.append(classTable(points, places, [t("explore.right_way"), t("explore.up")]));
  } }, el("summary", {}, t("common.as_table")));
  host.append(el("div", { class: "split wide" }, el("div", { class: "card" }, plane),
    el("div", { class: "card" }, el("h2", {}, t("explore.view_tour")), el("p", {}, t("explore.tour_lead", { classes })), moments >= 2 ? training() : null,
      el("div", { class: "controls" }, play, circle), el("div", { class: "controls" }, pick[0], pick[1], face),
      el("div", { class: "controls" }, el("label", { for: "space" }, t("explore.space")), space),
      el("p", {}, el("label", { for: "pictures" }, pictures, " ", t("explore.as_pictures"))),
      el("p", { class: "muted small" }, t("explore.tour_keys")), behind)));
  const picture = cloud(plane, points, { model: state.model, label: t("explore.tour_label"), pictures: state.pictures, signal });
  const handles = Array.from({ length: classes }, (_, k) => handle(k));
  picture.overlay.append(...handles);
  if (ofTraining) goTo(state.moment);
  else project();
  run(playing);
  const observer = new ResizeObserver(project);
  observer.observe(picture.stage);
  signal.addEventListener("abort", () => observer.disconnect());

  /** The points of the model, or of the training at each moment that it keeps. */
  function points_() {
    const query = { space: state.space, images: 1000 };
    return state.moment < 0
      ? awaited(host, "/api/explore/tour", { model: state.model, ...query }, signal)
      : awaited(host, "/api/explore/training", query, signal);
  }

  /** The choice between the model and the training, and the slider through it. */
  function training() {
    const button = el("button", { "aria-pressed": String(ofTraining), onclick: () => {
      state.moment = ofTraining ? -1 : 0;
      save();
      restart();
    } }, t("explore.training"));
    if (!ofTraining) return el("div", { class: "controls" }, button);
    const last = found.epochs.length - 1;
    const slider = el("input", { type: "range", min: "0", max: String(last), step: "0.02", id: "moment", oninput: () => {
      watching = false;
      goTo(Number(slider.value));
      save();
    } });
    const watch = el("button", { onclick: () => {
      watching = !watching;
      if (watching) pass(slider.valueAsNumber >= last ? 0 : slider.valueAsNumber, performance.now());
    } }, t("explore.watch"));
    const where = el("output", { class: "number", for: "moment" });
    show_ = (at) => {
      const k = Math.round(at);
      slider.value = String(at);
      where.textContent = t("explore.moment", { epoch: number(epochAt(at), { maximumFractionDigits: 2 }), accuracy: percent(found.accuracies[k]) });
      slider.setAttribute("aria-valuetext", where.textContent);
    };
    return el("div", { class: "training" }, el("div", { class: "controls" }, button, watch), el("label", { for: "moment" }, t("explore.through_training")), slider, where);

    /** Plays on from a moment, eight seconds for the whole. @param {number} from @param {number} began */
    function pass(from, began) {
      if (!watching || signal.aborted) return;
      const at = Math.min(last, from + ((performance.now() - began) / 8000) * last);
      goTo(at);
      if (at < last) requestAnimationFrame(() => pass(from, began));
      else {
        watching = false;
        save();
      }
    }
  }

  /** @param {number} at */
  function epochAt(at) {
    const [low, high] = [found.epochs[Math.floor(at)], found.epochs[Math.ceil(at)]];
    return low + (at - Math.floor(at)) * (high - low);
  }

  /** Shows the training at a moment; between two that are kept, points are drawn on the line between them. @param {number} at */
  function goTo(at) {
    at = Math.min(Math.max(0, at), found.epochs.length - 1);
    state.moment = Math.round(at * 100) / 100;
    const [low, share, size] = [Math.floor(at), at - Math.floor(at), count * classes];
    const [before, after] = [low, Math.ceil(at)].map((k) => all.subarray(k * size, (k + 1) * size));
    const between = new Float32Array(size);
    for (let k = 0; k < size; k++) between[k] = before[k] + share * (after[k] - before[k]);
    coordinates = between;
    const nearest = Math.round(at) * count;
    points.answers = answers.subarray(nearest, nearest + count);
    points.confidence = confidences.subarray(nearest, nearest + count);
    show_(at);
    if (!playing) project();
  }

  function restart() {
    host.replaceChildren();
    run(false);
    observer.disconnect();
    picture.end();
    void show(host, { state, save, models, signal }).catch(complain);
  }

  function fresh() {
    return { start: 0, from: frame, frames: [], shown: 0, asking: false };
  }

  /** The tips of the axes in the picture. Logits add up to 0, so the mean of the tips does not move any point: it is left
   * out, and each digit's images lie towards its tip. Images of one digit would lie on its tip if they are
   * probabilities: there the tips are drawn farther out. */
  function tips() {
    const centred = state.space === "logits";
    const mean = [0, 1].map((axis) => (centred ? frame.reduce((sum, row) => sum + row[axis], 0) / classes : 0));
    const rows = frame.map(([x, y]) => [x - mean[0], y - mean[1]]);
    if (dragging < 0) scale = (centred ? 0.88 : 0.78) / Math.max(0.35, ...rows.map(([x, y]) => Math.hypot(x, y)));
    const out = centred ? 0 : 0.1;
    return { rows, centred, out, places: rows.map(([x, y]) => [x, y].map((value) => value * (scale + out / Math.max(0.1, Math.hypot(x, y))))) };
  }

  /** Multiplies every point by the frame, and draws the axes' tips. */
  function project() {
    const { places: ends } = tips();
    for (let i = 0; i < count; i++) {
      let [x, y] = [0, 0];
      for (let k = 0; k < classes; k++) {
        x += coordinates[i * classes + k] * frame[k][0];
        y += coordinates[i * classes + k] * frame[k][1];
      }
      places[2 * i] = scale * x;
      places[2 * i + 1] = scale * y;
    }
    picture.place(places);
    handles.forEach((button, k) => {
      button.style.left = `${50 + 50 * ends[k][0]}%`;
      button.style.top = `${50 - 50 * ends[k][1]}%`;
    });
  }

  /** @param {boolean} go */
  function run(go) {
    playing = go;
    play.textContent = go ? t("explore.pause") : t("explore.play");
    if (go) {
      clock = performance.now();
      requestAnimationFrame(tick);
    } else remember();
  }

  function remember() {
    state.frame = frame.flat().map((value) => Math.round(1000 * value));
    save();
  }

  /** @param {number} now */
  function tick(now) {
    if (!playing || signal.aborted) return;
    if (path.frames.length - path.shown < 2 * RATE && !path.asking) void extend(path);
    const steps = Math.min(6, Math.max(1, Math.round(((now - clock) / 1000) * RATE)));
    clock = now;
    if (path.frames.length > path.shown) {
      path.shown = Math.min(path.shown + steps, path.frames.length);
      frame = rowsOf(path.frames[path.shown - 1]);
      project();
    }
    requestAnimationFrame(tick);
  }

  /** Asks for the next frames of a path. @param {typeof path} of */
  async function extend(of) {
    of.asking = true;
    try {
      const part = await ask("/api/explore/tour/frames", { frame: of.from, start: of.start, seconds: SECONDS, frames: SECONDS * RATE });
      of.frames = [...of.frames.slice(of.shown), ...pieces(part.frames)];
      of.shown = 0;
      of.start += SECONDS;
    } catch (error) {
      run(false);
      complain(error);
    } finally {
      of.asking = false;
    }
  }

  /** Leads to another frame. @param {{to: string, first?: number, second?: number}} goal */
  async function turn(goal) {
    run(false);
    try {
      const part = await ask("/api/explore/tour/turn", { frame, ...goal, frames: calm ? 1 : RATE });
      const way = pieces(part.frames);
      const began = performance.now();
      const step = () => {
        if (playing || dragging >= 0 || signal.aborted) return;
        const k = Math.min(way.length - 1, Math.floor(((performance.now() - began) / 1000) * RATE));
        frame = k === way.length - 1 ? part.frame : rowsOf(way[k]);
        path = fresh();
        project();
        if (k < way.length - 1) requestAnimationFrame(step);
        else remember();
      };
      step();
    } catch (error) {
      complain(error);
    }
  }

  /** The tip of an axis, which can be dragged. @param {number} k */
  function handle(k) {
    const button = el("button", { "aria-label": t("explore.axis", { digit: String(k) }), title: t("explore.axis", { digit: String(k) }) }, String(k));
    button.style.setProperty("--class", `var(--class-${k % 10})`);
    const move = latest("/api/explore/tour/drag");
    let held = false;
    /** @type {Promise<void>} */
    let last = Promise.resolve();
    /** @param {number} x @param {number} y */
    const drag = async (x, y) => {
      const answer = await move({ frame, axis: k, x, y, centred: tips().centred }).catch(complain);
      if (!answer) return;
      frame = answer.frame;
      path = fresh();
      project();
      if (dragging < 0) remember();
    };
    button.addEventListener("pointerdown", (event) => {
      run(false);
      dragging = k;
      held = true;
      button.setPointerCapture(event.pointerId);
    });
    button.addEventListener("pointermove", (event) => {
      if (!held) return;
      const box = picture.stage.getBoundingClientRect();
      const { out } = tips();
      const [x, y] = [(2 * (event.clientX - box.left)) / box.width - 1, 1 - (2 * (event.clientY - box.top)) / box.height];
      const share = Math.max(0, Math.hypot(x, y) - out) / (Math.hypot(x, y) || 1) / scale;
      last = drag(share * x, share * y);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      button.addEventListener(end, async () => {
        held = false;
        await last;  // until the tip is where it was dropped, the picture keeps its scale
        if (held || dragging !== k) return;
        dragging = -1;
        remember();
      });
    }
    button.addEventListener("keydown", (event) => {
      const step = arrow(event);
      if (!step) return;
      event.preventDefault();
      if (playing) run(false);
      const [x, y] = tips().rows[k];
      void drag(x + 0.06 * step[0], y - 0.06 * step[1]);
    });
    return button;
  }

  function changeSpace() {
    state.space = space.value;
    save();
    restart();
  }

  /** @param {any} encoded @returns {ArrayLike<number>[]} */
  function pieces(encoded) {
    const all = decode(encoded);
    return Array.from({ length: encoded.shape[0] }, (_, k) => all.subarray(k * 2 * classes, (k + 1) * 2 * classes));
  }

  /** @param {ArrayLike<number>} numbers */
  function rowsOf(numbers) {
    return Array.from({ length: classes }, (_, k) => [numbers[2 * k], numbers[2 * k + 1]]);
  }
}

/** A frame from the address, if it is one. @param {number[]} numbers @param {number} classes */
function valid(numbers, classes) {
  if (!Array.isArray(numbers) || numbers.length !== 2 * classes || !numbers.every(Number.isFinite)) return null;
  const rows = Array.from({ length: classes }, (_, k) => [numbers[2 * k] / 1000, numbers[2 * k + 1] / 1000]);
  const dot = (/** @type {number} */ a, /** @type {number} */ b) => rows.reduce((sum, row) => sum + row[a] * row[b], 0);
  const off = Math.max(Math.abs(dot(0, 0) - 1), Math.abs(dot(1, 1) - 1), Math.abs(dot(0, 1)));
  return off < 0.02 ? rows : null;
}
