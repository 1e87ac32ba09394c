"""The registry: which feeds there are, and how a URL such as ``synthetic:?seed=7`` opens one."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from urllib.parse import parse_qsl

from feeds import Feed, FeedContext, FeedType
from ticker.core.codes import StartError

GROUP = "ticker.feeds"

# Named here, so that they are there when the project itself is not installed. They are loaded like a third party's,
# when they are used: NumPy and websockets take a good part of a second to import.
_BUILT_IN = (
    EntryPoint("synthetic", "feeds.synthetic:SYNTHETIC", GROUP),
    EntryPoint("recording", "feeds.recording:RECORDING", GROUP),
    EntryPoint("binance", "feeds.binance:BINANCE", GROUP),
)


def feed_types() -> dict[str, FeedType]:
    """Return every kind of feed by its scheme, built-in ones first.

    One that can't be loaded says so in its summary, and raises StartError when it is opened.
    """
    return {scheme: _load(entry) for scheme, entry in _entries().items()}


def open_feed(url: str, context: FeedContext) -> Feed:
    """Open the feed of a URL, ``scheme:path?option=value&…``; the path is taken literally.

    Raises:
        StartError: the scheme or an option is unknown, repeated or wrong; one sentence with the mend.
        BadRecording: the file is no recording.
    """
    head, _, query = url.partition("?")
    scheme, _, path = head.partition(":")
    entries = _entries()
    if scheme not in entries:
        raise StartError(f"unknown feed {scheme!r}: there are {', '.join(entries)}")
    feed_type = _load(entries[scheme])
    return feed_type.open(path, _options(feed_type, query), context)


def _entries() -> dict[str, EntryPoint]:
    entries = {entry.name: entry for entry in _BUILT_IN}
    for entry in sorted(entry_points(group=GROUP)):
        # A third party can't stand in for a built-in feed, nor for another's.
        entries.setdefault(entry.name, entry)
    return entries


def _load(entry: EntryPoint) -> FeedType:
    try:
        feed_type = entry.load()
    except Exception as error:  # someone else's module may raise anything
        return _broken(entry, repr(error))
    return feed_type if isinstance(feed_type, FeedType) else _broken(entry, f"{entry.value} is no FeedType")


def _broken(entry: EntryPoint, reason: str) -> FeedType:
    sentence = f"the feed {entry.name!r} can't be loaded: {reason}"

    def refuse(path: str, query: dict[str, str], context: FeedContext) -> Feed:
        raise StartError(sentence)

    return FeedType(entry.name, sentence, f"{entry.name}:", (), refuse)


def _options(feed_type: FeedType, query: str) -> dict[str, str]:
    """Return the query's options, each known and given once."""
    known = [option.name for option in feed_type.options]
    options: dict[str, str] = {}
    for name, value in _pairs(feed_type.scheme, query):
        if name in options:
            raise StartError(f"{feed_type.scheme}: the option {name!r} is given twice")
        if name not in known:
            raise StartError(f"{feed_type.scheme}: unknown option {name!r}: there are {', '.join(known) or 'none'}")
        options[name] = value
    return options


def _pairs(scheme: str, query: str) -> list[tuple[str, str]]:
    if not query:
        return []
    try:
        return parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise StartError(f"{scheme}: options are written name=value&name=value, not {query!r}") from None
