"""Log: one line per event, as key=value text or JSON, in which nothing a client sends can forge anything."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

# Only these go unquoted: no space, quote, equals sign, backslash, control character or terminal escape.
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+,*\[\]-]+", re.ASCII)
# What stands in a line of a traceback as it is.
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
# Libraries whose INFO is a line per request.
_CHATTY = ("asyncio", "hpack", "httpx", "httpcore", "websockets")


class Log:
    """A logger whose messages are an event's name and its facts: ``log.info("listening", url=url)``."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **facts: object) -> None:
        """Log what only a developer wants to see."""
        self._log(logging.DEBUG, event, facts)

    def info(self, event: str, **facts: object) -> None:
        """Log what happened."""
        self._log(logging.INFO, event, facts)

    def warning(self, event: str, **facts: object) -> None:
        """Log what an operator should look at."""
        self._log(logging.WARNING, event, facts)

    def error(self, event: str, **facts: object) -> None:
        """Log what went wrong."""
        self._log(logging.ERROR, event, facts)

    def exception(self, event: str, error: BaseException | None = None, **facts: object) -> None:
        """Log a bug with its traceback: that of ``error``, else of the exception being handled."""
        self._log(logging.ERROR, event, facts, exc_info=error if error is not None else True)

    def _log(
        self, level: int, event: str, facts: dict[str, object], exc_info: BaseException | bool | None = None
    ) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", event, extra={"facts": facts}, exc_info=exc_info)


def get_logger(name: str) -> Log:
    """Return the logger of a module: ``log = get_logger(__name__)``."""
    return Log(name)


def configure(*, json: bool, level: str) -> None:
    """Send every log record of this process to stderr.

    Args:
        json: JSON lines, else key=value text.
        level: ``debug``, ``info``, ``warning`` or ``error``.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if json else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


class _Formatter(logging.Formatter):
    def facts(self, record: logging.LogRecord) -> dict[str, object]:
        """Return what a record says, in the order of the line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        return {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }


class TextFormatter(_Formatter):
    """Formats ``time=… level=… logger=… event=… key=value``; a traceback follows, its lines begin with ``  | ``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and the traceback's if there is one."""
        line = " ".join(f"{key}={_value(value)}" for key, value in self.facts(record).items())
        if not record.exc_info:
            return line
        trace = self.formatException(record.exc_info).split("\n")
        return "\n".join([line, *("  | " + _UNPRINTABLE.sub(_escape, entry) for entry in trace)])


class JsonFormatter(_Formatter):
    """Formats one JSON object a line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        facts = self.facts(record)
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)
        return _json(facts)


def _value(value: object) -> str:
    text = _json(value) if value is None or isinstance(value, bool | float | list | tuple | dict) else str(value)
    return text if _PLAIN.fullmatch(text) else _json(text)


def _json(value: object) -> str:
    # ASCII only: C1 controls, bidirectional overrides and lone surrogates are escaped. DEL json leaves as it is.
    return json.dumps(value, default=str, ensure_ascii=True).replace("\x7f", "\\u007f")


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "surrogatepass").decode("ascii")
