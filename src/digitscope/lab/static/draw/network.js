// @ts-check
/** The network: what each layer computes, as pictures; a click or Enter opens one unit. */

import { el, scrollingTable } from "../dom.js";
import { decode } from "../engine.js";
import { has, number, t } from "../text.js";
import { Layout, crossTile, frameTile, paintTiles } from "./maps.js";

/** @typedef {{layer: string, index: number[]}} Unit */

/**
 * @param {HTMLElement} host
 * @param {{onpick: (unit: Unit, place: HTMLElement) => void, onoff: (path: string) => void}} options
 */
export function networkView(host, options) {
  const list = el("ol", { class: "layers" });
  host.append(list);
  /** @type {LayerView[]} */
  let views = [];
  new ResizeObserver(() => views.forEach((view) => view.draw())).observe(list);
  addEventListener("theme", () => views.forEach((view) => view.draw()));

  return {
    list,
    /**
     * @param {any[]} layers
     * @param {any[]} damage
     * @param {Unit | null} open
     */
    show(layers, damage, open) {
      const isSame = views.length === layers.length && views.every((view, k) => view.fits(layers[k]));
      if (!isSame) {
        const kinds = layers.map((layer) => layer.kind);
        views = layers.map((layer, k) => new LayerView(layer, kinds.indexOf(layer.kind) === k, options));
        list.replaceChildren(...views.map((view) => view.item));
      }
      views.forEach((view, k) => view.show(layers[k], damage, open));
    },
    clear() {
      views = [];
      list.replaceChildren();
    },
    /** Frames the numbers that are named, such as the factors of a product. @param {{name: string | null, index: number[]}[]} factors */
    light(factors) {
      for (const view of views) {
        const lit = factors.filter(({ name }) => name === view.layer.name).map(({ index }) => index[0]);
        if (lit.length || view.lit.length) {
          view.lit = lit;
          view.draw();
        }
      }
    },
    /** The place of a layer in the list. @param {string} name */
    place(name) {
      return views.find((view) => view.layer.name === name)?.item;
    },
  };
}

class LayerView {
  /**
   * @param {any} layer
   * @param {boolean} isFirst of its kind, which is explained
   * @param {{onpick: (unit: Unit, place: HTMLElement) => void, onoff: (path: string) => void}} options
   */
  constructor(layer, isFirst, options) {
    this.layer = layer;
    this.options = options;
    this.cursor = 0;
    /** @type {number | null} */
    this.open = null;
    /** @type {Set<number>} */
    this.off = new Set();
    /** @type {number[]} */
    this.lit = [];
    const sentence = isFirst && has(`draw.layer_${layer.kind}`) ? t(`draw.layer_${layer.kind}`) : "";
    const shape = layer.shape.join(" × ");
    this.canvas = el("canvas", {
      tabindex: "0", role: "application", "aria-roledescription": t("draw.maps"),
      "aria-label": t("draw.layer_label", { name: layer.name, text: layer.text, shape }),
    });
    this.said = el("output", { class: "hidden", "aria-live": "polite" });
    const off = layer.has_parts ? null : el("button", { class: "quiet small", onclick: () => options.onoff(layer.path) }, t("draw.layer_off"));
    this.behind = el("div");
    this.asTable = el("button", { class: "quiet small", "aria-expanded": "false", onclick: () => this.table(!this.behind.firstChild) }, t("common.as_table"));
    const shownCount = this.tiles().count;
    const more = shownCount < layer.shape[0] ? t("draw.maps_left_out", { shown: shownCount, all: layer.shape[0] }) : "";
    this.item = el(
      "li", { class: "layer" },
      el("div", { class: "layer-head" }, el("h3", {}, el("span", { class: "index numbers" }, layer.name), layer.text), el("span", { class: "muted small" }, shape), this.asTable, off),
      (sentence || more) && el("p", { class: "small muted" }, sentence, " ", more),
      this.canvas, this.said, this.behind,
    );
    this.listen();
  }

  /** @param {any} layer */
  fits(layer) {
    return layer.name === this.layer.name && layer.text === this.layer.text && String(layer.shape) === String(this.layer.shape);
  }

