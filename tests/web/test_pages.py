from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.live import Live, live
from tests.support.serving import trusting
from ticker.web import pages
from ticker.web.pages import FOLDER, Page, find_plotly, load_pages

HTML = (
    '<!doctype html><script src="/plotly.min.js" defer></script><link rel="preload" href="/plotly.min.js" as="script">'
)
FILES = {
    "index.html": HTML,
    "about/index.html": "<!doctype html><title>About</title>",
    "app.css": "body { margin: 0 }",
    "app.js": "const script = '/plotly.min.js'\n" * 100,
    "icon.svg": "<svg/>",
    "logo.png": "\x89PNG",
    "client/ticker.js": "export {}",
    "client/transports/sse.js": "export {}",
    "package.json": "{}",
    "notes.txt": "",
}
SCRIPT = b"/**\n* plotly.js v4.9.2-rc.1\n* Copyright\n*/\nvar Plotly = {}"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder of pages."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
async def server(site: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    """Serve these pages."""
    monkeypatch.setattr(pages, "FOLDER", site)
    async with live(tls=True) as served:
        yield served


@pytest.fixture(scope="module")
def plotly() -> bytes:
    """Return the chart script as the package has it."""
    file = find_plotly()
    assert file is not None
    return file.read_bytes()


@pytest.fixture(scope="module")
def plotly_path(plotly: bytes) -> str:
    """Return the path of the chart script."""
    version = plotly.split(b"\n")[1].split()[-1].removeprefix(b"v").decode()
    return f"/plotly-{version}.min.js"


def directives(answer: httpx.Response) -> dict[str, list[str]]:
    """Return what an answer's policy allows."""
    policy = [directive.split() for directive in answer.headers["Content-Security-Policy"].split(";")]
    return {name: sources for name, *sources in policy}


async def test_the_page_is_served_with_headers_that_keep_others_out(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")

    assert answer.status_code == 200
    assert answer.text.startswith("<!doctype html>")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in answer.headers["Permissions-Policy"]


async def test_modules_are_fresh_for_as_long_as_a_page_and_its_worker_load(client: httpx.AsyncClient) -> None:
    answer = await client.get("/client/ticker.js")

    assert answer.headers["Cache-Control"] == "max-age=3, must-revalidate"


@pytest.mark.parametrize("path", ["/", "/about/", "/app.js", "/client/ticker.js"])
async def test_scripts_run_from_our_own_origin_only(client: httpx.AsyncClient, path: str) -> None:
    policy = directives(await client.get(path))

    for kind in ("script-src", "worker-src", "connect-src"):
        assert policy.get(kind, policy["default-src"]) == ["'self'"]
    assert set(policy["img-src"]) == {"'self'", "data:", "blob:"}
    assert set(policy["style-src"]) == {"'self'", "'unsafe-inline'"}
    for kind in ("object-src", "base-uri", "frame-ancestors"):
        assert policy[kind] == ["'none'"]
    assert policy["form-action"] == ["'self'"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/about/", "text/html; charset=utf-8"),
        ("/app.css", "text/css; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/client/transports/sse.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml; charset=utf-8"),
        ("/logo.png", "image/png"),
    ],
)
async def test_each_file_has_its_type(client: httpx.AsyncClient, path: str, kind: str) -> None:
    answer = await client.get(path)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)


@pytest.mark.parametrize("form", ["{}", "W/{}", '"another", {}', "*"])
async def test_a_page_that_has_not_changed_is_not_sent_again(client: httpx.AsyncClient, form: str) -> None:
    first = await client.get("/app.css")
    again = await client.get("/app.css", headers={"If-None-Match": form.format(first.headers["ETag"])})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


async def test_a_page_that_has_changed_is_sent(client: httpx.AsyncClient) -> None:
    tag = (await client.get("/app.js")).headers["ETag"]
    answer = await client.get("/app.css", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.text) == (200, FILES["app.css"])


