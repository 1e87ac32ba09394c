"""What ``make`` and ``.ci/run`` do, with fake programs in place of those that install and run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAKE = shutil.which("make") or "make"
BASH = shutil.which("bash") or "bash"


def fake(path: Path, script: str) -> None:
    """Write an executable shell script that stands for a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def run(*command: str, cwd: Path, path: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that finds programs in the folder ``path`` only."""
    return subprocess.run(
        command, cwd=cwd, env={"PATH": str(path)}, text=True, capture_output=True, check=False, timeout=30
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with the Makefile, what its stamps depend on, and an empty ``bin``."""
    project = tmp_path / "project"
    (project / "bin").mkdir(parents=True)
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, project)
    shutil.copytree(ROOT / ".ci", project / ".ci")
    (project / "bin" / "touch").symlink_to(shutil.which("touch") or "touch")
    return project


class TestRun:
    @pytest.fixture
    def venv(self, project: Path) -> Path:
        """Return the log of a fake Python that stands in ``.venv`` already."""
        log = project / "log"
        fake(project / ".venv/bin/python", f'echo "$@" >> {log}\n[ "$2" != ticker ] || exit ${{ANSWER:-0}}')
        return log

    def make_run(self, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(MAKE, "run", *arguments, cwd=project, path=project / "bin")

    def test_installs_the_lock_and_then_the_project_and_starts(self, project: Path, venv: Path) -> None:
        result = self.make_run(project, "ARGS=--tls --feed synthetic:?seed=7")

        install = "-m pip install --quiet --disable-pip-version-check"
        assert result.returncode == 0
        assert venv.read_text().splitlines() == [
            f"{install} --require-hashes -r requirements.txt",
            f"{install} --no-deps --editable .",
            "-m ticker serve --tls --feed synthetic:?seed=7",
        ]

    def test_a_second_time_only_starts(self, project: Path, venv: Path) -> None:
        self.make_run(project)
        venv.unlink()

        result = self.make_run(project)

        assert (result.stdout, venv.read_text()) == ("", "-m ticker serve\n")

    @pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
    def test_installs_again_when_the_lock_or_the_project_changed(self, project: Path, venv: Path, name: str) -> None:
        self.make_run(project)
        venv.unlink()
        later = (project / ".venv/.run").stat().st_mtime + 5
        os.utime(project / name, (later, later))

        self.make_run(project)

        assert len(venv.read_text().splitlines()) == 3

    def test_fails_when_the_server_fails(self, project: Path, venv: Path) -> None:
        result = self.make_run(project, "ANSWER=2")

        assert venv.read_text().splitlines()[-1] == "-m ticker serve"
        assert result.returncode == 2

    def test_passes_settings_on(self, project: Path, venv: Path) -> None:
        fake(project / ".venv/bin/python", f'[ "$2" != ticker ] || echo "$PORT $TICKER_HOST" > {venv}')

        self.make_run(project, "PORT=9000", "TICKER_HOST=::1")

        assert venv.read_text() == "9000 ::1\n"

    def test_without_a_fitting_python_says_so_in_one_sentence(self, project: Path) -> None:
        fake(project / "bin/python3", "exit 1")  # an old one, or a version manager's shim

        result = self.make_run(project)

        assert result.returncode == 2
        assert result.stderr.splitlines()[0].startswith("No Python >= 3.11 with venv was found: install it")
        assert not (project / ".venv").exists()

    def test_takes_the_first_python_that_works(self, project: Path) -> None:
        fake(project / "bin/python3", "exit 1")
        fake(project / "bin/python3.12", '[ "$1" = -c ] || echo "$@" > found; [ "$1" = -c ]')

        self.make_run(project)

        assert (project / "found").read_text() == "-m venv --clear .venv\n"


VERSIONS = {"chromium": "Chromium 1.0", "redis-server": "Redis server v=7.0.15", "node": "v20.1.0", "npm": "10.0"}


class TestDeps:
    def deps(self, project: Path, **versions: str) -> subprocess.CompletedProcess[str]:
        for name, version in {**VERSIONS, **versions}.items():
            if version:
                fake(project / "bin" / name, f'echo "{version}"')
        return run(BASH, ".ci/deps", cwd=project, path=project / "bin")

    def test_says_nothing_when_nothing_is_missing(self, project: Path) -> None:
        result = self.deps(project)

        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")

    @pytest.mark.parametrize(
        ("versions", "line"),
        [
            ({"chromium": ""}, "Chromium is missing: apt-get install chromium"),
            ({"redis-server": ""}, "Redis >= 7 is missing: apt-get install redis-server"),
            ({"redis-server": "Redis server v=6.2.1"}, "Redis >= 7 is missing: apt-get install redis-server"),
            ({"node": ""}, "Node >= 20 is missing: apt-get install nodejs"),
            ({"node": "v18.19.0"}, "Node >= 20 is missing: apt-get install nodejs"),
            ({"npm": ""}, "npm is missing: apt-get install npm"),
        ],
    )
    def test_names_what_is_missing_with_its_command(self, project: Path, versions: dict[str, str], line: str) -> None:
        result = self.deps(project, **versions)

        assert (result.returncode, result.stderr.splitlines()[0]) == (2, line)

    def install(self, project: Path, script: str) -> None:
        """Put in an apt-get with this script, and a sudo for who is not root."""
        log = project / "log"
        fake(project / "bin/apt-get", f'echo "$@" >> {log}\n{script}')
        fake(project / "bin/env", 'shift; exec "$@"')
        fake(project / "bin/sudo", 'shift; exec "$@"')
        (project / "bin/true").symlink_to(shutil.which("true") or "true")

    def test_installs_what_is_missing(self, project: Path) -> None:
        program = project / "bin/redis-server"
        self.install(project, f"printf '#!/bin/sh\\necho v=7.0.15\\n' > {program}; /bin/chmod 755 {program}")

        result = self.deps(project, **{"redis-server": ""})

        assert result.returncode == 0
        assert (project / "log").read_text().splitlines() == [
            "update -q",
            "install -qy --no-install-recommends redis-server",
        ]

    def test_fails_when_what_could_be_installed_is_too_old(self, project: Path) -> None:
        self.install(project, "exit 0")

        result = self.deps(project, node="v18.19.0")

        assert result.returncode == 2
        assert "take it from nodejs.org" in result.stderr


def test_ci_runs_exactly_make_test_from_anywhere(project: Path, tmp_path: Path) -> None:
    fake(project / "bin/make", 'echo "$PWD: make $@"; exit 7')
    (project / "bin/dirname").symlink_to(shutil.which("dirname") or "dirname")

    result = run(BASH, str(project / ".ci/run"), cwd=tmp_path, path=project / "bin")

    assert (result.returncode, result.stdout) == (7, f"{project}: make test\n")
