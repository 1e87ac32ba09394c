"""The command ``ticker``: finds the command's module, and turns errors into one sentence and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

import typer

from ticker.core.codes import BadRecording, RequestError, StartError, TickerError

# Each is a function in the module ``ticker.cli.<name>``. Only the one that is called is imported, because Quart,
# NumPy and Rich together take most of a second.
COMMANDS = {
    "serve": "Run the market server.",
    "watch": "Show the market live in the terminal.",
    "record": "Write the ticks of a server to a file.",
    "publish": "Send a file of ticks to a server.",
    "bench": "Measure a server under the load of many clients.",
    "lab": "Measure polling, long polling, SSE and WebSocket side by side.",
    "feeds": "List the feeds that a server can run, with their options.",
}

HELP = """A market data server that loses nothing, and its tools.

\b
Begin with:
  ticker serve                    a synthetic market on http://127.0.0.1:8000
  ticker watch                    the same, live in this terminal
  ticker serve --help             what else there is; the same for each command
"""

# Exit codes.
FAILED = 1
CANNOT_START = 2


def main() -> None:
    """Run the command line of this process and exit: 0 done, 1 a run that failed, 2 what could not start."""
    try:
        build(sys.argv[1:])(prog_name="ticker")
    except (StartError, BadRecording, RequestError) as error:
        raise SystemExit(complain(error, CANNOT_START)) from None
    except TickerError as error:
        raise SystemExit(complain(error, FAILED)) from None


def build(arguments: Sequence[str]) -> typer.Typer:
    """Return the application, with the one command that the arguments call and only the names of the others."""
    app = typer.Typer(
        name="ticker", help=HELP, add_completion=False, no_args_is_help=True, rich_markup_mode=None,
        pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip
    app.callback()(_nothing)
    called = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, summary in COMMANDS.items():
        app.command(name, short_help=summary)(_load(name) if name == called else _nothing)
    return app


def _load(name: str) -> Callable[..., None]:
    """Return a command's function; that of ``serve`` gets its options from the settings."""
    function: Callable[..., None] = getattr(import_module(f"ticker.cli.{name}"), name)
    if name != "serve":
        return function
    from ticker.cli.options import with_options

    return with_options(function)


def complain(error: Exception, code: int) -> int:
    """Print an error as one line, without what could command a terminal; return the exit code."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    print(f"ticker: {text}", file=sys.stderr)
    return code


def _nothing() -> None:
    """Stand for a command that is not called, and for the options of ``ticker`` itself, of which there are none."""
