// @ts-check
/** The teacher's page: the wall for the projector, and the controls. */

import { digit } from "../digit.js";
import { complain, el, main, setText } from "../dom.js";
import { ask, coalesced, decode, get, listen } from "../engine.js";
import { percent, t } from "../text.js";
import { confusionTable } from "./confusion.js";
import { lessonPanel } from "./lesson.js";

/** @typedef {{number: number, meant: number, read: number | null, probability: number, expected: boolean | null, image: import("../engine.js").Encoded | null}} Drawing */

const NOT_A_DIGIT = 10;
/** Milliseconds after which the page asks even if nothing was said to have changed: phones may have left. */
const POLL = 8000;

/** @type {Map<number, ArrayLike<number>>} */
const pictures = new Map();
/** @type {any} */
let state = null;
let starting = false;

/** @param {string} path @param {unknown} [body] */
async function tell(path, body = {}) {
  try {
    await ask(`/api/class/${path}`, body);
    await refresh();
  } catch (error) {
    complain(error);
  }
}

/** The first time this takes a second or more: the server loads the network. */
async function startClass() {
  starting = begin.disabled = true;
  await tell("start", { model: model.value });
  starting = begin.disabled = false;
}

// The parts of the page.

const model = el("select", { id: "model", onchange: () => state.open && tell("model", { model: model.value }) });
// Disabled until the models are known.
const begin = el("button", { class: "main big", type: "button", disabled: true, onclick: () => void startClass() }, t("class.start"));
const steps = el(
  "ol", { class: "steps" },
  ["scan", "draw", "learn"].map((step) => el("li", {}, el("strong", {}, t(`class.step_${step}`)), el("span", {}, t(`class.step_${step}_more`)))),
);
const invitation = el(
  "section", { class: "card invitation" },
  steps,
  el("div", { class: "controls" }, el("label", { for: "model" }, t("class.model")), model, begin),
);

const which = el("select", { "aria-label": t("class.address"), onchange: showJoin });
const code = el("strong", { class: "code" });
const address = el("strong", { class: "address" });
const qr = el("img", { class: "qr", width: 300, height: 300 });
const reachable = el("div", { class: "reachable" }, qr, el("p", {}, t("class.join_type")), address, el("p", {}, t("class.join_code")), code, which);
const alone = el(
  "div", { class: "notice" },
  el("p", {}, t("class.alone")),
  el("pre", {}, el("code", {}, "digitscope lab --host 0.0.0.0")),
  el("p", {}, el("a", { href: "/phone", target: "_blank" }, t("class.try_here"))),
);
const phones = el("p", { class: "phones" });
const joinCard = el("section", { class: "card join", "aria-labelledby": "join-head" }, el("h2", { id: "join-head" }, t("class.join")), reachable, alone, phones);

const tally = el("p", { class: "tally" });
const guesses = el("p", { class: "muted" });
const said = el("p", { class: "hidden", role: "status" });
const misread = el("div", { class: "tiles large", role: "group", "aria-label": t("class.misread") });
const misreadPart = el("section", { class: "card misread" }, el("h2", {}, t("class.misread")), misread);
const newest = el("div", { class: "tiles", role: "group", "aria-label": t("class.newest") });
const waiting = el("p", { class: "muted waiting" }, t("class.waiting"));
const frozen = el("p", { class: "notice" }, t("class.is_frozen"));
const newestPart = el("section", { class: "card newest" }, el("h2", {}, t("class.newest")), frozen, waiting, newest);
const table = confusionTable((meant, read) => void openCell(meant, read));
const matrixPart = el("section", { class: "card confusion" }, el("h2", {}, t("common.confusion")), tally, guesses, table.element);
const lesson = lessonPanel({
  learn: () => tell("learn"),
  cancel: () => tell("cancel"),
  use: (name) => tell("model", { model: name }),
});
const wall = el("div", { class: "wall" }, joinCard, el("div", { class: "middle" }, misreadPart, newestPart), el("div", { class: "side" }, matrixPart, lesson.element));

