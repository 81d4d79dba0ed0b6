"""The rooms of each wing: what stands where, and who may import whom (README, Layout)."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {
    "model": [
        *("support", "contract", "text", "native", "floating", "evaluation", "importing"),
        *("training", "compression", "studies", "exports", "bench"),
    ],
    "gateware": [
        *("parts", "memory", "plan", "engines", "compiler", "core", "decoder"),
        *("streamed", "host", "console"),
    ],
    "platforms": [
        *("support", "families", "host", "boards", "simulation", "synthesis", "place_and_route"),
        *("sizes", "firmware", "console", "ip", "building"),
    ],
}
"""Every room, ground floor first: a room imports from itself and from those before it."""
DATA = {"model": {"artifacts"}}
TOP_FILES = {"platforms": {"command_line.py"}}
"""What else stands at the top of a wing."""
MOST_AT_TOP = 14
MOST_FILES = 25


def modules() -> dict[str, Path]:
    """Every module of ours by its import name; packages by their own."""
    found = {}
    for wing in ROOMS:
        for path in sorted((ROOT / wing).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[f"gateformer.{name}"] = path
    return found


MODULES = modules()


def imported(name: str, path: Path) -> set[str]:
    """Modules of ours that a module imports, anywhere in it and for types, too."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {base} if base in MODULES and MODULES[base].name != "__init__.py" else set()
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found & set(MODULES)


IMPORTS = {name: imported(name, path) for name, path in MODULES.items()}


def room(name: str) -> tuple[str, str] | None:
    """(wing, room) of a module; None at the top of a wing."""
    _, wing, *rest = name.split(".")
    return (wing, rest[0]) if rest and rest[0] in ROOMS[wing] else None


def entries(directory: Path) -> set[str]:
    return {p.name for p in directory.iterdir() if p.name not in ("__pycache__", "__init__.py")}


@pytest.mark.parametrize("wing", ROOMS)
def test_a_wing_shows_its_rooms_and_little_else(wing):
    expected = {*ROOMS[wing], *DATA.get(wing, ()), *TOP_FILES.get(wing, ())}
    assert entries(ROOT / wing) == expected
    assert len(entries(ROOT / wing)) + 1 <= MOST_AT_TOP  # with __init__.py


def test_the_tests_mirror_the_rooms():
    for wing, rooms in ROOMS.items():
        tests_of_files = {f"test_{name}" for name in TOP_FILES.get(wing, ())}
        assert entries(ROOT / "tests" / wing) <= {*rooms, *tests_of_files}


def test_no_folder_is_a_hall():
    for directory in {path.parent for path in ROOT.rglob("*.py") if ".venv" not in path.parts}:
        files = [p for p in directory.iterdir() if p.is_file()]
        assert len(files) <= MOST_FILES, f"{directory.relative_to(ROOT)} holds {len(files)} files"


@pytest.mark.parametrize("wing", ROOMS)
def test_rooms_import_from_those_before_them(wing):
    order = ROOMS[wing]
    for name, targets in IMPORTS.items():
        here = room(name)
        if here is None or here[0] != wing:
            continue
        for there in filter(None, map(room, targets)):
            if there[0] == wing:
                climbs = order.index(there[1]) > order.index(here[1])
                assert not climbs, f"{name} in {here[1]} imports from {there[1]}"


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Modules left when those that import nothing left are taken away again and again."""
    left = dict(graph)
    while True:
        free = [name for name, targets in left.items() if not targets & left.keys() - {name}]
        if not free:
            return sorted(left)
        for name in free:
            del left[name]


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": set()}) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c", "d"]


def test_no_module_imports_itself_in_the_end():
    assert circles(IMPORTS) == []


def test_every_room_has_a_door():
    for path in (p for p in MODULES.values() if p.name == "__init__.py"):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert text and len(text.split()) >= 12, f"{path.relative_to(ROOT)} does not say what is in"


def test_every_room_is_installed():
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    assert set(facts["tool"]["setuptools"]["packages"]) == packages


def test_the_readme_names_the_rooms_in_their_order():
    rows = (ROOT / "README.md").read_text(encoding="utf-8").split("## Layout")[1].splitlines()
    for wing, rooms in ROOMS.items():
        (row,) = [row for row in rows if row.startswith(f"| `{wing}/`")]
        named = re.findall(r"`(\w+)`", row)
        assert named == rooms
