// @ts-check
/** The room Draw. The address holds the whole state: the drawing, the model, the damage, the open unit. */

import { complain, el, main } from "../dom.js";
import { drawing, packed, unpacked } from "../drawing.js";
import { decode, get, latest, upload } from "../engine.js";
import { readState, writeState } from "../state.js";
import { percent, t } from "../text.js";
import { answerView } from "./answer.js";
import { damageView } from "./damage.js";
import { example } from "./example.js";
import { guessView } from "./guess.js";
import { networkView } from "./network.js";
import { preparationView } from "./preparation.js";
import { reasonsView } from "./reasons.js";
import { teachingView } from "./teaching.js";
import { unitView } from "./unit.js";

const MEMORY = "digitscope.draw";
/** Milliseconds until it is asked again for images that are still searched. */
const SEARCH_PAUSE = 700;
const WIDTHS = { thin: 40, medium: 70, thick: 110 };
const DEFAULTS = {
  model: "",
  ink: "",
  /** A picture instead of strokes, as prepared and only scaled: pixels in base64. */
  image: "",
  raw: "",
  prepared: true,
  /** @type {any[]} */
  damage: [],
  unit: "",
};

const isFirst = !location.hash && !localStorage.getItem(MEMORY);
if (!location.hash && !isFirst) history.replaceState(null, "", localStorage.getItem(MEMORY) || "#");
const state = readState(DEFAULTS);

let models = await get("/api/models");
/** @param {string} name */
const isKnown = (name) => models.models.some((/** @type {any} */ model) => model.name === name);
if (!isKnown(state.model)) state.model = models.default;

const ask = {
  answer: latest("/api/draw/answer"),
  layers: latest("/api/draw/layers"),
  unit: latest("/api/draw/unit"),
  why: latest("/api/draw/why"),
};

/* The parts of the page. */
const surface = el("div", { class: "surface" });
const help = el("p", { class: "hidden", id: "drawing-help" }, t("draw.keys"));
const penState = el("output", { class: "hidden", "aria-live": "polite" });
const undo = el("button", { onclick: () => board.undo() }, t("common.undo"));
const clear = el("button", { onclick: clearAll }, t("common.clear"));
const brushes = el("fieldset", { class: "brushes" }, el("legend", { class: "hidden" }, t("draw.brush")));
for (const [name, width] of Object.entries(WIDTHS)) {
  const radio = el("input", { type: "radio", name: "brush", value: name, onchange: () => board.pen(width) });
  radio.checked = name === "medium";
  const dot = el("span", { class: `dot ${name}`, "aria-hidden": "true" });
  brushes.append(el("label", {}, radio, dot, el("span", { class: "hidden" }, t(`draw.brush_${name}`))));
}
const file = el("input", { type: "file", accept: "image/*", class: "hidden", id: "picture", onchange: () => file.files?.[0] && take(file.files[0]) });
const camera = el("input", { type: "file", accept: "image/*", capture: "environment", class: "hidden", id: "camera", onchange: () => camera.files?.[0] && take(camera.files[0]) });
const shownPicture = el("figure", { class: "shown-picture", hidden: true });
const modelChoice = el("select", { id: "model", onchange: () => choose(modelChoice.value) });
const broken = el("p", { class: "notice bad", role: "status", hidden: true });
const board = drawing(surface, {
  label: t("draw.drawing"),
  help: "drawing-help",
  strokes: unpacked(state.ink),
  onchange: changed,
  onpen: (down) => (penState.textContent = t(down ? "draw.pen_down" : "draw.pen_up")),
});
surface.append(shownPicture);

const answerPart = el("section", { class: "card answer", "aria-label": t("draw.answer_title") });
const guessPart = el("section", { class: "card guess", "aria-label": t("draw.guess_title") });
const teachPart = el("section", { class: "card teach", "aria-label": t("draw.teach_title") });
const digitsPart = el("section", { class: "card", "aria-label": t("draw.digits_title"), hidden: true });
const preparationPart = section("preparation");
const whyPart = section("why");
const networkPart = section("network");
const guessMore = el("button", { hidden: true, onclick: guessAgain }, t("draw.guess_again"));
const oneStep = el("a", { class: "button", href: "/step" }, t("draw.one_step"));
const reasons = el("div");
whyPart.append(el("div", { class: "controls" }, guessMore, oneStep), reasons);
const breaking = el("div");
const layerList = el("div");
const aside = el("div", { class: "aside" });
networkPart.append(breaking, el("div", { class: "inside" }, layerList, aside));

