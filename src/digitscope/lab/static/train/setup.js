// @ts-check
/** What shall learn, on what, and with which settings. */

import { ask, upload } from "../engine.js";
import { complain, el } from "../dom.js";
import { number, percent, t, whole } from "../text.js";
import { captioned } from "./panels.js";

/** @param {string} name a name of the server, as a part of a key */
export const key = (name) => name.replaceAll("-", "_");

/** The rungs that are shown first. */
const FIRST = ["mlp", "3blue1brown", "fast", "convnet"];
/** @type {Record<string, number[]>} the least, the highest and the usual value of a layer's sizes */
const SIZES = { units: [1, 4096, 32], kernel: [1, 15, 3], stride: [1, 8, 1], padding: [0, 8, 0], size: [1, 14, 2], rate: [0, 0.95, 0.2] };

/** The state of the form, in the page's address: empty is the rung's own value. */
export const DEFAULTS = {
  recipe: "mlp", network: /** @type {Record<string, any>[]} */ ([]), data: /** @type {string[]} */ ([]), name: "",
  images: 0, seed: 0, epochs: 0, learning_rate: 0, batch_size: 0, optimizer: "", schedule: "", augment: "", dropout: -1,
  weight_decay: -1,
};

/** The state as a request, without what is the rung's own. @param {typeof DEFAULTS} state */
export function request(state) {
  const own = state.recipe === "network";
  return {
    recipe: state.recipe,
    network: own ? state.network : [],
    data: state.data.length ? state.data : ["mnist"],
    images: state.images || null, seed: state.seed, epochs: state.epochs || null,
    learning_rate: state.learning_rate || null, batch_size: state.batch_size || null,
    optimizer: state.optimizer || null, schedule: state.schedule || null, augment: state.augment || null,
    dropout: own || state.dropout < 0 ? null : state.dropout,
    weight_decay: state.weight_decay < 0 ? null : state.weight_decay,
  };
}

/** @param {number} seconds */
function duration(seconds) {
  if (seconds < 90) return t("train.seconds", { n: number(seconds, { maximumSignificantDigits: 2 }) });
  if (seconds < 5400) return t("train.minutes", { n: number(seconds / 60, { maximumSignificantDigits: 2 }) });
  return t("train.hours", { n: number(seconds / 3600, { maximumSignificantDigits: 2 }) });
}

/**
 * @param {any} choices of /api/train/choices
 * @param {typeof DEFAULTS} state
 * @param {() => void} onchange
 * @param {() => Promise<void>} onstart
 */
