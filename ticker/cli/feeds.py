"""``ticker feeds``."""

from __future__ import annotations

from feeds import FeedType
from feeds.registry import feed_types


def feeds() -> None:
    """List the feeds that a server can run, with their options.

    A feed is given as a URL, and may be given several times. Packages can add feeds of their own.

    \b
    Examples:
      ticker feeds
      ticker serve --feed "synthetic:?seed=7&rate=1000"
      ticker serve --feed "recording:day.ndjson.gz?speed=x10" --feed binance:btcusdt
    """
    print("\n\n".join(describe(kind) for kind in feed_types().values()))


def describe(kind: FeedType) -> str:
    """Return a feed's usage, what it does, and a line for each option."""
    names = max((len(option.name) for option in kind.options), default=0)
    defaults = max((len(option.default) for option in kind.options), default=0)
    options = [
        f"    {option.name:{names}}  default {option.default:{defaults}}  {option.help}" for option in kind.options
    ]
    return "\n".join([kind.usage, f"  {kind.summary}", *options])
