// @ts-check
/** The step that the page shows: its state in the address, its stages, and its arrays as they are needed. */

import { ask, decode } from "../engine.js";
import { t } from "../text.js";

/**
 * @typedef {{label: number, index?: number, pixels?: string}} StepImage
 * @typedef {object} State
 * @property {StepImage[]} images
 * @property {string} network
 * @property {"new" | "trained"} start
 * @property {number} seed
 * @property {string} optimizer
 * @property {boolean} training
 * @property {number[]} rates the learning rates of the steps that were taken, first to last
 * @property {number} step which step is shown: the number of steps before it
 * @property {number} rate the learning rate of the step after all that were taken
 * @property {string} at the stage that is shown
 * @property {number} image which image is shown
 * @property {string} of the array whose number is explained
 * @property {number[]} index
 */

/** @type {State} */
export const DEFAULTS = {
  images: [{ label: 7, index: 0 }], network: "seed", start: "new", seed: 12, optimizer: "gradient-descent", training: true,
  rates: [], step: 0, rate: 0.01, at: "whole", image: 0, of: "", index: [],
};

/**
 * @typedef {{name: string, symbol: string, formula: string[]}} Output
 * @typedef {{key: string, phase: string, layer: string, kind: string, text: string, outputs: Output[], inputs: {name: string, symbol: string}[], notes: {chapter: string, section: string}[]}} Stage
 * @typedef {{shape: number[], batch: boolean, tiles: [number, number, number]}} Described
 * @typedef {object} Outline
 * @property {Stage[]} stages
 * @property {Record<string, Described>} arrays
 * @property {any} images
 * @property {number[]} labels
 * @property {any} probabilities
 * @property {any} probabilities_after
 * @property {number | null} loss
 * @property {number | null} loss_after
 * @property {(number | null)[]} losses
 * @property {number} step
 * @property {number} parameters
 * @property {number} classes
 */

/** What the server needs to know of the state. @param {State} state */
export function request(state) {
  return {
    images: state.images, network: state.network, start: state.start, seed: state.seed, optimizer: state.optimizer,
    training: state.training, rates: state.rates.slice(0, state.step), rate: rateOf(state),
  };
}

/** The learning rate of the step that is shown. @param {State} state */
export function rateOf(state) {
  return state.rates[state.step] ?? state.rate;
}

/** A step as the server computed it. */
export class StepData {
  /** @param {ReturnType<typeof request>} asked @param {Outline} outline @param {number} image */
  constructor(asked, outline, image) {
    this.asked = asked;
    this.outline = outline;
    this.image = image;
    /** @type {Map<string, Float64Array>} */
    this.values = new Map();
  }

  /** @param {State} state */
  static async load(state) {
    const asked = request(state);
    const outline = await ask("/api/step", { step: asked });
    return new StepData(asked, outline, Math.min(state.image, state.images.length - 1));
  }

  /** The same step for another image. @param {number} image */
  ofImage(image) {
    return new StepData(this.asked, this.outline, image);
  }

  /** Asks for arrays that are not known yet. @param {string[]} names */
  async need(names) {
    const missing = [...new Set(names)].filter((name) => !this.values.has(name));
    for (let first = 0; first < missing.length; first += 32) {
      const part = missing.slice(first, first + 32);
      const { arrays } = await ask("/api/step/arrays", { step: this.asked, names: part, image: this.image });
      for (const name of part) this.values.set(name, /** @type {Float64Array} */ (decode(arrays[name])));
    }
  }

  /** @param {string} name */
  get(name) {
    const values = this.values.get(name);
    if (values === undefined) throw new Error(`${name} was not asked for.`);
    return values;
  }

  /** The shape of what is shown of an array: without the images. @param {string} name */
  shape(name) {
    const { shape, batch } = this.outline.arrays[name];
    if (!batch) return shape;
    return name === "images" ? shape.slice(1) : shape.slice(0, -1);
  }

  /** The place of an index among the numbers that are shown; -1 if it is of another image. @param {string} name @param {number[]} index */
  place(name, index) {
    const described = this.outline.arrays[name];
    if (described === undefined) return -1;
    const first = name === "images";
    if (described.batch && index[first ? 0 : index.length - 1] !== this.image) return -1;
    const own = !described.batch ? index : first ? index.slice(1) : index.slice(0, -1);
    return this.shape(name).reduce((k, length, axis) => k * length + own[axis], 0);
  }

  /** The index of the k-th number that is shown. @param {string} name @param {number} k */
  index(name, k) {
    const own = [];
    for (const length of this.shape(name).toReversed()) {
      own.unshift(k % length);
      k = Math.floor(k / length);
    }
    if (!this.outline.arrays[name].batch) return own;
    return name === "images" ? [this.image, ...own] : [...own, this.image];
  }
}

const PARAMETERS = /^(.*?)\.?(weight|bias|scale|shift)$/;

/** What an array is, in words. @param {string} name @returns {string} */
export function title(name) {
  if (name.startsWith("updated.")) return t("step.array_updated", { what: title(name.slice(8)) });
  const slot = /^(velocity|mean|square)\.(.*)$/.exec(name);
  if (slot && PARAMETERS.test(slot[2])) return t(`step.slot_${slot[1]}`, { what: title(slot[2]) });
  for (const known of ["images", "input", "output", "loss", "maximum", "shifted", "exponential", "total", "probability", "target"]) {
    if (name === known) return t(`step.array_${known}`);
  }
  if (name.startsWith("d")) return t("step.array_derivative", { what: title(name.slice(1)) });
  const parameter = PARAMETERS.exec(name);
  if (parameter) return t(`step.array_${parameter[2]}`, { layer: parameter[1] });
  const inner = /^(.*)\.(mean|variance|normalized|branch|input|probability|evidence|mean_probability|mean_evidence)$/.exec(name);
  if (inner) return t(`step.inner_${inner[2]}`, { layer: inner[1] });
  return t("step.array_of_layer", { layer: name });
}

/** The stages of the page: the whole step, each of its stages, the question, the result. @param {Outline} outline */
export function positions(outline) {
  const keys = ["whole"];
  for (const stage of outline.stages) {
    if (stage.key === "loss.backward") keys.push("predict");
    keys.push(stage.key);
  }
  return [...keys, "result"];
}
