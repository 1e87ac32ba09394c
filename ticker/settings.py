"""Settings: what an operator can choose, by option, by environment variable, or not at all."""

from __future__ import annotations

import dataclasses
import difflib
import re
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Generic, TypeVar, cast

from ticker.core.codes import StartError

T = TypeVar("T")

KIB, MIB = 1024, 1024 * 1024

_UNITS = {"": 1, "K": KIB, "KIB": KIB, "M": MIB, "MIB": MIB, "G": 1024 * MIB, "GIB": 1024 * MIB}
_TRUTH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Rule(Generic[T]):
    """How the text of one value is read."""

    # Says which texts are right; stands after "must be".
    text: str
    # Raises ValueError for any other.
    parse: Callable[[str], T]


def whole(low: int, high: int) -> Rule[int]:
    """Read a whole number within a range, both ends included."""
    return Rule(f"a whole number from {low} to {high}", lambda text: _within(int(text), low, high))


def number(low: float, high: float, unit: str) -> Rule[float]:
    """Read a number within a range, both ends included."""
    return Rule(f"a number of {unit} from {low:g} to {high:g}", lambda text: _within(float(text), low, high))


def size(low: int, high: int) -> Rule[int]:
    """Read a number of bytes, such as ``65536``, ``64KiB`` or ``256MiB``."""
    return Rule(
        f"a size from {size_text(low)} to {size_text(high)}, such as 65536 or 64KiB",
        lambda text: _within(_bytes(text), low, high),
    )


