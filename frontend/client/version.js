/** The version of HTTP that the browser speaks with a server. */

/**
 * @param {string} url where the server is
 * @returns {"h1" | "h2" | "h3"} HTTP/1.1 where it is not known yet
 */
export function httpVersion(url) {
  const { origin, protocol } = new URL(url);
  // Browsers speak HTTP/2 over TLS only.
  if (protocol === "http:") return "h1";
  const entries = /** @type {PerformanceResourceTiming[]} */ (
    ["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type))
  );
  // What came out of the browser's cache has none, even if the server was asked whether it still holds.
  const known = entries.find(({ name, nextHopProtocol }) => name.startsWith(`${origin}/`) && nextHopProtocol);
  if (known?.nextHopProtocol === "h2") return "h2";
  return known?.nextHopProtocol === "h3" ? "h3" : "h1";
}
