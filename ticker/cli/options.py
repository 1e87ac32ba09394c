"""The options of ``ticker serve``, made from the table of settings, so that none is written twice."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

import typer

from ticker.settings import SETTINGS, SWITCH, Setting

HELP = """Run the market server.

Without options it serves a synthetic market on http://127.0.0.1:8000 until Ctrl-C. Each option can be set by the
variable beside it, too; the option wins.

\b
Examples:
  ticker serve
  ticker serve --port 9000 --feed "synthetic:?seed=7&rate=1000"
  ticker serve --tls --feed "recording:day.ndjson.gz?speed=x10" --feed binance:btcusdt
  TICKER_LOG_JSON=1 ticker serve --host 0.0.0.0 --hosts market.example.com
"""


def with_options(serve: Callable[[Mapping[str, object]], None]) -> Callable[..., None]:
    """Return a command with an option for each setting, which hands those that were given to ``serve``."""

    def command(**overrides: object) -> None:
        serve(overrides)

    parameters = [_parameter(setting) for setting in SETTINGS.values()]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = HELP
    return command


def _parameter(setting: Setting) -> inspect.Parameter:
    kind = list[str] | None if setting.is_list else bool | None if setting.rule is SWITCH else str | None
    help = f"{setting.help} [{setting.variable}; default {setting.default or '-'}]"
    option = typer.Option(None, setting.option, help=help, show_default=False)
    return inspect.Parameter(setting.name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=kind)