def size_text(size: int) -> str:
    """Return a number of bytes as people write it.

    >>> size_text(65536)
    '64KiB'
    """
    for unit, factor in (("GiB", 1024 * MIB), ("MiB", MIB), ("KiB", KIB)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def choice(*names: str) -> Rule[str]:
    """Read one of a few names."""
    return Rule("one of " + ", ".join(names), lambda text: names[names.index(text.lower())])


def matching(pattern: str, rule: str) -> Rule[str]:
    """Read a text that matches a pattern as a whole."""
    return Rule(rule, lambda text: _matching(pattern, text))


def _within(value: T, low: T, high: T) -> T:
    # Written so that NaN is out of range.
    if not low <= value <= high:  # type: ignore[operator]
        raise ValueError(value)
    return value


def _bytes(text: str) -> int:
    match = re.fullmatch(r"([0-9]+) ?([A-Z]*)", text.upper(), re.ASCII)
    if match is None or match[2] not in _UNITS:
        raise ValueError(text)
    return int(match[1]) * _UNITS[match[2]]


def _matching(pattern: str, text: str) -> str:
    if re.fullmatch(pattern, text, re.ASCII) is None:
        raise ValueError(text)
    return text


SWITCH = Rule("1 or 0 (or true, false, yes, no, on, off)", lambda text: _TRUTH[text.lower()])
PORT = whole(0, 65535)
PATH = matching(r"(?s:.+)", "the path of a file")
FEED = matching(r"[a-z][a-z0-9+.-]*:.*", "a feed's URL, such as synthetic:?rate=500")
HOST = matching(r"[A-Za-z0-9_.:%\[\]-]+", "a host name or an address")
HOST_HEADER = matching(
    r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?",
    "a name that clients use for this server, such as ticker.example.com",
)
ORIGIN = matching(
    r"https?://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?",
    "an origin: a scheme, a host and a port if it is not the scheme's own, such as https://app.example.com",
)
NODE = matching(r"[A-Za-z0-9._-]{1,64}", "1 to 64 of the characters A-Z a-z 0-9 . _ -")


# Variables that the commands which talk to a server read; the server passes over them.
_OF_CLIENTS = ("TICKER_URL", "TICKER_TOKEN")


def _node() -> str:
    """Return a name for this process: the machine's first, then six random digits, since a pid in a container is 1."""
    host = re.sub(r"[^A-Za-z0-9_-]", "", socket.gethostname().split(".")[0])[:32]
    return f"{host or 'node'}-{secrets.token_hex(3)}"


def _setting(default: T, rule: Rule[Any], help: str, shown: str | None = None) -> T:
    """Declare a setting; ``shown`` is its default in tables where the value itself would not do.

    A tuple as default makes it a list: words in the environment, a repeated option on the command line.
    """
    facts = {"rule": rule, "help": help, "shown": shown}
    return dataclasses.field(default=default, metadata=facts)


def _drawn(draw: Callable[[], T], rule: Rule[Any], help: str, shown: str) -> T:
    """Declare a setting whose default is found when the settings are loaded."""
    facts = {"rule": rule, "help": help, "shown": shown}
    return dataclasses.field(default_factory=draw, metadata=facts)


@dataclass(frozen=True)
class Settings:
    """Every setting of the server. ``Settings.load`` makes one; ``SETTINGS`` is the table of them."""

    host: str = _setting("127.0.0.1", HOST, "Address that the server listens on; 0.0.0.0 is every one.")
    port: int = _setting(8000, PORT, "Port without TLS; 0 takes a free one. PORT counts too where this is not set.")
    tls: bool = _setting(False, SWITCH, "Also listen with TLS, for HTTP/2 in browsers.")
    tls_port: int = _setting(8443, PORT, "Port with TLS; 0 takes a free one.")
    cert: str = _setting("", PATH, "Certificate chain (PEM) for TLS.", "made for localhost")
    key: str = _setting("", PATH, "Private key (PEM) of the certificate.", "made for localhost")
    hosts: tuple[str, ...] = _setting((), HOST_HEADER, "Names that a request's Host may have.", "any")
    origins: tuple[str, ...] = _setting((), ORIGIN, "Other origins whose pages may use the server.", "none")
    feeds: tuple[str, ...] = _setting(("synthetic:",), FEED, "Feeds to run, as `ticker feeds` lists them.")
    no_feed: bool = _setting(False, SWITCH, "Run no feed in this server.")
    ring_size: int = _setting(100_000, whole(100, 10_000_000), "Ticks kept for replay.")
    flush_interval: float = _setting(10.0, number(1, 1000, "milliseconds"), "Shortest time between two flushes, in ms.")
    max_symbols: int = _setting(10_000, whole(1, 1_000_000), "Symbols that the market may have.")
    bars_per_series: int = _setting(1000, whole(1, 100_000), "Closed bars kept per symbol and interval.")
    bars_memory: int = _setting(256 * MIB, size(MIB, 64 * 1024 * MIB), "Memory for closed bars.")
    allow_crossed: bool = _setting(False, SWITCH, "Accept published quotes whose bid is above their ask.")
    session_memory: float = _setting(
        120.0, number(0, 86400, "seconds"), "How long a session outlives its last connection, in seconds."
    )
    max_sessions: int = _setting(20_000, whole(1, 1_000_000), "Sessions kept; the longest idle go first.")
    subscription_limit: int = _setting(1000, whole(1, 100_000), "Names and patterns in one subscription.")
    message_limit: int = _setting(64 * KIB, size(KIB, 16 * MIB), "Longest WebSocket message.")
    publish_limit: int = _setting(4 * MIB, size(KIB, 256 * MIB), "Longest body of a publication.")
    stream_lifetime: float = _setting(
        86400.0, number(1, 30 * 86400, "seconds"), "Longest life of a stream in seconds, jittered 80 to 100 %."
    )
    heartbeat_interval: float = _setting(
        15.0, number(0.1, 60, "seconds"), "Silence after which a heartbeat or ping is sent, in seconds."
    )
    h2_max_concurrent_streams: int = _setting(100, whole(20, 500), "Streams of one HTTP/2 connection.")
    backlog: int = _setting(4096, whole(1, 65535), "Connections that may wait to be accepted.")
    drain_seconds: float = _setting(
        5.0, number(0.5, 600, "seconds"), "Time from the signal to stop until the last connection is cut, in seconds."
    )
    node: str = _drawn(_node, NODE, "Name of this server in `hello` and metrics.", "host and six random digits")
    loop: str = _drawn(
        lambda: "uvloop" if find_spec("uvloop") else "asyncio",
        choice("uvloop", "asyncio"),
        "Event loop.",
        "uvloop where installed, else asyncio",
    )
    log_json: bool = _setting(False, SWITCH, "Log JSON lines instead of key=value text.")
    log_level: str = _setting("info", choice("debug", "info", "warning", "error"), "Least level that is logged.")

    @classmethod
    def load(cls, environ: Mapping[str, str], overrides: Mapping[str, object] | None = None) -> Settings:
        """Read the settings: an override wins over ``TICKER_<NAME>``, that over the default.

        For the port ``PORT`` stands between the last two, as platforms set it. Empty variables count as not set.

        Args:
            environ: the environment.
            overrides: values from the command line by setting's name, as text, list of texts, number or bool;
                None is one that was not given.

        Raises:
            StartError: a value breaks its rule, or a variable beginning with ``TICKER_`` has no setting.
        """
        _refuse_unknown(environ)
        given: dict[str, Any] = {source.name: source.read() for source in _sources(environ, overrides or {})}
        settings = cls(**given)
        _check_together(settings)
        return settings


@dataclass(frozen=True)
class Setting:
    """One row of the table: a setting as README and ``--help`` show it."""

    name: str
    # The default as text, or words that describe it.
    default: str
    rule: Rule[Any]
    help: str
    # True if it takes several values.
    is_list: bool

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"TICKER_{self.name.upper()}"

    @property
    def option(self) -> str:
        """The option of ``ticker serve``; for a list it is repeated. Only a feed is named in the singular, as it reads
        when one is given, and since ``--host`` is not one of the hosts."""
        return "--" + ("feed" if self.name == "feeds" else self.name.replace("_", "-"))


def _table() -> Iterator[Setting]:
    for field in dataclasses.fields(Settings):
        facts = field.metadata
        shown = facts["shown"] if facts["shown"] is not None else _shown(field.default, facts["rule"])
        yield Setting(field.name, shown, facts["rule"], facts["help"], isinstance(field.default, tuple))


def _shown(default: object, rule: Rule[Any]) -> str:
    if isinstance(default, tuple):
        return " ".join(default)
    if isinstance(default, bool):
        return "1" if default else "0"
    if rule.text.startswith("a size"):
        return size_text(cast(int, default))
    return f"{default:g}" if isinstance(default, float) else str(default)


SETTINGS = {setting.name: setting for setting in _table()}
"""Every setting by name, in the order of README's table."""


@dataclass(frozen=True)
class _Source:
    """Where a setting's value was found."""

    name: str
    # What the operator wrote it as: an option or a variable.
    label: str
    value: object

    def read(self) -> object:
        """Return the value, checked and typed, or raise StartError."""
        setting = SETTINGS[self.name]
        if not setting.is_list:
            return self._item(setting.rule, str(int(self.value)) if isinstance(self.value, bool) else str(self.value))
        words = self.value.split() if isinstance(self.value, str) else cast(Sequence[str], self.value)
        return tuple(self._item(setting.rule, word) for word in words)

    def _item(self, rule: Rule[Any], text: str) -> object:
        try:
            return rule.parse(text)
        except (ValueError, KeyError, OverflowError):
            raise StartError(f"{self.label} is {text!r}, it must be {rule.text}.") from None


def _sources(environ: Mapping[str, str], overrides: Mapping[str, object]) -> Iterator[_Source]:
    for setting in SETTINGS.values():
        variables = [setting.variable] + (["PORT"] if setting.name == "port" else [])
        variable = next((name for name in variables if environ.get(name)), None)
        if overrides.get(setting.name) is not None:
            yield _Source(setting.name, setting.option, overrides[setting.name])
        elif variable is not None:
            yield _Source(setting.name, variable, environ[variable])


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = [setting.variable for setting in SETTINGS.values()]
    for name in sorted(environ):
        if name.startswith("TICKER_") and name not in [*known, *_OF_CLIENTS]:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
            raise StartError(f"{name} is not a setting; did you mean {nearest}?")


def _check_together(settings: Settings) -> None:
    if bool(settings.cert) != bool(settings.key):
        missing = "--key (TICKER_KEY)" if settings.cert else "--cert (TICKER_CERT)"
        raise StartError(f"A certificate and its key go together: set {missing} too.")
    if settings.cert and not settings.tls:
        raise StartError("A certificate is set but TLS is off: set --tls (TICKER_TLS=1) too.")
