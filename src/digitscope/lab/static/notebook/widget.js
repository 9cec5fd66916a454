// @ts-check
/**
 * The page "One step" in a notebook. It has a frame of its own, so that its style and the notebook's do not mix. What it
 * fetches, the kernel answers: requests and answers are messages of the widget.
 */

/**
 * @typedef {object} Model the widget in the kernel, as anywidget gives it
 * @property {(name: string) => any} get
 * @property {(name: string, value: any) => void} set
 * @property {() => void} save_changes
 * @property {(content: any) => void} send
 * @property {(event: string, f: (...values: any[]) => void) => void} on
 * @property {(event: string, f: (...values: any[]) => void) => void} off
 */
/** @typedef {{name: string, source: string}} Module */

/** @param {{model: Model, el: HTMLElement}} place */
function render({ model, el }) {
  const frame = document.createElement("iframe");
  frame.title = "One step";
  frame.style.cssText = `display: block; width: 100%; height: ${model.get("height")}px; border: 0;`;
  const said = document.createElement("p");
  said.textContent = "Run this cell to show the step: its numbers come from the kernel.";
  el.append(said);
  /** @type {Map<string, (answer: any) => void>} */
  const waiting = new Map();
  /** @type {string[]} */
  const addresses = [];

  /** @param {{id: string}} answer */
  function receive(answer) {
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  }
  model.on("msg:custom", receive);

  /**
   * What the kernel answers.
   * @param {string} path
   * @param {string} method
   * @param {unknown} [body]
   * @returns {Promise<{status: number, content: any}>}
   */
  function ask(path, method, body) {
    const id = `${Date.now()}-${Math.random()}`;
    return new Promise((resolve) => {
      waiting.set(id, resolve);
      model.send({ id, path, method, body });
    });
  }

  /** Stands for the frame's `fetch`. @param {string} path @param {RequestInit} [options] */
  async function answer(path, options = {}) {
    const body = options.body === undefined ? undefined : JSON.parse(String(options.body));
    const { status, content } = await ask(path, options.method ?? "GET", body);
    return new Response(JSON.stringify(content), { status });
  }

  /** @param {Module[]} modules each after those that it imports */
  function start(modules) {
    const inner = /** @type {Window & typeof globalThis & {digitscope: object}} */ (frame.contentWindow);
    const page = inner.document;
    page.documentElement.dataset.theme = theme();
    inner.fetch = /** @type {typeof fetch} */ (answer);
    inner.digitscope = {
      state: model.get("state"),
      /** @param {object} state */
      save(state) {
        model.set("state", state);
        model.save_changes();
      },
    };
    page.addEventListener("click", (event) => {
      const link = /** @type {Element} */ (event.target).closest("a");
      if (link === null) return;
      event.preventDefault();
      const href = link.getAttribute("href") ?? "";
      if (href.startsWith("/notes/")) void read(page, href);
      else if (href.startsWith("#")) page.getElementById(href.slice(1))?.scrollIntoView();
    });
    /** @type {[string, string][]} */
    const known = [];
    for (const { name, source } of modules) {
      const text = known.reduce((found, [other, address]) => found.replaceAll(`"${other}"`, `"${address}"`), source);
      const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
      known.push([name, address]);
      addresses.push(address);
    }
    const script = page.createElement("script");
    script.type = "module";
    script.src = addresses[addresses.length - 1];
    page.body.append(script);
  }

  /** Shows a chapter of the notes over the page. @param {Document} page @param {string} href */
  async function read(page, href) {
    const [path, anchor] = href.split("#");
    const { content } = await ask(path, "GET");
    const dialog = page.querySelector("dialog.chapter") ?? page.body.appendChild(page.createElement("dialog"));
    dialog.className = "chapter";
    dialog.innerHTML = content.html;
    const opened = /** @type {HTMLDialogElement} */ (dialog);
    opened.querySelector("button")?.addEventListener("click", () => opened.close());
    if (!opened.open) opened.showModal();
    page.getElementById(anchor ?? "")?.scrollIntoView();
  }

  void ask("/step", "GET").then(({ content }) => {
    frame.srcdoc = content.html;
    frame.addEventListener("load", () => start(content.modules), { once: true });
    said.replaceWith(frame);
  });

  return () => {
    model.off("msg:custom", receive);
    addresses.forEach((address) => URL.revokeObjectURL(address));
  };
}

/** The notebook's colours: those of JupyterLab or VS Code, else the system's. */
function theme() {
  const { body } = document;
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "true" ? "light" : "dark";
  if (body.dataset.vscodeThemeKind) return body.dataset.vscodeThemeKind.includes("dark") ? "dark" : "light";
  return "auto";
}

export default { render };
