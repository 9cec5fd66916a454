// @ts-check
/** The state of a room in the address, so that a link holds it whole. */

/**
 * The state of this page's address, with the defaults for what it lacks. A damaged address gives the defaults.
 * @template {Record<string, any>} S
 * @param {S} defaults
 * @returns {S}
 */
export function readState(defaults) {
  const state = { ...defaults };
  for (const [name, text] of new URLSearchParams(location.hash.slice(1))) {
    if (!(name in defaults)) continue;
    try {
      const value = JSON.parse(text);
      if (typeof value === typeof defaults[name]) Object.assign(state, { [name]: value });
    } catch {
      continue;
    }
  }
  return state;
}

/**
 * Writes the state into the address; what equals the default is left out.
 * @param {Record<string, any>} state
 * @param {Record<string, any>} defaults
 * @param {boolean} [back] whether the browser's Back comes back to the state before
 */
export function writeState(state, defaults, back = false) {
  const pairs = Object.entries(state)
    .map(([name, value]) => [name, JSON.stringify(value)])
    .filter(([name, text]) => text !== JSON.stringify(defaults[name]));
  const hash = new URLSearchParams(pairs).toString();
  const address = location.pathname + location.search + (hash ? `#${hash}` : "");
  if (back) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
}
