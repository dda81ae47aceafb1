// npm's EventSource, which comes back by itself. Usage: node event_source.mjs URL FILE LAST
// Writes the id and the subject of each message to FILE, a line each, until one is about the resource LAST.
import { appendFileSync } from "node:fs";
import { EventSource } from "eventsource";

const [url, file, last] = process.argv.slice(2);
const source = new EventSource(url);
source.onmessage = ({ lastEventId, data }) => {
  const { subject } = JSON.parse(data);
  appendFileSync(file, `${lastEventId} ${subject}\n`);
  if (subject === last) {
    source.close();
    console.log("held");
  }
};
source.addEventListener("end", ({ data }) => appendFileSync(file, `end ${JSON.parse(data).reason}\n`));
source.onerror = ({ code, message }) => {
  if (source.readyState === EventSource.CLOSED) throw new Error(`${code}: ${message}`);
};
