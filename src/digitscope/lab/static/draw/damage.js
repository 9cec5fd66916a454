// @ts-check
/** Break it: noise on the weights, and the list of what is broken. */

import { el } from "../dom.js";
import { number, t } from "../text.js";

/** @param {HTMLElement} host @param {{onchange: (damage: any[]) => void}} options */
export function damageView(host, options) {
  /** @type {any[]} */
  let damage = [];
  const sigma = el("input", { type: "range", min: "0.1", max: "2", step: "0.1", value: "0.5", id: "sigma", oninput: showSigma });
  const shown = el("output", { for: "sigma", class: "numbers" });
  const add = el("button", { onclick: addNoise }, t("draw.add_noise"));
  const undo = el("button", { onclick: () => options.onchange(damage.slice(0, -1)) }, t("draw.undo_damage"));
  const list = el("ul", { class: "damage" });
  host.append(
    el("fieldset", { class: "breaking" },
      el("legend", {}, t("draw.break_title")),
      el("p", { class: "small muted" }, t("draw.break_read")),
      el("div", { class: "controls" }, el("label", { for: "sigma" }, t("draw.noise")), sigma, shown, add, undo),
      list),
  );

  function showSigma() {
    shown.textContent = number(Number(sigma.value), { minimumFractionDigits: 1 });
  }

  function addNoise() {
    const seeds = damage.filter((part) => part.kind === "noise").map((part) => part.seed);
    options.onchange([...damage, { kind: "noise", sigma: Number(sigma.value), seed: Math.max(0, ...seeds) + 1 }]);
  }

  showSigma();
  return {
    /** @param {any[]} parts */
    show(parts) {
      damage = parts;
      undo.disabled = !parts.length;
      list.replaceChildren(...parts.map((part, k) => {
        const repair = el("button", { class: "quiet", onclick: () => options.onchange(parts.filter((_, place) => place !== k)) }, t("draw.repair_one"));
        return el("li", {}, inWords(part), " ", repair);
      }));
    },
  };
}

/** @param {any} part */
function inWords(part) {
  if (part.kind === "noise") return t("draw.broken_noise", { sigma: part.sigma, seed: String(part.seed) });
  if (!part.units.length) return t("draw.broken_layer", { layer: part.layer });
  return t("draw.broken_units", { layer: part.layer, units: part.units.join(", ") });
}