main.append(
  el("div", { class: "draw-top" },
    el("div", { class: "draw-left" },
      surface, help, penState,
      el("div", { class: "controls tools" }, undo, clear, brushes,
        el("label", { class: "button", for: "picture" }, t("draw.picture")), file,
        el("span", { class: "camera" }, el("label", { class: "button", for: "camera" }, t("draw.camera")), camera)),
      el("p", { class: "small muted" }, t("draw.paste")),
    ),
    el("div", { class: "stack" }, broken, answerPart,
      el("div", { class: "controls" }, el("label", { for: "model" }, t("common.model")), modelChoice)),
    el("div", { class: "stack draw-right" }, guessPart, teachPart),
  ),
  preparationPart, whyPart, networkPart, digitsPart,
);

const badge = el("div", { class: "badge", "aria-hidden": "true" });
board.element.append(badge);
const answer = answerView(answerPart, badge);
const preparation = preparationView(preparationPart, { prepared: state.prepared, onswitch: (prepared) => change({ prepared }) });
const why = reasonsView(reasons);
const network = networkView(layerList, { onpick: openUnit, onoff: (layer) => toggle(layer, []) });
const unit = unitView({
  onoff: (k) => open && toggle(path(open.layer), [k]),
  onclose: closeUnit,
  body: question,
  onlight: (factors) => network.light(factors),
});
const damage = damageView(breaking, { onchange: (parts) => change({ damage: parts }) });
const teaching = teachingView(teachPart, digitsPart, { question, onmodel: (name) => void learn(name).catch(complain) });
const guess = guessView(guessPart, board);

/** @type {{layer: string, index: number[]} | null} */
let open = parseUnit(state.unit);
/** The newest answers of the server. @type {{answer: any, why: any, layers: any[]}} */
const known = { answer: null, why: null, layers: [] };

/** @param {string} name */
function section(name) {
  const id = `title-${name}`;
  return el("section", { class: `card part-${name}`, "aria-labelledby": id }, el("h2", { id }, t(`draw.title_${name}`)), el("p", { class: "muted" }, t(`draw.lead_${name}`)));
}

/** What is asked: everything that the answers depend on. */
function question() {
  const image = state.prepared ? state.image : state.raw || state.image;
  const shown = state.image ? { image } : { strokes: board.strokes, prepared: state.prepared };
  return { model: state.model, damage: state.damage, drawing: shown };
}

/** Whether nothing is shown to the network, perhaps since the question that is being answered. */
function isEmpty() {
  return !state.image && !board.strokes.length;
}

/** @param {boolean} finished */
function changed(finished) {
  if (board.strokes.length && state.image) forgetPicture();
  if (finished) {
    state.ink = packed(board.strokes);
    save();
  }
  undo.disabled = !board.canUndo;
  guess.outdate();
  void refresh(finished);
}

/** @param {Partial<typeof DEFAULTS>} changes */
function change(changes) {
  Object.assign(state, changes);
  save();
  guess.outdate();
  void refresh(true);
}

function save() {
  writeState(state, { ...DEFAULTS, model: models.default });
  localStorage.setItem(MEMORY, location.hash || "#");
}

/** Asks again for everything that is shown; while a stroke is drawn, only for what changes with it. @param {boolean} finished */
async function refresh(finished) {
  showDamage();
  if (isEmpty()) return showNothing();
  try {
    const asked = question();
    const found = await ask.answer(asked);
    if (!found || isEmpty()) return;
    known.answer = found;
    showAnswer(found);
    const isGuessed = finished && guess.answered(found.answer);
    await Promise.all([showLayers(asked, finished), finished && showWhy(asked, isGuessed)]);
  } catch (error) {
    complain(error);
  }
}

/** @param {any} found */
function showAnswer(found) {
  const isRaw = !state.prepared && found.unprepared;
  const current = isRaw ? { ...found, answer: found.unprepared.answer, number: null } : found;
  answer.show(current);
  oneStep.href = stepOf((isRaw ? found.unprepared : found).image, current.answer.digit);
  teaching.show(current.number ? null : found.answer);
  const full = state.image && pictureSteps ? { ...found, ...pictureSteps } : found;
  preparation.show(full, state.prepared);
  for (const part of [preparationPart, whyPart, networkPart]) part.classList.remove("waiting");
}

