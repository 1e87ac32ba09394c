"""The options of ``ticker serve`` are the settings."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import pytest

from ticker.cli import main as cli
from ticker.cli import serve as module
from ticker.core.codes import StartError
from ticker.settings import SETTINGS


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, Mapping[str, object]]:
    """Run ``ticker serve``; return the exit code and what the server would be started with."""
    seen: dict[str, object] = {}
    monkeypatch.setattr(sys, "argv", ["ticker", "serve", *arguments])
    monkeypatch.setattr(module, "serve", seen.update)
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return int(exit_.value.code or 0), seen


def test_hands_over_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    code, seen = call(monkeypatch, "--port", "9000", "--tls", "--feed", "a:", "--feed", "b:?x=1&y=2")

    assert code == 0
    assert {name: value for name, value in seen.items() if value not in (None, [])} == {
        "port": "9000",
        "tls": True,
        "feeds": ["a:", "b:?x=1&y=2"],
    }


def test_what_was_not_given_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    code, seen = call(monkeypatch)

    assert code == 0
    assert set(seen) == set(SETTINGS)
    assert set(seen.values()) == {None}


def test_the_help_names_each_option_its_variable_and_its_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert call(monkeypatch, "--help")[0] == 0
    text = " ".join(capsys.readouterr().out.split())

    for setting in SETTINGS.values():
        assert f" {setting.option} " in text
        assert f"{setting.help} [{setting.variable}; default {setting.default or '-'}]" in text


def test_a_wrong_value_is_one_sentence_and_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: object) -> None:
        raise StartError("--port is 'x', it must be a whole number from 0 to 65535.")

    monkeypatch.setattr(sys, "argv", ["ticker", "serve", "--port", "x"])
    monkeypatch.setattr(module, "serve", refuse)
    with pytest.raises(SystemExit) as exit_:
        cli.main()

    assert exit_.value.code == 2
    assert capsys.readouterr().err == "ticker: --port is 'x', it must be a whole number from 0 to 65535.\n"
