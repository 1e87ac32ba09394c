"""``GET /`` and what it loads: the files of ``frontend/``, from memory, compressed once."""

from __future__ import annotations

import gzip
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from typing import NamedTuple

from quart import Blueprint, Response, request

import ticker

# Beside the package, in a checkout and when installed; not searched for by name, since the folder that the server was
# started in may have a `frontend` of its own.
FOLDER = Path(ticker.__file__).resolve().parent.parent / "frontend"

# Scripts and connections of our own origin only, and no page may frame ours.
SECURITY = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Page(NamedTuple):
    """One file: its headers, its bytes, and the same compressed."""

    headers: dict[str, str]
    plain: bytes
    compressed: bytes


def load_pages(folder: Path = FOLDER) -> dict[str, Page]:
    """Return the files of a folder by their path below it; ``""`` and ``x/`` stand for an ``index.html``."""
    pages: dict[str, Page] = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix in (".html", ".css", ".js", ".svg"):
            name = file.relative_to(folder).as_posix()
            pages[name.removesuffix("index.html")] = _load(file)
    return pages


def _load(file: Path) -> Page:
    data = file.read_bytes()
    kind, _ = guess_type(file.name)
    headers = {
        "Content-Type": f"{kind or 'text/javascript'}; charset=utf-8",
        "Cache-Control": "no-cache",
        "ETag": f'"{sha256(data).hexdigest()[:32]}"',
        "Vary": "Accept-Encoding",
        **SECURITY,
    }
    return Page(headers, data, gzip.compress(data, mtime=0))


def make_blueprint() -> Blueprint:
    """Return the routes of the pages as they are now on disk."""
    blueprint = Blueprint("pages", __name__)

    async def answer(found: Page) -> Response:
        """Answer with a file of the frontend."""
        if found.headers["ETag"] == request.headers.get("If-None-Match"):
            return Response("", 304, found.headers)
        if request.accept_encodings["gzip"]:
            return Response(found.compressed, headers={**found.headers, "Content-Encoding": "gzip"})
        return Response(found.plain, headers=found.headers)

    for name, page in load_pages().items():
        # An endpoint's name may not hold a dot, which stands for a blueprint's.
        blueprint.add_url_rule(f"/{name}", name.replace(".", " ") or "index", answer, defaults={"found": page})
    return blueprint