const freeze = el("button", { type: "button", onclick: () => tell("freeze", { frozen: !state.frozen }) });
const task = el("select", { id: "task", onchange: () => tell("task", { task: task.value, digit: Number(asked.value) }) }, ["each", "same", "free"].map((name) => el("option", { value: name }, t(`class.task_${name}`))));
const asked = el("select", { "aria-label": t("common.digit"), onchange: () => tell("task", { task: task.value, digit: Number(asked.value) }) }, Array.from({ length: 10 }, (_, k) => el("option", { value: k }, String(k))));
const hiddenButton = el("button", { type: "button", onclick: () => void openHidden() });
const clear = el("button", { type: "button", onclick: () => confirmed(t("class.clear_sure"), () => tell("clear")) }, t("common.clear"));
const end = el("button", { type: "button", onclick: () => confirmed(t("class.end_sure"), () => tell("end")) }, t("class.end"));
const project = el("button", { type: "button", onclick: () => document.documentElement.requestFullscreen?.().catch(complain) }, t("class.project"));
const files = el(
  "details", { class: "files" }, el("summary", {}, t("class.download")),
  ["csv", "idx", "png"].map((format) => el("a", { class: "button", href: `/api/class/download?format=${format}`, download: "" }, t(`class.download_${format}`))),
);
const reading = el("span", { class: "reading" });
const controls = el(
  "section", { class: "card teacher", "aria-label": t("class.controls") },
  el("div", { class: "controls" }, freeze, el("label", { for: "task" }, t("class.task")), task, asked, hiddenButton, project),
  el("div", { class: "controls" }, reading, files, clear, end),
);

const dialog = el("dialog", { class: "pictures" });
document.body.append(dialog);
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

// Until the first answer there is nothing to control.
wall.hidden = controls.hidden = true;
main.append(invitation, wall, controls, said);

// What happens.

/** Asks for everything that the wall shows. */
const refresh = coalesced(async () => {
  const known = Math.max(0, ...pictures.keys());
  let found = await get("/api/class/wall", { after: known });
  if ([...found.newest, ...found.misread].some((drawing) => !drawing.image && !pictures.has(drawing.number))) {
    found = await get("/api/class/wall"); // a drawing before these was shown again, or another was hidden
  }
  for (const drawing of [...found.newest, ...found.misread]) if (drawing.image) pictures.set(drawing.number, decode(drawing.image));
  state = found;
  show();
}, complain);

function show() {
  const begun = state.open || state.count > 0 || state.hidden > 0;
  invitation.hidden = state.open;
  begin.textContent = begun ? t("class.start_again") : t("class.start");
  steps.hidden = begun;
  wall.hidden = controls.hidden = !begun;
  document.body.classList.toggle("begun", begun);
  fill(model, state.models, state.model);
  begin.disabled = starting;
  joinCard.hidden = !state.open;
  showJoin();
  phones.textContent = t("class.phones", { n: state.phones, active: state.active });
  tally.replaceChildren(...summary());
  guesses.textContent = state.guesses ? t("class.guesses", { right: state.guessed, n: state.guesses }) : "";
  frozen.hidden = !state.frozen;
  waiting.hidden = state.count > 0;
  misreadPart.hidden = state.misread.length === 0;
  arrange(misread, state.misread, "large");
  arrange(newest, state.newest, "small");
  table.update(state.confusion);
  lesson.update(state.lesson, { enough: state.count >= 7, reading: state.model });
  freeze.textContent = state.frozen ? t("class.go_on") : t("class.freeze");
  freeze.setAttribute("aria-pressed", String(state.frozen));
  freeze.hidden = end.hidden = !state.open;
  if (document.activeElement !== task) task.value = state.task;
  asked.hidden = state.task !== "same";
  if (document.activeElement !== asked) asked.value = String(state.digit);
  hiddenButton.hidden = state.hidden === 0;
  hiddenButton.textContent = t("class.hidden", { n: state.hidden });
  reading.textContent = t("class.read_by", { model: state.model });
  files.hidden = clear.hidden = state.count === 0;
}

/** How many were read as they were meant. */
function summary() {
  if (state.count === 0) return [t("class.nothing_yet")];
  return [el("strong", { class: "share" }, percent(state.right / state.count, 0)), " ", t("class.tally", { right: state.right, n: state.count })];
}

function showJoin() {
  const has = state.addresses.length > 0;
  reachable.hidden = !has;
  alone.hidden = has;
  if (!has) return;
  const place = Math.max(0, state.addresses.indexOf(which.value));
  fill(which, state.addresses, state.addresses[place]);
  which.hidden = state.addresses.length < 2;
  address.textContent = state.addresses[place];
  code.textContent = state.code;
  const source = `/api/class/qr?address=${place}`;
  if (qr.getAttribute("src") !== source) qr.src = source;
  qr.alt = t("class.qr", { address: state.addresses[place] });
}

/** @param {HTMLSelectElement} select @param {string[]} names @param {string} chosen */
function fill(select, names, chosen) {
  if ([...select.options].map((option) => option.value).join() !== names.join()) {
    select.replaceChildren(...names.map((name) => el("option", { value: name }, name)));
  }
  if (document.activeElement !== select) select.value = chosen;
}

/** @type {WeakMap<HTMLElement, Map<number, HTMLElement>>} */
const tiles = new WeakMap();

/**
 * Shows these drawings in this order; those that are there already stay the same elements, with their focus.
 * @param {HTMLElement} list @param {Drawing[]} drawings @param {string} size
 */