async def test_only_who_takes_gzip_gets_it(client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/app.js", headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join([chunk async for chunk in answer.aiter_raw()])
    plain = await client.get("/app.js", headers={"Accept-Encoding": "br, gzip;q=0"})

    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == plain.content == FILES["app.js"].encode()
    assert "Content-Encoding" not in plain.headers
    assert answer.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("http2", [False, True])
async def test_head_has_the_headers_and_no_body(server: Live, plotly_path: str, http2: bool) -> None:
    async with httpx.AsyncClient(base_url=server.served.urls[http2], http2=http2, verify=trusting()) as client:
        for path in ("/", "/client/ticker.js", plotly_path):
            head, whole = await client.head(path), await client.get(path)

            assert head.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
            assert (head.status_code, head.content) == (200, b"")
            assert {**head.headers, "date": ""} == {**whole.headers, "date": ""}
            assert whole.num_bytes_downloaded == int(head.headers["Content-Length"])


async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/package.json", "/notes.txt", "/plotly.min.js", "/../pyproject.toml", "/v1/nothing"):
        answer = await client.get(path)

        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"


async def test_pages_come_while_the_server_drains(server: Live, client: httpx.AsyncClient) -> None:
    server.node.draining = True

    assert (await client.get("/")).status_code == 200


def test_the_frontend_itself_is_there() -> None:
    loaded = load_pages(FOLDER, find_plotly())

    assert {"", "client/ticker.js"} <= set(loaded)
    assert not any(b"/plotly.min.js" in loaded[name].plain for name in loaded if name == "" or name.endswith("/"))


@pytest.mark.parametrize(
    "path",
    ["/v1/symbols", "/v1/poll?wait=0", "/v1/ticks", "/v1/nothing", "/v1/stream?cursor=1", "/healthz", "/metrics"],
)
async def test_no_answer_is_taken_for_a_page(client: httpx.AsyncClient, path: str) -> None:
    for method in ("GET", "OPTIONS", "TRACE"):
        assert (await client.request(method, path)).headers["X-Content-Type-Options"] == "nosniff"


class TestOrigins:
    async def test_any_page_may_load_the_client_and_the_chart_script(
        self, client: httpx.AsyncClient, plotly_path: str
    ) -> None:
        for path in ("/client/ticker.js", "/client/transports/sse.js", plotly_path):
            answer = await client.get(path, headers={"Origin": "https://foreign.example"})

            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"

    @pytest.mark.parametrize("path", ["/", "/about/", "/app.js", "/icon.svg", "/v1/symbols", "/healthz"])
    async def test_no_foreign_page_may_read_anything_else(self, client: httpx.AsyncClient, path: str) -> None:
        answer = await client.get(path, headers={"Origin": "https://foreign.example"})

        assert not [name for name in answer.headers if name.startswith(("access-control-", "cross-origin-resource"))]


class TestPlotly:
    async def test_is_the_packages_own(self, client: httpx.AsyncClient, plotly: bytes, plotly_path: str) -> None:
        async with client.stream("GET", plotly_path, headers={"Accept-Encoding": "gzip"}) as answer:
            packed = b"".join([chunk async for chunk in answer.aiter_raw()])
        plain = await client.get(plotly_path, headers={"Accept-Encoding": "identity"})

        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(packed) < len(plotly) / 3
        assert gzip.decompress(packed) == plotly
        assert plain.content == plotly

    async def test_may_be_kept_for_ever(self, client: httpx.AsyncClient, plotly_path: str) -> None:
        answer = await client.get(plotly_path)
        again = await client.get(plotly_path, headers={"If-None-Match": answer.headers["ETag"]})

        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert (again.status_code, again.content) == (304, b"")

    async def test_is_named_by_its_version_in_pages_only(self, client: httpx.AsyncClient, plotly_path: str) -> None:
        assert (await client.get("/")).text == HTML.replace("/plotly.min.js", plotly_path)
        assert (await client.get("/app.js")).text == FILES["app.js"]

    def test_of_another_version_makes_another_page(self, site: Path) -> None:
        (site / "one").write_bytes(SCRIPT)
        (site / "two").write_bytes(SCRIPT.replace(b"4.9.2", b"4.9.3"))
        one, two = load_pages(site, site / "one"), load_pages(site, site / "two")

        assert "plotly-4.9.2-rc.1.min.js" in one
        assert "plotly-4.9.3-rc.1.min.js" in two
        assert one[""].headers["ETag"] != two[""].headers["ETag"]
        assert one["app.js"].headers["ETag"] == two["app.js"].headers["ETag"]

    @pytest.mark.parametrize("content", [None, b"", b"var Plotly = {}", b"* plotly.js v../../x\n"])
    async def test_that_is_missing_is_warned_of_once(
        self, site: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, content: bytes | None
    ) -> None:
        if content is not None:
            (site / "script").write_bytes(content)
        monkeypatch.setattr(pages, "FOLDER", site)
        monkeypatch.setattr(pages, "find_plotly", lambda: site / "script")
        async with live() as server, httpx.AsyncClient(base_url=server.url) as client:
            page, script = await client.get("/"), await client.get("/plotly.min.js")

        assert (page.status_code, page.text) == (200, HTML)
        assert script.status_code == 404
        assert [record.message for record in caplog.records if record.levelname == "WARNING"] == ["no_chart_script"]

    def test_that_is_not_installed_is_missing(self, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pages, "find_spec", lambda name: None)

        assert find_plotly() is None
        assert not any("plotly" in name for name in load_pages(site, find_plotly()))

    def test_is_found_without_importing_it(self) -> None:
        code = "import sys; from ticker.web import pages; pages.make_blueprint(); print('plotly' in sys.modules)"
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

        assert result.stdout == "False\n"


class Compressor:
    """Stands in for ``gzip.compress``: notes the threads it ran in, and waits until it may go on."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.may_end = threading.Event()

    def __call__(self, data: bytes, **_: object) -> bytes:
        """Return the bytes reversed."""
        self.threads.append(threading.get_ident())
        assert self.may_end.wait(10)
        return data[::-1]


class TestCompression:
    @pytest.fixture
    def compress(self, monkeypatch: pytest.MonkeyPatch) -> Compressor:
        """Put a compressor in gzip's place."""
        compressor = Compressor()
        monkeypatch.setattr(gzip, "compress", compressor)
        return compressor

    async def test_is_done_once_beside_the_loop(self, compress: Compressor) -> None:
        page = Page(b"abc", ".js", {})
        asked = [asyncio.create_task(page.compressed()) for _ in range(3)]
        await asyncio.sleep(0)
        compress.may_end.set()

        assert [*await asyncio.gather(*asked), await page.compressed()] == [b"cba"] * 4
        assert len(compress.threads) == 1
        assert threading.get_ident() not in compress.threads

    async def test_outlives_a_client_that_goes(self, compress: Compressor) -> None:
        page = Page(b"abc", ".js", {})
        first, second = (asyncio.create_task(page.compressed()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        compress.may_end.set()

        assert await second == b"cba"
        assert first.cancelled()

    def test_is_not_done_before_somebody_asks(self, site: Path, compress: Compressor) -> None:
        load_pages(site, find_plotly())

        assert compress.threads == []
