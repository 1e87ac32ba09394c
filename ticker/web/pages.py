"""``GET /`` and what it loads: the files of ``frontend/`` and Plotly's script, from memory, compressed once."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from quart import Blueprint, Response, request

import ticker
from ticker.log import get_logger

log = get_logger(__name__)

# Beside the package, in a checkout and when installed; not searched for by name, since the folder that the server was
# started in may have a `frontend` of its own.
FOLDER = Path(ticker.__file__).resolve().parent.parent / "frontend"

# What is served of the folder. Not asked of `mimetypes`, which reads the machine's own tables: modules need their type.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".png": "image/png",
}

# Scripts, workers and connections of our own origin only, and no page may frame ours. 'self' covers WebSockets of the
# same host (CSP 3); in an old Safari, which blocks those, the client goes on to event streams. Plotly sets styles,
# and draws its PNGs from data: and blob: URLs.
SECURITY = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
}

# For what pages of any origin may load: the client and the chart script. The second header is for pages with
# Cross-Origin-Embedder-Policy, whose plain <script> asks without CORS.
PUBLIC = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}

# A page's SharedWorker loads modules that the page has just loaded: it need not ask for each whether it has changed.
FRESH = "max-age=3, must-revalidate"

# What pages call the chart script.
PLOTLY = "plotly.min.js"
IMMUTABLE = "public, max-age=31536000, immutable"


class Page:
    """One file: its headers, its bytes, and the same compressed once somebody wants it so."""

    def __init__(self, data: bytes, suffix: str, headers: Mapping[str, str]) -> None:
        self.headers = {
            "Content-Type": TYPES[suffix],
            "Cache-Control": "no-cache" if suffix == ".html" else FRESH,
            "ETag": f'"{sha256(data).hexdigest()[:32]}"',
            "Vary": "Accept-Encoding",
            **SECURITY,
            **headers,
        }
        self.plain = data
        self._compressed: bytes | None = None
        self._compressing = asyncio.Lock()

    async def compressed(self) -> bytes:
        """Return the bytes in gzip's form.

        The first one waits, 0.13 s for Plotly's 4.8 MB; neither the server's start nor its loop does.
        """
        async with self._compressing:
            if self._compressed is None:
                self._compressed = await asyncio.to_thread(gzip.compress, self.plain, mtime=0)
        return self._compressed


def load_pages(folder: Path, plotly: Path | None) -> dict[str, Page]:
    """Return what is served, by its path: ``""`` and ``x/`` stand for an ``index.html``.

    Args:
        folder: the pages.
        plotly: the file of the chart script; without it there is a warning, and the pages do without charts.
    """
    pages = _load_plotly(plotly)
    # To be immutable a URL must hold the version, and pages, which have no build step, can't know it.
    url = next(iter(pages), PLOTLY)
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix in TYPES:
            name = file.relative_to(folder).as_posix()
            data = file.read_bytes()
            if file.suffix == ".html":
                data = data.replace(f"/{PLOTLY}".encode(), f"/{url}".encode())
            headers = PUBLIC if name.startswith("client/") else {}
            pages[name.removesuffix("index.html")] = Page(data, file.suffix, headers)
    return pages


def find_plotly() -> Path | None:
    """Return the file of plotly.js in the package ``plotly``, which is not imported: that takes 52 ms."""
    spec = find_spec("plotly")
    folders = spec.submodule_search_locations if spec is not None else None
    return Path(folders[0], "package_data", PLOTLY) if folders else None


def _load_plotly(file: Path | None) -> dict[str, Page]:
    """Return the chart script by its path, or nothing."""
    data = b""
    if file is not None:
        with suppress(OSError):
            data = file.read_bytes()
    # At the head: "* plotly.js v4.1.1".
    version = re.search(rb"\* plotly\.js v([0-9A-Za-z.-]+)\n", data[:1000])
    if version is None:
        log.warning("no_chart_script", file=file)
        return {}
    name = f"plotly-{version[1].decode()}.min.js"
    return {name: Page(data, ".js", {"Cache-Control": IMMUTABLE, **PUBLIC})}


def make_blueprint() -> Blueprint:
    """Return the routes of the pages as they are now on disk."""
    blueprint = Blueprint("pages", __name__)
    for name, page in load_pages(FOLDER, find_plotly()).items():
        # An endpoint's name may not hold a dot, which stands for a blueprint's.
        blueprint.add_url_rule(f"/{name}", name.replace(".", " ") or "index", _answer, defaults={"found": page})
    return blueprint


async def _answer(found: Page) -> Response:
    """Answer with a page, or that it has not changed."""
    # As a weak one, which a proxy that compresses makes of ours (RFC 9110 13.1.2).
    if request.if_none_match.contains_raw(f"W/{found.headers['ETag']}"):
        return Response("", 304, found.headers)
    if request.accept_encodings["gzip"]:
        return Response(await found.compressed(), headers={**found.headers, "Content-Encoding": "gzip"})
    return Response(found.plain, headers=found.headers)
