import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../frontend/", import.meta.url));
const IMPORT = /(?:^|\n)(?:import|export)\s[^;]*?from\s+"([^"]+)"|(?:^|\n)import\s+"([^"]+)"/g;

/** Parts of the frontend, and of which others each may import. @type {Record<string, string[]>} */
const ALLOWED = { client: [], model: ["client"], ui: ["client", "model"], app: ["client", "model", "ui"] };

/** Modules of the client that belong to a page of their own, or end at a browser's edge. */
const BROWSER = ["client/example.js", "client/env.js", "client/shared.js", "client/slots.js", "client/worker.js"];

const modules = readdirSync(ROOT, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".js") && name !== "theme.js")
  .map((name) => name.replaceAll("\\", "/"));

/** @param {string} name */
function partOf(name) {
  return name === "app.js" ? "app" : name.split("/")[0];
}

/** @param {string} name @returns {string[]} the modules that a module imports */
function importsOf(name) {
  const source = readFileSync(join(ROOT, name), "utf8");
  return [...source.matchAll(IMPORT)].map(([, from, bare]) => normalize(join(dirname(name), from ?? bare)));
}

test("every module belongs to a part", () => {
  assert.ok(modules.length > 30);
  assert.deepEqual(modules.filter((name) => !(partOf(name) in ALLOWED)), []);
});

test("imports go one way", () => {
  const breaches = modules.flatMap((name) => {
    const allowed = [partOf(name), ...ALLOWED[partOf(name)]];
    return importsOf(name).filter((target) => !allowed.includes(partOf(target)) || target === "app.js").map((target) => `${name} imports ${target}`);
  });

  assert.deepEqual(breaches, []);
});

test("every import is of a module that is there", () => {
  const missing = modules.flatMap((name) => importsOf(name).filter((target) => !modules.includes(target)));

  assert.deepEqual(missing, []);
});

test("client and model touch no page", () => {
  const pure = modules.filter((name) => ["client", "model"].includes(partOf(name)) && !BROWSER.includes(name));
  const touching = pure.filter((name) => /\b(document|window|localStorage|innerHTML)\b[.?[]/.test(readFileSync(join(ROOT, name), "utf8")));

  assert.deepEqual(touching, []);
});

test("no module makes markup of text", () => {
  const making = modules.filter((name) => /innerHTML|outerHTML|insertAdjacentHTML|document\.write/.test(readFileSync(join(ROOT, name), "utf8")));

  assert.deepEqual(making, []);
});

test("the page names all modules that it begins with, so that they come at once", () => {
  const begun = new Set(["app.js"]);
  for (const name of begun) for (const target of importsOf(name)) begun.add(target);
  const page = readFileSync(join(ROOT, "index.html"), "utf8");
  const named = [...page.matchAll(/<link rel="modulepreload" href="\/([^"]+)"/g)].map(([, name]) => name);

  assert.deepEqual(named, [...begun].filter((name) => name !== "app.js").sort());
});
