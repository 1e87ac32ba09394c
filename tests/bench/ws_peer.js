// A peer: Node and its package ws. It says its port on stdout and sends each client, every 10 ms, one frame that takes
// as many bytes on the wire as the client's request tells: `GET /ws?bytes=149&binary=1`; 0 is silence.

import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const INTERVAL = 10;

/** All who get the same bytes. @type {Map<string, {length: number, binary: boolean, sockets: Set<import("ws").WebSocket>}>} */
const groups = new Map();
let seq = 0;

/** @param {number} bytes of a frame @returns {number} those of its content */
function contentLength(bytes) {
  if (bytes - 2 < 126) return bytes - 2;
  return bytes - (bytes - 4 < 65536 ? 4 : 10);
}

/** @param {number} length @returns {Buffer} the message of payload.py */
function makePayload(length) {
  const micros = String(Math.round((performance.timeOrigin + performance.now()) * 1000)).padStart(16, "0");
  const head = `{"symbol":"EUR/USD","ts":${micros},"cursor":"0-${String(seq).padStart(9, "0")}","fill":"`;
  return Buffer.from(head + "x".repeat(length - head.length - 2) + '"}');
}

function tick() {
  seq += 1;
  for (const { length, binary, sockets } of groups.values()) {
    const payload = makePayload(length);
    for (const socket of sockets) socket.send(payload, { binary });
  }
}

/** Tick at multiples of the interval, whatever a tick takes; after a pause those missed are left out. @param {number} due */
function schedule(due) {
  setTimeout(() => {
    tick();
    schedule(Math.max(due + INTERVAL, performance.now()));
  }, due - performance.now());
}

const http = createServer();
const server = new WebSocketServer({ server: http, perMessageDeflate: false });
server.on("connection", (socket, request) => {
  const wanted = new URL(request.url ?? "/", "http://localhost").searchParams;
  const bytes = Number(wanted.get("bytes"));
  if (!bytes) return;
  const binary = wanted.get("binary") === "1";
  const key = `${bytes} ${binary}`;
  const group = groups.get(key) ?? { length: contentLength(bytes), binary, sockets: new Set() };
  groups.set(key, group);
  group.sockets.add(socket);
  socket.on("close", () => group.sockets.delete(socket));
  socket.on("error", () => socket.terminate());
});
http.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => {
  const address = http.address();
  if (address !== null && typeof address === "object") console.log(address.port);
});
schedule(performance.now());
