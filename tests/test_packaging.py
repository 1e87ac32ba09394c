"""The wheel, the locks, the Procfile, and the start in a folder that is not ours."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import venv
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.checkout import ROOT, tracked_files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# A registry over a slow line; both installations took under 30 s on two cores.
INSTALL_TIMEOUT = 600


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the project's files and nothing that was made from them."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in tracked_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path) -> Path:
    """Return the wheel that ``pip install .`` would install."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "dist", "."]
    subprocess.run(command, cwd=checkout, check=True)
    return next((checkout / "dist").glob("*.whl"))


def ticker(*arguments: str, cwd: Path, path: Path = ROOT, flags: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``python -m ticker`` in a folder, with ticker itself from ``path``."""
    command = [sys.executable, *flags.split(), "-m", "ticker", *arguments]
    env = os.environ | {"PYTHONPATH": str(path)}
    return subprocess.run(command, cwd=cwd, env=env, text=True, capture_output=True, check=False, timeout=60)


class TestWheel:
    def test_holds_every_file_of_the_three_folders(self, wheel: Path) -> None:
        packed = [name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name]

        assert sorted(packed) == sorted(
            name for name in tracked_files() if name.startswith(("ticker/", "feeds/", "frontend/"))
        )

    def test_runs_from_any_folder(self, wheel: Path, tmp_path: Path) -> None:
        ZipFile(wheel).extractall(tmp_path / "site")

        result = ticker("feeds", cwd=tmp_path, path=tmp_path / "site")

        assert (result.returncode, result.stderr) == (0, "")
        assert "synthetic:" in result.stdout

    def test_needs_what_the_lock_pins(self, wheel: Path) -> None:
        metadata = next(name for name in ZipFile(wheel).namelist() if name.endswith("/METADATA"))
        needed = re.findall(r"^Requires-Dist: (.*)$", ZipFile(wheel).read(metadata).decode(), re.MULTILINE)

        assert needed
        assert {Requirement(line).name for line in needed} <= set(pins("requirements.txt"))


def imports(source: str) -> Iterator[str]:
    """Yield the top-level names of the modules that a source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def test_every_library_that_is_imported_is_asked_for() -> None:
    ours = [name for name in tracked_files() if name.startswith(("ticker/", "feeds/")) and name.endswith(".py")]
    imported = {module for name in ours for module in imports((ROOT / name).read_text())}
    libraries = imported - sys.stdlib_module_names - {"ticker", "feeds"}
    asked = {Requirement(line).name for line in PROJECT["project"]["dependencies"]}
    providers = packages_distributions()

    assert "msgspec" in libraries
    assert [name for name in libraries if not asked & set(map(canonicalize_name, providers.get(name, [])))] == []


def pins(lock: str) -> dict[str, set[str]]:
    """Return the versions that a lock pins for each name; several where they differ by environment."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE):
        versions.setdefault(name, set()).add(version)
    return versions


class TestLocks:
    @pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt"])
    def test_hold_versions_and_hashes_only(self, lock: str) -> None:
        pinned = re.compile(r"[a-z0-9-]+==[0-9a-z.]+( ; [^\\]+)? (\\\n    --hash=sha256:[0-9a-f]{64} ?)+\n")

        assert pinned.sub("", (ROOT / lock).read_text()) == ""

    def test_of_the_tests_holds_what_runs(self) -> None:
        runtime, everything = pins("requirements.txt"), pins("requirements-dev.txt")

        assert {name: everything.get(name) for name in runtime} == runtime

    @pytest.mark.parametrize(
        ("lock", "needed"),
        [
            ("requirements.txt", PROJECT["project"]["dependencies"]),
            ("requirements-dev.txt", PROJECT["dependency-groups"]["dev"]),
        ],
    )
    def test_fit_what_the_project_asks_for(self, lock: str, needed: list[str]) -> None:
        pinned = pins(lock)
        wrong = [
            line
            for line in needed
            if not all(Requirement(line).specifier.contains(version) for version in pinned[Requirement(line).name])
        ]

        assert wrong == []

    def test_of_npm_holds_versions_and_hashes_only(self) -> None:
        packages: dict[str, dict[str, object]] = json.loads((ROOT / "tests/package-lock.json").read_text())["packages"]
        packages.pop("")

        assert packages
        assert [name for name, facts in packages.items() if "resolved" in facts or "integrity" not in facts] == []


class TestForeignFolder:
    @pytest.mark.parametrize("name", ["feeds/__init__.py", "feeds.py"])
    def test_never_runs_its_feeds(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("open('ran', 'w').close()")

        result = ticker("--help", cwd=tmp_path)

        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == (
            f"ticker: {tmp_path / name} would be imported instead of ticker's own feeds; "
            "run the command `ticker` or `python -P -m ticker`, or start it in another folder.\n"
        )
        assert not (tmp_path / "ran").exists()

    def test_runs_as_the_sentence_says(self, tmp_path: Path) -> None:
        (tmp_path / "feeds.py").write_text("open('ran', 'w').close()")

        result = ticker("--help", cwd=tmp_path, flags="-P")

        assert result.returncode == 0
        assert not (tmp_path / "ran").exists()

    def test_may_have_a_folder_of_that_name_that_is_no_package(self, tmp_path: Path) -> None:
        (tmp_path / "feeds").mkdir()
        (tmp_path / "feeds" / "aapl.ndjson").touch()

        assert ticker("--help", cwd=tmp_path).returncode == 0


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_healthy(url: str, server: subprocess.Popen[bytes]) -> None:
    """Return when the server answers ``GET /healthz``; fail when it ends or 30 s have passed."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        try:
            assert httpx.get(f"{url}/healthz").status_code == 200
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"no answer from {url}/healthz; exit code {server.poll()}")


class TestProcfile:
    def test_is_one_line(self) -> None:
        assert (ROOT / "Procfile").read_text() == "web: python -m ticker serve --host 0.0.0.0\n"

    @pytest.mark.timeout(INSTALL_TIMEOUT)
    def test_runs_with_nothing_but_the_lock_installed(self, checkout: Path, tmp_path: Path) -> None:
        venv.create(tmp_path / "venv", with_pip=True)
        pip = [str(tmp_path / "venv/bin/python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--require-hashes", "-r", "requirements.txt"], cwd=checkout, check=True)
        command = shlex.split((checkout / "Procfile").read_text().removeprefix("web: "))
        port = free_port()
        env = {"PATH": f"{tmp_path}/venv/bin:/usr/bin:/bin", "HOME": str(tmp_path), "PORT": str(port)}

        server = subprocess.Popen(command, cwd=checkout, env=env)
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}", server)
            server.send_signal(signal.SIGTERM)

            assert server.wait(timeout=10) == 0
        finally:
            server.kill()
            server.wait()
