"""The import direction of docs/ARCHITECTURE.md section 2, read from the source with ``ast``."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Everyone but core may import these; they import core only.
SHARED = ["ticker.settings", "ticker.log", "ticker.metrics"]
# Each may import those before it.
TOWER = [
    "ticker.lane",
    "ticker.bus",
    "ticker.market",
    "ticker.feeding",
    "ticker.fanout",
    "ticker.auth",
    "ticker.node",
    "ticker.web",
    "ticker.hypercorn_remedies",
    "ticker.certificate",
    "ticker.server",
    "ticker.cli",
    "ticker.__main__",
]
# What a part of the project may import of the others, besides itself and ticker.core.
ALLOWED: dict[str, list[str]] = {
    "ticker": [],
    "ticker.core": [],
    **{part: [] for part in SHARED},
    **{part: SHARED + TOWER[:height] for height, part in enumerate(TOWER)},
    "feeds": [],
    "ticker.client": [],
    "ticker.tools": [*SHARED, "ticker.client"],
}
ALLOWED["ticker.feeding"] += ["feeds"]
ALLOWED["ticker.cli"] += ["feeds", "ticker.client", "ticker.tools"]

# The only parts that may import a library whose internals must not spread.
LIBRARIES = {
    "quart": ["ticker.web"],
    "hypercorn": ["ticker.server", "ticker.hypercorn_remedies"],
    "wsproto": ["ticker.lane"],
}
# What the pure part may not touch: loops, clocks, files, sockets, processes, the environment.
IMPURE = {
    *("asyncio", "concurrent", "multiprocessing", "selectors", "signal", "socket", "ssl", "subprocess", "threading"),
    *("datetime", "sched", "time", "io", "logging", "os", "pathlib", "shutil", "sys", "tempfile", "secrets", "uuid"),
}


def name_of(path: Path) -> str:
    """Return the dotted name of the module in a file of the project."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for folder in ("ticker", "feeds") for path in sorted((ROOT / folder).rglob("*.py"))}


def part_of(module: str) -> str:
    """Return the part of the project that a module belongs to: the longest name in ALLOWED that covers it."""
    names = [part for part in ALLOWED if module == part or (part != "ticker" and module.startswith(part + "."))]
    return max(names, key=len, default="")


def imports(source: str, package: str) -> Iterator[str]:
    """Yield the dotted names that a module imports, at its top or inside functions; ``package`` is where it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield full if full in MODULES or full in ALLOWED else base


def breaches(module: str, source: str, package: str = "") -> list[str]:
    """Return what a module of the project imports and may not."""
    part = part_of(module)
    found = []
    for name in imports(source, package):
        top = name.partition(".")[0]
        if top in ("ticker", "feeds"):
            core = [] if part == "ticker" else ["ticker.core", "ticker"]
            wrong = part_of(name) not in [part, *core, *ALLOWED.get(part, [])]
        elif part == "ticker.core":
            wrong = top in IMPURE or (top not in sys.stdlib_module_names and top != "msgspec")
        else:
            wrong = top in LIBRARIES and part not in LIBRARIES[top]
        if wrong:
            found.append(f"{module} imports {name}")
    return found


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_place(module: str) -> None:
    assert part_of(module) != "", f"say in ALLOWED what {module} may import"


def test_imports_go_one_way() -> None:
    found = []
    for module, path in MODULES.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        found += breaches(module, path.read_text(), package)

    assert found == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ticker.core.ring", "import asyncio"),
        ("ticker.core.ring", "from time import monotonic"),
        ("ticker.core.ring", "import numpy"),
        ("ticker.core.ring", "from ticker import bus"),
        ("ticker.core.ring", "from ..bus import MemoryBus"),
        ("ticker.core.ring", "from ticker.log import log"),
        ("ticker.bus", "from ticker.market import Market"),
        ("ticker.market", "def late():\n    import ticker.fanout"),
        ("ticker.fanout", "from quart import Quart"),
        ("ticker.lane.wire", "from ticker.bus import MemoryBus"),
        ("ticker.lane", "from quart import Quart"),
        ("ticker.web.websocket", "from wsproto.events import Ping"),
        ("ticker.web.app", "from hypercorn.config import Config"),
        ("ticker.web.app", "from ticker.server import serve"),
        ("ticker.server", "import feeds.synthetic"),
        ("ticker.server", "from quart.app import Quart"),
        ("ticker.server", "from ticker.cli.main import main"),
        ("ticker.settings", "from ticker.metrics import counter"),
        ("ticker.client", "from ticker.market import Market"),
        ("ticker.client", "import feeds"),
        ("ticker.tools.watch", "from ticker.server import serve"),
        ("ticker.tools.watch", "import ticker.cli"),
        ("feeds.synthetic", "from ticker.settings import Settings"),
        ("feeds", "from ticker.market import Market"),
        ("ticker", "from ticker.core.tick import Quote"),
    ],
)
def test_a_breach_is_found(module: str, source: str) -> None:
    assert breaches(module, source, module.rpartition(".")[0] or module) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ticker.core.ring", "import random\nfrom ticker.core import cursor\nfrom .tick import Quote\nimport msgspec"),
        ("ticker.market", "import asyncio\nfrom ticker.bus import MemoryBus\nfrom ticker.log import log"),
        ("ticker.web.sse", "import quart\nfrom ticker.auth import Principal\nfrom .app import create_app"),
        ("ticker.lane.socket", "import asyncio\nfrom wsproto.events import Ping\nfrom ticker.log import get_logger"),
        ("ticker.server", "import hypercorn.asyncio\nfrom ticker.web.app import create_app"),
        ("ticker.feeding", "import feeds.registry\nfrom feeds import Feed"),
        ("ticker.cli.serve", "from ticker.server import serve\nfrom ticker.tools.watch import watch"),
        ("ticker.tools.record", "from ticker.client import subscribe\nfrom ticker.core.tick import Quote"),
        ("feeds.recording", "import gzip\nfrom ticker.core.tick import Quote\nfrom feeds import Feed"),
    ],
)
def test_what_is_allowed_is_no_breach(module: str, source: str) -> None:
    assert breaches(module, source, module.rpartition(".")[0]) == []
