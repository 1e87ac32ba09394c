/** Follow a market with npm's ws, and come back with the last cursor: node ws.js URL. One message a line. */

import WebSocket from "ws";

/** The cursor of the last message that is a place to resume from. @type {string | undefined} */
let cursor;

/** How long to wait before the next connection, in milliseconds. */
let wait = 50;

function connect() {
  const socket = new WebSocket(process.argv[2], ["ticker.v1.json"]);
  socket.on("open", () => socket.send(JSON.stringify({ op: "stream", cursor })));
  socket.on("message", (text) => take(JSON.parse(text.toString()), socket));
  // The connection is lost: "close" follows.
  socket.on("error", () => {});
  socket.on("close", () => {
    setTimeout(connect, wait);
    wait = 50;
  });
}

/** @param {any} message @param {WebSocket} socket */
function take(message, socket) {
  const { type: name, ...data } = message;
  console.log(JSON.stringify({ name, data }));
  if (name === "error") {
    wait = 1000 * data.retry_after;
    socket.close();
  } else if (name !== "ack" && data.cursor && !data.follows) {
    cursor = data.cursor;
  }
}

connect();