  /** @param {any} layer @param {any[]} damage @param {Unit | null} open */
  show(layer, damage, open) {
    this.layer = layer;
    /** @type {Float32Array | undefined} */
    this.values = undefined;
    this.open = open && open.layer === layer.name ? open.index[0] : null;
    this.off = new Set();
    for (const part of damage) {
      if (part.kind !== "off" || part.layer !== layer.path) continue;
      const units = part.units.length ? part.units : Array.from({ length: this.tiles().count }, (_, k) => k);
      for (const unit of units) this.off.add(unit);
    }
    this.table(false);
    this.draw();
  }

  /** @returns {import("./maps.js").Tiles} */
  tiles() {
    const { shape, values } = this.layer;
    this.values ??= Float32Array.from(decode(values), (level) => (level - 128) / 127);
    const [rows, columns] = shape.length === 3 ? shape.slice(1) : [1, shape[1] ?? 1];
    const pixels = shape.length === 1 && Math.sqrt(shape[0]);
    if (pixels && this.layer.kind === "Standardize" && Number.isInteger(pixels)) {
      return { values: this.values, count: 1, rows: pixels, columns: pixels };
    }
    return { values: this.values, count: this.values.length / (rows * columns), rows, columns };
  }

  draw() {
    const width = (this.item.clientWidth || 600) - 4;
    const tiles = this.tiles();
    const layout = (this.layout = new Layout(tiles, width));
    paintTiles(this.canvas, tiles, layout);
    for (const k of this.off) if (k < tiles.count) crossTile(this.canvas, tiles, layout, k);
    for (const k of this.lit) if (k < tiles.count) frameTile(this.canvas, tiles, layout, k, "--positive");
    if (this.open !== null && this.open < tiles.count) frameTile(this.canvas, tiles, layout, this.open, "--accent");
    if (document.activeElement === this.canvas) frameTile(this.canvas, tiles, layout, this.cursor, "--ink");
  }

  /** The value of a map's largest number, and where it is. @param {number} k */
  peak(k) {
    const { values, rows, columns } = this.tiles();
    const size = rows * columns;
    let best = 0;
    for (let i = 1; i < size; i++) if (values[k * size + i] > values[k * size + best]) best = i;
    return { value: values[k * size + best] * this.layer.largest, row: Math.floor(best / columns), column: best % columns };
  }

  /** @param {number} k @param {number} row @param {number} column */
  pick(k, row, column) {
    this.cursor = k;
    const axes = this.layer.shape.length;
    const { columns } = this.tiles();
    const flat = this.tiles().count === 1 && columns > 1 ? row * columns + column : k;
    const index = axes === 1 ? [flat] : axes === 2 ? [k, column] : [k, row, column];
    this.options.onpick({ layer: this.layer.name, index }, this.item);
  }

  listen() {
    this.canvas.addEventListener("click", (event) => {
      const box = this.canvas.getBoundingClientRect();
      const found = this.layout?.at(this.tiles(), event.clientX - box.left, event.clientY - box.top);
      if (found) this.pick(found.k, found.row, found.column);
    });
    this.canvas.addEventListener("keydown", (event) => {
      const across = this.layout?.across ?? 1;
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
      const { count } = this.tiles();
      if (step) {
        if (this.cursor + step >= 0 && this.cursor + step < count) this.cursor += step;
        this.said.textContent = this.name(this.cursor);
        this.draw();
      } else if (event.key === "Enter" || event.key === " ") {
        const { row, column } = this.peak(this.cursor);
        this.pick(this.cursor, row, column);
      } else return;
      event.preventDefault();
    });
    for (const kind of ["focus", "blur"]) this.canvas.addEventListener(kind, () => this.draw());
  }

  /** @param {number} k */
  name(k) {
    const text = t("draw.unit_value", { unit: String(k), value: number(this.peak(k).value) });
    return this.off.has(k) ? `${text} (${t("draw.is_off")})` : text;
  }

  /** @param {boolean} isShown */
  table(isShown) {
    this.behind.replaceChildren();
    this.asTable.setAttribute("aria-expanded", String(isShown));
    if (!isShown) return;
    const { count } = this.tiles();
    const rows = Array.from({ length: Math.min(count, 800) }, (_, k) => {
      const { value, row, column } = this.peak(k);
      const open = el("button", { class: "quiet", onclick: () => this.pick(k, row, column) }, t("draw.open_unit", { unit: String(k) }));
      return el("tr", {}, el("th", { scope: "row" }, open), el("td", {}, number(value)));
    });
    this.behind.append(scrollingTable(t("common.as_table"), [t("draw.unit"), t("draw.largest")], rows, { kind: "tall" }));
  }
}
