// @ts-check
/** Search in all chapters: as digitscope.notes.search, a passage is what stands below one heading. */

const MOST = 30;
const EXCERPT = 120;
const contents = /** @type {HTMLElement} */ (document.getElementById("contents"));

/** @param {string} text */
const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** @param {Element} element its text without the words inside pictures */
function words(element) {
  const copy = /** @type {Element} */ (element.cloneNode(true));
  copy.querySelectorAll("svg, form").forEach((part) => part.remove());
  return copy.textContent ?? "";
}

/** @returns {{ id: string, heading: string, chapter: string, text: string, folded: string }[]} */
function passages() {
  const found = [];
  for (const chapter of document.querySelectorAll(".chapter")) {
    let passage = null;
    for (const part of chapter.children) {
      if (/^H[1-4]$/.test(part.tagName)) {
        if (passage) found.push(passage);
        passage = { id: part.id, heading: words(part), chapter: words(/** @type {Element} */ (chapter.querySelector("h1"))), text: "" };
      } else if (passage && part.tagName !== "NAV") passage.text += ` ${words(part)}`;
    }
    if (passage) found.push(passage);
  }
  // NFD may change the length of a text; excerpts are cut from the folded one's places in the composed form.
  return found.map((passage) => {
    const text = passage.text.replace(/\s+/g, " ").trim().normalize("NFC");
    return { ...passage, text, folded: fold(text) };
  });
}

/** @type {ReturnType<typeof passages> | null} */
let all = null;

/** @param {string} query */
function find(query) {
  all ??= passages();
  const asked = fold(query).split(/\s+/).filter(Boolean);
  if (!asked.length) return [];
  const scored = [];
  for (const passage of all) {
    const heading = fold(passage.heading);
    if (!asked.every((word) => heading.includes(word) || passage.folded.includes(word))) continue;
    let score = passage.folded.includes(asked.join(" ")) ? 10 : 0;
    for (const word of asked) score += (heading.includes(word) ? 20 : 0) + Math.min(passage.folded.split(word).length - 1, 10);
    scored.push({ passage, score });
  }
  scored.sort((a, b) => b.score - a.score);
  return scored.map(({ passage }) => ({ passage, asked }));
}

/** @param {ReturnType<typeof find>[number]} found */
function entry({ passage, asked }) {
  const link = document.createElement("a");
  link.href = `#${passage.id}`;
  const title = Object.assign(document.createElement("b"), { textContent: passage.heading });
  const chapter = Object.assign(document.createElement("small"), { textContent: passage.heading === passage.chapter ? "" : passage.chapter });
  const excerpt = document.createElement("span");
  const places = asked.map((word) => passage.folded.indexOf(word)).filter((place) => place >= 0);
  const start = places.length ? Math.max(Math.min(...places) - EXCERPT / 4, 0) : 0;
  const begin = start && passage.text.indexOf(" ", start) + 1;
  const part = passage.text.slice(begin, begin + EXCERPT);
  const pattern = asked.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  let last = 0;
  for (const match of fold(part).matchAll(new RegExp(pattern, "g"))) {
    excerpt.append(part.slice(last, match.index), Object.assign(document.createElement("mark"), { textContent: part.slice(match.index, match.index + match[0].length) }));
    last = match.index + match[0].length;
  }
  excerpt.append(part.slice(last), begin + EXCERPT < passage.text.length ? " …" : "");
  link.append(title, chapter, excerpt);
  const item = document.createElement("li");
  item.append(link);
  return item;
}

const field = Object.assign(document.createElement("input"), { type: "search", placeholder: "Search", autocomplete: "off", spellcheck: false });
field.setAttribute("aria-label", "Search the notes");
const status = document.createElement("p");
status.setAttribute("role", "status");
const results = Object.assign(document.createElement("ol"), { className: "results" });
const box = document.createElement("search");
box.append(field, status, results);
contents.querySelector(".nav-title")?.after(box);

field.addEventListener("input", () => {
  const found = find(field.value);
  const empty = !field.value.trim();
  contents.classList.toggle("searching", !empty);
  status.textContent = empty ? "" : found.length ? `${found.length} ${found.length === 1 ? "passage" : "passages"}` : "No passage has these words.";
  results.replaceChildren(...found.slice(0, MOST).map(entry));
});
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter") /** @type {HTMLElement | null} */ (results.querySelector("a"))?.click();
  if (event.key === "Escape") {
    field.value = "";
    field.dispatchEvent(new Event("input"));
  }
});
export {};
