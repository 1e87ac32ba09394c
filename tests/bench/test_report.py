from __future__ import annotations

import pytest

from tests.bench.report import Options, Report


@pytest.fixture
def report() -> Report:
    return Report("Title", Options(1, 1, ""))


def exit_code(report: Report) -> object:
    with pytest.raises(SystemExit) as ended:
        report.finish()
    return ended.value.code


def test_passes_where_every_row_keeps_its_limit(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    report.most("cost", 1.4, 1.4, "7 : 5 µs", " x")
    report.least("rate", 3.2, 3, "fast", " million")
    report.either("either", [(20, 15, " µs"), (0.3, 0.35, " x")], "20 : 60 µs")
    report.all_of("clients", 5, 5, "")
    report.missing("peer", "no compiler")

    assert exit_code(report) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["✓", "✓", "✓", "✓", "-"]


def test_fails_where_one_row_is_beyond_its_limit(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    report.most("cost", 1.41, 1.4, "")
    report.least("rate", 4, 3, "")

    assert exit_code(report) == 1
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["✕", "✓"]


def test_a_row_that_can_not_be_measured_fails_alone(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    with report.row("first"):
        raise RuntimeError("it has ended")
    with report.row("second"):
        report.most("second", 1, 2, "")

    assert exit_code(report) == 1
    assert "it has ended" in capsys.readouterr().out


@pytest.mark.parametrize(("only", "title"), [("", "SSE"), ("sse", "SSE, 200"), ("200", "SSE, 200")])
def test_an_option_chooses_what_is_measured(only: str, title: str) -> None:
    assert Options(1, 1, only).wants(title)
    assert not Options(1, 1, "other").wants(title)
