from __future__ import annotations

import gzip

import httpx

from tests.support.live import Live
from ticker.web.pages import FOLDER


async def test_the_page_is_served_with_headers_that_keep_others_out(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")

    assert answer.status_code == 200
    assert answer.text == (FOLDER / "index.html").read_text()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_scripts_have_the_type_that_modules_need(client: httpx.AsyncClient) -> None:
    answer = await client.get("/app.js")

    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"


async def test_a_page_that_has_not_changed_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/app.css")
    again = await client.get("/app.css", headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert again.content == b""


async def test_only_who_takes_gzip_gets_it(client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/app.js", headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join([chunk async for chunk in answer.aiter_raw()])
    plain = await client.get("/app.js", headers={"Accept-Encoding": "identity"})

    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == plain.content
    assert "Content-Encoding" not in plain.headers


async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/package.json", "/../pyproject.toml", "/v1/nothing"):
        answer = await client.get(path)

        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"


async def test_pages_come_while_the_server_drains(server: Live, client: httpx.AsyncClient) -> None:
    server.node.draining = True

    assert (await client.get("/")).status_code == 200
