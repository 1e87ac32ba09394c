"""Http2: one HTTP/2 connection."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import h2.connection
import h2.errors
import h2.events
import h2.exceptions
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, Data, EndBody, EndData, Request, Response, StreamClosed
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.typing import ConnectionState
from hypercorn.utils import filter_pseudo_headers

from ticker.hypercorn_remedies.buffer import PIECE, Buffer
from ticker.hypercorn_remedies.http2_wire import Http2Wire
from ticker.hypercorn_remedies.websocket import WebSocket
from ticker.lane import WireUser

# Frames a second that one connection may send, and requests that it may take back before they were answered. A page
# that goes away takes back at most the 100 that may be open; 4,000 PINGs fit into one read of 64 KiB.
FRAMES, RESETS = 5000, 200

# What HTTP/1.1 allows as a request's target.
_TARGET = re.compile(rb"[\x21-\x7e]+")


class Budget:
    """Counts what a peer does within each second."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._second = 0
        self._spent = 0

    def spend(self, amount: int, now: float) -> bool:
        """Count; return False if it was too much for this second."""
        if int(now) != self._second:
            self._second, self._spent = int(now), 0
        self._spent += amount
        return self._spent <= self._limit


class Http2(H2Protocol):
    """HTTP/2 with these remedies.

    - No backpressure: see ``Buffer``, and ``Http2Wire`` for streams that were taken over.
    - A request body that goes on after its answer, a target that is not ASCII, CONNECT without ``:path``, a flood of
      PRIORITY frames and more than 1,000 streams in one read are each an exception that ends the connection with all
      its streams: the first is read and thrown away, after the answer the client is told to stop; the next two get 400;
      priorities, which RFC 9113 took out, are ignored; the last is a flood.
    - An answer that the app breaks off leaves the stream open and silent: it is reset.
    - Floods of PING, SETTINGS, WINDOW_UPDATE, empty DATA and rapid reset cost a core while they last: more than
      ``FRAMES`` or ``RESETS`` in a second close the connection with ENHANCE_YOUR_CALM.
    - A draining server resets new requests with NO_ERROR, after which clients don't retry: now REFUSED_STREAM. An idle
      connection was closed without a GOAWAY: see ``goaway``. It can't come earlier, to ask for no more requests while
      streams go on, since clients built on Python's h2, httpx too, take it as the end of every stream.

    Args:
        write: takes bytes for the peer without waiting.
    """

    def __init__(self, write: Callable[[bytes], object], *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._write = write
        # Whether the peer takes less than it is sent.
        self.is_congested = False
        self._is_flush_due = False
        # What each stream has still to send, by its id; our own instead of stream_buffers, which stays empty.
        # A stream is known to ``priority``, which picks the next to send, exactly while it has a buffer.
        self.buffers: dict[int, Buffer] = {}
        # Streams whose answer has begun.
        self._answered: set[int] = set()
        self._frames = Budget(FRAMES)
        self._resets = Budget(RESETS)

    def goaway(self) -> bytes:
        """Return the bytes that tell the client that the connection ends, none if it has been told."""
        if self.connection.state_machine.state is not h2.connection.ConnectionState.CLOSED:
            self.connection.close_connection()
        return self.connection.data_to_send()

    async def handle(self, event: Event) -> None:
        """Take bytes from the connection, or its end."""
        await super().handle(event)
        if isinstance(event, Closed):
            for stream_id in list(self.buffers):
                self._forget(stream_id)

    async def stream_send(self, event: StreamEvent) -> None:
        """Send what a stream has to say; return when the peer's credit allows more."""
        if isinstance(self.streams.get(event.stream_id), Http2Wire):
            # Hypercorn and Quart end what they had of a stream that was taken over.
            pass
        elif isinstance(event, Body | Data):
            await self._push(event)
        elif isinstance(event, EndBody | EndData):
            await self._finish(event.stream_id)
        else:
            if isinstance(event, Response):
                self._answered.add(event.stream_id)
            elif isinstance(event, StreamClosed):
                await self._settle(event.stream_id)
            await super().stream_send(event)

    async def _push(self, event: Body | Data) -> None:
        buffer = self.buffers.get(event.stream_id)
        for start in range(0, len(event.data), PIECE):
            try:
                if buffer is None or not await buffer.push(event.data[start : start + PIECE]):
                    # The stream is gone; an app that sends in a loop must not keep everyone else from running.
                    await asyncio.sleep(0)
                    break
            except TimeoutError:
                await self._give_up(event.stream_id)
                break
            await self._wake(event.stream_id)

    async def _finish(self, stream_id: int) -> None:
        buffer = self.buffers.get(stream_id)
        if buffer is None:
            return
        buffer.complete()
        await self._wake(stream_id)
        try:
            await buffer.finish()
        except TimeoutError:
            await self._give_up(stream_id)

    async def _give_up(self, stream_id: int) -> None:
        """Reset a stream whose peer takes nothing."""
        await self._reset(stream_id, h2.errors.ErrorCodes.CANCEL)
        await self._close_stream(stream_id)

    async def _settle(self, stream_id: int) -> None:
        """End what a stream has open when its app, or its WebSocket, has ended."""
        buffer = self.buffers.get(stream_id)
        is_socket = isinstance(self.streams.get(stream_id), WebSocket)
        if buffer is not None and is_socket and stream_id in self._answered:
            # What refuses its handshake may still have to leave.
            buffer.complete()
            await self._wake(stream_id)
        elif buffer is not None:
            await self._reset(stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
        elif isinstance(self.streams.get(stream_id), HTTPStream):
            # The answer is out; RFC 9113 8.1: NO_ERROR asks the client to stop sending the rest of its body.
            await self._reset(stream_id, h2.errors.ErrorCodes.NO_ERROR)

    def take_over(self, stream_id: int, user: WireUser) -> Http2Wire:
        """Take a stream whose answer has begun away from its app.

        Raises:
            ConnectionError: it has gone.
        """
        stream = self.streams.get(stream_id)
        if stream is None or self.closed:
            raise ConnectionResetError("the stream has gone")
        held = stream.held if isinstance(stream, WebSocket) else []
        self._forget(stream_id)
        wire = Http2Wire(self, stream_id, user)
        self.streams[stream_id] = wire  # type: ignore[assignment]  # has what is asked of streams
        if held:
            # What comes next is handed on after what is held.
            wire.pause_reading()
            for data in held:
                wire.receive(data)
            asyncio.get_running_loop().call_soon(wire.resume_reading)
        return wire

    def send_now(self, stream_id: int, data: bytes) -> bytes:
        """Send what the peer's credit allows, and return the rest."""
        connection = self.connection
        try:
            try:
                connection.send_data(stream_id, data)
                rest = b""
            except (h2.exceptions.FlowControlError, h2.exceptions.FrameTooLargeError):
                rest = self._send_frames(stream_id, data)
        except h2.exceptions.ProtocolError:
            # The stream or the connection was closed, and the event that says so has not been handled yet.
            return b""
        self._flush_soon()
        return rest

    def _send_frames(self, stream_id: int, data: bytes) -> bytes:
        start = 0
        while start < len(data):
            window = self.connection.local_flow_control_window(stream_id)
            size = min(window, self.connection.max_outbound_frame_size)
            if size <= 0:
                break
            self.connection.send_data(stream_id, data[start : start + size])
            start += size
        return data[start:]

    def end_now(self, stream_id: int) -> None:
        """End a stream that was taken over."""
        with suppress(h2.exceptions.ProtocolError):
            self.connection.end_stream(stream_id)
        self._flush_soon()
        self._leave(stream_id)

    def credit(self, stream_id: int, size: int) -> None:
        """Let the peer send as much again."""
        with suppress(h2.exceptions.ProtocolError):
            self.connection.acknowledge_received_data(size, stream_id)
        self._flush_soon()

    def _leave(self, stream_id: int) -> None:
        if not self.closed:
            self.task_group.spawn(super().stream_send, StreamClosed(stream_id=stream_id))

    def _flush_soon(self) -> None:
        """Write once for all streams of a flush."""
        if not self._is_flush_due:
            self._is_flush_due = True
            asyncio.get_running_loop().call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._is_flush_due = False
        data = self.connection.data_to_send()
        if data and not self.closed:
            self._write(data)

    def congest(self, is_congested: bool) -> None:
        """Learn that the peer takes less than it is sent, or has taken all."""
        self.is_congested = is_congested
        for wire in self._wires():
            if is_congested:
                wire.congest()
            else:
                wire.go_on()

    def _wires(self, stream_id: int | None = None) -> list[Http2Wire]:
        """Return the streams that were taken over, or the one of them with an id."""
        streams: list[object] = [self.streams.get(stream_id)] if stream_id else list(self.streams.values())
        return [stream for stream in streams if isinstance(stream, Http2Wire)]

    def abort(self, stream_id: int) -> None:
        """Cut a stream as a network would: nothing gets out that its app sends from now on, a close frame neither."""
        if not self.closed:
            while stream_id in self.buffers and self._send_frame(stream_id):
                pass
            self._drop(stream_id, h2.errors.ErrorCodes.CANCEL)
            self.task_group.spawn(self._give_up, stream_id)

    async def _reset(self, stream_id: int, code: h2.errors.ErrorCodes) -> None:
        self._drop(stream_id, code)
        await self._flush()

    def _drop(self, stream_id: int, code: h2.errors.ErrorCodes) -> None:
        stream = self.connection.streams.get(stream_id)
        self._forget(stream_id)
        if stream is not None and not stream.closed:
            self.connection.reset_stream(stream_id, code)

    def _forget(self, stream_id: int) -> None:
        buffer = self.buffers.pop(stream_id, None)
        if buffer is not None:
            buffer.close()
            self.priority.remove_stream(stream_id)
        self._answered.discard(stream_id)

    async def _flush(self) -> None:
        """Write what there is, then wait until the peer takes more.

        Not the other way round, as Hypercorn does: while it waits, bytes that are written without waiting would get
        past those that it has taken out already.
        """
        self._flush_now()
        if not self.closed:
            await self.send(RawData(data=b""))

    async def _wake(self, stream_id: int) -> None:
        if stream_id in self.buffers:
            self.priority.unblock(stream_id)
            await self.has_data.set()

    async def _window_updated(self, stream_id: int | None) -> None:
        for waiting in [stream_id] if stream_id else list(self.buffers):
            await self._wake(waiting)
        for wire in self._wires(stream_id):
            wire.go_on()

    async def _send_data(self, stream_id: int) -> None:
        self._send_frame(stream_id)
        await self._flush()

    def _send_frame(self, stream_id: int) -> bool:
        """Hand a stream's next frame on; return False if that was its last, or the peer's credit allows none."""
        try:
            window = self.connection.local_flow_control_window(stream_id)
            data, is_last = self.buffers[stream_id].take(max(0, min(window, self.connection.max_outbound_frame_size)))
            if data or is_last:
                self.connection.send_data(stream_id, data, end_stream=is_last)
            else:
                self.priority.block(stream_id)
        except h2.exceptions.ProtocolError:
            # The stream or the connection was closed, and the event that says so has not been handled yet.
            self._forget(stream_id)
            return False
        if is_last:
            self._forget(stream_id)
        return bool(data) and not is_last

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        for event in events:
            await self._handle_event(event)
            if self.closed:
                return
        await self._flush()

    async def _handle_event(self, event: h2.events.Event) -> None:
        now = asyncio.get_running_loop().time()
        if not self._frames.spend(1, now):
            await self._calm()
        elif isinstance(event, h2.events.RequestReceived):
            await self._request(event)
        elif isinstance(event, h2.events.DataReceived):
            await self._data(event)
        elif isinstance(event, h2.events.StreamEnded):
            if event.stream_id in self.streams:
                await self.streams[event.stream_id].handle(EndBody(stream_id=event.stream_id))
        elif isinstance(event, h2.events.StreamReset):
            is_early = event.stream_id in self.streams and event.stream_id not in self._answered
            self._forget(event.stream_id)
            await self._close_stream(event.stream_id)
            if is_early and not self._resets.spend(1, now):
                await self._calm()
        elif isinstance(event, h2.events.WindowUpdated):
            await self._window_updated(event.stream_id)
        elif isinstance(event, h2.events.RemoteSettingsChanged):
            await self._window_updated(None)
        elif isinstance(event, h2.events.ConnectionTerminated):
            await self.send(Closed())

    async def _calm(self) -> None:
        """Close the connection of a peer that floods."""
        self.connection.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
        await self._flush()
        await self.handle(Closed())
        await self.send(Closed())

    async def _request(self, event: h2.events.RequestReceived) -> None:
        if self.context.terminated.is_set():
            self.connection.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
        else:
            await self._create_stream(event)
            await self.send(Updated(idle=self.idle))

    async def _data(self, event: h2.events.DataReceived) -> None:
        stream = self.streams.get(event.stream_id)
        if isinstance(stream, Http2Wire):
            # Gives credit for what it reads; padding nobody reads.
            self.credit(event.stream_id, event.flow_controlled_length - len(event.data))
            stream.receive(event.data)
            return
        if event.data and stream is not None:
            await stream.handle(Body(stream_id=event.stream_id, data=event.data))
        # Also where the stream is gone: its bytes have used up credit of the whole connection.
        self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    async def _create_stream(self, request: h2.events.RequestReceived) -> None:
        headers = dict(request.headers)
        method, path, stream_id = headers[b":method"], headers.get(b":path", b""), request.stream_id
        if not _TARGET.fullmatch(path):
            self.connection.send_headers(stream_id, [(b":status", b"400"), (b"content-length", b"0")], end_stream=True)
            return
        kind = WebSocket if method == b"CONNECT" else HTTPStream
        stream = kind(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            stream_id,
        )
        self.streams[stream_id] = stream
        self.buffers[stream_id] = Buffer()
        self.priority.insert_stream(stream_id)
        self.priority.block(stream_id)
        await stream.handle(
            Request(
                stream_id=stream_id,
                headers=filter_pseudo_headers(list(request.headers)),
                http_version="2",
                method=method.decode("latin-1").upper(),
                raw_path=path,
                state=ConnectionState(
                    {
                        **self.connection_state,
                        "abort": partial(self.abort, stream_id),
                        "take_over": partial(self.take_over, stream_id),
                    }
                ),
            )
        )
