"""Tests that need a network namespace are left out aloud where the kernel refuses, and fail on the build machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

NEEDY = """
import subprocess

import pytest


@pytest.mark.netns
def test_needy():
    subprocess.run(["unshare", "-Urn", "true"], check=True)


def test_modest():
    pass
"""


def run(tmp_path: Path, unshare: str, ci: str) -> tuple[int, str]:
    """Run a needy and a modest test with a program ``unshare`` that ends so; return the exit code and the output."""
    (tmp_path / "test_some.py").write_text(NEEDY)
    if unshare:
        (tmp_path / "unshare").write_text(f"#!/bin/sh\n{unshare}\n")
        (tmp_path / "unshare").chmod(0o755)
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", "-p", "tests.conftest", str(tmp_path)]
    env = {"PATH": str(tmp_path), "CI": ci}
    result = subprocess.run(command, cwd=ROOT, env=env, text=True, capture_output=True, check=False)
    return result.returncode, result.stdout


@pytest.mark.parametrize("unshare", ["exit 1", ""])
def test_left_out_with_a_line(tmp_path: Path, unshare: str) -> None:
    code, output = run(tmp_path, unshare, ci="")

    assert code == 0
    assert "1 tests left out: this kernel or user may not `unshare -Urn`." in output
    assert "1 passed, 1 deselected" in output


@pytest.mark.parametrize("unshare", ["exit 1", ""])
def test_fail_on_the_build_machine(tmp_path: Path, unshare: str) -> None:
    code, output = run(tmp_path, unshare, ci="true")

    assert code == 1
    assert "1 failed, 1 passed" in output


def test_run_where_the_kernel_allows(tmp_path: Path) -> None:
    code, output = run(tmp_path, "exit 0", ci="")

    assert code == 0
    assert "2 passed" in output
    assert "left out" not in output
