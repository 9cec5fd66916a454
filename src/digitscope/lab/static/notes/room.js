// @ts-check
/** The notes: search, the section being read, what can be touched, answers, formulas that are wider than the page. */

import { get } from "../engine.js";
import { complain, el, main } from "../dom.js";
import { t } from "../text.js";

const results = document.getElementById("results");
if (results) searchPage(results);
else if (main.querySelector(".reading")) chapter();

/** @param {HTMLElement} list */
function searchPage(list) {
  const input = /** @type {HTMLInputElement} */ (main.querySelector("input[name=q]"));
  const count = /** @type {HTMLElement} */ (document.getElementById("count"));
  let newest = 0;

  async function show() {
    const query = input.value.trim();
    const number = ++newest;
    history.replaceState(null, "", query ? `?${new URLSearchParams({ q: query })}` : location.pathname);
    /** @type {{section: string, title: string, anchor: string, heading: string, excerpt: string, marks: number[][]}[]} */
    const found = query ? await get("/api/notes/search", { q: query }) : [];
    if (number !== newest) return;
    list.replaceChildren(...found.map(result));
    const n = found.length;
    if (!query) count.textContent = t("notes.found_start");
    else if (n === 0) count.textContent = t("notes.found_none", { query });
    else count.textContent = n === 1 ? t("notes.found_one", { query }) : t("notes.found", { n, query });
  }

  const search = () => show().catch(complain);
  /** @type {number | undefined} */
  let waiting;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 150);
  });
  input.form?.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  input.value = new URLSearchParams(location.search).get("q") ?? "";
  input.focus();
  search();
}

/** @param {{section: string, title: string, anchor: string, heading: string, excerpt: string, marks: number[][]}} found */
function result({ section, title, anchor, heading, excerpt, marks }) {
  const parts = [];
  let end = 0;
  for (const [from, to] of marks) {
    parts.push(excerpt.slice(end, from), el("mark", {}, excerpt.slice(from, to)));
    end = to;
  }
  const name = heading === title ? title : heading;
  return el(
    "li",
    {},
    el("h2", {}, el("a", { href: `/notes/${section}#${anchor}` }, name)),
    heading === title ? null : el("p", { class: "muted small" }, title),
    el("p", {}, ...parts, excerpt.slice(end), " …"),
  );
}

function chapter() {
  const contents = /** @type {HTMLDetailsElement} */ (main.querySelector(".sidebar details"));
  const wide = matchMedia("(min-width: 68rem)");
  const arrange = () => (contents.open = wide.matches);
  wide.addEventListener("change", arrange);
  arrange();
  contents.addEventListener("click", (event) => {
    if (!wide.matches && event.target instanceof HTMLAnchorElement) contents.open = false;
  });
  markSection();
  bringToLife().catch(complain);
  nameScrollers();
  addEventListener("resize", nameScrollers);
}

/** What can be touched, and the fields for answers. */
async function bringToLife() {
  const top = scrollY;
  const names = [...main.querySelectorAll(".explorable")].map((place) => place.id.replace("-", "_"));
  if (main.querySelector(".answers")) names.push("answers");
  await Promise.all(names.map((name) => import(`./live/${name}.js`)));
  // Where a browser does not keep its place while the page above grows, the address leads there again.
  if (scrollY === top) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

/** In the contents, the section that is being read. */
function markSection() {
  const headings = /** @type {HTMLElement[]} */ ([...main.querySelectorAll("article h2[id]")]);
  const links = new Map(
    [...main.querySelectorAll(".sidebar ol ol a")].map((link) => [link.getAttribute("href"), link]),
  );
  let current = "";
  function mark() {
    const read = headings.filter((heading) => heading.getBoundingClientRect().top < innerHeight / 3).at(-1);
    const id = read ? `#${read.id}` : "";
    if (id === current) return;
    links.get(current)?.removeAttribute("aria-current");
    links.get(id)?.setAttribute("aria-current", "location");
    current = id;
  }
  let planned = false;
  addEventListener(
    "scroll",
    () => {
      if (planned) return;
      planned = true;
      requestAnimationFrame(() => {
        planned = false;
        mark();
      });
    },
    { passive: true },
  );
  mark();
}

/** What is wider than the page can be scrolled with the keyboard, and has a name then. */
function nameScrollers() {
  for (const box of main.querySelectorAll("article :is(.equation > div, pre, .wide, .glued)")) {
    if (box.scrollWidth > box.clientWidth) {
      box.setAttribute("tabindex", "0");
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", t("notes.wide"));
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }
}
