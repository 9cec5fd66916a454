// @ts-check
/** The room Train: start a training, watch it, go back to any step, and on in another way. */

import { curves } from "../curves.js";
import { complain, el, main } from "../dom.js";
import { ask, coalesced, exclusive, get, listen } from "../engine.js";
import { readState, writeState } from "../state.js";
import { has, number, percent, t, whole } from "../text.js";
import { layersPanel, mistakesPanel, weightsPanel } from "./panels.js";
import { DEFAULTS, key, label, request, setup, values } from "./setup.js";

const HASH = { ...DEFAULTS, log: false };
const state = readState(HASH);
const save = () => writeState(state, HASH);
const COLOURS = ["--b0", "--b1", "--b2", "--b3", "--b4", "--b5"];
const DASHES = ["", "9 4", "3 3", "12 3 3 3", "6 2", "2 5"];
const SLOW = 0.5;
const UNDER_WAY = ["running", "paused", "seeking"];

const choices = await get("/api/train/choices");
/** @type {{about: any, position: any, branches: any[], curves: {count: number, points: Record<string, (number | null)[]>}[], symptoms: any[]}} */
let training = { about: null, position: { state: "none" }, branches: [], curves: [], symptoms: [] };
/** Whether the form is shown although there is a training that has ended. */
let wantsNew = false;
/** What the visitor expects after an epoch. @type {{share: number, epoch: number} | null} */
let guess = null;
let revealed = "";

// The parts of the page.
const said = el("p", { class: "hidden", role: "status" });
const formHost = el("div", { class: "stack" });
const title = el("h2", {});
const facts = el("p", { class: "small muted" });
const play = el("button", { class: "main large play", onclick: () => act(isRunning() ? "pause" : "run", isRunning() ? {} : { pace: pace() }) });
const one = el("button", { class: "large", onclick: () => act("step") }, t("train.one_batch"));
const slow = el("button", { class: "large", "aria-pressed": "false", onclick: toggleSlow }, t("train.slow"));
const stop = el("button", { class: "large", onclick: end }, t("train.stop"));
const fresh = el("button", { class: "large", onclick: startAnew }, t("train.new"));
const back = el("button", { class: "large square", "aria-label": t("train.epoch_back"), title: t("train.epoch_back"), onclick: () => byEpoch(-1) }, "⇤");
const forth = el("button", { class: "large square", "aria-label": t("train.epoch_forth"), title: t("train.epoch_forth"), onclick: () => byEpoch(1) }, "⇥");
const scrubber = el("input", { type: "range", min: 0, step: 1, "aria-label": t("train.scrubber") });
const where = el("output", { class: "number" });
const single = el("p", { class: "small number muted single" });
const signs = el("div", { class: "signs", "aria-live": "polite" });
const reveal = el("p", { class: "notice good wide", role: "status", hidden: true });
const logBox = el("input", { type: "checkbox", checked: state.log });
const accuracyHost = el("section", { class: "card" }, el("h2", {}, t("train.accuracy")), el("p", { class: "small" }, t("train.accuracy_hint")));
const guessHint = el("p", { class: "small" }, el("strong", {}, t("train.guess_first")), " ", t("train.guess_hint"));
const lossHost = el("section", { class: "card" }, el("h2", {}, t("train.loss")), el("p", { class: "small" }, t("train.loss_hint")));
const charts = el("div", { class: "columns charts" }, accuracyHost, lossHost);
const accuracy = curves(accuracyHost, { label: t("train.accuracy"), share: true, onpick: (step) => go(step), onguess });
accuracyHost.insertBefore(guessHint, accuracy.figure);
const loss = curves(lossHost, { label: t("train.loss"), onpick: (step) => go(step) });
const [weights, layers, mistakes] = [weightsPanel(), layersPanel(), mistakesPanel()];
const branchList = el("ul", { class: "branches" });
const branchForm = el("form", { class: "fields", onsubmit: fork });
const keptHost = el("div", { class: "kept", "aria-live": "polite" });
const transport = el(
  "section",
  { class: "card transport", "aria-label": t("train.controls") },
  el("div", {}, title, facts),
  el("div", { class: "controls" }, play, one, slow, stop, fresh),
  el("div", { class: "scrub" }, back, scrubber, forth, where),
  single,
);
const panels = el(
  "div",
  { class: "panels" },
  weights.panel,
  layers.panel,
  mistakes.confusion,
  mistakes.mistakes,
  el("section", { class: "card" }, el("h2", {}, t("train.branches")), el("p", { class: "small" }, t("train.branches_hint")), branchList, el("details", {}, el("summary", {}, t("train.go_on_differently")), branchForm)),
  el("section", { class: "card" }, el("h2", {}, t("train.keep")), el("p", { class: "small" }, t("train.keep_hint")), el("button", { onclick: keep }, t("train.keep_now")), keptHost),
);
const view = el("div", { class: "stack" }, transport, signs);
const explained = el("section", { class: "card how" }, el("h2", {}, t("train.how")), el("ol", {}, ["read", "compare", "blame", "turn"].map((part) => el("li", {}, el("strong", {}, t(`train.how_${part}`)), " ", t(`train.how_${part}_text`)))));
const options = el("label", { class: "small log" }, logBox, " ", t("train.log"));
main.append(said, formHost, view, reveal, options, charts, panels);
// Until the server has said whether there is a training, nothing is shown that may vanish again.
for (const part of [formHost, view, options, charts, panels]) part.hidden = true;
const aside = el("div", { class: "stack" });
formHost.append(el("div", { class: "begin" }, setup(choices, state, save, begin), aside), explained);
logBox.addEventListener("change", () => {
  state.log = logBox.checked;
  save();
  drawCurves();
});
scrubber.addEventListener("input", () => { where.textContent = t("train.to_step", { step: whole(Number(scrubber.value)) }); });
scrubber.addEventListener("change", () => go(Number(scrubber.value)));

