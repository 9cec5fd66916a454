// @ts-check
/** For the notes in the lab, and for the book that docs/notes makes of them. What the explorables share: elements, sliders, tables. */

/**
 * @param {string} tag @param {Record<string, any>} attributes on... are listeners @param {(Node | string)[]} children
 * @returns {any}
 */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** @param {string} tag @param {Record<string, any>} attributes @param {(Node | string)[]} children @returns {any} */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** @param {Element} element @param {Record<string, any>} attributes @param {(Node | string)[]} children */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") /** @type {HTMLElement} */ (element).style.cssText = value; // a policy may forbid the attribute
    else if (value !== null && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/** @param {number} x @param {number} digits */
export function shown(x, digits = 3) {
  const text = x.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

/** Numbers as factors of a product: negative ones in brackets. @param {number[]} factors @param {number} digits */
export function product(factors, digits = 3) {
  return factors.map((x) => (x < 0 ? `(${shown(x, digits)})` : shown(x, digits))).join(" · ");
}

/**
 * A slider with its name and value. change is called while it moves.
 * @param {string} name @param {{ min: number, max: number, step: number, value: number, digits?: number }} range
 * @param {(value: number) => void} change
 */
export function slider(name, { min, max, step, value, digits = 2 }, change) {
  const output = el("span", { class: "value" }, shown(value, digits));
  const input = el("input", { type: "range", min, max, step, value });
  const say = () => {
    output.textContent = shown(input.valueAsNumber, digits);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => {
    say();
    change(input.valueAsNumber);
  });
  say();
  /** @param {number} to */
  const set = (to) => {
    input.valueAsNumber = to;
    say();
  };
  return { element: el("label", { class: "slider" }, el("span", {}, name), input, output), set };
}

/** @param {string} caption @param {string[]} head @param {(string | Node)[][]} rows the first cell of each is its heading */
export function table(caption, head, rows) {
  return el("table", {}, el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...head.map((cell) => el("th", { scope: "col" }, cell)))),
    el("tbody", {}, ...rows.map(([first, ...cells]) => el("tr", {}, el("th", { scope: "row" }, first), ...cells.map((cell) => el("td", {}, cell))))));
}

/**
 * The place of an explorable in the text, made visible; null on a page without its chapter.
 * @param {string} name @param {string} title @returns {HTMLElement | null}
 */
export function place(name, title) {
  const host = document.getElementById(`explore-${name}`);
  if (!host) return null;
  host.setAttribute("role", "group");
  host.setAttribute("aria-label", title);
  host.append(el("p", { class: "title" }, el("b", {}, "Touch it. "), title));
  return host;
}

/** @typedef {{ shape: number[], scale: number, bytes: string }} Packed as docs/notes/page_data.py writes it */

/** @param {string} text */
export const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** @param {Packed} packed its numbers in order */
export const unpack = ({ scale, bytes: text }) => Float64Array.from(new Int8Array(bytes(text).buffer), (x) => x * scale);
