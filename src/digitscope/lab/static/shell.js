// @ts-check
/** What every page does: language, colours, the place to come back to, and the tour if it is under way. */

const PLACE = "digitscope.place";
export const TOUR = "digitscope.tour";

for (const name of ["language", "theme"]) {
  document.getElementById(name)?.addEventListener("change", (event) => {
    const { value } = /** @type {HTMLSelectElement} */ (event.target);
    document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=strict`;
    if (name === "language") location.reload();
    else {
      document.documentElement.dataset.theme = value;
      dispatchEvent(new Event("theme"));
    }
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("theme")));

/** Every visit begins where the last one ended; /#start is the start page in any case. */
const place = localStorage.getItem(PLACE);
if (location.pathname === "/" && !location.hash && place && /^\/[\w-]/.test(place)) location.replace(place);
else {
  document.body.classList.add("ready");
  if (!document.body.classList.contains("bare")) addEventListener("pagehide", remember);
  if (sessionStorage.getItem(TOUR) !== null) void import("./tour.js").then((tour) => tour.goOn());
}

function remember() {
  localStorage.setItem(PLACE, location.pathname + location.search + location.hash);
}