const isRunning = () => ["running", "seeking"].includes(training.position.state);
const pace = () => (slow.getAttribute("aria-pressed") === "true" ? SLOW : 0);
const branch = () => training.position.branch ?? 0;

/** Has the server do something with the training. @param {string} action @param {Record<string, any>} [body] */
async function act(action, body = {}) {
  try {
    const found = await ask(`/api/train/${action}`, body);
    if (found.position) position(found.position);
    return found;
  } catch (error) {
    complain(error);
    return null;
  }
}

async function begin() {
  const found = await act("begin", request(state));
  if (!found) return;
  wantsNew = false;
  revealed = "";
  reveal.hidden = true;
  keptHost.replaceChildren();
  if (guess) guess.epoch = 1;
  await load();
  title.scrollIntoView({ block: "nearest" });
  play.focus({ preventScroll: true });
}

function toggleSlow() {
  const is = slow.getAttribute("aria-pressed") === "true";
  slow.setAttribute("aria-pressed", String(!is));
  if (training.position.state === "running") void act("run", { pace: pace() });
}

async function end() {
  const found = await act("stop");
  if (found?.name) showKept(found);
}

async function keep() {
  const found = await act("keep");
  if (found?.name) showKept(found);
}

function startAnew() {
  wantsNew = true;
  show();
  formHost.querySelector("input")?.focus();
}

/** @param {number} step @param {number} [of] */
function go(step, of = branch()) {
  return act("go", { branch: of, step });
}

/** @param {number} by */
function byEpoch(by) {
  const { batches } = training.about;
  const step = training.position.step;
  const epoch = by < 0 ? Math.ceil(step / batches) - 1 : Math.floor(step / batches) + 1;
  const last = training.branches[branch()]?.steps ?? 0;
  void go(Math.max(0, Math.min(last, epoch * batches)));
}

/** Resolves when the training rests. */
function rest() {
  return new Promise((resolve) => {
    const look = () => (isRunning() ? setTimeout(look, 50) : resolve(null));
    look();
  });
}

