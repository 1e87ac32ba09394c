"""WebSocket: a data connection over a WebSocket (PROTOCOL.md section 5)."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlencode

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from ticker.client.exchange import answer_error, lost
from ticker.client.messages import Event, read_failure, read_frame
from ticker.client.request import Request
from ticker.core.codes import ClientError, Close, Disconnected
from ticker.core.eventstream import EVENT_LIMIT

# Frames that may wait unread; more, and the socket is not read, so that the server feels it.
FRAMES_LIMIT = 4

# Close codes after which coming back would not help, and what they mean.
FINAL = {
    Close.PROTOCOL_ERROR: "protocol_error",
    Close.WRONG_TYPE: "wrong_type",
    Close.INVALID_DATA: "invalid_data",
    Close.TOO_BIG: "too_large",
    Close.UNAUTHORIZED: "unauthorized",
    Close.BAD_MESSAGE: "bad_message",
    Close.REPLACED: "replaced",
}

# Seconds to stay away after 4029: the server counts errors within a minute.
RATE_LIMITED_WAIT = 60.0


class WebSocket:
    """One socket that streams."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._socket: ClientConnection | None = None

    async def open(self, cursor: str | None) -> None:
        """Connect and ask for the ticks after ``cursor``.

        Raises:
            Disconnected: no stream now.
            ClientError: no stream ever, with the server's reason.
        """
        url = self._request.address(f"/v1/ws?{urlencode(self._request.query(cursor))}")
        try:
            self._socket = await connect(
                "ws" + url.removeprefix("http"),
                ssl=self._request.tls if self._request.secure else None,
                additional_headers=self._request.headers(),
                subprotocols=[Subprotocol(f"ticker.v1.{self._request.codec}")],
                compression=None,
                max_size=EVENT_LIMIT,
                max_queue=FRAMES_LIMIT,
                open_timeout=None,
                close_timeout=0.5,
            )
            with suppress(ConnectionClosed):  # what the server said before it closed is still to be read
                await self._socket.send(self._encode({"op": "stream"}))
        except InvalidStatus as error:
            raise _refused(error) from error
        except InvalidHandshake as error:
            raise Disconnected("cut", str(error)) from error
        except OSError as error:
            raise lost(error) from error

    async def receive(self) -> Event:
        """Return the next message.

        Raises:
            Disconnected: the socket is closed, for now.
            ClientError: the socket is closed for good.
            Violation: a message breaks the contract.
        """
        assert self._socket is not None
        while True:
            try:
                message = read_frame(await self._socket.recv())
            except ConnectionClosed as error:
                raise _closed(error) from error
            if message is not None:
                return message

    async def close(self) -> None:
        """Close the socket; its peer has half a second to say goodbye."""
        if self._socket is not None:
            await self._socket.close()

    def _encode(self, op: dict[str, str]) -> str | bytes:
        return msgspec.json.encode(op).decode() if self._request.codec == "json" else msgspec.msgpack.encode(op)


def _refused(error: InvalidStatus) -> ClientError:
    """Return what a refused handshake means; one that no ticker server wrote is a proxy's, which others may pass."""
    body = bytes(error.response.body or b"")
    if read_failure(body) is None:
        return Disconnected("cut", str(error))
    return answer_error(error.response.status_code, httpx.Headers(list(error.response.headers.raw_items())), body)


def _closed(error: ConnectionClosed) -> ClientError:
    """Return what the server's close code means."""
    close = error.rcvd
    if close is not None and close.code in FINAL:
        return ClientError(FINAL[Close(close.code)], close.reason or f"the server closed with {close.code}")
    if close is not None and close.code == Close.RATE_LIMITED:
        return Disconnected("rate_limited", close.reason, RATE_LIMITED_WAIT)
    return Disconnected("cut", str(error))
