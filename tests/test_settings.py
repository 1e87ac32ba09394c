"""What an operator may write, and what is said of what is wrong."""

from __future__ import annotations

import sys
from dataclasses import fields
from unittest.mock import patch

import pytest

from ticker.core.codes import StartError
from ticker.settings import SETTINGS, Settings, size_text


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = Settings.load({})

    assert (settings.host, settings.port, settings.tls, settings.tls_port) == ("127.0.0.1", 8000, False, 8443)
    assert (settings.feeds, settings.hosts, settings.origins) == (("synthetic:",), (), ())
    assert (settings.ring_size, settings.session_memory, settings.max_sessions) == (100_000, 120.0, 20_000)
    assert (settings.subscription_limit, settings.message_limit, settings.publish_limit) == (1000, 65536, 4194304)
    assert (settings.bars_per_series, settings.bars_memory, settings.max_symbols) == (1000, 268435456, 10_000)
    assert (settings.stream_lifetime, settings.heartbeat_interval, settings.drain_seconds) == (86400.0, 15.0, 5.0)


@pytest.mark.parametrize(
    ("environ", "overrides", "port"),
    [
        ({}, {}, 8000),
        ({"PORT": "9000"}, {}, 9000),
        ({"PORT": "9000", "TICKER_PORT": "9001"}, {}, 9001),
        ({"PORT": "9000", "TICKER_PORT": "9001"}, {"port": 9002}, 9002),
        ({"PORT": "9000", "TICKER_PORT": ""}, {"port": None}, 9000),
    ],
)
def test_the_port_is_the_options_then_the_variables_then_the_platforms(
    environ: dict[str, str], overrides: dict[str, object], port: int
) -> None:
    assert Settings.load(environ, overrides).port == port


def test_a_bare_host_is_not_obeyed() -> None:
    assert Settings.load({"HOST": "0.0.0.0"}).host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("TLS", "yes", True),
        ("TLS", "OFF", False),
        ("FEEDS", " synthetic:?rate=5  recording:/day/a.gz ", ("synthetic:?rate=5", "recording:/day/a.gz")),
        ("HOSTS", "ticker.example.com [::1]:8000", ("ticker.example.com", "[::1]:8000")),
        (
            "ORIGINS",
            "https://app.example.com http://localhost:3000",
            ("https://app.example.com", "http://localhost:3000"),
        ),
        ("MESSAGE_LIMIT", "128KiB", 131072),
        ("MESSAGE_LIMIT", "2m", 2097152),
        ("PUBLISH_LIMIT", "70000", 70000),
        ("HEARTBEAT_INTERVAL", "0.5", 0.5),
        ("NODE", "web-1", "web-1"),
        ("LOOP", "Asyncio", "asyncio"),
        ("LOG_LEVEL", "DEBUG", "debug"),
    ],
)
def test_a_variable_is_read(name: str, text: str, value: object) -> None:
    assert getattr(Settings.load({f"TICKER_{name}": text}), name.lower()) == value


def test_overrides_are_text_lists_numbers_or_switches() -> None:
    settings = Settings.load(
        {"TICKER_FEEDS": "binance:btcusdt"},
        {"feeds": ["recording:/a b.gz"], "tls": True, "ring_size": 500, "loop": "asyncio"},
    )

    assert (settings.feeds, settings.tls, settings.ring_size, settings.loop) == (
        ("recording:/a b.gz",),
        True,
        500,
        "asyncio",
    )


