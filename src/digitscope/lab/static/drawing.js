// @ts-check
/** A surface to draw on, with a mouse, a pen, a finger or the keyboard; and strokes as the text of a link. */

import { arrow, el } from "./dom.js";

/**
 * @typedef {object} Stroke
 * @property {number[]} points x, y and pressure of each point in turn: thousandths of the side, and per cent
 * @property {number} width of the line at a pressure of 50 per cent, in thousandths of the side
 */

/**
 * @typedef {object} DrawingOptions
 * @property {string} label the accessible name
 * @property {string} [help] the id of the element that says how to draw with the keyboard
 * @property {Stroke[]} [strokes]
 * @property {number} [width] of new strokes
 * @property {(finished: boolean) => void} [onchange] a stroke has grown (a few times a second), or is finished
 * @property {(down: boolean) => void} [onpen] the keyboard's pen was put down or lifted
 */

/** The side of the surface in the units of points. */
export const SIDE = 1000;
/** Units: nearer points add nothing to a stroke. */
const NEAR = 3;
/** Milliseconds between two calls of `onchange` during a stroke. */
const PAUSE = 80;
/** Units that an arrow key moves the pen, alone and with Shift. */
const STEPS = [30, 8];
const MOUSE_PRESSURE = 50;

/** Half the width of a line at this pressure, as `digitscope.vision.drawing` has it. @param {Stroke} stroke @param {number} pressure */
function radius(stroke, pressure) {
  return (stroke.width / 2) * (0.4 + (1.2 * pressure) / 100);
}

/**
 * Draws a stroke from its k-th point on.
 * @param {CanvasRenderingContext2D} context
 * @param {Stroke} stroke
 * @param {number} side of the surface in the context's units
 * @param {number} [from]
 */
export function paint(context, stroke, side, from = 0) {
  const { points } = stroke;
  const unit = side / SIDE;
  context.lineCap = "round";
  for (let k = 3 * from; k < points.length; k += 3) {
    const before = k === 0 ? 0 : k - 3;
    context.lineWidth = unit * (radius(stroke, points[before + 2]) + radius(stroke, points[k + 2]));
    context.beginPath();
    context.moveTo(points[before] * unit, points[before + 1] * unit);
    context.lineTo(points[k] * unit, points[k + 1] * unit);
    context.stroke();
  }
}

/**
 * @param {HTMLElement} host the element that the surface is added to
 * @param {DrawingOptions} options
 */