export function setup(choices, state, onchange, onstart) {
  const plans = Object.fromEntries([...choices.recipes, choices.network].map((recipe) => [recipe.name, recipe.plan]));
  const start = el("button", { type: "submit", class: "main large" }, t("train.start"));
  const settings = el("div", { class: "fields" });
  const builder = el("div", { class: "builder" });
  const sheet = el("div", { class: "stack" });
  const form = el(
    "form",
    { class: "card setup", onsubmit: submit },
    el("h2", {}, t("train.what_learns")),
    rungs(),
    builder,
    el("div", { class: "controls" }, start, el("span", { class: "muted small" }, t("train.start_hint"))),
    el("details", {}, el("summary", {}, t("train.settings")), settings),
    el("details", { open: state.data.length > 0 }, el("summary", {}, t("train.data")), sheet),
  );

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    start.disabled = true;
    start.textContent = t("train.starting");
    try {
      await onstart();
    } finally {
      start.disabled = false;
      start.textContent = t("train.start");
    }
  }

  function rungs() {
    /** @param {any} recipe */
    const card = (recipe) => {
      const facts = recipe.measured
        ? t("train.rung_facts", { accuracy: percent(recipe.measured.accuracy), time: duration(recipe.measured.seconds) })
        : t("train.own_facts");
      const input = el("input", { type: "radio", name: "recipe", value: recipe.name, checked: recipe.name === state.recipe });
      input.addEventListener("change", () => {
        state.recipe = recipe.name;
        onchange();
        fill();
      });
      const name = t(`train.recipe_${key(recipe.name)}`);
      const about = t(`train.about_${key(recipe.name)}`);
      const texts = el("span", {}, el("strong", {}, name), el("span", { class: "small" }, about), el("span", { class: "small muted" }, facts));
      return el("label", { class: "rung" }, input, texts);
    };
    const first = FIRST.map((name) => choices.recipes.find((/** @type {any} */ one) => one.name === name));
    const others = choices.recipes.filter((/** @type {any} */ one) => !FIRST.includes(one.name));
    const is = !FIRST.includes(state.recipe) && state.recipe !== "network";
    return el(
      "fieldset",
      { class: "plain" },
      el("legend", { class: "hidden" }, t("train.what_learns")),
      el("div", { class: "rungs" }, first.map(card), card(choices.network)),
      el("details", { open: is }, el("summary", {}, t("train.more_rungs")), el("div", { class: "rungs" }, others.map(card))),
    );
  }

  /** The settings of the chosen rung, whose own values stand in the fields. */
  function fill() {
    const plan = plans[state.recipe];
    /** @param {keyof typeof DEFAULTS} name @param {Record<string, any>} limits @param {any} own @param {number} [empty] */
    const field = (name, limits, own, empty = 0) => {
      const value = state[name] === empty ? "" : String(state[name]);
      const input = el("input", { type: "number", placeholder: own === null ? t("train.all") : number(own), value, ...limits });
      input.addEventListener("change", () => {
        Object.assign(state, { [name]: input.value === "" ? empty : Number(input.value) });
        onchange();
      });
      return el("label", {}, t(`train.set_${name}`), input);
    };
    /** @param {"optimizer" | "schedule" | "augment"} name @param {string[]} values */
    const select = (name, values) => {
      const own = plan[name] ? t("train.own_value", { value: label(name, plan[name]) }) : t("train.own");
      const options = [el("option", { value: "" }, own), ...values.map((value) => el("option", { value, selected: state[name] === value }, label(name, value)))];
      const input = el("select", {}, options);
      input.addEventListener("change", () => {
        state[name] = input.value;
        onchange();
      });
      return el("label", {}, t(`train.set_${name}`), input);
    };
    settings.replaceChildren(
      field("epochs", { min: 1, max: 500, step: 1 }, plan.epochs),
      field("learning_rate", { min: 0, step: "any" }, plan.learning_rate),
      select("optimizer", choices.optimizers),
      select("schedule", choices.schedules),
      field("batch_size", { min: 1, max: 4096, step: 1 }, plan.batch_size),
      select("augment", choices.augmentations),
      ...(state.recipe === "network" ? [] : [field("dropout", { min: 0, max: 0.95, step: 0.05 }, 0, -1)]),
      field("weight_decay", { min: 0, step: "any" }, plan.weight_decay, -1),
      field("images", { min: 20, step: 1 }, null),
      field("seed", { min: 0, step: 1 }, 0),
    );
    builder.replaceChildren();
    if (state.recipe === "network") build(builder, choices, state, onchange);
  }

  fill();
  sheet.append(...dataSheet(state, onchange));
  return form;
}

/** @param {string} setting @param {string} value */
export function label(setting, value) {
  return setting === "augment" && value.includes("=") ? value.replaceAll(",", ", ") : t(`train.value_${key(value)}`);
}

/**
 * The list of layers, with the shapes that the server computes.
 * @param {HTMLElement} host @param {any} choices @param {typeof DEFAULTS} state @param {() => void} onchange
 */
function build(host, choices, state, onchange) {
  if (state.network.length === 0) {
    state.network = [
      { kind: "convolution", units: 8, kernel: 5 }, { kind: "relu" }, { kind: "max-pool", size: 2 },
      { kind: "dense", units: 32 }, { kind: "relu" },
    ];
  }
  const list = el("ol", { class: "layers" });
  const problem = el("p", { class: "notice bad", role: "alert", hidden: true });
  const total = el("p", { class: "small muted", "aria-live": "polite" });
  const kinds = Object.keys(choices.kinds);
  const add = el("button", { type: "button", onclick: () => change(() => state.network.push({ kind: "relu" })) }, t("train.add_layer"));
  host.append(el("h3", {}, t("train.layers_of")), el("p", { class: "small muted" }, t("train.builder_hint")), list, total, problem, add);

  /** @param {() => void} action */
  function change(action) {
    action();
    onchange();
    show();
  }

  function show() {
    list.replaceChildren(...state.network.map(row), el("li", { class: "output" }, el("span", {}, t("train.output_layer")), el("span", { class: "end shape small muted" })));
    void check();
  }

  /** @param {Record<string, any>} layer @param {number} at */
  function row(layer, at) {
    const select = el("select", { "aria-label": t("train.kind_of", { n: at + 1 }) }, kinds.map((kind) => el("option", { value: kind, selected: kind === layer.kind }, t(`train.kind_${key(kind)}`))));
    select.addEventListener("change", () => change(() => {
      /** @type {Record<string, any>} */
      const fresh = { kind: select.value };
      for (const size of choices.kinds[select.value]) fresh[size] = SIZES[size][2];
      state.network[at] = fresh;
    }));
    const sizes = choices.kinds[layer.kind].map((/** @type {string} */ size) => {
      const [least, most, usual] = SIZES[size];
      const input = el("input", { type: "number", min: least, max: most, step: size === "rate" ? 0.05 : 1, value: String(layer[size] ?? usual) });
      input.addEventListener("change", () => change(() => { layer[size] = Number(input.value); }));
      return el("label", { class: "small" }, t(`train.size_${size}`), input);
    });
    const name = t(`train.kind_${key(layer.kind)}`);
    /** @param {number} by */
    const move = (by) => change(() => {
      const [moved] = state.network.splice(at, 1);
      state.network.splice(at + by, 0, moved);
    });
    const tools = el(
      "span",
      { class: "end" },
      el("span", { class: "shape small muted" }),
      el("button", { type: "button", class: "quiet", disabled: at === 0, "aria-label": t("train.move_up", { layer: name }), onclick: () => move(-1) }, "↑"),
      el("button", { type: "button", class: "quiet", disabled: at === state.network.length - 1, "aria-label": t("train.move_down", { layer: name }), onclick: () => move(1) }, "↓"),
      el("button", { type: "button", class: "quiet", "aria-label": t("train.remove_layer", { layer: name }), onclick: () => change(() => state.network.splice(at, 1)) }, "✕"),
    );
    return el("li", {}, select, sizes, tools);
  }

  async function check() {
    try {
      const found = await ask("/api/train/network", { layers: state.network });
      problem.hidden = true;
      found.layers.forEach((/** @type {any} */ layer, /** @type {number} */ i) => {
        const place = list.children[i]?.querySelector(".shape");
        if (place) place.textContent = `→ ${layer.output.join(" × ")}`;
      });
      total.textContent = t("common.parameters", { n: whole(found.parameters) });
    } catch (error) {
      problem.hidden = false;
      problem.textContent = error instanceof Error ? error.message : String(error);
      total.textContent = "";
    }
  }
  show();
}

