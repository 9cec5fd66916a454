// @ts-check
/** Images of the test set on the page, and answers that take the server a while. */

import { complain, el, svg } from "../dom.js";
import { exclusive, get } from "../engine.js";
import { percent, t, whole } from "../text.js";

/**
 * @typedef {object} Digit one test image and an answer for it
 * @property {number} index
 * @property {number} label
 * @property {number} answer
 * @property {number} confidence
 * @property {number} label_probability
 * @property {Digit} [other] what the other model answers
 */

/**
 * Asks until the answer is ready, and tells the progress in the meantime.
 * @param {string} path
 * @param {Record<string, string | number>} query
 * @param {AbortSignal} signal
 * @param {(done: number) => void} [progress]
 */
export async function settled(path, query, signal, progress) {
  for (;;) {
    const found = await get(path, query);
    if (found.state !== "working" || signal.aborted) return signal.aborted ? new Promise(() => {}) : found;
    progress?.(found.done);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

/**
 * The same with a bar in the host while it takes.
 * @param {HTMLElement} host
 * @param {string} path
 * @param {Record<string, string | number>} query
 * @param {AbortSignal} signal
 */
export async function awaited(host, path, query, signal) {
  const bar = el("progress", { max: "1", value: "0", "aria-label": t("explore.working") });
  const waiting = el("div", { class: "waiting" }, el("p", { role: "status" }, t("explore.working")), bar);
  const timer = setTimeout(() => host.append(waiting), 150);
  try {
    return await settled(path, query, signal, (done) => (bar.value = done));
  } finally {
    clearTimeout(timer);
    waiting.remove();
  }
}

/** @param {number[]} indices @param {number} columns */
function sheetAddress(indices, columns) {
  return `/api/explore/sheet?images=${indices.join(",")}&columns=${columns}`;
}

/**
 * A picture of one digit, cut from a sheet of many.
 * @param {string} address
 * @param {number} place which of the sheet's images
 * @param {number} columns of the sheet
 * @param {number} rows
 * @param {number} size in CSS pixels
 */
export function cut(address, place, columns, rows, size) {
  const picture = el("span", { class: "digit", "aria-hidden": "true" });
  const [x, y] = [place % columns, Math.floor(place / columns)];
  Object.assign(picture.style, {
    width: `${size}px`, height: `${size}px`, backgroundImage: `url("${address}")`,
    backgroundSize: `${columns * size}px ${rows * size}px`, backgroundPosition: `${-x * size}px ${-y * size}px`,
  });
  return picture;
}

/** @param {Digit} digit */
export function describe(digit) {
  const values = { index: whole(digit.index), label: String(digit.label), answer: String(digit.answer), confidence: percent(digit.confidence) };
  return digit.label === digit.answer ? t("explore.is_right", values) : t("explore.is_wrong", values);
}

/**
 * The images that the server lists for a query, with a button for more. Each opens its probabilities.
 * @param {HTMLElement} host
 * @param {string} path
 * @param {Record<string, string | number>} query
 * @param {string} model
 * @param {AbortSignal} signal
 * @param {(digit: Digit) => string} [caption]
 */
export async function gallery(host, path, query, model, signal, caption = (digit) => `${digit.label} → ${digit.answer}`) {
  const list = el("ul", { class: "gallery" });
  let offset = 0;
  const add = exclusive(async () => {
    const found = await settled(path, { ...query, offset, count: 60 }, signal);
    /** @type {Digit[]} */
    const digits = found.images;
    const columns = Math.min(12, digits.length);
    const address = sheetAddress(digits.map((digit) => digit.index), columns || 1);
    digits.forEach((digit, place) => {
      const picture = cut(address, place, columns, Math.ceil(digits.length / columns), 56);
      const button = el("button", { "aria-label": describe(digit), onclick: () => void openDigit(digit.index, model).catch(complain) }, picture,
        el("span", { class: "small number" }, caption(digit)));
      list.append(el("li", {}, button));
    });
    offset += digits.length;
    more.hidden = offset >= found.total;
    if (!found.total) list.replaceWith(el("p", { class: "muted" }, t("explore.none")));
  }, complain);
  const more = el("button", { hidden: true, onclick: add }, t("common.more"));
  host.append(list, more);
  await add();
}

/**
 * Opens one test image with the probability of each class.
 * @param {number} index
 * @param {string} model
 */
export async function openDigit(index, model) {
  const found = await settled("/api/explore/image", { model, index }, new AbortController().signal);
  const picture = cut(sheetAddress([index], 1), 0, 1, 1, 168);
  const bars = el("table", { class: "bars" }, el("caption", { class: "hidden" }, t("explore.probabilities")));
  for (const [k, p] of found.probabilities.entries()) {
    const kind = k === found.label ? "label" : k === found.answer ? "answer" : "";
    const bar = svg("svg", { width: "120", height: "12", "aria-hidden": "true" }, svg("rect", { class: kind, width: String(Math.max(1, 120 * p)), height: "12", rx: "2" }));
    const note = k === found.label ? t("explore.label") : k === found.answer ? t("explore.answer") : "";
    bars.append(el("tr", {}, el("th", { scope: "row" }, String(k)), el("td", {}, bar), el("td", {}, percent(p, 2)), el("td", { class: "small" }, note)));
  }
  const close = el("button", { class: "main", onclick: () => dialog.close() }, t("common.close"));
  const rooms = el("p", { class: "controls" },
    room("/draw", t("explore.to_draw"), { model, image: found.pixels }),
    room("/step", t("explore.to_step"), { images: [{ label: found.label, index }] }));
  const dialog = el("dialog", { "aria-label": describe(found), class: "one" },
    el("p", {}, describe(found)), el("div", { class: "beside" }, picture, bars), rooms, close);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}

/**
 * A link to another room with this state, if there is such a room.
 * @param {string} path
 * @param {string} text
 * @param {Record<string, unknown>} state
 */
function room(path, text, state) {
  if (!document.querySelector(`nav a[href="${path}"]`)) return null;
  const hash = new URLSearchParams(Object.entries(state).map(([name, value]) => [name, JSON.stringify(value)]));
  return el("a", { class: "button", href: `${path}#${hash}` }, text);
}
