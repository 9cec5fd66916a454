// @ts-check
/** Elements of a page. */

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * An element with attributes and children. "on..." attributes are listeners; true sets an attribute without a value,
 * false, null and undefined leave it out.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  set(element, attributes);
  element.append(...children.flat().filter(isNode));
  return element;
}

/**
 * The same for SVG.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(element, attributes);
  element.append(...children.flat().filter(isNode));
  return element;
}

/** @param {Element} element @param {Record<string, any>} attributes */
function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** @param {Child} child @returns {child is Node | string} */
function isNode(child) {
  return child !== null && child !== undefined && child !== false;
}

/** The part of the page that the room fills. */
export const main = /** @type {HTMLElement} */ (document.getElementById("main"));

/**
 * A colour of the style sheet, such as "--ink".
 * @param {string} name
 */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * The red, green and blue of a colour of the style sheet.
 * @param {string} name
 */
export function rgb(name) {
  const hex = colour(name);
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}

/**
 * Where an arrow key points: steps to the right and down, or null.
 * @param {KeyboardEvent} event
 */
export function arrow(event) {
  const steps = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
  return steps[/** @type {keyof typeof steps} */ (event.key)] ?? null;
}

/**
 * A table in a part of the page that scrolls by itself if the table is wider, also with the keyboard.
 * @param {string} label
 * @param {Child[]} heads of the columns; one without text heads the rows
 * @param {HTMLElement[]} rows
 * @param {{caption?: string, kind?: string}} [options] kind: more classes
 */
export function scrollingTable(label, heads, rows, { caption, kind = "" } = {}) {
  const head = el("thead", {}, el("tr", {}, heads.map((text) => (text ? el("th", { scope: "col" }, text) : el("td")))));
  const table = el("table", {}, caption ? el("caption", {}, caption) : null, head, el("tbody", {}, rows));
  return el("div", { class: `table ${kind}`, tabindex: "0", role: "region", "aria-label": label }, table);
}

/** Sets a text, unless it is there already: a live region would say it again. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const messages = el("div", { class: "messages", role: "alert" });
document.body.append(messages);

/**
 * Shows a problem for some seconds; screen readers say it at once.
 * @param {unknown} error
 */
export function complain(error) {
  const message = el("div", {}, error instanceof Error ? error.message : String(error));
  messages.append(message);
  setTimeout(() => message.remove(), 9000);
}