export function drawing(host, options) {
  /** @type {Stroke[]} */
  let strokes = [...(options.strokes ?? [])];
  /** @type {Stroke[][]} what undo goes back to */
  const past = [];
  /** Strokes that the first own one replaces. @type {Stroke[] | null} */
  let shownExample = null;
  let width = options.width ?? 70;
  /** @type {Map<number, string>} strokes in another colour */
  let colours = new Map();

  const canvas = el("canvas", {
    tabindex: "0", role: "application", "aria-label": options.label, "aria-describedby": options.help,
  });
  const cursor = el("div", { class: "pen", "aria-hidden": "true" });
  const element = el("div", { class: "drawing" }, canvas, cursor);
  host.append(element);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));

  function redraw() {
    context.clearRect(0, 0, canvas.width, canvas.height);
    const ink = getComputedStyle(canvas).color;
    strokes.forEach((stroke, k) => {
      context.strokeStyle = colours.get(k) ?? ink;
      paint(context, stroke, canvas.width);
    });
  }

  function fit() {
    const pixels = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
    if (pixels === 0 || pixels === canvas.width) return;
    canvas.width = canvas.height = pixels;
    redraw();
  }
  new ResizeObserver(fit).observe(canvas);
  addEventListener("theme", redraw);

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @param {boolean} finished */
  function changed(finished) {
    if (finished) {
      clearTimeout(timer);
      timer = undefined;
      options.onchange?.(true);
    } else {
      timer ??= setTimeout(() => {
        timer = undefined;
        options.onchange?.(false);
      }, PAUSE);
    }
  }

  /** The stroke that is being drawn. @type {Stroke | null} */
  let current = null;

  /** @param {number} x @param {number} y @param {number} pressure */
  function begin(x, y, pressure) {
    past.push(strokes);
    colours = new Map();
    current = { points: [], width };
    if (strokes === shownExample) context.clearRect(0, 0, canvas.width, canvas.height);
    strokes = strokes === shownExample ? [current] : [...strokes, current];
    context.strokeStyle = getComputedStyle(canvas).color;
    extend(x, y, pressure);
  }

  /** @param {number} x @param {number} y @param {number} pressure */
  function extend(x, y, pressure) {
    if (!current) return;
    const { points } = current;
    const end = points.length;
    if (end && Math.abs(points[end - 3] - x) < NEAR && Math.abs(points[end - 2] - y) < NEAR) return;
    points.push(x, y, pressure);
    paint(context, current, canvas.width, end / 3);
  }

  function finish() {
    if (!current) return;
    current = null;
    changed(true);
  }

  /** The pointer that draws; a second finger does not. @type {number | null} */
  let pointer = null;
  let box = canvas.getBoundingClientRect();

  /** @param {PointerEvent} event @param {(x: number, y: number, pressure: number) => void} take */
  function locate(event, take) {
    const x = Math.round(((event.clientX - box.left) / box.width) * SIDE);
    const y = Math.round(((event.clientY - box.top) / box.height) * SIDE);
    const pressure = event.pointerType === "pen" ? Math.round(100 * event.pressure) : MOUSE_PRESSURE;
    take(clamp(x), clamp(y), pressure);
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    box = canvas.getBoundingClientRect();
    element.classList.remove("by-keys");
    finish();
    locate(event, begin);
    changed(false);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) locate(one, extend);
    changed(false);
  });
  for (const kind of /** @type {const} */ (["pointerup", "pointercancel"])) {
    canvas.addEventListener(kind, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      finish();
    });
  }

  const pen = { x: SIDE / 2, y: SIDE / 4, down: false };

  function showPen() {
    element.classList.add("by-keys");
    cursor.classList.toggle("down", pen.down);
    cursor.style.left = `${(100 * pen.x) / SIDE}%`;
    cursor.style.top = `${(100 * pen.y) / SIDE}%`;
  }

  /** @param {boolean} down */
  function press(down) {
    if (down === pen.down) return;
    pen.down = down;
    if (down) begin(pen.x, pen.y, MOUSE_PRESSURE);
    else finish();
    options.onpen?.(down);
    if (down) changed(false);
  }

  canvas.addEventListener("keydown", (event) => {
    const move = arrow(event);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (move) {
      const step = STEPS[Number(event.shiftKey)];
      pen.x = clamp(pen.x + step * move[0]);
      pen.y = clamp(pen.y + step * move[1]);
      if (pen.down) {
        extend(pen.x, pen.y, MOUSE_PRESSURE);
        changed(false);
      }
    } else if (event.key === " ") press(!pen.down);
    else if (event.key === "Escape" && pen.down) press(false);
    else if (event.key === "Backspace") undo();
    else return;
    showPen();
    event.preventDefault();
  });
  canvas.addEventListener("blur", () => {
    press(false);
    element.classList.remove("by-keys");
  });

  function undo() {
    if (pen.down) press(false);
    const before = past.pop();
    if (!before) return;
    show(before);
  }

  /** @param {Stroke[]} wanted */
  function show(wanted) {
    strokes = wanted;
    current = null;
    colours = new Map();
    redraw();
    changed(true);
  }

  return {
    element,
    canvas,
    undo,
    get strokes() {
      return strokes;
    },
    get canUndo() {
      return past.length > 0;
    },
    /** Shows these strokes instead; undo goes back. @param {Stroke[]} wanted */
    set(wanted) {
      past.push(strokes);
      show([...wanted]);
    },
    /** Shows strokes that the first own one replaces. @param {Stroke[]} wanted */
    setExample(wanted) {
      this.set(wanted);
      shownExample = strokes;
    },
    clear() {
      if (!strokes.length) return;
      past.push(strokes);
      show([]);
    },
    /** The width of new strokes. @param {number} wanted */
    pen(wanted) {
      width = wanted;
    },
    /** Shows strokes in other colours until the drawing changes. @param {Map<number, string>} wanted */
    colour(wanted) {
      colours = wanted;
      redraw();
    },
  };
}

/** @param {number} value */
function clamp(value) {
  return Math.min(SIDE, Math.max(0, value));
}

/**
 * The strokes as the text of a link. Each number is the difference from the one before, in as many bytes as it needs.
 * @param {Stroke[]} strokes
 */
export function packed(strokes) {
  /** @type {number[]} */
  const bytes = [];
  /** @param {number} value not negative */
  function put(value) {
    for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
    bytes.push(value);
  }
  /** @param {number} value */
  const putSigned = (value) => put(value < 0 ? -2 * value - 1 : 2 * value);
  for (const { points, width } of strokes) {
    const isEven = points.every((value, k) => k % 3 !== 2 || value === points[2]);
    put(width);
    put(2 * (points.length / 3) + Number(isEven));
    let [x, y, pressure] = [0, 0, 0];
    for (let k = 0; k < points.length; k += 3) {
      putSigned(points[k] - x);
      putSigned(points[k + 1] - y);
      if (k === 0 || !isEven) putSigned(points[k + 2] - pressure);
      [x, y, pressure] = points.slice(k, k + 3);
    }
  }
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * The strokes of a link; none if it is damaged.
 * @param {string} text
 * @returns {Stroke[]}
 */
export function unpacked(text) {
  /** @type {Stroke[]} */
  const strokes = [];
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    let at = 0;
    const take = () => {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        if (at >= bytes.length || shift > 21) throw new Error("cut off");
        value |= (bytes[at] & 127) << shift;
        if (bytes[at++] < 128) return value;
      }
    };
    const takeSigned = () => {
      const value = take();
      return value % 2 ? -(value + 1) / 2 : value / 2;
    };
    while (at < bytes.length) {
      const width = take();
      const header = take();
      const isEven = header % 2 === 1;
      const points = [];
      let [x, y, pressure] = [0, 0, 0];
      for (let k = 0; k < header >> 1; k++) {
        x += takeSigned();
        y += takeSigned();
        if (k === 0 || !isEven) pressure += takeSigned();
        points.push(x, y, pressure);
      }
      strokes.push({ points, width });
    }
  } catch {
    return [];
  }
  return strokes;
}
