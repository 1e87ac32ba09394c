"""Client: one connection after the other, each going on where the last one ended, and what came over them."""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import Sequence
from random import Random

from ticker.client.messages import Bye, Failure, Gap, Heartbeat, Hello, Refusal, SubscriptionChange
from ticker.core.cursor import LIMIT, Cursor
from ticker.core.limits import Backoff
from ticker.tools.load.connection import (
    Connection,
    Ending,
    EventStreamConnection,
    PollConnection,
    WebSocketConnection,
)
from ticker.tools.load.ledger import Batch, Ledger
from ticker.tools.load.meter import Meter
from ticker.tools.load.plan import LONG_POLL_WAIT, Address, Plan, Way, make_head
from ticker.tools.load.reading import Page, Reader, SnapshotPlace, Told

# Seconds in which a connection must be open; twice as long, and it must have brought its first message.
OPEN_TIMEOUT = 10.0

# Waits before a connection that was lost is opened again: the first, its growth, the longest, in seconds.
BACKOFF = (0.5, 1.5, 10.0)

# Where an answer to a poll stands that says `more`: how far the replay goes is not known yet.
_FAR = Cursor(LIMIT, 0)

CONNECTIONS: dict[Way, type[Connection]] = {
    Way.sse: EventStreamConnection,
    Way.websocket: WebSocketConnection,
    Way.msgpack: WebSocketConnection,
    Way.poll: PollConnection,
    Way.long_poll: PollConnection,
}


