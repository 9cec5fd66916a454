// @ts-check
/** What every page does: language, colours, and the place to come back to. */

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
