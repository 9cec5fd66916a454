// @ts-check
/**
 * Curves of a training: SVG with a cursor for the keyboard, a logarithmic axis, a table behind, and a pitch line to
 * listen to.
 */

import { el, scrollingTable, svg } from "./dom.js";
import { number, percent, t, whole } from "./text.js";

/**
 * @typedef {object} Series
 * @property {string} name for the legend, the table and screen readers
 * @property {string} colour a variable of the style sheet, such as "--accent"
 * @property {string} [dash] as in stroke-dasharray
 * @property {boolean} [thin] a noisy line in the background
 * @property {number[]} x steps, ascending
 * @property {number[]} y
 */

/**
 * @typedef {object} CurveOptions
 * @property {string} label the accessible name
 * @property {boolean} [share] the values are fractions, shown in per cent; on a logarithmic axis, by their distance to 1
 * @property {(step: number) => void} [onpick] what a click or Enter on a step does
 * @property {(share: number) => void} [onguess] there is a mark to drag; called when it was moved
 * @property {number} [height] in CSS pixels
 */

const [LEFT, RIGHT, TOP, BOTTOM] = [56, 14, 12, 42];
/** More points than this are drawn as the extremes of short stretches. */
const DRAWN = 500;
const TABLE = 400;

/**
 * @param {HTMLElement} host
 * @param {CurveOptions} options
 */
