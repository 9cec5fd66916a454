// @ts-check
/** Says whether what a reader types is what the exercise's code prints. */

/** @param {string} text "-0.44", "1,382", "4/3", "50 %", "1.2e-3" @returns {number} */
export function number(text) {
  const plain = text.trim().replace(/[−–]/g, "-").replace(/(?<=\d),(?=\d{3}(?!\d))/g, "").replace(/\s*%$/, "");
  const parts = plain.split("/").map((part) => (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(part.trim()) ? Number(part) : NaN));
  return parts.length === 1 ? parts[0] : parts.length === 2 ? parts[0] / parts[1] : NaN;
}

/**
 * Whether it agrees with what is printed: whole numbers exactly, others within the last printed digit or one per cent.
 * @param {string} typed @param {string} printed @param {boolean} about whether a whole number is only known about
 * @returns {"right" | "near" | "wrong" | "unreadable"}
 */
export function judge(typed, printed, about = false) {
  const value = number(typed);
  if (Number.isNaN(value)) return "unreadable";
  const truth = number(printed);
  const digits = /\.(\d*)(?:e([-+]?\d+))?$/.exec(printed);
  const unit = digits ? 10 ** (Number(digits[2] ?? 0) - digits[1].length) : 0;
  const whole = !digits || digits[1] === "" || /\.0+$/.test(printed);
  const allowed = whole && !about ? 1e-9 : Math.max(unit, Math.abs(truth) / 100) * 1.001;
  if (Math.abs(value - truth) <= allowed) return "right";
  return Math.abs(value - truth) <= Math.abs(truth) / 10 ? "near" : "wrong";
}

const SAY = { right: "Right.", near: "Nearly.", wrong: "Not this one.", unreadable: "Please type a number, such as -0.5 or 4/3.", "": "" };

/** @param {Element} field @param {string} text */
function say(field, text) {
  /** @type {HTMLElement} */ (field.parentElement?.nextElementSibling).textContent = text;
}

for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll("form.answers"))) {
  const fields = /** @type {(HTMLInputElement | HTMLSelectElement)[]} */ ([...form.querySelectorAll("input, select")]);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    for (const field of fields) {
      const { expected = "", about } = field.dataset;
      const verdict = field.value.trim() === "" ? "" : field.tagName === "SELECT" ? (field.value === expected ? "right" : "wrong") : judge(field.value, expected, about !== undefined);
      field.dataset.verdict = verdict;
      field.setAttribute("aria-invalid", String(verdict !== "" && verdict !== "right"));
      if (fields.length > 1) say(field, SAY[verdict]);
    }
    const right = fields.filter((field) => field.dataset.verdict === "right").length;
    const summary = /** @type {HTMLOutputElement} */ (form.querySelector("output"));
    const only = /** @type {keyof typeof SAY} */ (fields[0].dataset.verdict);
    summary.textContent = fields.length > 1 ? `Right: ${right} of ${fields.length}.` : SAY[only];
  });
  for (const field of fields) {
    field.addEventListener("input", () => {
      delete field.dataset.verdict;
      field.removeAttribute("aria-invalid");
      say(field, "");
    });
  }
}
