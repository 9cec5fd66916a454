// @ts-check
/**
 * The tour: a small panel beside the controls that it speaks of, through the rooms. The page stays usable; the panel is
 * no modal dialog and keeps no focus.
 */

import { el, main } from "./dom.js";
import { TOUR } from "./shell.js";
import { t } from "./text.js";

/** When the tour was ended or left, it is not offered by itself again. */
const DONE = "digitscope.toured";
/** Milliseconds in which a room should have made its controls. */
const PATIENCE = 8000;

/** @typedef {{page: string, target: string, key: string}} Stop */
/** @type {Stop[]} */
const ALL = [
  { page: "/", target: "#tour", key: "welcome" },
  { page: "/draw", target: ".surface", key: "draw" },
  { page: "/draw", target: ".part-why", key: "why" },
  { page: "/draw", target: ".part-network", key: "break" },
  { page: "/draw", target: ".teach", key: "teach" },
  { page: "/step", target: ".bar", key: "numbers" },
  { page: "/train", target: ".play, [type=submit].main", key: "watch" },
  { page: "/notes/05-backpropagation", target: "#eq-5\\.4", key: "notes" },
];
/** The stops in rooms that this lab has. */
const rooms = [...document.querySelectorAll(".top nav a")].map((link) => link.getAttribute("href"));
const STOPS = ALL.filter(({ page }) => page === "/" || rooms.includes(`/${page.split("/")[1]}`));

/** @type {HTMLElement | null} */
let panel = null;
/** @type {Element | null} */
let pointed = null;
let planned = false;
/** Whether the visitor has scrolled since the target was shown. */
let moved = false;

/** Shows the first stop without taking the focus, at a first visit. */
export function offer() {
  if (localStorage.getItem(DONE) === null && sessionStorage.getItem(TOUR) === null) void show(0, false);
}

export function begin() {
  go(1);
}

/** Goes on with a tour that came to this page. */
export function goOn() {
  const index = Number(sessionStorage.getItem(TOUR));
  if (STOPS[index]?.page === location.pathname) void show(index, index > 0);
}

/** @param {number} index */
function go(index) {
  sessionStorage.setItem(TOUR, String(index));
  const stop = STOPS[index];
  if (stop.page !== location.pathname) location.assign(stop.page === "/" ? "/#start" : stop.page);
  else void show(index, true);
}

function end() {
  sessionStorage.removeItem(TOUR);
  localStorage.setItem(DONE, "1");
  const hadFocus = panel?.contains(document.activeElement);
  leave();
  panel?.remove();
  panel = null;
  removeEventListener("keydown", escape);
  if (hadFocus) main.focus();
}

function leave() {
  pointed?.classList.remove("tour-target");
  pointed = null;
}

/** @param {KeyboardEvent} event */
function escape(event) {
  if (event.key === "Escape" && !event.defaultPrevented) end();
}

/**
 * @param {number} index
 * @param {boolean} focus whether the panel takes the focus: not when it comes unasked
 */
async function show(index, focus) {
  sessionStorage.setItem(TOUR, String(index));
  const stop = STOPS[index];
  leave();
  panel ??= build();
  const heading = el("h2", { id: "tour-title", tabindex: "-1" }, t(`tour.title_${stop.key}`));
  const last = index === STOPS.length - 1;
  panel.replaceChildren(
    el("p", { class: "tour-count" }, t("tour.count", { n: index + 1, of: STOPS.length })),
    heading,
    el("p", {}, t(`tour.text_${stop.key}`)),
    el("div", { class: "controls" },
      last ? null : el("button", { class: "quiet", onclick: end }, t("tour.skip")),
      index ? el("button", { onclick: () => go(index - 1) }, t("common.back")) : null,
      el("button", { class: "main", onclick: () => (last ? end() : go(index + 1)) }, last ? t("tour.done") : t("common.next"))),
  );
  panel.hidden = false;
  place();
  if (focus) heading.focus({ preventScroll: true });
  const target = await found(stop.target);
  if (!panel || sessionStorage.getItem(TOUR) !== String(index)) return;
  pointed = target;
  pointed?.classList.add("tour-target");
  moved = false;
  reveal(matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");
  place();
}

/** @param {ScrollBehavior} behavior */
function reveal(behavior) {
  const tall = pointed && pointed.getBoundingClientRect().height > innerHeight * 0.45;
  pointed?.scrollIntoView({ behavior, block: tall || innerWidth < 640 ? "start" : "center" });
}

/** What the room adds later may push the target out of the window; whoever has scrolled is left alone. */
function grown() {
  const at = pointed?.getBoundingClientRect();
  if (at && !moved && (at.top > innerHeight * 0.6 || at.bottom < 0)) reveal("auto");
  plan();
}

function build() {
  const made = el("section", { class: "tour", role: "dialog", "aria-modal": "false", "aria-labelledby": "tour-title" });
  // At the beginning of the page, so that the keyboard and a screen reader meet it first.
  document.querySelector(".skip")?.after(made);
  for (const event of ["scroll", "resize"]) addEventListener(event, plan, { passive: true });
  for (const event of ["wheel", "touchmove", "keydown"]) addEventListener(event, () => (moved = true), { passive: true });
  new ResizeObserver(grown).observe(main);
  addEventListener("keydown", escape);
  return made;
}

function plan() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => {
    planned = false;
    place();
  });
}

/**
 * Beside the target: to its right, or below it, or above; in the corner if the target is large; at the foot of a narrow
 * window, or at its head if the target is at its foot.
 */
function place() {
  if (!panel) return;
  const { style, offsetWidth: width, offsetHeight: height } = panel;
  const gap = 14;
  const at = pointed?.getBoundingClientRect();
  const narrow = innerWidth < 640;
  const atHead = narrow && at && at.top > height + gap && at.bottom > innerHeight - height - gap;
  panel.classList.toggle("at-head", Boolean(atHead));
  if (narrow || !at || at.height > innerHeight * 0.45) {
    style.left = style.top = "";
    return;
  }
  const besides = at.right + gap + width < innerWidth;
  const below = at.bottom + gap + height < innerHeight;
  const above = at.top - gap - height > 0;
  const left = besides ? at.right + gap : at.left;
  const top = besides ? at.top : below ? at.bottom + gap : above ? at.top - gap - height : innerHeight - height - gap;
  style.left = `${Math.min(Math.max(left, gap), innerWidth - width - gap)}px`;
  style.top = `${Math.min(Math.max(top, gap), innerHeight - height - gap)}px`;
}

/**
 * The element, as soon as the room has made it.
 * @param {string} selector
 * @returns {Promise<Element | null>}
 */
function found(selector) {
  const there = () => {
    return [...main.querySelectorAll(selector)].find((element) => element.getClientRects().length) ?? null;
  };
  return new Promise((resolve) => {
    const now = there();
    if (now) return resolve(now);
    const timer = setTimeout(() => stop(null), PATIENCE);
    const observer = new MutationObserver(() => there() && stop(there()));
    observer.observe(main, { childList: true, subtree: true, attributes: true });
    /** @param {Element | null} element */
    function stop(element) {
      clearTimeout(timer);
      observer.disconnect();
      resolve(element);
    }
  });
}
