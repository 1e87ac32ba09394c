"""What no file of the project may hold: addresses of package registries, and paths of one machine."""

from __future__ import annotations

import re

import pytest

from tests.support.checkout import ROOT, tracked_files

# Written in pieces, so that this file may be searched too.
REGISTRIES = [
    f"{name}.{top}"
    for name, top in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("crates", "io"),
        ("golang", "org"),
        ("maven", "org"),
        ("debian", "org"),
    ]
]
FORBIDDEN = re.compile(
    "|".join([*map(re.escape, REGISTRIES), r"(?<![\w.~$}/-])/(?:root|work|tmp|home/\w+)(?=/|\b)"]), re.ASCII
)


def find_forbidden(name: str, text: str) -> list[str]:
    """Return each place in a text that names a registry's host or a machine's folder."""
    lines = text.splitlines()
    return [f"{name}:{number}: {found[0]}" for number, line in enumerate(lines, 1) if (found := FORBIDDEN.search(line))]


def test_no_file_names_a_registry_or_a_folder_of_one_machine() -> None:
    names = tracked_files()
    found = []
    for name in names:
        found += find_forbidden(name, (ROOT / name).read_text(errors="replace"))

    assert found == []
    assert "tests/test_tracked.py" in names


@pytest.mark.parametrize(
    "text",
    [f"https://{host}/simple" for host in REGISTRIES]
    + [text.replace("|", "/") for text in ("cd |work|main", "see |tmp|x.log", '"|root"', "key=|home|ann|key.pem")],
)
def test_each_is_found(text: str) -> None:
    assert find_forbidden("file", f"first line\n{text}\n") != []


@pytest.mark.parametrize("text", ["GET /workers", "$HOME/tmp/x", "https://example.com/tmp", "a/work/b", "/rooted"])
def test_what_only_looks_like_it_is_none(text: str) -> None:
    assert find_forbidden("file", text) == []
