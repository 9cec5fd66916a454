// @ts-check
/** The texts of the pages, in the language of the page: texts/en.json and its translations. */

const language = document.documentElement.lang;
const reply = await fetch(`/static/texts/${language}.json`);
/** @type {Record<string, Record<string, string>>} */
const texts = await reply.json();

/**
 * The text of a key, "room.name", with {placeholders} filled in. Numbers are written as the language does.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const [room, name] = key.split(".");
  const text = texts[room]?.[name];
  if (text === undefined) throw new Error(`There is no text ${key}.`);
  return text.replace(/\{(\w+)\}/g, (_, place) => {
    const value = values[place];
    if (value === undefined) throw new Error(`The text ${key} needs {${place}}.`);
    return typeof value === "number" ? number(value) : value;
  });
}

/**
 * Whether there is such a text, for keys that come from the server.
 * @param {string} key
 */
export function has(key) {
  const [room, name] = key.split(".");
  return texts[room]?.[name] !== undefined;
}

/**
 * @param {number} value
 * @param {Intl.NumberFormatOptions} [options]
 */
export function number(value, options = { maximumSignificantDigits: 4 }) {
  return new Intl.NumberFormat(language, options).format(value);
}

/** A number without decimals. @param {number} value */
export function whole(value) {
  return number(value, { maximumFractionDigits: 0 });
}

/**
 * A fraction as per cent. Only none is 0 % and only all is 100 %.
 * @param {number} share
 * @param {number} [decimals]
 */
export function percent(share, decimals = 1) {
  const least = 10 ** -(decimals + 2);
  const shown = share <= 0 || share >= 1 ? share : Math.min(Math.max(share, least), 1 - least);
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return new Intl.NumberFormat(language, { style: "percent", ...digits }).format(shown);
}

export { language };
