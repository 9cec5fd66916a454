// @ts-check
/** Three scores, their shares, and how each score moves each share: (4.1) and (4.5). */
import { el, place, shown, slider, table } from "./_shared.js";

const NAMES = ["first", "second", "third"];
const host = place("softmax", "Move the scores, and see the shares and the matrix (4.5) change.");
if (host) {
  const scores = [2, 1, -1];
  const bars = el("div", { class: "bars" });
  const matrix = el("div", { class: "numbers" });
  const said = el("p", { role: "status" });

  const draw = () => {
    const most = Math.max(...scores);
    const powers = scores.map((z) => Math.exp(z - most));
    const total = powers.reduce((a, b) => a + b);
    const p = powers.map((e) => e / total);
    bars.replaceChildren(...p.map((share, k) => el("div", {}, el("span", {}, NAMES[k]), el("meter", { min: 0, max: 1, value: share, "aria-label": `share of the ${NAMES[k]}` }), el("span", { class: "value" }, shown(share)))));
    const rows = p.map((pk, k) => [`${NAMES[k]} share`, ...p.map((pj, j) => {
      const slope = pk * (Number(j === k) - pj);
      return el("span", { class: slope > 0 ? "up" : "down", style: `--strength: ${Math.round(Math.abs(slope) * 400)}%` }, shown(slope));
    })]);
    matrix.replaceChildren(table("How fast each share changes with each score; each column adds up to 0", ["share", ...NAMES.map((name) => `${name} score`)], rows));
    const best = p.indexOf(Math.max(...p));
    said.textContent = `The ${NAMES[best]} has ${shown(p[best] * 100, 0)} %; if it is true, the loss is ${shown(-Math.log(p[best]), 2)}.`;
  };

  const sliders = scores.map((score, k) => slider(`${NAMES[k]} score`, { min: -6, max: 6, step: 0.1, value: score, digits: 1 }, (value) => {
    scores[k] = value;
    draw();
  }));
  /** @param {number} by */
  const all = (by) => {
    scores.forEach((_, k) => {
      scores[k] = Math.min(Math.max(scores[k] + by, -6), 6);
      sliders[k].set(scores[k]);
    });
    draw();
  };
  host.append(...sliders.map((one) => one.element), el("p", {}, el("button", { type: "button", onclick: () => all(1) }, "Add 1 to all"), " ", el("button", { type: "button", onclick: () => all(-1) }, "Take 1 from all")), bars, said, matrix);
  draw();
}