/** A link to One step with an image; its label can be changed there. @param {any} image @param {number} label */
function stepOf(image, label) {
  if (image.shape.join() !== "28,28") return "/step";
  return `/step#${new URLSearchParams({ images: JSON.stringify([{ label, pixels: image.data }]) })}`;
}

function showNothing() {
  known.answer = known.why = null;
  guessMore.hidden = true;
  answer.empty();
  teaching.show(null);
  preparation.empty();
  network.clear();
  closeUnit();
  for (const part of [preparationPart, whyPart, networkPart]) part.classList.add("waiting");
}

/** @param {any} asked @param {boolean} finished */
async function showLayers(asked, finished) {
  if (!isSeen.has(networkPart)) return;
  const found = await ask.layers(asked);
  if (!found || isEmpty()) return;
  known.layers = found.layers;
  network.show(found.layers, state.damage, open);
  if (open) await showUnit(finished);
}

/** @param {any} asked @param {boolean} isGuessed */
async function showWhy(asked, isGuessed) {
  const found = await ask.why(asked);
  if (!found || isEmpty()) return;
  known.why = found;
  why.show(found, board.strokes);
  guessMore.hidden = bestStroke() === null;
  if (isFirst && !isGuessed && !wasAsked && !guess.isOpen) guessAgain();
}

let wasAsked = false;

/** The stroke without which the answer changes most; null if there is none to ask about. */
function bestStroke() {
  const effects = known.why?.strokes ?? [];
  if (effects.length < 2) return null;
  /** @type {number | null} */
  let best = null;
  effects.forEach((/** @type {any} */ effect, /** @type {number} */ k) => {
    if (!effect) return;
    const before = best === null ? null : effects[best];
    const changes = (/** @type {any} */ e) => Number(e.digit !== known.answer.answer.digit) + Number(e.digit !== known.answer.answer.digit && e.is_digit);
    if (!before || changes(effect) > changes(before)) best = k;
  });
  return best;
}

function guessAgain() {
  // At the first visit the example's top stroke is the one to think about.
  const stroke = isFirst && !wasAsked ? example.length - 1 : bestStroke();
  if (stroke === null) return;
  wasAsked = true;
  guess.ask(stroke, known.answer.answer, known.why.strokes[stroke]);
  if (!isFirst) guessPart.scrollIntoView({ block: "nearest" });
}

/* The network. */

/** @param {string} text */
function parseUnit(text) {
  const [layer, places] = text.split(":");
  const index = (places ?? "").split(",").map(Number);
  return layer && index.every(Number.isInteger) ? { layer, index } : null;
}

/** The path of a layer in the network's names, without shifts. @param {string} name */
function path(name) {
  return known.layers.find((layer) => layer.name === name)?.path ?? name;
}