/** @param {Event} event */
function fork(event) {
  event.preventDefault();
  /** @type {Record<string, any>} */
  const changes = {};
  for (const input of branchForm.querySelectorAll("input, select")) {
    const { name, value } = /** @type {HTMLInputElement} */ (input);
    if (value !== "") changes[name] = /** @type {HTMLInputElement} */ (input).type === "number" ? Number(value) : value;
  }
  void leave(changes);
}

const leave = exclusive(async (/** @type {Record<string, any>} */ changes) => {
  if (isRunning()) {
    await act("pause");
    await rest();
  }
  if (await act("fork", changes)) branchForm.reset();
}, complain);

/** @param {any} found */
function showKept(found) {
  const name = found.name;
  const file = `/api/train/model?name=${encodeURIComponent(name)}`;
  keptHost.replaceChildren(
    el("p", { class: "notice good" }, t("train.kept", { name, step: whole(found.step), share: percent(found.accuracy, 2) })),
    el("div", { class: "controls" },
      el("a", { class: "button", href: file, download: `${name}.safetensors` }, t("train.download")),
      el("a", { class: "button main", href: `/draw#model=${encodeURIComponent(JSON.stringify(name))}` }, t("train.use_in_draw"))),
    el("p", { class: "small muted" }, t("train.command"), " ", el("code", {}, `digitscope evaluate ${name}.safetensors`)),
  );
}

/** @param {number} share */
function onguess(share) {
  const epoch = training.about && !wantsNew ? Math.floor(training.position.step / training.about.batches) + 1 : 1;
  guess = { share, epoch };
}

/** Compares the guess with what came. */
function reveals() {
  const curve = training.curves[branch()]?.points;
  if (!guess || !curve || !training.about || wantsNew) return;
  const at = guess.epoch * training.about.batches;
  const i = curve.step.indexOf(at);
  const value = i < 0 ? null : curve.validation_accuracy[i];
  if (value === null || value === undefined || at > training.position.step) return;
  const difference = Math.abs(value - guess.share);
  const numbers = { guess: percent(guess.share, 0), value: percent(value, 1), epoch: guess.epoch, points: number(100 * difference, { maximumFractionDigits: 1 }) };
  revealed = difference < 0.015 ? t("train.guess_right", numbers) : value > guess.share ? t("train.guess_low", numbers) : t("train.guess_high", numbers);
  reveal.textContent = revealed;
  reveal.hidden = false;
  guess = null;
}

async function load() {
  try {
    training = await get("/api/train/now");
  } catch (error) {
    complain(error);
    return;
  }
  show();
  void inspect();
  void validate();
}

/** Shows the form or the training. */
function show() {
  const there = training.about !== null;
  const form = !there || (wantsNew && !UNDER_WAY.includes(training.position.state));
  formHost.hidden = !form;
  explained.hidden = there;
  view.hidden = panels.hidden = form;
  charts.hidden = options.hidden = form;
  (form ? aside : charts).prepend(accuracyHost);
  if (there) {
    const { experiment, data, train_images, validation_images, parameters } = training.about;
    title.textContent = t(`train.recipe_${key(experiment.recipe)}`);
    facts.textContent = t("train.facts", { data, images: whole(train_images), validation: whole(validation_images), parameters: whole(parameters), seed: whole(experiment.seed) });
    branches();
    fields();
  }
  position(training.position);
  drawSigns();
}

