"""The page of the client library at ``/client/``: its example runs and proves a recovery, and so does all its code."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.support.checkout import ROOT
from tests.support.process import ServerProcess, server_process

# What Chromium reports of a stream that the reader has had cut, and of the answers that keep it away.
CUT = re.compile(r"ERR_INCOMPLETE_CHUNKED_ENCODING|status of 503")
TRANSPORTS = ("fetch", "websocket", "longpoll", "poll", "sse")


class Opened(NamedTuple):
    """The page, and what the browser has said and asked for since."""

    page: Page
    errors: list[str]
    said: list[str]
    asked: list[str]


Open = Callable[[str], Opened]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Run a server whose market is what the test publishes."""
    with server_process(tmp_path) as process:
        yield process


@pytest.fixture
def open_url(page: Page) -> Open:
    """Open a URL, and write down what the browser says and asks for."""
    opened = Opened(page, [], [], [])
    page.on("pageerror", lambda error: opened.errors.append(str(error)))
    page.on("console", lambda message: (opened.errors if message.type == "error" else opened.said).append(message.text))
    page.on("request", lambda request: opened.asked.append(request.url))
    page.on("websocket", lambda socket: opened.asked.append(socket.url))
    page.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)

    def open_url(url: str) -> Opened:
        page.goto(url)
        return opened

    return open_url


def open_page(server: ServerProcess, open_url: Open) -> Opened:
    """Open the library's page of a server whose market has five symbols, and wait until it is live."""
    server.publish_numbered(10)
    opened = open_url(f"{server.urls[0]}/client/")
    expect(opened.page.locator("#state")).to_have_text("live")
    return opened


def publish_until(server: ServerProcess, page: Page, is_done: Callable[[], bool]) -> None:
    """Publish ten times a second until something has come of it."""
    for turn in range(200):
        server.publish_numbered(5, 11 + 5 * turn)
        page.wait_for_timeout(100)
        if is_done():
            return
    raise AssertionError("nothing came of it")


def code(opened: Opened, kind: str) -> list[str]:
    """Return the page's pieces of code of a kind."""
    pieces: list[str] = opened.page.locator(f"[data-example={kind}]").all_text_contents()
    return pieces


def test_it_shows_the_market_from_its_own_server(server: ServerProcess, open_url: Open) -> None:
    opened = open_page(server, open_url)
    server.publish_numbered(20, 11)
    expect(opened.page.locator("#received")).to_have_text("20")
    expect(opened.page.locator("#rows td:first-of-type")).to_have_text(["100.00"] * 5)
    hosts = {urlsplit(url).netloc for url in opened.asked if not url.startswith("data:")}

    assert opened.errors == []
    assert hosts == {urlsplit(server.urls[0]).netloc}


def test_a_cut_costs_nothing_and_it_says_so(server: ServerProcess, open_url: Open) -> None:
    opened = open_page(server, open_url)
    opened.page.click("#cut")
    expect(opened.page.locator("#state")).to_have_text("reconnecting")
    server.publish_numbered(50, 11)
    expect(opened.page.locator("#proof")).to_contain_text("back on sse: missed 50, replayed 50, lost 0.")
    counts = [opened.page.text_content(f"#{name}") for name in ("received", "replayed", "duplicates", "gaps", "lost")]

    assert counts == ["50", "50", "0", "0", "0"]
    assert [error for error in opened.errors if not CUT.search(error)] == []


def test_every_transport_goes_on_from_the_same_cursor(server: ServerProcess, open_url: Open) -> None:
    opened = open_page(server, open_url)
    for turn, name in enumerate(TRANSPORTS):
        opened.page.check(f"input[value={name}]")
        expect(opened.page.locator("#proof")).to_contain_text(f"back on {name}")
        server.publish_numbered(10, 11 + 10 * turn)
        expect(opened.page.locator("#received")).to_have_text(str(10 + 10 * turn))

    assert [opened.page.text_content(f"#{name}") for name in ("duplicates", "gaps", "lost")] == ["0", "0", "0"]
    assert opened.errors == []


def test_it_names_no_symbols_before_there_are_any(server: ServerProcess, open_url: Open) -> None:
    opened = open_url(f"{server.urls[0]}/client/")
    expect(opened.page.locator("#state")).to_have_text("live")
    server.publish_numbered(10)

    expect(opened.page.locator("#rows tr")).to_have_count(5)


def test_a_refusal_can_be_tried_again(server: ServerProcess, open_url: Open, page: Page) -> None:
    error = {"error": {"code": "forbidden", "message": "not you"}}
    page.route("**/v1/stream?*", lambda route: route.fulfill(status=403, json=error))
    opened = open_url(f"{server.urls[0]}/client/")
    expect(opened.page.locator(".state")).to_contain_text("not you")
    page.unroute("**/v1/stream?*")
    opened.page.get_by_role("button", name="Try again").click()

    expect(opened.page.locator("#state")).to_have_text("live")
    expect(opened.page.locator("#retry")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 360, 1200])
def test_it_needs_no_scrolling_to_the_side(server: ServerProcess, open_url: Open, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    opened = open_page(server, open_url)

    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.page.evaluate(
        "[...document.querySelectorAll('main :not(pre *)')]"
        ".every((each) => each.getBoundingClientRect().right <= innerWidth)"
    )


def test_its_first_page_runs_as_it_stands(server: ServerProcess, open_url: Open, page: Page) -> None:
    (text,) = code(open_page(server, open_url), "page")
    page.route("**/prices.html", lambda route: route.fulfill(content_type="text/html", body=text))
    opened = open_url(f"{server.urls[0]}/prices.html")
    expect(opened.page.locator("#prices li")).to_have_text(["BTC-USD 100 / 100.01", "EUR/USD 100 / 100.01"])

    assert opened.errors == []


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, r"missed ([1-9]\d*), replayed \1, lost 0$"),
        (1, r"BTC-USD 100 100\.01$"),
        (2, r"BTC-USD 100 100\.01$"),
        (3, r"bad_symbols symbols\[1\] a symbol is"),
    ],
    ids=["watch", "token", "tabs", "errors"],
)
def test_its_modules_run_as_they_stand(
    server: ServerProcess, open_url: Open, page: Page, number: int, said: str
) -> None:
    modules = code(open_page(server, open_url), "module")
    page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    opened = open_url(f"{server.urls[0]}/healthz")
    opened.said.clear()
    page.add_script_tag(type="module", content=modules[number])
    publish_until(server, page, lambda: any(re.match(said, each) for each in opened.said))

    assert len(modules) == 4
    assert [error for error in opened.errors if not CUT.search(error)] == []


def test_its_code_for_node_runs_as_it_stands(server: ServerProcess, open_url: Open, page: Page, tmp_path: Path) -> None:
    (text,) = code(open_page(server, open_url), "node")
    (tmp_path / "prices.mjs").write_text(text)
    (tmp_path / "frontend").symlink_to(ROOT / "frontend")
    output = tmp_path / "output"
    with output.open("w") as file, subprocess.Popen(("node", "prices.mjs"), cwd=tmp_path, stdout=file) as process:
        try:
            publish_until(server, page, lambda: output.read_text().endswith("\n"))
        finally:
            process.kill()

    assert re.match(r"BTC-USD 100 100\.01 \d+-\d+\n", output.read_text())


def test_its_code_can_be_copied(server: ServerProcess, open_url: Open, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = open_page(server, open_url)
    figure = page.locator("figure.code").first
    figure.get_by_role("button").click()
    expect(figure.get_by_role("button")).to_have_text("Copied")

    assert page.evaluate("navigator.clipboard.readText()") == code(opened, "shell")[0]
