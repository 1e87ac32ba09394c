"""Http2Wire: one stream of an HTTP/2 connection that was taken over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypercorn.protocol.events import Body, Data, EndBody, Event, StreamClosed

from ticker.lane import WireUser
from ticker.lane.outlet import send_nothing

if TYPE_CHECKING:
    from ticker.hypercorn_remedies.http2 import Http2


class Http2Wire:
    """Bytes of one stream in both directions; it stands among the connection's streams in Hypercorn's place.

    What the peer gives no credit for it holds, and is not ready meanwhile: so a client that reads nothing is not
    served, and costs one write. Credit for what it receives is given when that is read.
    """

    # Hypercorn closes a connection whose streams are all idle.
    idle = False

    def __init__(self, connection: Http2, stream_id: int, user: WireUser) -> None:
        self.user = user
        self._connection = connection
        self._stream_id = stream_id
        # What was written and has not left.
        self._held = b""
        # What has come while nobody reads.
        self._received: list[bytes] = []
        self._is_reading = True
        # Whether the user was told that it is full.
        self._is_full = False
        self._is_finishing = False
        self._is_open = True

    @property
    def ready(self) -> bool:
        """Whether all that was written has left, and the connection takes more."""
        return not self._held and self._is_open and not self._connection.is_congested

    # Nothing can go past the connection's own frames.
    send = staticmethod(send_nothing)

    def write(self, data: bytes) -> None:
        """Send bytes, or keep what can't be sent now."""
        if not self._is_open:
            return
        if self._held or self._connection.is_congested:
            self._held += data
        else:
            self._held = self._connection.send_now(self._stream_id, data)
        if self._held:
            self._fill()

    keep = write

    def go_on(self) -> None:
        """Send what is held, as far as the peer allows by now."""
        if self._held and self._is_open and not self._connection.is_congested:
            self._held = self._connection.send_now(self._stream_id, self._held)
        if not self.ready or not self._is_full:
            return
        self._is_full = False
        if self._is_finishing:
            self._close()
        else:
            self.user.writable()

    def _fill(self) -> None:
        if not self._is_full:
            self._is_full = True
            self.user.full()

    def congest(self) -> None:
        """Learn that the connection takes no more."""
        if self._is_open and not self._is_finishing:
            self._fill()

    def finish(self) -> None:
        """End the stream when all has left."""
        self._is_finishing = True
        if self._is_open and not self._held:
            self._close()

    def _close(self) -> None:
        self._is_open = False
        self._connection.end_now(self._stream_id)

    def abort(self) -> None:
        """Reset the stream."""
        if self._is_open:
            self._is_open = False
            self._connection.abort(self._stream_id)

    def pause_reading(self) -> None:
        """Give no more credit."""
        self._is_reading = False

    def resume_reading(self) -> None:
        """Hand on what has come, and give credit for it."""
        self._is_reading = True
        received, self._received = self._received, []
        for data in received:
            self._hand_on(data)

    def _hand_on(self, data: bytes) -> None:
        self._connection.credit(self._stream_id, len(data))
        if self._is_open and not self._is_finishing:
            self.user.received(data)

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer."""
        if self._is_reading:
            self._hand_on(data)
        else:
            self._received.append(data)

    async def handle(self, event: Event) -> None:
        """Take an event from the connection, as Hypercorn's own streams do."""
        if isinstance(event, Body | Data):
            self.receive(bytes(event.data))
        elif isinstance(event, StreamClosed):
            self._is_open = False
            self.user.lost()
        elif isinstance(event, EndBody):
            self.user.finished()