@pytest.mark.parametrize(
    ("environ", "overrides", "message"),
    [
        ({"TICKER_PORT": "70000"}, {}, "TICKER_PORT is '70000', it must be a whole number from 0 to 65535."),
        ({"PORT": "http"}, {}, "PORT is 'http', it must be a whole number from 0 to 65535."),
        ({}, {"port": -1}, "--port is '-1', it must be a whole number from 0 to 65535."),
        ({"TICKER_RING_SIZE": "99"}, {}, "TICKER_RING_SIZE is '99', it must be a whole number from 100 to 10000000."),
        ({"TICKER_TLS": "maybe"}, {}, "TICKER_TLS is 'maybe', it must be 1 or 0 (or true, false, yes, no, on, off)."),
        ({"TICKER_LOOP": "trio"}, {}, "TICKER_LOOP is 'trio', it must be one of uvloop, asyncio."),
        (
            {"TICKER_DRAIN_SECONDS": "nan"},
            {},
            "TICKER_DRAIN_SECONDS is 'nan', it must be a number of seconds from 0.5 to 600.",
        ),
        (
            {"TICKER_MESSAGE_LIMIT": "64 kilo"},
            {},
            "TICKER_MESSAGE_LIMIT is '64 kilo', it must be a size from 1KiB to 16MiB, such as 65536 or 64KiB.",
        ),
        (
            {"TICKER_FEEDS": "synthetic: btcusdt"},
            {},
            "TICKER_FEEDS is 'btcusdt', it must be a feed's URL, such as synthetic:?rate=500.",
        ),
        ({}, {"feeds": ["x"]}, "--feed is 'x', it must be a feed's URL, such as synthetic:?rate=500."),
        (
            {"TICKER_NODE": "a\nb"},
            {},
            "TICKER_NODE is 'a\\nb', it must be 1 to 64 of the characters A-Z a-z 0-9 . _ -.",
        ),
        (
            {"TICKER_HOSTS": "http://x"},
            {},
            "TICKER_HOSTS is 'http://x', it must be a name that clients use for this server, "
            "such as ticker.example.com.",
        ),
        (
            {"TICKER_ORIGINS": "https://x/"},
            {},
            "TICKER_ORIGINS is 'https://x/', it must be an origin: a scheme, a host and a port if it is not the "
            "scheme's own, such as https://app.example.com.",
        ),
        ({"TICKER_RINGSIZE": "5"}, {}, "TICKER_RINGSIZE is not a setting; did you mean TICKER_RING_SIZE?"),
        (
            {"TICKER_TLS": "1", "TICKER_CERT": "a.pem"},
            {},
            "A certificate and its key go together: set --key (TICKER_KEY) too.",
        ),
        (
            {"TICKER_TLS": "1", "TICKER_KEY": "a.pem"},
            {},
            "A certificate and its key go together: set --cert (TICKER_CERT) too.",
        ),
        (
            {"TICKER_CERT": "a.pem", "TICKER_KEY": "b.pem"},
            {},
            "A certificate is set but TLS is off: set --tls (TICKER_TLS=1) too.",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    environ: dict[str, str], overrides: dict[str, object], message: str
) -> None:
    with pytest.raises(StartError) as raised:
        Settings.load(environ, overrides)

    assert str(raised.value) == message


def test_what_clients_read_is_passed_over() -> None:
    assert Settings.load({"TICKER_URL": "http://x", "TICKER_TOKEN": "y"}).port == 8000


def test_every_setting_has_a_row_whose_default_its_own_rule_accepts() -> None:
    described = {"cert", "key", "hosts", "origins", "node", "loop"}
    assert list(SETTINGS) == [field.name for field in fields(Settings)]
    for name, setting in SETTINGS.items():
        assert setting.help.endswith(".")
        assert setting.option == "--" + ("feed" if name == "feeds" else name).replace("_", "-")
        if name not in described:
            assert getattr(Settings.load({setting.variable: setting.default}), name) == getattr(Settings.load({}), name)


def test_no_two_settings_have_one_option() -> None:
    options = [setting.option for setting in SETTINGS.values()]

    assert len(set(options)) == len(options)


def test_a_node_is_named_after_its_machine_and_unlike_any_other() -> None:
    with patch("socket.gethostname", return_value="web_1.example.com"):
        names = [Settings.load({}).node for _ in range(2)]
    with patch("socket.gethostname", return_value="ä.local"):
        nameless = Settings.load({}).node

    assert names[0] != names[1]
    assert [name.rpartition("-")[0] for name in [*names, nameless]] == ["web_1", "web_1", "node"]


def test_the_loop_is_uvloop_where_it_is_installed() -> None:
    with patch.dict(sys.modules, {"uvloop": None}), patch("ticker.settings.find_spec", return_value=None):
        without = Settings.load({}).loop

    assert (without, Settings.load({}).loop) == ("asyncio", "uvloop")


@pytest.mark.parametrize(("size", "text"), [(0, "0"), (1000, "1000"), (2048, "2KiB"), (1 << 30, "1GiB")])
def test_a_size_is_written_as_people_do(size: int, text: str) -> None:
    assert size_text(size) == text
