"""The waits between connections obey the shared cases."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ticker.client import Follower
from ticker.client.request import Request
from ticker.client.stream import Stream
from ticker.core.codes import Disconnected

FILE = Path(__file__).parent.parent / "conformance" / "backoff.json"
CASES: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["cases"]


class Told(Random):
    """Draws the numbers that it was told."""

    def __init__(self, numbers: list[float]) -> None:
        super().__init__()
        self._numbers = iter(numbers)

    def random(self) -> float:
        return next(self._numbers)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
async def test_obeys_the_shared_cases(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now, raising=False)
    stream = Stream(Request("http://localhost"), Follower(), ("sse",), Told(case["random"]))
    waits = []
    for seconds in case["connected"]:
        if seconds:
            stream._opened = now
        now += seconds
        waits.append(stream._fail(Disconnected("cut", "the network")))
    monkeypatch.undo()

    assert waits == case["waits"]
