// @ts-check
/** The trained network of chapter 5 answers while you draw: its ten hidden units and its ten outputs. */
import { get } from "../../engine.js";
import { bytes, el, place, shown, unpack } from "./_shared.js";

const DATA = /** @type {{ weights: Record<string, import("./_shared.js").Packed>, images: string[] }} */ (await get("/static/notes/live/seed.json"));

const host = place("seed", "Draw a digit, or take one of MNIST’s, and see what each pixel of ink adds to each hidden unit: vermilion opens it, blue shuts it.");
if (host) {
  const weights = Object.fromEntries(Object.entries(DATA.weights).map(([name, packed]) => [name, unpack(packed)]));
  const images = DATA.images.map((text) => Float64Array.from(bytes(text), (x) => x / 255));

  /** The hidden units and the probabilities of 784 pixels. @param {Float64Array} x */
  const answer = (x) => {
    const { W1, b1, W2, b2 } = weights;
    const hidden = Array.from(b1, (b, o) => Math.max(x.reduce((sum, pixel, i) => sum + W1[784 * o + i] * pixel, b), 0));
    const scores = Array.from(b2, (b, k) => hidden.reduce((sum, a, o) => sum + W2[10 * k + o] * a, b));
    const powers = scores.map((z) => Math.exp(z - Math.max(...scores)));
    const total = powers.reduce((a, b) => a + b);
    return { hidden, p: powers.map((e) => e / total) };
  };

  const SIZE = 280;
  const pad = el("canvas", { width: SIZE, height: SIZE, class: "pad", role: "img", "aria-label": "Draw a digit here with mouse, pen or finger; with the keyboard, choose one of MNIST’s" });
  const ink = pad.getContext("2d", { willReadFrequently: true });
  const small = Object.assign(document.createElement("canvas"), { width: 28, height: 28 });
  const seen = /** @type {CanvasRenderingContext2D} */ (small.getContext("2d", { willReadFrequently: true }));
  const said = el("p", { role: "status" });

  /** What is drawn, as MNIST has it: 20 pixels large, centred by its mass. @returns {Float64Array} */
  const prepared = () => {
    const { data } = ink.getImageData(0, 0, SIZE, SIZE);
    let [left, top, right, bottom] = [SIZE, SIZE, -1, -1];
    for (let y = 0; y < SIZE; y++) for (let x = 0; x < SIZE; x++) if (data[4 * (SIZE * y + x) + 3] > 60) {
      [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
    }
    if (right < 0) return new Float64Array(784);
    const scale = 20 / Math.max(right - left + 1, bottom - top + 1);
    const pixels = (/** @type {number} */ dx, /** @type {number} */ dy) => {
      seen.clearRect(0, 0, 28, 28);
      seen.imageSmoothingQuality = "high";
      seen.drawImage(pad, left, top, right - left + 1, bottom - top + 1, dx, dy, scale * (right - left + 1), scale * (bottom - top + 1));
      const { data: found } = seen.getImageData(0, 0, 28, 28);
      return Float64Array.from({ length: 784 }, (_, i) => found[4 * i + 3] / 255);
    };
    const first = pixels(4, 4);
    const mass = first.reduce((a, b) => a + b) || 1;
    const row = first.reduce((sum, v, i) => sum + v * Math.floor(i / 28), 0) / mass;
    const column = first.reduce((sum, v, i) => sum + v * (i % 28), 0) / mass;
    return pixels(4 + Math.round(13.5 - column), 4 + Math.round(13.5 - row));
  };

  const units = Array.from({ length: 10 }, (_, o) => {
    const canvas = el("canvas", { width: 28, height: 28 });
    const context = canvas.getContext("2d");
    const value = el("span", {});
    /** @param {Float64Array} x */
    const paint = (x) => {
      const image = context.createImageData(28, 28);
      for (let i = 0; i < 784; i++) {
        const part = weights.W1[784 * o + i] * x[i];
        image.data.set([...(part > 0 ? [213, 94, 0] : [0, 114, 178]), Math.min(Math.abs(part) * 500, 255)], 4 * i);
      }
      context.putImageData(image, 0, 0);
    };
    return { element: el("div", {}, canvas, value), value, paint };
  });
  const bars = Array.from({ length: 10 }, (_, k) => {
    const meter = el("meter", { min: 0, max: 1, "aria-label": `probability of ${k}` });
    const value = el("span", { class: "value" });
    return { element: el("div", {}, el("span", {}, String(k)), meter, value), meter, value };
  });

  /** @param {Float64Array} x */
  const show = (x) => {
    const { hidden, p } = answer(x);
    hidden.forEach((a, o) => {
      units[o].paint(x);
      units[o].value.textContent = a > 0 ? shown(a, 1) : "shut";
      units[o].element.className = a > 0 ? "" : "shut";
    });
    p.forEach((share, k) => {
      bars[k].meter.value = share;
      bars[k].value.textContent = shown(share);
    });
    const best = p.indexOf(Math.max(...p));
    const open = hidden.filter((a) => a > 0).length;
    said.textContent = x.some((v) => v > 0) ? `It reads a ${best}, with ${shown(100 * p[best], 0)} %. ${open} of ten hidden units are open.` : "Nothing is drawn yet. Even of an empty picture it has an opinion: its biases.";
  };

  const choice = el("select", {}, el("option", { value: "" }, "your drawing"), ...images.map((_, k) => el("option", { value: k }, `MNIST’s ${k}`)));
  const clear = () => {
    ink.clearRect(0, 0, SIZE, SIZE);
    choice.value = "";
    show(new Float64Array(784));
  };
  choice.addEventListener("change", () => {
    const image = images[Number(choice.value)];
    if (choice.value === "") {
      clear();
      return;
    }
    const picture = seen.createImageData(28, 28);
    image.forEach((v, i) => picture.data.set([128, 128, 128, 255 * v], 4 * i));
    seen.putImageData(picture, 0, 0);
    ink.clearRect(0, 0, SIZE, SIZE);
    ink.imageSmoothingEnabled = false;
    ink.drawImage(small, 0, 0, SIZE, SIZE);
    show(image);
  });
  /** @type {{ x: number, y: number } | null} */
  let last = null;
  /** @param {PointerEvent} event */
  const point = (event) => {
    const box = pad.getBoundingClientRect();
    return { x: ((event.clientX - box.left) * SIZE) / box.width, y: ((event.clientY - box.top) * SIZE) / box.height };
  };
  pad.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    if (choice.value !== "") clear();
    last = point(event);
    pad.setPointerCapture(event.pointerId);
  });
  pad.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (!last) return;
    const now = point(event);
    Object.assign(ink, { lineWidth: 24, lineCap: "round", strokeStyle: "rgb(128 128 128)" });
    ink.beginPath();
    ink.moveTo(last.x, last.y);
    ink.lineTo(now.x, now.y);
    ink.stroke();
    last = now;
    show(prepared());
  });
  for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => { last = null; });

  host.append(el("p", {}, el("label", {}, "picture ", choice), " ", el("button", { type: "button", onclick: clear }, "Clear")),
    el("div", { class: "pair" }, pad, el("div", { class: "bars" }, ...bars.map((one) => one.element))), said,
    el("div", { class: "units" }, ...units.map((one) => one.element)));
  choice.value = "5";
  choice.dispatchEvent(new Event("change"));
}
