"""The tables of the README are those of the code."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.checkout import ROOT
from ticker.core.codes import STATUS, Close
from ticker.settings import SETTINGS

README = (ROOT / "README.md").read_text()

# Every event that ticker.core sends, by the first argument of `event(`.
SENT = re.compile(r"\.event\(\s*\"(\w+)\"|sse_event\(b\"(\w+)\"")


def table(head: str) -> Iterator[list[str]]:
    """Yield the rows of the table with this head, as cells."""
    _, _, rest = README.partition(f"| {head} |")
    for line in rest.splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_lists_every_setting() -> None:
    rows = [[f"`{each.variable}`", f"`{each.default}`", each.help] for each in SETTINGS.values()]

    assert list(table("variable | default | what it does")) == rows


def test_lists_every_code_and_its_status() -> None:
    rows = [[f"`{code}`", str(status)] for code, status in STATUS.items()]

    assert list(table("code | status")) == rows


def test_lists_every_close_code() -> None:
    rows = [[str(int(close)), close.name.lower()] for close in Close]

    assert list(table("close code | name")) == rows


@pytest.mark.parametrize("folder", ["ticker/core", "ticker/web"])
def test_lists_every_event_that_is_sent(folder: str) -> None:
    listed = {name for row in table("event | what it is") for name in re.findall(r"`(\w+)`", row[0])}
    sent = {
        first or second for file in (ROOT / folder).glob("*.py") for first, second in SENT.findall(file.read_text())
    }

    assert sent
    assert sent <= listed