/** @param {{layer: string, index: number[]}} wanted */
async function openUnit(wanted) {
  open = wanted;
  state.unit = `${wanted.layer}:${wanted.index.join(",")}`;
  save();
  network.show(known.layers, state.damage, open);
  await showUnit(true);
  unit.element.focus({ preventScroll: true });
  unit.element.scrollIntoView({ block: "nearest" });
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let again;

/** @param {boolean} finished */
async function showUnit(finished) {
  if (!open || !known.answer) return;
  const wanted = open;
  try {
    const found = await ask.unit({ ...question(), ...wanted });
    if (!found || open !== wanted) return;
    const isRaw = !state.prepared && known.answer.unprepared;
    const image = isRaw ? known.answer.unprepared.image : known.answer.image;
    unit.show(found, wanted, { shape: image.shape, values: decode(image) }, finished);
    clearTimeout(again);
    if (found.exciting === null) again = setTimeout(() => void showUnit(false), SEARCH_PAUSE);
    const isWide = matchMedia("(min-width: 1100px)").matches;
    const place = isWide ? aside : network.place(wanted.layer) ?? aside;
    if (unit.element.parentElement !== place) place.append(unit.element);
  } catch (error) {
    closeUnit();
    complain(error);
  }
}

function closeUnit() {
  if (!open && !unit.element.isConnected) return;
  const place = open && network.place(open.layer)?.querySelector("canvas");
  const hadFocus = unit.element.contains(document.activeElement);
  open = null;
  unit.element.remove();
  if (state.unit) {
    state.unit = "";
    save();
    network.show(known.layers, state.damage, null);
  }
  if (hadFocus && place) place.focus();
}

/* Damage. */

/** Switches units or a whole layer off, or on again. @param {string} layer @param {number[]} units */
function toggle(layer, units) {
  const isSame = (/** @type {any} */ part) => part.kind === "off" && part.layer === layer && String(part.units) === String(units);
  const isOff = state.damage.some(isSame);
  change({ damage: isOff ? state.damage.filter((part) => !isSame(part)) : [...state.damage, { kind: "off", layer, units }] });
}

function showDamage() {
  damage.show(state.damage);
  broken.hidden = !state.damage.length;
  if (state.damage.length) {
    broken.replaceChildren(t("draw.is_broken", { count: state.damage.length }), " ", el("button", { onclick: () => change({ damage: [] }) }, t("draw.repair")));
  }
}

/* Pictures. */

/** @type {any} */
let pictureSteps = null;

/** @param {File | Blob} content */
async function take(content) {
  const name = content instanceof File ? content.name : "picture";
  try {
    surface.classList.add("busy");
    const found = await upload("/api/draw/picture", content, name);
    pictureSteps = { steps: found.steps, unprepared: found.unprepared, number: found.number };
    if (board.strokes.length) board.set([]);
    change({ image: found.image.data, raw: found.unprepared.image.data, ink: "" });
    showPicture(`data:image/png;base64,${found.steps[0].picture}`);
  } catch (error) {
    complain(error);
  } finally {
    surface.classList.remove("busy");
    file.value = camera.value = "";
  }
}

/** @param {string} [source] */
function showPicture(source) {
  shownPicture.hidden = !state.image;
  if (!state.image) return;
  const shown = source ? el("img", { src: source, alt: t("draw.your_picture") }) : el("p", {}, t("draw.from_link"));
  shownPicture.replaceChildren(shown, el("button", { onclick: clearAll }, t("draw.draw_instead")));
}

function forgetPicture() {
  pictureSteps = null;
  state.image = state.raw = "";
  showPicture();
}

function clearAll() {
  guess.end();
  if (state.image) {
    forgetPicture();
    changed(true);
  } else board.clear();
  board.canvas.focus({ preventScroll: true });
}

addEventListener("paste", (event) => {
  const found = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
  if (found) void take(found);
});
for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    surface.classList.add("target");
  });
}
for (const kind of ["dragleave", "drop"]) addEventListener(kind, () => surface.classList.remove("target"));
addEventListener("drop", (event) => {
  event.preventDefault();
  const found = event.dataTransfer?.files[0];
  if (found) void take(found);
});

/* Models. */

/** @param {string} name */
function choose(name) {
  const isSame = name === state.model;
  modelChoice.value = name;
  if (isSame) return;
  // A taught model has the same layers, so what is open and broken stays; another model may lack them.
  const isAlike = [state.model, name].every((one) => one === models.default || one.startsWith("taught-"));
  if (!isAlike) closeUnit();
  change({ model: name, damage: isAlike ? state.damage : [] });
}

/** Has another model answer, which may have been taught just now. @param {string} name */
async function learn(name) {
  models = await get("/api/models");
  listModels();
  if (isKnown(name)) choose(name);
}

function listModels() {
  modelChoice.replaceChildren(
    ...models.models.map((/** @type {any} */ model) => {
      const accuracy = model.test_accuracy === null ? "" : ` · ${percent(model.test_accuracy, 2)}`;
      return el("option", { value: model.name }, model.name + accuracy);
    }),
  );
  modelChoice.value = state.model;
}

addEventListener("keydown", (event) => {
  const isField = event.target instanceof HTMLInputElement && event.target.type !== "radio" && event.target.type !== "checkbox";
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && !isField) {
    event.preventDefault();
    board.undo();
  }
});
addEventListener("hashchange", () => location.reload());

/** The parts that are on the screen, or nearly; only for them is asked while a stroke is drawn. @type {Set<Element>} */
const isSeen = new Set();
const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) isSeen.delete(target);
      else if (!isSeen.has(target)) {
        isSeen.add(target);
        if (known.answer) void showLayers(question(), true).catch(complain);
      }
    }
  },
  { rootMargin: "400px" },
);
observer.observe(networkPart);

listModels();
showPicture();
if (isFirst) board.setExample(example);
else changed(true);
