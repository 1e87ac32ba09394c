from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from feeds import FeedContext, FeedType
from feeds.registry import feed_types, open_feed
from tests.support.capture import CAPTURE
from tests.support.checkout import ROOT
from tests.support.fake_clock import FakeClock
from ticker.core.codes import BadRecording, StartError

THIRD_PARTY = """
from feeds import FeedOption, FeedType

class Nothing:
    instruments = ()
    def __init__(self, path, query, context):
        self.name = f"mine:{path}"
        self.query = query
    def history(self):
        return ()
    async def batches(self):
        return
        yield
    def statistics(self):
        return {}

MINE = FeedType("mine", "nothing at all", "mine:PATH", (FeedOption("speed", "1", ""), FeedOption("x", "", "")), Nothing)
"""

ENTRY_POINTS = """[ticker.feeds]
mine = third_party_feed:MINE
missing = third_party_feed:NOT_THERE
broken = third_party_broken_feed:MINE
number = third_party_broken_feed.__name__:MINE
text = third_party_feed:__doc__
recording = third_party_feed:MINE
"""


@pytest.fixture
def context() -> FeedContext:
    return FeedContext(FakeClock())


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a distribution that brings one feed that works and four that don't."""
    info = tmp_path / "third_party-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "third_party_feed.py").write_text(THIRD_PARTY)
    (tmp_path / "third_party_broken_feed.py").write_text('raise RuntimeError("no\\nluck")')
    monkeypatch.syspath_prepend(tmp_path)


def test_the_built_in_feeds_are_there() -> None:
    types = feed_types()

    assert list(types)[:3] == ["synthetic", "recording", "binance"]
    for scheme, feed_type in types.items():
        assert feed_type.scheme == scheme
        assert feed_type.usage.startswith(f"{scheme}:")
        assert feed_type.summary
        assert all(option.help for option in feed_type.options)


@pytest.mark.usefixtures("third_party")
def test_a_third_party_feed_is_opened_by_its_entry_point(context: FeedContext) -> None:
    feed = open_feed("mine:a:b/c%20d?x=&speed=a%26b", context)

    assert feed.name == "mine:a:b/c%20d"
    assert vars(feed)["query"] == {"x": "", "speed": "a&b"}
    assert feed_types()["mine"].summary == "nothing at all"


@pytest.mark.usefixtures("third_party")
@pytest.mark.parametrize("scheme", ["missing", "broken", "number", "text"])
def test_a_broken_third_party_feed_fails_only_when_it_is_used(scheme: str, context: FeedContext) -> None:
    broken = feed_types()[scheme]

    assert isinstance(broken, FeedType)
    assert broken.summary.startswith(f"the feed {scheme!r} can't be loaded: ")
    assert "\n" not in broken.summary
    with pytest.raises(StartError, match=f"^the feed {scheme!r} can't be loaded: "):
        open_feed(f"{scheme}:", context)


@pytest.mark.usefixtures("third_party")
def test_a_third_party_can_not_stand_in_for_a_built_in_feed(context: FeedContext) -> None:
    assert open_feed(f"recording:{CAPTURE}", context).instruments


@pytest.mark.parametrize("url", ["nope:", "nope", "", ":", "RECORDING:x", "feeds.recording:x", "?x=1"])
def test_an_unknown_scheme_is_answered_with_the_known_ones(url: str, context: FeedContext) -> None:
    with pytest.raises(StartError, match=r"^unknown feed '.*': there are synthetic, recording, binance"):
        open_feed(url, context)


def test_options_reach_the_feed(context: FeedContext) -> None:
    feed = open_feed(f"recording:{CAPTURE}?speed=max&loop=1", context)

    assert feed.name == f"recording:{CAPTURE}?speed=max&loop=1"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("speed=max&speed=x1", "the option 'speed' is given twice"),
        ("sped=max", "unknown option 'sped': there are speed, loop"),
        ("Speed=max", "unknown option 'Speed': there are speed, loop"),
        ("=1", "unknown option '': there are speed, loop"),
        ("speed", "options are written name=value&name=value, not 'speed'"),
        ("speed=max&", "options are written name=value"),
        ("speed=%ff", "options are written name=value"),
        ("&".join(["speed=max"] * 101), "options are written name=value"),
        ("speed=", "speed is one of x1, x10, max, not ''"),
    ],
)
def test_a_wrong_option_is_named(query: str, text: str, context: FeedContext) -> None:
    with pytest.raises(StartError, match=f"^recording: {text}"):
        open_feed(f"recording:{CAPTURE}?{query}", context)


def test_a_file_that_is_no_recording_is_refused(context: FeedContext) -> None:
    with pytest.raises(BadRecording, match=r"README\.md is no recording"):
        open_feed(f"recording:{CAPTURE.with_name('README.md')}", context)


def test_the_registry_alone_imports_neither_numpy_nor_websockets() -> None:
    code = (
        "import sys; from feeds import FeedContext; from feeds.registry import open_feed;"
        f"open_feed('recording:{CAPTURE}', FeedContext(lambda: 0));"
        "print({'numpy', 'websockets', 'faker'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert run.stdout == "set()\n"
