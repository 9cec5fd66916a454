// @ts-check
/** Figure 6.1: a step of some length in some direction, and what it changes, by the slope alone and really. */
import { el, place, shown, slider, svg } from "./_shared.js";

const CURVATURES = [1, 3];
const AT = [1.5, 0.7];
const G = [CURVATURES[0] * AT[0], CURVATURES[1] * AT[1]];
/** @param {number[]} w */
const loss = (w) => (CURVATURES[0] * w[0] ** 2 + CURVATURES[1] * w[1] ** 2) / 2;

/** The step, and what it changes. @param {number} degrees from the gradient @param {number} length */
export function change(degrees, length) {
  const angle = (degrees * Math.PI) / 180 + Math.atan2(G[1], G[0]);
  const step = [length * Math.cos(angle), length * Math.sin(angle)];
  return { step, bySlope: G[0] * step[0] + G[1] * step[1], really: loss([AT[0] + step[0], AT[1] + step[1]]) - loss(AT) };
}

const host = place("ring", "Turn the step around the point of figure 6.1, and make it longer. Which direction leads down most, and until when?");
if (host) {
  let degrees = 60;
  let length = 0.4;
  const SCALE = 85;
  const map = svg("svg", { viewBox: "-75 -150 300 225", role: "img", "aria-label": "Contour lines, the point, the gradient and the step" });
  const curve = svg("svg", { viewBox: "-30 -100 420 210", role: "img", "aria-label": "The change of the loss over the angle between step and gradient" });
  const said = el("p", { role: "status" });
  /** @param {number[]} w */
  const at = (w) => [SCALE * w[0], -SCALE * w[1]];
  /** @param {number[]} from @param {number[]} to @param {string} kind */
  const arrow = (from, to, kind) => {
    const [[x1, y1], [x2, y2]] = [at(from), at(to)];
    const [dx, dy] = [x2 - x1, y2 - y1];
    const size = Math.hypot(dx, dy) || 1;
    const [ux, uy] = [(7 * dx) / size, (7 * dy) / size];
    return svg("path", { class: kind, d: `M${x1} ${y1}L${x2} ${y2}m${-ux - uy / 2} ${-uy + ux / 2}L${x2} ${y2}l${-ux + uy / 2} ${-uy - ux / 2}` });
  };

  const draw = () => {
    const { step, bySlope, really } = change(degrees, length);
    const levels = [0.1, 0.35, 0.68, 1, 1.5, 2.1].map((share) => share * loss(AT));
    map.replaceChildren(
      ...levels.map((level) => svg("ellipse", { class: "level", rx: SCALE * Math.sqrt(2 * level), ry: SCALE * Math.sqrt((2 * level) / 3) })),
      svg("circle", { class: "level", cx: at(AT)[0], cy: at(AT)[1], r: SCALE * length }),
      arrow(AT, [AT[0] + 0.28 * G[0], AT[1] + 0.28 * G[1]], "arrow"),
      arrow(AT, [AT[0] + step[0], AT[1] + step[1]], really > 0 ? "arrow up-line" : "arrow down-line"));
    const most = length * Math.hypot(...G) * 1.3;
    const y = (/** @type {number} */ value) => (-80 * value) / most;
    const all = Array.from({ length: 73 }, (_, k) => 5 * k);
    const line = (/** @type {"bySlope" | "really"} */ of) => all.map((d) => `${d},${y(change(d, length)[of]).toFixed(1)}`).join(" ");
    curve.replaceChildren(
      svg("line", { x1: 0, x2: 360, y1: 0, y2: 0 }),
      svg("polyline", { class: "quiet-path", points: line("bySlope") }), svg("polyline", { class: "path", points: line("really") }),
      svg("circle", { class: really > 0 ? "up-dot" : "down-dot", cx: degrees, cy: y(really), r: 6 }),
      ...[0, 90, 180, 270, 360].map((d) => svg("text", { x: d, y: 105 }, `${d}°`)));
    said.textContent = `By its slope the loss changes by ${shown(bySlope)}, really by ${shown(really)}: ${bySlope < 0 && really > 0 ? "the slope promised less, but the step is too long" : really < 0 ? "down" : "up"}.`;
  };
  const turn = slider("angle", { min: 0, max: 360, step: 5, value: degrees, digits: 0 }, (value) => { degrees = value; draw(); });
  const size = slider("length", { min: 0.05, max: 3, step: 0.05, value: length }, (value) => { length = value; draw(); });
  host.append(turn.element, size.element, el("p", {}, el("button", { type: "button", onclick: () => { degrees = 180; turn.set(180); draw(); } }, "Against the gradient")), el("div", { class: "pair" }, map, curve), said);
  draw();
}