/** @param {typeof DEFAULTS} state @param {() => void} onchange */
function dataSheet(state, onchange) {
  const shown = el("div", { class: "stack", "aria-live": "polite" });
  const input = el("input", { type: "file", multiple: true, accept: ".csv,.gz,.npz,.idx,.txt,application/octet-stream" });
  const own = el("button", { type: "button", class: "quiet", hidden: state.data.length === 0 }, t("train.use_mnist"));
  own.addEventListener("click", () => {
    Object.assign(state, { data: [], name: "" });
    own.hidden = true;
    shown.replaceChildren();
    onchange();
  });
  input.addEventListener("change", async () => {
    const files = [...(input.files ?? [])].slice(0, 2);
    input.value = "";
    if (files.length === 0) return;
    shown.replaceChildren(el("p", { class: "muted" }, t("train.uploading")));
    try {
      const sent = await Promise.all(files.map((file) => upload("/api/train/upload", file, file.name)));
      await use(sent.map((one) => one.part), files[0].name);
    } catch (error) {
      shown.replaceChildren();
      complain(error);
    }
  });

  const taught = el("button", { type: "button", class: "quiet" }, t("train.use_taught"));
  taught.addEventListener("click", async () => {
    try {
      const { part } = await ask("/api/train/taught", {});
      await use([part], t("train.taught"));
    } catch (error) {
      complain(error);
    }
  });

  /** @param {string[]} parts @param {string} name */
  async function use(parts, name) {
    await describe(parts, name);
    Object.assign(state, { data: parts, name });
    own.hidden = false;
    onchange();
  }

  /** @param {string[]} parts @param {string} name */
  async function describe(parts, name) {
    const found = await ask("/api/train/data", { parts, name });
    const text = t("train.data_facts", { name, images: whole(found.images), height: found.height, width: found.width, classes: found.classes });
    const pictures = found.examples ? captioned(found.examples, found.labels.map(String)) : null;
    const warnings = found.symptoms.map((/** @type {any} */ one) => el("p", { class: "notice bad" }, t(`train.sign_${key(one.key)}`, values(one.values))));
    shown.replaceChildren(el("p", {}, text), ...warnings, ...(pictures ? [pictures] : []));
  }

  if (state.data.length) void describe(state.data, state.name || "data").catch(complain);
  const choose = el("label", { class: "file" }, el("span", {}, t("train.upload")), input);
  return [el("p", { class: "small muted" }, t("train.data_hint")), choose, el("div", { class: "controls" }, taught, own), shown];
}

/** The figures of a symptom, as texts. @param {Record<string, any>} found */
export function values(found) {
  const shares = ["dead", "training", "validation", "agreement"];
  return Object.fromEntries(
    Object.entries(found).map(([name, value]) => [name, typeof value === "number" && shares.includes(name) ? percent(value, 0) : value ?? "–"]),
  );
}
