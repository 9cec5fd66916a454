// @ts-check
/** The state of the page as the widget keeps it, in place of the address: Python can read it. */

/** @type {{state: Record<string, any>, save: (state: Record<string, any>) => void}} */
const widget = /** @type {any} */ (window).digitscope;

/**
 * The state that the widget was made with, with the defaults for what it lacks.
 * @template {Record<string, any>} S
 * @param {S} defaults
 * @returns {S}
 */
export function readState(defaults) {
  return { ...defaults, ...structuredClone(widget.state) };
}

/**
 * @param {Record<string, any>} state
 * @param {Record<string, any>} defaults
 */
export function writeState(state, defaults) {
  const changed = Object.entries(state).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(defaults[name]));
  widget.save(structuredClone(Object.fromEntries(changed)));
}