function arrange(list, drawings, size) {
  const known = tiles.get(list) ?? new Map();
  const wanted = new Map(drawings.map((drawing) => [drawing.number, known.get(drawing.number) ?? tile(drawing, size)]));
  tiles.set(list, wanted);
  for (const [number, element] of known) if (!wanted.has(number)) element.remove();
  [...wanted.values()].forEach((element, place) => {
    if (list.children[place] !== element) list.insertBefore(element, list.children[place] ?? null);
  });
}

/** @param {number | null} read */
const readName = (read) => (read === null ? t("common.no_digit") : String(read));

/** @param {Drawing} drawing @param {string} size */
function tile(drawing, size) {
  const right = drawing.read === drawing.meant;
  const picture = digit(pictures.get(drawing.number) ?? []);
  const words = { meant: String(drawing.meant), read: readName(drawing.read) };
  const caption = right
    ? [el("b", {}, words.read), el("span", { class: "good" }, " ✓")]
    : [el("span", {}, `${drawing.meant} `), el("span", { class: "bad" }, "✗ "), el("b", {}, drawing.read === null ? "?" : words.read)];
  const more = size === "large" ? el("span", { class: "more" }, t("class.meant_read", words)) : false;
  return el(
    "button", { type: "button", class: right ? "tile" : "tile wrong", "aria-label": t("class.tile", words), onclick: () => openDrawings([drawing], t("class.tile", words)) },
    picture, el("span", { class: "caption", "aria-hidden": "true" }, caption), more,
  );
}

/**
 * Shows drawings large, with what the teacher can do about each.
 * @param {Drawing[]} drawings @param {string} title @param {boolean} [hidden]
 */
function openDrawings(drawings, title, hidden = false) {
  const close = el("button", { type: "button", class: "main", onclick: () => dialog.close() }, t("common.close"));
  const shown = drawings.map((drawing) => {
    const values = drawing.image ? decode(drawing.image) : (pictures.get(drawing.number) ?? []);
    const words = { meant: String(drawing.meant), read: readName(drawing.read) };
    const chance = drawing.read === null ? "" : ` (${percent(drawing.probability)})`;
    const figure = el("figure", {}, digit(values, t("class.tile", words)), el("figcaption", {}, t("class.meant_read", words), chance));
    /** @param {string} path @param {object} body */
    const act = async (path, body) => {
      await tell(path, body);
      figure.remove();
      if (!dialog.querySelector("figure")) dialog.close();
    };
    const buttons = hidden
      ? [el("button", { type: "button", onclick: () => act("hide", { number: drawing.number, hidden: false }) }, t("class.show_again"))]
      : [
          el("button", { type: "button", onclick: () => act("hide", { number: drawing.number }) }, t("class.hide")),
          el("button", { type: "button", onclick: () => act("mute", { number: drawing.number }) }, t("class.mute")),
        ];
    figure.append(el("div", { class: "controls" }, buttons));
    return figure;
  });
  dialog.setAttribute("aria-label", title);
  dialog.replaceChildren(el("h1", {}, title), el("div", { class: "figures" }, shown), close);
  if (!dialog.open) dialog.showModal();
  close.focus();
}

/** @param {number} meant @param {number} read */
async function openCell(meant, read) {
  try {
    const drawings = await get("/api/class/cell", { meant, read });
    if (drawings.length) openDrawings(drawings, t("class.tile", { meant: String(meant), read: readName(read === NOT_A_DIGIT ? null : read) }));
  } catch (error) {
    complain(error);
  }
}

async function openHidden() {
  try {
    openDrawings(await get("/api/class/hidden"), t("class.hidden", { n: state.hidden }), true);
  } catch (error) {
    complain(error);
  }
}

/** @param {string} question @param {() => void} act */
function confirmed(question, act) {
  const yes = el("button", { type: "button", class: "main", onclick: () => { dialog.close(); act(); } }, t("class.yes"));
  const no = el("button", { type: "button", onclick: () => dialog.close() }, t("class.no"));
  dialog.setAttribute("aria-label", question);
  dialog.replaceChildren(el("h1", {}, question), el("div", { class: "controls" }, yes, no));
  dialog.showModal();
  no.focus();
}

/** Screen readers are told how the class stands, not of every drawing. */
setInterval(() => {
  const text = state?.count ? `${t("class.tally", { right: state.right, n: state.count })} ${t("class.phones", { n: state.phones, active: state.active })}` : "";
  setText(said, text);
}, 15000);

document.addEventListener("fullscreenchange", () => document.body.classList.toggle("projecting", document.fullscreenElement !== null));
listen("class", refresh);
listen("reset", refresh);
setInterval(() => document.visibilityState === "visible" && void refresh(), POLL);
await refresh();
