// @ts-check
/** Marks in the contents what is being read, and keeps the mark in sight. */

const contents = /** @type {HTMLElement} */ (document.getElementById("contents"));
/** @type {Map<string, HTMLElement>} */
const lines = new Map([...contents.querySelectorAll("ol a")].map((line) => [decodeURIComponent(/** @type {HTMLAnchorElement} */ (line).hash.slice(1)), /** @type {HTMLElement} */ (line)]));
const headings = [...document.querySelectorAll(".chapter :is(h1, h2)")].filter((heading) => lines.has(heading.id));
/** @type {HTMLElement[]} */
let marked = [];

function mark() {
  // The last heading above the upper third of the window; they are in order.
  let low = 0;
  let high = headings.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (headings[middle].getBoundingClientRect().top <= innerHeight / 3) low = middle + 1;
    else high = middle;
  }
  const current = low ? lines.get(headings[low - 1].id) : undefined;
  const chapter = current?.closest("ol ol")?.parentElement?.querySelector("a") ?? current;
  const now = /** @type {HTMLElement[]} */ ([...new Set([chapter, current])].filter(Boolean));
  if (now.at(-1) === marked.at(-1)) return;
  for (const line of marked) line.removeAttribute("aria-current");
  for (const line of now) line.setAttribute("aria-current", line === current ? "location" : "true");
  marked = now;
  if (!current || contents.classList.contains("searching")) return;
  const [box, line] = [contents.getBoundingClientRect(), current.getBoundingClientRect()];
  if (line.top < box.top || line.bottom > box.bottom) contents.scrollTop += line.top - box.top - box.height / 3;
}

let waiting = false;
addEventListener("scroll", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    mark();
  });
}, { passive: true });
mark();
export {};