export function curves(host, options) {
  const height = options.height ?? 280;
  let width = 560;
  /** @type {{series: Series[], end: number, log: boolean, now: number | null, guess: number | null, guessing: boolean}} */
  let view = { series: [], end: 0, log: false, now: null, guess: null, guessing: true };
  let cursor = { series: 0, point: -1 };

  const axes = svg("g", { class: "axes", "aria-hidden": "true" });
  const lines = svg("g", { "aria-hidden": "true" });
  const place = svg("line", { class: "now", y1: TOP, y2: height - BOTTOM, "aria-hidden": "true" });
  const dot = svg("circle", { class: "dot", r: 6, "aria-hidden": "true" });
  const guess = svg("g", { class: "guess", tabindex: "0", role: "slider", "aria-label": t("common.guess_mark") });
  guess.append(
    svg("line", { class: "handle", x1: LEFT }),
    svg("line", { x1: LEFT }),
    svg("circle", { r: 9 }),
    svg("text", { "text-anchor": "end" }),
  );
  const picture = svg("svg", { class: "curve-picture", height });
  const ground = svg("rect", { class: "ground", x: LEFT, y: TOP, height: height - TOP - BOTTOM });
  const plot = svg(
    "g",
    { tabindex: "0", role: "application", "aria-roledescription": t("common.curve"), "aria-label": options.label },
    ground, axes, lines, place, dot,
  );
  picture.append(plot);
  if (options.onguess) picture.append(guess);
  const said = el("output", { class: "curve-said small number", "aria-live": "polite" });
  const legend = el("ul", { class: "legend small" });
  const behind = el("details", { class: "small" }, el("summary", {}, t("common.as_table")));
  const play = el("button", { type: "button", class: "quiet small", onclick: () => toggle() }, t("common.listen"));
  const figure = el("figure", { class: "curves" }, picture, said, legend, el("div", { class: "below" }, play, behind));
  host.append(figure);

  /** @param {number} step */
  const atX = (step) => LEFT + (step / Math.max(1, view.end)) * (width - LEFT - RIGHT);
  /** @param {number} value */
  const scaled = (value) => {
    if (!view.log) return value;
    return options.share ? -Math.log10(Math.max(1e-4, 1 - value)) : Math.log10(Math.max(1e-6, value));
  };
  let [low, high] = [0, 1];
  /** @param {number} value */
  const atY = (value) => {
    const share = (scaled(value) - low) / (high - low || 1);
    return height - BOTTOM - Math.min(1.02, Math.max(-0.02, share)) * (height - TOP - BOTTOM);
  };

  function draw() {
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    ground.setAttribute("width", String(width - LEFT - RIGHT));
    for (const mark of guess.querySelectorAll("line")) mark.setAttribute("x2", String(width - RIGHT));
    guess.querySelector("circle")?.setAttribute("cx", String(width - RIGHT - 9));
    guess.querySelector("text")?.setAttribute("x", String(width - RIGHT - 26));
    [low, high] = range();
    drawAxes();
    lines.replaceChildren(...view.series.flatMap(line));
    if (view.now === null) place.setAttribute("visibility", "hidden");
    else {
      place.setAttribute("visibility", "visible");
      place.setAttribute("x1", String(atX(view.now)));
      place.setAttribute("x2", String(atX(view.now)));
    }
    drawGuess();
    drawDot();
  }

  /** The ends of the vertical axis, scaled. */
  function range() {
    const values = view.series.flatMap((one) => one.y).filter(Number.isFinite);
    if (options.share) {
      if (!view.log) {
        const least = values.reduce((a, b) => Math.min(a, b), values.length ? 1 : 0);
        return [[0.9, 0.8, 0.5].find((end) => least >= end && (view.guess ?? (view.guessing ? 0 : 1)) >= end) ?? 0, 1];
      }
      const best = Math.max(0.9, ...values);
      return [0, Math.min(4, scaled(best) + 0.2)];
    }
    if (values.length === 0) return view.log ? [-1, 0.5] : [0, 2.5];
    const [least, most] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    return view.log ? [scaled(least) - 0.05, scaled(most) + 0.05] : [0, most * 1.05 || 1];
  }

  function drawAxes() {
    const marks = [];
    for (const value of ticks()) {
      const y = atY(value);
      marks.push(svg("line", { x1: LEFT, x2: width - RIGHT, y1: y, y2: y }));
      marks.push(svg("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, shown(value, true)));
    }
    const every = Math.max(1, round(view.end / (width < 420 ? 3 : 5)));
    for (let step = 0; view.end > 0 && step <= view.end; step += every) {
      marks.push(svg("text", { x: atX(step), y: height - 22, "text-anchor": "middle" }, whole(step)));
    }
    marks.push(svg("text", { x: width - RIGHT, y: height - 5, "text-anchor": "end" }, t("common.curve_steps")));
    axes.replaceChildren(...marks);
  }

  function ticks() {
    if (options.share) {
      return view.log ? [0, 0.5, 0.9, 0.97, 0.99, 0.997, 0.999].filter((v) => scaled(v) <= high) : [0, 0.25, 0.5, 0.75, 1].map((share) => low + share * (1 - low));
    }
    if (!view.log) {
      const every = round(high / 4);
      return Array.from({ length: Math.floor(high / every + 1e-9) + 1 }, (_, i) => i * every);
    }
    const found = [];
    for (let exponent = Math.floor(low); exponent <= high; exponent++) {
      for (const digit of high - low > 2.2 ? [1] : high - low > 0.7 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8]) {
        const value = digit * 10 ** exponent;
        if (scaled(value) >= low && scaled(value) <= high) found.push(value);
      }
    }
    return found;
  }

  /** @param {number} value @param {boolean} [short] */
  function shown(value, short = false) {
    if (!options.share) return number(value, { maximumSignificantDigits: short ? 2 : 4 });
    return short && Math.abs(value * 100 - Math.round(value * 100)) < 1e-9 ? percent(value, 0) : percent(value, short ? 1 : 2);
  }

  /** @param {Series} one */
  function line(one) {
    const points = thinned(one).map(([x, y]) => `${atX(x).toFixed(1)},${atY(y).toFixed(1)}`);
    const style = { fill: "none", "stroke-dasharray": one.thin ? null : one.dash, class: one.thin ? "thin" : "thick" };
    const path = svg("polyline", { points: points.join(" "), ...style });
    path.style.stroke = `var(${one.colour})`;
    if (one.thin || one.x.length > 60) return [path];
    const dots = one.x.map((x, i) => {
      const mark = svg("circle", { cx: atX(x), cy: atY(one.y[i]), r: 3 });
      mark.style.fill = `var(${one.colour})`;
      return mark;
    });
    return [path, ...dots];
  }

  function drawGuess() {
    if (!options.onguess) return;
    guess.setAttribute("display", view.guessing ? "inline" : "none");
    const value = view.guess ?? 0.5;
    const y = atY(value);
    guess.classList.toggle("untouched", view.guess === null);
    guess.setAttribute("transform", `translate(0 ${y.toFixed(1)})`);
    guess.setAttribute("aria-valuemin", "0");
    guess.setAttribute("aria-valuemax", "100");
    guess.setAttribute("aria-valuenow", String(Math.round(value * 100)));
    guess.setAttribute("aria-valuetext", view.guess === null ? t("common.no_guess") : percent(value, 0));
    const label = /** @type {SVGTextElement} */ (guess.querySelector("text"));
    label.setAttribute("y", y < 40 ? "18" : "-8");
    label.textContent = view.guess === null ? t("common.no_guess") : t("common.your_guess", { share: percent(value, 0) });
  }

  function drawDot() {
    const one = view.series[cursor.series];
    const is = one !== undefined && cursor.point >= 0 && cursor.point < one.x.length;
    dot.setAttribute("visibility", is ? "visible" : "hidden");
    if (!is) return;
    dot.setAttribute("cx", String(atX(one.x[cursor.point])));
    dot.setAttribute("cy", String(atY(one.y[cursor.point])));
  }

  /** @param {boolean} [aloud] */
  function say(aloud = true) {
    const one = view.series[cursor.series];
    if (one === undefined || one.x[cursor.point] === undefined) return;
    const text = t("common.curve_point", { name: one.name, step: whole(one.x[cursor.point]), value: shown(one.y[cursor.point]) });
    said.setAttribute("aria-live", aloud ? "polite" : "off");
    said.textContent = text;
    drawDot();
  }

  /** @param {number} step */
  function nearest(step) {
    const xs = view.series[cursor.series]?.x ?? [];
    let best = 0;
    for (let i = 1; i < xs.length; i++) if (Math.abs(xs[i] - step) < Math.abs(xs[best] - step)) best = i;
    return best;
  }

  plot.addEventListener("keydown", (event) => {
    const one = view.series[cursor.series];
    if (one === undefined) return;
    const last = one.x.length - 1;
    const far = Math.max(1, Math.round(last / 20));
    const at = cursor.point < 0 ? last : cursor.point;
    const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, PageDown: at + far, PageUp: at - far, Home: 0, End: last };
    const key = event.key;
    if (key in moves) {
      cursor.point = Math.min(last, Math.max(0, moves[/** @type {keyof typeof moves} */ (key)]));
    } else if (key === "ArrowUp" || key === "ArrowDown") {
      const step = one.x[at] ?? 0;
      const count = view.series.length;
      cursor.series = (cursor.series + (key === "ArrowUp" ? count - 1 : 1)) % count;
      cursor.point = nearest(step);
    } else if (key === "Enter" && options.onpick && cursor.point >= 0) {
      options.onpick(one.x[cursor.point]);
    } else return;
    event.preventDefault();
    say();
  });
  plot.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" && view.series.length) pointAt(event, false);
  });
  plot.addEventListener("click", (event) => {
    if (view.series.length === 0) return;
    pointAt(event, true);
    if (options.onpick) options.onpick(Math.round(Math.max(0, Math.min(view.end, stepAt(event)))));
  });

  /** @param {MouseEvent} event */
  function stepAt(event) {
    const box = picture.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width;
    return ((x - LEFT) / (width - LEFT - RIGHT)) * view.end;
  }

  /** @param {MouseEvent} event @param {boolean} aloud */
  function pointAt(event, aloud) {
    cursor.point = nearest(stepAt(event));
    say(aloud);
  }

  /** @param {number} share */
  function setGuess(share) {
    view.guess = Math.min(1, Math.max(0, Math.round(share * 100) / 100));
    drawGuess();
    options.onguess?.(view.guess);
  }
  guess.addEventListener("keydown", (event) => {
    const moves = { ArrowUp: 0.01, ArrowRight: 0.01, ArrowDown: -0.01, ArrowLeft: -0.01, PageUp: 0.1, PageDown: -0.1 };
    const move = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (move === undefined) return;
    event.preventDefault();
    setGuess((view.guess ?? 0.5) + move);
  });
  guess.addEventListener("pointerdown", (event) => {
    guess.setPointerCapture(event.pointerId);
    event.preventDefault();
    guess.focus();
  });
  guess.addEventListener("pointermove", (event) => {
    if (!guess.hasPointerCapture(event.pointerId)) return;
    const box = picture.getBoundingClientRect();
    const y = ((event.clientY - box.top) / box.height) * height;
    const share = (height - BOTTOM - y) / (height - TOP - BOTTOM);
    const value = low + share * (high - low);
    setGuess(view.log ? 1 - 10 ** -value : value);
  });

  behind.addEventListener("toggle", () => {
    behind.querySelector("div")?.remove();
    if (behind.open) behind.append(table());
  });

  function table() {
    const rows = view.series.filter((one) => one.x.length).flatMap((one) => {
      const stride = Math.ceil(one.x.length / (TABLE / view.series.length));
      return one.x
        .map((x, i) => ({ x, y: one.y[i], i }))
        .filter(({ i }) => i % stride === 0 || i === one.x.length - 1)
        .map(({ x, y }) => el("tr", {}, el("td", {}, one.name), el("td", {}, whole(x)), el("td", {}, shown(y))));
    });
    const heads = [t("common.curve_name"), t("common.curve_step"), options.label];
    return scrollingTable(options.label, heads, rows, { kind: "scrolled" });
  }

  // Sound: one pitch that follows the line, from 220 to 880 Hz.
  /** @type {{context: AudioContext, timer: number} | null} */
  let sound = null;
  function toggle() {
    if (sound) return silence();
    const one = view.series[cursor.series];
    if (!one || one.x.length < 2) return;
    const context = new AudioContext();
    const tone = context.createOscillator();
    const volume = context.createGain();
    volume.gain.value = 0.12;
    tone.connect(volume).connect(context.destination);
    const seconds = Math.min(8, Math.max(2, one.x.length / 40));
    const begin = cursor.point > 0 && cursor.point < one.x.length - 1 ? cursor.point : 0;
    let point = begin;
    /** @param {number} i */
    const pitch = (i) => 220 * 4 ** Math.min(1, Math.max(0, (scaled(one.y[i]) - low) / (high - low || 1)));
    tone.frequency.value = pitch(point);
    tone.start();
    const began = performance.now();
    const length = one.x.length - 1 - begin;
    const timer = window.setInterval(() => {
      const share = (performance.now() - began) / (1000 * seconds * (length / (one.x.length - 1)));
      point = Math.min(one.x.length - 1, begin + Math.floor(share * length));
      tone.frequency.linearRampToValueAtTime(pitch(point), context.currentTime + 0.05);
      cursor.point = point;
      say(false);
      if (share >= 1) silence();
    }, 50);
    sound = { context, timer };
    cursor.point = begin;
    say(false);
    play.textContent = t("common.pause_sound");
    play.setAttribute("aria-pressed", "true");
  }
  function silence() {
    if (!sound) return;
    clearInterval(sound.timer);
    void sound.context.close();
    sound = null;
    play.textContent = t("common.listen");
    play.removeAttribute("aria-pressed");
    say();
  }

  new ResizeObserver(() => {
    if (Math.abs(picture.clientWidth - width) < 1 || picture.clientWidth === 0) return;
    width = picture.clientWidth;
    draw();
  }).observe(picture);
  let asked = false;
  return {
    figure,
    /** @param {Partial<typeof view>} changes */
    update(changes) {
      const names = view.series.map((one) => one.name).join("|");
      view = { ...view, ...changes, end: changes.end ?? view.end };
      if (view.series.map((one) => one.name).join("|") !== names) {
        cursor = { series: Math.min(cursor.series, Math.max(0, view.series.length - 1)), point: -1 };
        legend.replaceChildren(...view.series.map(entry));
      }
      play.disabled = view.series.every((one) => one.x.length < 2);
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        draw();
      });
    },
  };

  /** @param {Series} one */
  function entry(one) {
    const swatch = svg("line", { x1: 0, x2: 26, y1: 6, y2: 6, "stroke-dasharray": one.thin ? null : one.dash, class: one.thin ? "thin" : "thick" });
    swatch.style.stroke = `var(${one.colour})`;
    return el("li", {}, svg("svg", { width: 26, height: 12, "aria-hidden": "true" }, swatch), one.name);
  }
}

/** @param {Series} one @returns {[number, number][]} */
function thinned(one) {
  const all = one.x.map((x, i) => /** @type {[number, number]} */ ([x, one.y[i]])).filter(([, y]) => Number.isFinite(y));
  if (all.length <= DRAWN) return all;
  const stretch = Math.ceil(all.length / (DRAWN / 2));
  const found = [];
  for (let i = 0; i < all.length; i += stretch) {
    const part = all.slice(i, i + stretch);
    const least = part.reduce((a, b) => (b[1] < a[1] ? b : a));
    const most = part.reduce((a, b) => (b[1] > a[1] ? b : a));
    found.push(...(least[0] < most[0] ? [least, most] : [most, least]));
  }
  return found;
}

/** A round number near this one: 1, 2 or 5 times a power of ten. @param {number} value */
function round(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1e-9, value)));
  const digit = value / power;
  const nice = (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10) * power;
  return nice;
}