/** @param {any} found */
function position(found) {
  const before = training.position.state;
  training.position = found;
  const { state: now, step } = found;
  if (!training.about) return drawCurves();
  const steps = training.branches[found.branch]?.steps ?? 1;
  const { batches } = training.about;
  const running = isRunning();
  play.replaceChildren(running ? t("train.pause") : t("train.play"));
  play.disabled = now === "finished" || now === "none";
  one.disabled = running || now === "finished";
  stop.hidden = !UNDER_WAY.includes(now);
  fresh.hidden = UNDER_WAY.includes(now);
  slow.setAttribute("aria-pressed", String(now === "running" ? found.pace > 0 : slow.getAttribute("aria-pressed") === "true"));
  back.disabled = step === 0;
  forth.disabled = step >= steps;
  scrubber.max = String(steps);
  if (!scrubber.matches(":active")) {
    scrubber.value = String(now === "seeking" ? found.target : step);
    where.textContent = t("train.where", { step: whole(step), steps: whole(steps), epoch: Math.min(Math.floor(step / batches) + 1, Math.ceil(steps / batches)), epochs: Math.ceil(steps / batches) });
    scrubber.setAttribute("aria-valuetext", where.textContent);
  }
  transport.dataset.state = now;
  const one_step = found.single;
  single.textContent = one_step
    ? t("train.single", { loss: number(one_step.loss), share: percent(one_step.accuracy, 0), rate: number(one_step.learning_rate, { maximumSignificantDigits: 2 }), norm: number(one_step.gradient_norm ?? 0, { maximumSignificantDigits: 2 }) })
    : now === "seeking" ? t("train.seeking", { step: whole(found.target ?? 0) }) : has(`train.state_${now}`) ? t(`train.state_${now}`) : "";
  if (before !== now) {
    said.textContent = single.textContent;
    branches();
    fields();
    if (now === "diverged" || now === "failed") drawSigns();
    if (before === "none" || now === "none") void load();
  }
  drawCurves();
  reveals();
}

/** @param {{branch: number, from: number, points: Record<string, (number | null)[]>}} news */
function points(news) {
  const curve = training.curves[news.branch];
  const missing = curve ? news.from - curve.count : 1;
  if (missing > 0 || missing < -1) return void load();
  for (const [name, column] of Object.entries(curve.points)) {
    if (missing === -1) column.pop();
    column.push(...news.points[name]);
  }
  curve.count = news.from + news.points.step.length;
  drawCurves();
  reveals();
}

function drawCurves() {
  const shown = training.about !== null;
  const end = Math.max(0, ...training.branches.map((one) => one.steps));
  const several = training.branches.length > 1;
  /** @param {string} column @param {boolean} validated */
  const series = (column, validated) => (shown ? training.branches : []).flatMap((one, b) => {
    if (!validated && b !== branch()) return [];
    const curve = training.curves[b]?.points;
    if (!curve) return [];
    const name = validated ? "validation_" + column : column;
    /** @type {{x: number[], y: number[]}} */
    const found = { x: [], y: [] };
    curve.step.forEach((step, i) => {
      const value = curve[name][i];
      if (step === null || value === null || step < one.step) return;
      found.x.push(step);
      found.y.push(value);
    });
    const kind = validated ? t("train.validation") : t("train.training");
    return [{ name: several ? t("train.of_branch", { branch: b + 1, kind }) : kind, colour: COLOURS[b % 6], dash: DASHES[b % 6], thin: !validated, ...found }];
  });
  const guessing = !shown || wantsNew || training.position.state !== "finished";
  guessHint.hidden = !guessing;
  const now = shown && !wantsNew ? training.position.step : null;
  const common = { end, log: state.log && formHost.hidden, now };
  accuracy.update({ ...common, series: wantsNew ? [] : [...series("accuracy", true), ...series("accuracy", false)], guess: guess?.share ?? null, guessing });
  loss.update({ ...common, series: [...series("loss", true), ...series("loss", false)] });
}

function drawSigns() {
  const found = training.symptoms.filter((one) => has(`train.sign_${key(one.key)}`));
  const keys = found.map((one) => one.key).join();
  if (signs.dataset.keys === keys) return;
  signs.dataset.keys = keys;
  signs.replaceChildren(...found.map((one) => {
    const name = key(one.key);
    const action = actions[one.key];
    return el(
      "div",
      { class: "notice bad" },
      el("strong", {}, t(`train.name_${name}`)),
      el("p", {}, t(`train.sign_${name}`, values(one.values))),
      el("p", {}, t(`train.try_${name}`)),
      action ? el("button", { onclick: action }, t(`train.do_${name}`)) : null,
    );
  }));
}

