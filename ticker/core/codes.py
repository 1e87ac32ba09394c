"""The exception tree, the error codes with their HTTP status, and the WebSocket close codes."""

from __future__ import annotations

from enum import IntEnum

# PROTOCOL.md section 8: the HTTP status of each error code.
STATUS = {
    "bad_cursor": 400,
    "bad_symbols": 400,
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "unknown_symbol": 404,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "too_large": 413,
    "uri_too_long": 414,
    "unsupported_media_type": 415,
    "misdirected": 421,
    "rate_limited": 429,
    "too_many": 429,
    "internal": 500,
    "cut": 503,
    "not_ready": 503,
    "draining": 503,
    "overloaded": 503,
}


class Close(IntEnum):
    """WebSocket close codes (RFC 6455 7.4, and the private range of PROTOCOL.md section 5)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    WRONG_TYPE = 1003
    INVALID_DATA = 1007
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    TRY_AGAIN_LATER = 1013
    UNAUTHORIZED = 4001
    SLOW_CONSUMER = 4008
    HEARTBEAT_TIMEOUT = 4009
    RATE_LIMITED = 4029
    BAD_MESSAGE = 4503
    REPLACED = 4509


class TickerError(Exception):
    """The base of every error that ticker raises on purpose.

    ::

        TickerError
        ├── RequestError      a client's mistake, or a refusal: has a code of the wire contract
        │   ├── BadCursor
        │   ├── BadSymbols
        │   ├── BadRequest
        │   └── Refused       temporary: has a time after which to come back
        ├── ClientError       the Python client can't go on: has what the server said
        │   ├── Disconnected  a connection didn't open or has ended; the client comes back by itself
        │   └── Violation     the server's bytes break the wire contract; the client comes back by itself
        ├── StartError        the operator's mistake: one sentence with the mend, exit code 2
        └── FeedError         a feed can't go on; it is restarted with backoff
            └── BadRecording  the file is no recording; starting it again would not help
    """


class RequestError(TickerError):
    """A request or message that can't be served.

    Attributes:
        code: a key of ``STATUS``.
        message: one sentence that names the rule.
        field: where in the input the mistake stands, such as ``symbols[0]``.
        retry_after: seconds after which the same may succeed.
    """

    def __init__(
        self,
        code: str,
        message: str,
        field: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        """The HTTP status that this error is answered with."""
        return STATUS[self.code]

    def fields(self) -> dict[str, str | float]:
        """Return what of the error a client sees: code, message, and field and retry_after if known."""
        wait = self.retry_after
        if wait is not None:
            # To the millisecond, and a whole number without a fraction.
            wait = int(wait) if wait == int(wait) else round(wait, 3)
        facts = {"code": self.code, "message": self.message, "field": self.field, "retry_after": wait}
        return {name: fact for name, fact in facts.items() if fact is not None}


class BadCursor(RequestError):
    """Text that is not a cursor."""

    def __init__(self, field: str = "cursor") -> None:
        rule = "a cursor is <epoch>-<seq>: two decimals without leading zeros, below 2^53"
        super().__init__("bad_cursor", rule, field)


class BadSymbols(RequestError):
    """A list of names and patterns that breaks a rule."""

    def __init__(self, message: str, field: str = "symbols") -> None:
        super().__init__("bad_symbols", message, field)


class BadRequest(RequestError):
    """A parameter or field that is wrong or out of its range."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__("bad_request", message, field)


class Refused(RequestError):
    """A refusal that passes: ``rate_limited``, ``too_many``, ``draining``, ``not_ready``, ``overloaded``, ``cut``."""

    def __init__(self, code: str, message: str, retry_after: float) -> None:
        super().__init__(code, message, None, retry_after)


class ClientError(TickerError):
    """What ends a client for good: a final answer of the server, or another connection that took its session.

    Attributes:
        code: the server's code, such as ``bad_symbols`` or ``replaced``.
        message: the server's sentence.
        field: where in the request the mistake stands, such as ``symbols[0]``.
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(code, message, field)
        self.code = code
        self.message = message
        self.field = field

    def __str__(self) -> str:
        place = f" ({self.field})" if self.field else ""
        return f"{self.code}: {self.message}{place}"


class Disconnected(ClientError):
    """A connection that didn't open, or has ended.

    Attributes:
        retry_after: seconds after which the server wants to see the client again, None if it did not say.
        reached: False if no server answered at all, so that another transport would not help.
    """

    def __init__(self, code: str, message: str, retry_after: float | None = None, *, reached: bool = True) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after
        self.reached = reached


class Violation(ClientError):
    """Bytes that break the wire contract, such as ticks that left something out without a gap."""

    def __init__(self, message: str) -> None:
        super().__init__("violation", message)


class StartError(TickerError):
    """The server can't start as told; the text is one sentence that says what to do."""


class FeedError(TickerError):
    """A feed can't go on."""


class BadRecording(FeedError):
    """A file that is no recording."""
