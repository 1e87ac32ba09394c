import assert from "node:assert/strict";
import { test } from "node:test";
import { httpVersion } from "../../../frontend/client/version.js";

/** @param {unknown} context @param {Record<string, [string, string][]>} entries by their type */
function loaded(context, entries) {
  /** @type {any} */ (context).mock.method(performance, "getEntriesByType", (/** @type {string} */ type) =>
    (entries[type] ?? []).map(([name, nextHopProtocol]) => ({ name, nextHopProtocol })),
  );
}

test("without TLS it is HTTP/1.1, whatever else was loaded", (context) => {
  loaded(context, { navigation: [["http://ticker.test/", "h2"]] });

  assert.equal(httpVersion("http://ticker.test/market"), "h1");
});

test("it is what the page itself, or something else of that server, was loaded with", (context) => {
  loaded(context, {
    navigation: [["https://page.test/", "h3"]],
    resource: [["https://ticker.test/a.js", "h2"], ["https://old.test/", "http/1.1"]],
  });

  assert.deepEqual(["page", "ticker", "old"].map((name) => httpVersion(`https://${name}.test/x`)), ["h3", "h2", "h1"]);
});

test("it is HTTP/1.1 where nothing is known, or only what a cache has said", (context) => {
  loaded(context, {
    navigation: [["https://ticker.test/", ""]],
    resource: [["https://ticker.test.evil/", "h2"]],
  });

  assert.equal(httpVersion("https://ticker.test"), "h1");
});
