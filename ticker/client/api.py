"""Api: the server's requests that are no stream (PROTOCOL.md section 8)."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from ticker.client.exchange import exchange
from ticker.client.messages import Snapshot
from ticker.client.request import Request
from ticker.core.codes import Violation
from ticker.core.tick import Instrument

T = TypeVar("T")

# Seconds that an answer may take.
ANSWER_TIMEOUT = 10.0


class _Instruments(msgspec.Struct, frozen=True):
    instruments: list[Instrument]


class Published(msgspec.Struct, frozen=True):
    """What became of a batch: how many ticks were accepted, and the cursors of the first and last."""

    accepted: int
    first: str
    last: str


class Api:
    """Requests to one server, an async context manager.

    Each raises Disconnected where there is no answer now, ClientError where the answer is final, and Violation where
    it is not what the contract says.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._http = request.http()
        self._http.timeout = httpx.Timeout(ANSWER_TIMEOUT)

    async def instruments(self) -> list[Instrument]:
        """Return all that the server knows of symbols."""
        return (await self._ask(_Instruments, "GET", "/v1/symbols")).instruments

    async def snapshot(self) -> Snapshot:
        """Return the newest quote and trade of each symbol that the request names."""
        symbols = self._request.query(None)["symbols"]
        return await self._ask(Snapshot, "GET", "/v1/snapshot", params={"symbols": symbols})

    async def publish(self, lines: bytes) -> Published:
        """Publish ticks, one JSON object a line; all or none.

        After Disconnected with the code ``cut`` nobody knows whether they were accepted.
        """
        return await self._ask(Published, "POST", "/v1/ticks", body=lines)

    async def define(self, instrument: Instrument) -> None:
        """Set all fields of an instrument, which is created if it is new."""
        path = f"/v1/symbols/{quote(instrument.symbol)}"
        fields = msgspec.json.encode(instrument)
        await exchange(self._http, "PUT", self._request.address(path), body=fields, content_type="application/json")

    async def _ask(
        self, kind: type[T], method: str, path: str, *, params: dict[str, str] | None = None, body: bytes | None = None
    ) -> T:
        answer = await exchange(self._http, method, self._request.address(path), params=params, body=body)
        try:
            return msgspec.json.decode(answer, type=kind)
        except msgspec.DecodeError as error:
            raise Violation(f"a bad answer to {path}: {error}") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()