class Client:
    """One client of a load.

    Args:
        session: its session's id on the server.
        tls: what to trust, None without TLS.
    """

    def __init__(
        self, plan: Plan, session: str, meter: Meter, reader: Reader, random: Random, tls: ssl.SSLContext | None
    ) -> None:
        self.ledger = Ledger(meter.counts, whole=plan.symbols is None)
        # Set at the first message of the first connection, and when there will be none.
        self.settled = asyncio.Event()
        # When the network was there again after a cut, in monotonic seconds (uvloop's own clock counts milliseconds);
        # None once all that was missed is there.
        self.returned: float | None = None
        self._plan = plan
        self._meter = meter
        self._reader = reader
        self._random = random
        self._tls = tls
        self._address = Address.of(plan.url)
        self._head = make_head(plan, session)
        self._backoff = Backoff(*BACKOFF, random)
        # A poll's own clock, which goes on while it is cut: when the first one was due.
        self._phase = random.random() * plan.interval
        # The connection, while there is one that was not ended, and how long a cut keeps it away.
        self._connection: Connection | None = None
        self._away = 0.0
        # Whether the server is told nothing of the cursor, and whether a poll waits for ticks.
        self._forgets = self._waits = False
        # When the last message came, in monotonic seconds.
        self._told_at = 0.0
        # Up to here ticks are replayed; None when they are live.
        self._newest: Cursor | None = None
        # Whether a new tick has come since the return.
        self._had_first = True

    @property
    def is_connected(self) -> bool:
        """Whether messages come, or came."""
        return self._connection is not None and not self._connection.ended.done() and self.settled.is_set()

    @property
    def is_whole(self) -> bool:
        """Whether it is connected and no return is under way."""
        return self.is_connected and self.returned is None and self._newest is None

    def cut(self, away: float) -> bool:
        """Cut the connection, as a network does that is gone for so many seconds; return whether there was one."""
        if not self.is_connected or self.returned is not None:
            return False
        assert self._connection is not None
        self._away = away
        self._meter.cuts += 1
        self._connection.cut()
        return True

    async def run(self) -> None:
        """Stay connected until it is cancelled, or the server does not want it back."""
        try:
            while True:
                ending = await self._connect()
                if ending.kind == "final":
                    self._meter.final = self._meter.final or ending.reason
                if ending.kind != "cut":
                    self._meter.endings[ending.reason] += 1
                if ending.kind == "final":
                    return
                await self._stay_away(ending)
        finally:
            self.settled.set()
            if self._connection is not None:
                self._connection.end(Ending("cut"))

    async def _connect(self) -> Ending:
        """Return how the next connection has ended."""
        self._forgets = self._plan.forgets and self.ledger.position is not None
        self._waits = False
        self.ledger.begin(forget=self._forgets)
        loop = asyncio.get_running_loop()
        # Known before it is open: its first message may come before this task goes on.
        self._connection = connection = CONNECTIONS[self._plan.way](self, self._meter.traffic, self._reader)
        watch = loop.call_later(2 * OPEN_TIMEOUT, self._give_up, connection, self._told_at)
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                await loop.create_connection(lambda: connection, *self._address, ssl=self._tls)
        except TimeoutError:
            connection.end(Ending("lost", f"unreachable: no connection in {OPEN_TIMEOUT:g} s"))
        except OSError as error:
            connection.end(Ending("lost", f"unreachable: {error.strerror or error}"))
        try:
            return await asyncio.shield(connection.ended)
        finally:
            watch.cancel()

    def _give_up(self, connection: Connection, told_at: float) -> None:
        if self._told_at == told_at and not self._plan.way.is_poll:
            connection.end(Ending("lost", f"silent: no message in {2 * OPEN_TIMEOUT:g} s"))

    async def _stay_away(self, ending: Ending) -> None:
        if ending.kind == "cut":
            await asyncio.sleep(self._away)
            self.returned, self._had_first = time.monotonic(), False
            if self._plan.way is Way.poll:
                await asyncio.sleep(self._until_due())
        else:
            wait = ending.wait * self._random.uniform(1, 1.25) if ending.wait is not None else self._backoff.next()
            await asyncio.sleep(wait)

    def _until_due(self) -> float:
        """Return the seconds until the next poll is due by the client's own clock."""
        interval, now = self._plan.interval, time.monotonic()
        return (math.floor((now - self._phase) / interval) + 1) * interval + self._phase - now

    # What a connection asks of its listener.

    def asks_from(self) -> Cursor | None:
        return None if self._forgets else self.ledger.position

    def head(self) -> bytes:
        wait = None
        if self._plan.way.is_poll:
            # The first one of a connection asks for what is there now, so that it shows at once that it gets through.
            wait = LONG_POLL_WAIT if self._waits else 0
            self._waits = self._plan.way is Way.long_poll
        return self._head.at(self.asks_from(), wait)

    def receive(self, told: Sequence[Told]) -> None:
        self._told_at = time.monotonic()
        for item in told:
            if type(item) is Batch:
                self._batch(item, self.ledger.batch(item))
            else:
                self._event(item)

    def page(self, page: Page, asked: Cursor | None) -> float | None:
        self._told_at = time.monotonic()
        self.settled.set()
        if page.gap is not None:
            self.ledger.gap(page.gap)
        if page.snapshot is not None:
            self.ledger.snapshot(page.snapshot.cursor, page.snapshot.scope)
        batch = page.batch(asked if page.snapshot is None else None)
        if self.returned is not None:
            self._newest = _FAR
        self._forgets = False
        self._batch(batch, self.ledger.page(batch))
        if page.more:
            return None
        self._live()
        return None if self._plan.way is Way.long_poll else self._until_due()

    def _batch(self, batch: Batch, new: int) -> None:
        """Write down what a client notices of ticks that came."""
        if self._newest is not None or self.returned is not None:
            self._replay(new)
        elif self._random.random() < self._meter.share:
            now, ages = time.time_ns() // 1000, self._meter.ages
            for ts in batch.times:
                ages.add(now - ts)
            self._meter.early += now < batch.times[-1] if batch.times else 0

    def _replay(self, new: int) -> None:
        self._meter.counts.replayed += new
        if new and not self._had_first and self.returned is not None:
            self._had_first = True
            self._meter.first_tick.add(self._since(self.returned))
        self._check_live()

    def _event(self, item: Told) -> None:
        match item:
            case Hello():
                self.ledger.hello(item)
                self._newest = Cursor.parse(item.newest)
                self.settled.set()
            case Gap():
                self.ledger.gap(item)
            case SnapshotPlace(cursor=cursor, scope=scope):
                self.ledger.snapshot(cursor, scope)
            case Heartbeat():
                self.ledger.heartbeat(item)
            case SubscriptionChange(cursor=cursor):
                self.ledger.move(cursor)
            case Bye(reason=reason, reconnect=reconnect, retry=retry):
                self._end(Ending("later" if reconnect else "final", f"bye: {reason}", retry / 1000))
            case Refusal(code=code, retry_after=wait):
                self._end(Ending("later", f"refused: {code}", wait))
            case Failure(code=code, message=text):
                self._end(Ending("final", f"{code}: {text}"))
        self._check_live()

    def _check_live(self) -> None:
        position = self.ledger.position
        if self._newest is not None and position is not None and position >= self._newest:
            self._live()

    def _live(self) -> None:
        self._newest = None
        self._backoff.reset()
        if self.returned is not None:
            self._meter.live_again.add(self._since(self.returned))
            self.returned = None

    def _since(self, moment: float) -> int:
        return round((time.monotonic() - moment) * 1e6)

    def _end(self, ending: Ending) -> None:
        assert self._connection is not None
        self._connection.end(ending)
