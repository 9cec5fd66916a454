// @ts-check
/** The panel "why?": the terms of a number, its formula, the code that computed it, its numeric check. */

import { complain, el } from "./dom.js";
import { ask, exclusive } from "./engine.js";
import { number, percent, t } from "./text.js";

/**
 * @typedef {{symbol: string, mathml: string, value: number | null, name: string | null, index: number[], asked: boolean}} Factor
 * @typedef {{of: string, index: number[]}} Place
 */

/** How many terms come at once. */
const PAGE = 12;

/**
 * Adds the panel to a place of the page. It is empty until `show` is called.
 * @param {HTMLElement} host
 * @param {object} options
 * @param {() => Record<string, unknown>} options.body what the server needs to know besides the number
 * @param {string} [options.path]
 * @param {(factors: Factor[]) => void} [options.onlight] lights up the factors of a term; none with an empty list
 * @param {(symbol: string | null) => void} [options.onsymbol] lights up the arrays of a symbol of the formula
 * @param {(place: Place) => void} [options.onshow] is told of each number that is shown
 * @param {(name: string) => string} [options.title] what an array is called
 * @param {(name: string) => boolean} [options.derivative] whether the loss has a derivative with respect to an array
 * @param {string} [options.hint] what the empty panel says
 */
export function whyPanel(host, options) {
  const path = options.path ?? "/api/why";
  const heading = el("h2", { tabindex: "-1" }, t("why.title"));
  const content = el("div", { class: "why-content" });
  const panel = el("section", { class: "card why", "aria-label": t("why.title") }, heading, content);
  host.append(panel);
  /** @type {Place[]} */
  let trail = [];
  let asked = 0;
  clear();

  function clear() {
    trail = [];
    heading.textContent = t("why.title");
    content.replaceChildren(el("p", { class: "muted" }, options.hint ?? t("why.hint")));
  }

  /**
   * @param {string} of @param {number[]} index
   * @param {{focus?: boolean, keep?: boolean}} [how] keep: whether the numbers before can be gone back to
   */
  async function show(of, index, { focus = false, keep = false } = {}) {
    const mine = ++asked;
    const place = { of, index };
    const request = { ...options.body(), of, index, count: PAGE };
    const derivative = of.startsWith("d");
    panel.setAttribute("aria-busy", "true");
    try {
      const found = await ask(path, { ...request, numeric: derivative });
      if (mine !== asked) return;
      trail = keep ? [...trail.filter((old) => !same(old, place)), place] : [place];
      fill(found, request);
      options.onshow?.(place);
      if (focus) heading.focus();
    } catch (error) {
      if (mine !== asked) return;
      heading.textContent = t("why.title");
      content.replaceChildren(el("p", { class: "notice bad" }, error instanceof Error ? error.message : String(error)));
    } finally {
      if (mine === asked) panel.removeAttribute("aria-busy");
    }
  }

  /** @param {any} found @param {Record<string, unknown>} request */
  function fill(found, request) {
    heading.textContent = t("why.ask", { number: exact(found.value) });
    /** @type {HTMLElement[]} */
    const parts = [el("p", { class: "why-value" }, options.title ? `${options.title(found.of)} ` : "", el("code", {}, placed(found.of, found.index)))];
    if (trail.length > 1) {
      const before = trail[trail.length - 2];
      const back = el("button", { class: "quiet", onclick: () => { trail = trail.slice(0, -2); void show(before.of, before.index, { focus: true, keep: true }); } }, `← ${placed(before.of, before.index)}`);
      parts.unshift(el("p", { class: "why-trail" }, back));
    }
    if (found.formula.length) parts.push(formulas(found));
    parts.push(sum(found, request));
    if (found.numeric) parts.push(check(found));
    parts.push(...sources(found));
    content.replaceChildren(...parts);
  }

  /** @param {any} found */
  function formulas(found) {
    const box = el("div", { class: "why-formula", tabindex: "0", role: "group", "aria-label": t("why.formula") });
    for (const line of found.formula) {
      const p = el("p", {});
      // Markup that the server made from the docstrings of the installed source.
      p.innerHTML = line.with_index ?? line.html;
      box.append(p);
    }
    for (const symbol of box.querySelectorAll("[data-symbol]")) {
      symbol.addEventListener("pointerenter", () => options.onsymbol?.(symbol.getAttribute("data-symbol")));
      symbol.addEventListener("pointerleave", () => options.onsymbol?.(null));
    }
    return box;
  }

  /** @param {any} found @param {Record<string, unknown>} request */
  function sum(found, request) {
    const box = el("div", { class: "why-sum" });
    if (!found.count) {
      const kinds = { unknown: "why.unknown", given: "why.given" };
      box.append(el("p", {}, t(kinds[/** @type {keyof typeof kinds} */ (found.combine)] ?? "why.no_terms")));
      if (found.combine === "given" && options.derivative?.(found.of)) {
        const derivative = `d${found.of}`;
        box.append(el("p", {}, el("button", { onclick: () => void show(derivative, found.index, { focus: true, keep: true }) }, t("why.ask", { number: placed(derivative, found.index) }))));
      }
      return box;
    }
    const scale = found.scale === 1 ? "" : `${exact(found.scale)} × `;
    const kind = `why.combine_${found.combine.replaceAll("-", "_")}`;
    box.append(el("p", {}, found.count === 1 && found.combine === "sum" ? `= ${scale}${t("why.one_product")}` : `= ${scale}${t(kind, { n: found.count })}`));
    const list = el("ol", { class: "why-terms", "aria-label": t("why.terms") });
    const most = Math.max(...found.terms.map((/** @type {any} */ term) => Math.abs(term.product ?? 0)), 1e-300);
    list.append(...found.terms.map((/** @type {any} */ term) => row(term, most)));
    box.append(list);
    const rest = el("p", { class: "why-rest" });
    box.append(rest);
    /** @type {any[]} */
    const seen = [...found.terms];
    const remain = () => {
      const left = found.count - seen.length;
      rest.replaceChildren();
      if (left === 0) return;
      const sum = found.rest + products(found.terms) - products(seen);
      const text = found.combine === "sum" ? t("why.rest", { n: left, sum: exact(sum) }) : t("why.more_terms", { n: left });
      rest.append(text, " ", el("button", { class: "small", onclick: add }, t("common.more")));
    };
    const add = exclusive(async () => {
      const next = await ask(path, { ...request, numeric: false, first: seen.length, count: 50 });
      list.append(...next.terms.map((/** @type {any} */ term) => row(term, most)));
      seen.push(...next.terms);
      remain();
    }, complain);
    remain();
    const difference = Math.abs((found.total ?? NaN) - (found.value ?? NaN));
    const agrees = difference <= 1e-9 * Math.max(1, Math.abs(found.value));
    box.append(el("p", { class: `why-total ${agrees ? "good" : "bad"}` }, t(agrees ? "why.adds_up" : "why.differs", { total: exact(found.total) })));
    return box;
  }

  /** @param {any} term @param {number} most */
  function row(term, most) {
    const share = term.share ?? Math.min(1, Math.abs(term.product ?? 0) / most);
    const bar = el("span", { class: `why-bar ${term.product < 0 ? "negative" : "positive"}`, "aria-hidden": "true" });
    bar.style.width = `${Math.max(2, share * 100)}%`;
    /** @type {Factor[]} */
    const factors = term.factors;
    const parts = factors.flatMap((/** @type {Factor} */ factor, i) => [i ? el("span", { class: "times" }, "×") : null, chip(factor)]);
    const item = el("li", { class: term.chosen ? "chosen" : "" },
      el("span", { class: "why-product number" }, signed(term.product)),
      el("span", { class: "why-factors" }, parts, term.share === null ? null : el("span", { class: "number" }, percent(term.share)), term.chosen ? el("span", { class: "why-chosen" }, t("why.chosen")) : null),
      bar);
    const light = () => { options.onlight?.(factors.filter((factor) => factor.name)); item.classList.add("lit"); };
    const dim = () => { options.onlight?.([]); item.classList.remove("lit"); };
    item.addEventListener("pointerenter", light);
    item.addEventListener("pointerleave", dim);
    item.addEventListener("focusin", light);
    item.addEventListener("focusout", dim);
    // A tap lights the term on a screen without a pointer.
    item.addEventListener("click", light);
    return item;
  }

  /** @param {Factor} factor */
  function chip(factor) {
    const symbol = el("span", { class: "why-symbol" });
    symbol.innerHTML = factor.mathml;
    const value = el("span", { class: "number" }, exact(factor.value));
    const plain = factor.name === null;
    if (plain && String(factor.value) === factor.symbol) return el("span", { class: "why-factor" }, value);
    const where = plain ? "" : placed(factor.name ?? "", factor.index);
    const words = plain ? "" : `${options.title?.(factor.name ?? "") ?? ""} ${where}`.trim();
    const said = factor.asked ? t("why.ask", { number: words }) : words;
    if (plain || !factor.asked) return el("span", { class: "why-factor", tabindex: plain ? null : "0", title: said || null }, el("span", {}, value, " ", symbol), el("span", { class: "why-place" }, where));
    return el("button", { class: "why-factor", title: said, onclick: () => void show(factor.name ?? "", factor.index, { focus: true, keep: true }) }, el("span", {}, value, " ", symbol), el("span", { class: "why-place" }, where));
  }

  /** @param {any} found */
  function check(found) {
    const { numeric } = found;
    const small = numeric.relative_error !== null && (numeric.relative_error < 1e-4 || Math.max(Math.abs(numeric.value), Math.abs(found.value)) < 1e-9);
    const verdict = numeric.kink ? t("why.kink", { below: exact(numeric.below), above: exact(numeric.above) }) : t(small ? "why.agree" : "why.disagree");
    return el("div", { class: `why-check ${numeric.kink ? "" : small ? "good" : "bad"}` },
      el("h3", {}, t("why.check")),
      el("p", { class: "small" }, t("why.check_text")),
      el("dl", {},
        el("dt", {}, t("why.by_hand")), el("dd", { class: "number" }, exact(found.value)),
        el("dt", {}, t("why.by_difference")), el("dd", { class: "number" }, exact(numeric.value)),
        el("dt", {}, t("why.relative_error")), el("dd", { class: "number" }, numeric.relative_error === null ? "–" : numeric.relative_error.toExponential(1))),
      el("p", { class: "why-verdict" }, verdict));
  }

  /** @param {any} found */
  function sources(found) {
    const parts = [];
    if (found.notes.length) {
      const links = found.notes.map((/** @type {{chapter: string, section: string}} */ link) =>
        el("li", {}, el("a", { href: `/notes/${link.chapter}${link.section ? `#${link.section}` : ""}` }, titled(link))));
      parts.push(el("div", { class: "why-notes" }, el("h3", {}, t("why.notes")), el("ul", {}, links)));
    }
    if (found.code) {
      const { code } = found;
      const lines = code.text.split("\n").map((/** @type {string} */ line, /** @type {number} */ i) =>
        el("span", { class: "line" }, el("span", { class: "line-number", "aria-hidden": "true" }, String(code.first + i)), `${line}\n`));
      parts.push(el("details", { class: "why-code" },
        el("summary", {}, t("why.code")),
        el("p", { class: "small muted" }, t("why.code_place", { file: code.file, first: String(code.first), last: String(code.last) })),
        el("pre", { tabindex: "0", "aria-label": code.name }, el("code", {}, lines))));
    }
    return parts;
  }

  return { panel, show, clear };
}

/** The name of an array and an index in it. @param {string} name @param {number[]} index */
export function placed(name, index) {
  return index.length ? `${name}[${index.join(", ")}]` : name;
}

/** A number with six digits, or another number of them. @param {number | null} value @param {number} [digits] */
export function exact(value, digits = 6) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-4 || size >= 1e7) return value.toExponential(digits - 2).replaceAll("-", "−");
  return number(value, { maximumSignificantDigits: digits }).replace("-", "−");
}

/** The sum of the products of terms. @param {any[]} terms */
function products(terms) {
  return terms.reduce((sum, term) => sum + term.product, 0);
}

/** @param {number | null} value */
function signed(value) {
  const text = exact(value, 5);
  return value !== null && value > 0 ? `+${text}` : text;
}

/** @param {{chapter: string, section: string}} link */
function titled(link) {
  const equation = /^eq-(.*)$/.exec(link.section);
  if (equation) return `(${equation[1]})`;
  const words = (link.section || link.chapter.replace(/^\d+-/, "")).replaceAll("-", " ");
  const chapter = /^(\d+)-/.exec(link.chapter);
  return `${chapter ? `${Number(chapter[1])}. ` : ""}${words[0].toUpperCase()}${words.slice(1)}`;
}

/** @param {Place} a @param {Place} b */
function same(a, b) {
  return a.of === b.of && a.index.join() === b.index.join();
}
