// @ts-check
/**
 * The only way in which pages get numbers. A page computes no network: it asks here, and the lab's server answers. In a
 * notebook the kernel does: notebook/widget.js stands for `fetch` there.
 */

/** What the server says when it cannot answer: one line that says what was expected. */
export class EngineError extends Error {
  /** @param {string} message @param {number} status */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** @typedef {{shape: number[], type: string, data: string}} Encoded */
/** @typedef {Float64Array | Float32Array | Uint8Array | Int32Array} Numbers */

/**
 * @param {string} path
 * @param {Record<string, string | number | boolean | undefined | null>} [query]
 * @returns {Promise<any>}
 */
export async function get(path, query = {}) {
  return json(await fetch(address(path, query)));
}

/**
 * Sends a value as JSON.
 * @param {string} path
 * @param {unknown} body
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function ask(path, body, signal) {
  const headers = { "content-type": "application/json" };
  return json(await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal }));
}

/**
 * Sends a file.
 * @param {string} path
 * @param {Blob} file
 * @param {string} name
 * @returns {Promise<any>}
 */
export async function upload(path, file, name) {
  const headers = { "content-type": "application/octet-stream" };
  return json(await fetch(address(path, { name }), { method: "POST", headers, body: file }));
}

/**
 * A function that asks with at most one request under way. While one is, only the newest body waits; the promises of
 * those it replaces resolve to null.
 * @param {string} path
 * @returns {(body: unknown) => Promise<any>}
 */
export function latest(path) {
  let busy = false;
  /** @type {{body: unknown, resolve: (answer: any) => void, reject: (error: unknown) => void} | null} */
  let waiting = null;
  async function next() {
    const job = waiting;
    if (busy || job === null) return;
    busy = true;
    waiting = null;
    try {
      job.resolve(await ask(path, job.body));
    } catch (error) {
      job.reject(error);
    } finally {
      busy = false;
      void next();
    }
  }
  return (body) =>
    new Promise((resolve, reject) => {
      waiting?.resolve(null);
      waiting = { body, resolve, reject };
      void next();
    });
}

/**
 * A function that does nothing while its former call is under way, as when a button is pressed twice.
 * @template {any[]} A
 * @param {(...values: A) => Promise<void>} f
 * @param {(error: unknown) => void} complain
 */
export function exclusive(f, complain) {
  let busy = false;
  return async (/** @type {A} */ ...values) => {
    if (busy) return;
    busy = true;
    await f(...values).catch(complain);
    busy = false;
  };
}

/**
 * A function that runs f at most once at a time, and once more if it was called meanwhile.
 * @param {() => Promise<void>} f
 * @param {(error: unknown) => void} complain
 */
export function coalesced(f, complain) {
  let [busy, stale] = [false, false];
  return async function run() {
    stale = busy;
    if (busy) return;
    busy = true;
    await f().catch(complain);
    busy = false;
    if (stale) void run();
  };
}

/**
 * The elements of an array that the server encoded, in row-major order.
 * @param {Encoded} array
 * @returns {Numbers}
 */
export function decode(array) {
  const bytes = Uint8Array.from(atob(array.data), (c) => c.charCodeAt(0));
  const kinds = { float64: Float64Array, float32: Float32Array, uint8: Uint8Array, int32: Int32Array };
  const kind = kinds[/** @type {keyof typeof kinds} */ (array.type)];
  if (kind === undefined) throw new Error(`engine.js cannot decode ${array.type}.`);
  return new kind(bytes.buffer);
}

/**
 * Calls f with the value of each event of this topic; "reset" means that events were missed. Returns a function that
 * ends this. All tabs of a browser share one stream, since a browser opens only six connections to one server.
 * @param {string} topic
 * @param {(value: any) => void} f
 * @returns {() => void}
 */
export function listen(topic, f) {
  const port = stream();
  /** @param {Event} event */
  const pass = (event) => {
    const { topic: of, value } = /** @type {MessageEvent} */ (event).data;
    if (of === topic) f(value);
  };
  port.addEventListener("message", pass);
  topics.add(topic);
  port.postMessage({ topic });
  return () => port.removeEventListener("message", pass);
}

/** @type {MessagePort | null} */
let shared = null;
/** @type {Set<string>} */
const topics = new Set();

// The stream outlives this page, which may also come back from the browser's memory.
addEventListener("pagehide", () => shared?.postMessage({ close: true }));
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  for (const topic of topics) shared?.postMessage({ topic });
  shared?.dispatchEvent(new MessageEvent("message", { data: { topic: "reset" } }));
});

function stream() {
  if (shared) return shared;
  if (typeof SharedWorker === "function") {
    shared = new SharedWorker("/static/events.js", { type: "module", name: "events" }).port;
  } else {
    const channel = new MessageChannel();
    shared = channel.port1;
    void import("./events.js").then((events) => events.serve(channel.port2));
  }
  shared.start();
  return shared;
}

/** @param {string} path @param {Record<string, unknown>} query */
function address(path, query) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const text = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/** @param {Response} reply */
async function json(reply) {
  const answer = await reply.json().catch(() => ({ error: reply.statusText }));
  if (!reply.ok) throw new EngineError(answer.error ?? reply.statusText, reply.status);
  return answer;
}