/** The step of the current branch at which a column was lowest. @param {string} column @param {boolean} [highest] */
function bestStep(column, highest = false) {
  const curve = training.curves[branch()]?.points;
  let best = 0;
  let value = highest ? -Infinity : Infinity;
  curve?.step.forEach((step, i) => {
    const found = curve[column][i];
    if (step === null || found === null || (highest ? found <= value : found >= value)) return;
    [best, value] = [step, found];
  });
  return best;
}

const again = exclusive(async (/** @type {number} */ step, /** @type {Record<string, any>} */ changes) => {
  if (!(await go(step))) return;
  await rest();
  await leave(changes);
}, complain);
const lower = () => ({ learning_rate: (training.branches[branch()]?.plan.learning_rate ?? 0.1) / 10 });
/** @type {Record<string, () => Promise<void>>} */
const actions = {
  diverged: () => again(0, lower()),
  "rate-too-high": () => again(0, lower()),
  "dying-relus": () => again(0, lower()),
  overfitting: () => again(bestStep("validation_accuracy", true), { augment: "standard" }),
};

function branches() {
  branchList.replaceChildren(...training.branches.map((one, b) => {
    const found = training.curves[b]?.points.validation_accuracy.filter((value) => value !== null) ?? [];
    const best = found.length ? Math.max(.../** @type {number[]} */ (found)) : null;
    const changes = Object.entries(one.changes).map(([name, value]) => `${t(`train.set_${name}`)} ${typeof value === "number" ? number(value) : label(name, String(value))}`);
    const text = one.parent === null ? t("train.first_branch") : t("train.branch_facts", { parent: one.parent + 1, step: whole(one.step), changes: changes.join(", ") });
    const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = `var(${COLOURS[b % 6]})`;
    const last = training.curves[b]?.points.step.at(-1) ?? one.step;
    return el(
      "li",
      { "aria-current": b === branch() ? "true" : null },
      swatch,
      el("span", {}, el("strong", {}, String(b + 1)), " ", text, best === null ? null : el("span", { class: "muted" }, " ", t("train.best", { share: percent(best, 2) }))),
      el("button", { class: "quiet small", onclick: () => go(last, b) }, t("train.go_to_end")),
    );
  }));
}

function fields() {
  const plan = training.branches[branch()]?.plan;
  if (!plan || branchForm.querySelector("input:focus, select:focus")) return;
  /** @param {string} name @param {Record<string, any>} limits @param {any} own */
  const field = (name, limits, own) => el("label", {}, t(`train.set_${name}`), el("input", { type: "number", name, placeholder: number(own), ...limits }));
  /** @param {string} name @param {string[]} options */
  const select = (name, options) => el("label", {}, t(`train.set_${name}`), el("select", { name }, el("option", { value: "" }, t("train.as_it_is")), options.map((value) => el("option", { value }, label(name, value)))));
  branchForm.replaceChildren(
    field("learning_rate", { min: 0, step: "any" }, plan.learning_rate),
    select("optimizer", choices.optimizers),
    select("schedule", choices.schedules),
    select("augment", choices.augmentations),
    field("weight_decay", { min: 0, step: "any" }, plan.weight_decay),
    field("epochs", { min: 1, max: 500, step: 1 }, plan.epochs),
    el("button", { class: "main" }, t("train.go_on_as_branch")),
  );
}

const inspect = coalesced(async () => {
  const found = await get("/api/train/inspection");
  weights.update(found.inspection);
  layers.update(found.inspection);
  training.symptoms = found.symptoms;
  drawSigns();
}, complain);
const validate = coalesced(async () => mistakes.update((await get("/api/train/validation")).validation), complain);

let heard = performance.now();
listen("train.position", (found) => {
  heard = performance.now();
  position(found);
});
// News may be lost, as when the server was started again. Then the page asks by itself.
setInterval(() => {
  if (isRunning() && !document.hidden && performance.now() - heard > 4000) void load();
}, 4000);
listen("train.points", points);
listen("train.new", ({ what }) => {
  if (what === "inspection" || what === "symptoms") void inspect();
  else if (what === "validation") void validate();
  else void load();
});
listen("reset", () => void load());
await load();
