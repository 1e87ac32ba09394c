/** Follow a stream with npm's eventsource, which comes back by itself: node eventsource.js URL. One event a line. */

import { EventSource } from "eventsource";

const NAMES = ["hello", "gap", "snapshot", "quote", "trade", "refused", "bye"];

const source = new EventSource(process.argv[2]);
for (const name of NAMES) {
  source.addEventListener(name, (event) => console.log(JSON.stringify({ name, data: JSON.parse(event.data) })));
}
source.addEventListener("error", () => {
  // It has given up.
  if (source.readyState === EventSource.CLOSED) process.exit(1);
});
