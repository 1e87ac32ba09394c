"""Safety: names from outside are only text, no script but the page's own runs, and nothing is asked of anybody else."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import LIMIT, Dashboard, Market
from tests.support.process import ServerProcess
from tests.support.trading import define, trade
from tests.support.witness import Witness

IMAGE = '<img src=x onerror="window.hacked=1">'
SCRIPT = "<b>Bold</b><script>window.hacked=1</script>"
ENTITY = "&lt;b&gt; <a href='javascript:window.hacked=1'>Link</a>"

NAMES = {"IMG": IMAGE, "SCRIPT": SCRIPT, "LINK": ENTITY}


@pytest.fixture(scope="module")
def hostile(shared: Market) -> Market:
    """Have companies in the market whose names are markup."""
    for symbol, name in NAMES.items():
        define(shared.server, symbol, name=name, sector=name, currency="USD", reference=10)
    shared.server.publish([trade(symbol, 10) for symbol in NAMES])
    return shared


def is_unharmed(page: Page) -> None:
    """See that no markup of a name has become an element."""
    assert page.evaluate("globalThis.hacked") is None
    assert page.locator("img:not([src^='data:']), body script, main a, td b b, .search b b, .toasts a").count() == 0


def test_names_are_text_wherever_they_stand(hostile: Market, dashboard: Dashboard) -> None:
    page = dashboard.page
    witness = Witness(page)
    dashboard.open(hostile.url, f"list={','.join(NAMES)}")
    for symbol, name in NAMES.items():
        dashboard.shows(symbol, "10.00")
        dashboard.row(symbol).locator("th").click()
        expect(page.locator("#chart-title")).to_have_text(f"{symbol} {name}")
        expect(page.get_by_role("application", name=f"{symbol}, candles of 1m")).to_be_visible(timeout=LIMIT)
        expect(dashboard.row(symbol).locator("th button")).to_have_attribute("title", name)
        page.locator("#search").fill(symbol.lower())
        expect(page.get_by_role("option").first.locator("span")).to_have_text(name)
        page.keyboard.press("Escape")
    page.locator("#filter").fill("<script>")
    expect(page.locator("#rows tr:not([hidden]) th")).to_have_text(["SCRIPT"])
    with page.expect_download():
        page.get_by_role("button", name="PNG").click()

    is_unharmed(page)
    assert witness.complaints == []


def test_a_url_can_bring_in_nothing(hostile: Market, dashboard: Dashboard) -> None:
    markup = "%3Cimg%20src=x%20onerror=window.hacked=1%3E"
    witness = Witness(dashboard.page)
    dashboard.open(hostile.url, f"symbol={markup}&list=IMG,{markup},SCRIPT&interval={markup}&theme={markup}&x={markup}")
    dashboard.shows("SCRIPT", "10.00")

    expect(dashboard.page.locator("#rows th")).to_have_text(["IMG", "SCRIPT"])
    expect(dashboard.page.get_by_label("1m", exact=True)).to_be_checked()
    is_unharmed(dashboard.page)
    assert witness.complaints == []


def test_what_was_kept_can_bring_in_nothing(hostile: Market, dashboard: Dashboard) -> None:
    page = dashboard.page
    page.goto(f"{hostile.url}/healthz")
    # Kept by a page of another version, or by someone with a console.
    page.evaluate(
        """(markup) => {
        const alert = { id: "a", symbol: markup, price: 9, direction: "down", crossed: null };
        const alerts = [alert, null, 5, { ...alert, symbol: "IMG", id: markup }];
        localStorage.setItem("ticker.alerts", JSON.stringify(alerts));
        localStorage.setItem("ticker.view", JSON.stringify({ symbol: markup, list: [markup, 5, "IMG"], theme: {} }));
        localStorage.setItem("ticker.keys", "{");
    }""",
        IMAGE,
    )
    dashboard.open(hostile.url)
    dashboard.shows("IMG", "10.00")
    hostile.server.publish([trade("IMG", 8)])
    expect(dashboard.toasts).to_have_text(["IMG has fallen to 9.00"])
    page.get_by_role("button", name="alert").click()
    page.get_by_role("button", name="remove").first.click()

    is_unharmed(page)
    hostile.server.publish([trade("IMG", 10)])


def test_a_servers_message_is_text(hostile: Market, dashboard: Dashboard) -> None:
    error = {"error": {"code": "forbidden", "message": IMAGE}}
    dashboard.page.route("**/v1/stream?*", lambda route: route.fulfill(status=403, json=error))
    dashboard.open(hostile.url, "share=0&list=IMG")
    dashboard.reach("refused")
    assert dashboard.detail("why") == f"forbidden: {IMAGE}"
    is_unharmed(dashboard.page)


def test_a_whole_session_asks_one_origin_and_complains_of_nothing(busy: ServerProcess, dashboard: Dashboard) -> None:
    page = dashboard.page
    witness = Witness(page)
    dashboard.open(busy.urls[0])
    dashboard.reach("live")
    expect(page.locator("#chart .js-plotly-plot")).to_be_visible(timeout=LIMIT)
    dashboard.cut(0.5)
    dashboard.recoveries(1)
    dashboard.reach("live")
    # On the button that has just been pressed, Space would press it again.
    page.evaluate("document.activeElement.blur()")
    for key in ("ArrowDown", "1", "4", "Alt+ArrowDown", "Space", "Space"):
        page.keyboard.press(key)
    page.locator("#chart").hover()
    page.mouse.wheel(0, -300)
    for name in ("looks", "alert", "pill", "help"):
        page.locator(f"#{name}").click()
        page.keyboard.press("Escape")
    dashboard.add("GBP/USD")
    dashboard.use("websocket")
    dashboard.recoveries(2)
    page.set_viewport_size({"width": 360, "height": 740})
    page.reload()
    dashboard.reach("live")
    expect(page.locator("#chart .js-plotly-plot")).to_be_visible(timeout=LIMIT)

    assert witness.complaints == []
    assert witness.hosts == {urlsplit(busy.urls[0]).netloc}


def test_the_page_allows_its_own_scripts_only(hostile: Market, dashboard: Dashboard) -> None:
    answer = httpx.get(hostile.url)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))

    assert policy["default-src"] == "'self'"
    assert "script-src" not in policy
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert not re.search(r"<script(?![^>]* src=)|\son\w+=|javascript:", answer.text)


def test_a_script_that_gets_in_does_not_run(hostile: Market, dashboard: Dashboard) -> None:
    page = dashboard.page
    dashboard.open(hostile.url, "list=IMG")
    dashboard.reach("live")
    page.evaluate("""() => {
        globalThis.refused = [];
        document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
        const script = (properties) =>
            document.body.append(Object.assign(document.createElement("script"), properties));
        script({ textContent: "window.hacked = 1" });
        script({ src: "data:text/javascript,window.hacked=1" });
        script({ src: "https://example.org/evil.js" });
        document.body.insertAdjacentHTML("beforeend", '<img src="data:," onerror="window.hacked=1">');
    }""")
    expect(page.locator("body > img")).to_have_count(1)
    page.wait_for_timeout(100)

    assert page.evaluate("globalThis.hacked") is None
    assert sorted(page.evaluate("refused")) == [
        "script-src-attr",
        "script-src-elem",
        "script-src-elem",
        "script-src-elem",
    ]
