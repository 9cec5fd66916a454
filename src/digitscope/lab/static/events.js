// @ts-check
/** The browser's one event stream, as a shared worker; without shared workers, a part of the page. */

/** @type {Set<MessagePort>} */
const ports = new Set();
/** @type {Set<string>} */
const topics = new Set();
/** @type {EventSource | null} */
let source = null;

/** @param {MessagePort} port */
export function serve(port) {
  port.onmessage = ({ data }) => {
    if (data.close) {
      ports.delete(port);
      if (ports.size === 0) {
        source?.close();
        source = null;
        topics.clear();
      }
    } else {
      ports.add(port);
      subscribe("reset");
      subscribe(data.topic);
    }
  };
  port.start();
}

/** @param {string} topic */
function subscribe(topic) {
  source ??= new EventSource("/api/events");
  if (topics.has(topic)) return;
  topics.add(topic);
  source.addEventListener(topic, (event) => {
    const value = JSON.parse(event.data);
    for (const port of ports) port.postMessage({ topic, value });
  });
}

self.addEventListener("connect", (event) => serve(/** @type {MessageEvent} */ (event).ports[0]));
