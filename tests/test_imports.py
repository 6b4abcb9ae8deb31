"""Imports run down one line of rooms."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "wgfpde"

LINE = (
    "cli → api → claims → studies → output → runs → cases → methods → diagnostics → transport → store → energy → "
    "formulas, linear → grid → base, errors"
)
"""A room, or a module that stands alone, imports what lies to its right; of two beside a comma, neither the other.
`__init__`, which holds the version, may be imported by all."""
LEVEL = {room: level for level, group in enumerate(LINE.split(" → ")) for room in group.split(", ")}
FAMILIES = {"finite_volumes"}
"""Families of methods that others build on; beside these none imports another."""
SOURCES = sorted(PACKAGE.rglob("*.py"))


def modules_imported(path: Path) -> set[tuple[str, ...]]:
    """What a file imports of the package, at module level or inside functions, as parts of dotted names below it."""
    here = ["wgfpde", *path.relative_to(PACKAGE).parts[:-1]]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return {tuple(parts[1:]) for name in names if (parts := name.split("."))[0] == "wgfpde" and len(parts) > 1}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


IMPORTS = {path: modules_imported(path) for path in SOURCES}


def test_the_line_of_rooms(capsys):
    with capsys.disabled():
        print(f"\n{LINE}")
    rooms = {room_of(path) for path in SOURCES} - {"__init__", "__main__"}
    assert rooms == set(LEVEL), "the line names every room, and no other"


@pytest.mark.parametrize("room", LEVEL)
def test_imports_run_down_the_line(room):
    for path in SOURCES:
        if room_of(path) != room:
            continue
        for other in {name[0] for name in IMPORTS[path] if not name[0].startswith("__")} - {room}:
            assert LEVEL.get(other, -1) > LEVEL[room], f"{path.relative_to(PACKAGE)} must not import {other}: {LINE}"


def test_families_of_methods_do_not_import_each_other():
    for path in SOURCES:
        parts = path.relative_to(PACKAGE).parts
        if parts[0] != "methods" or len(parts) < 3:
            continue
        others = {name[1] for name in IMPORTS[path] if name[0] == "methods" and len(name) > 1}
        folders = {folder.name for folder in (PACKAGE / "methods").iterdir() if folder.is_dir()}
        assert others & folders <= FAMILIES | {parts[1]}, path.relative_to(PACKAGE)


def test_no_circle_of_files_within_a_room():
    """Imports that are put off into a function do not count: they are for what is heavy."""
    names = {_name(path): path for path in SOURCES}
    done: set[Path] = set()

    def visit(path: Path, trail: tuple[Path, ...]) -> None:
        assert path not in trail, " → ".join(str(p.relative_to(PACKAGE)) for p in (*trail, path))
        if path in done:
            return
        for name in _at_the_top(path):
            found = names.get(name) or names.get(name[:-1])
            if found is not None and found != path and room_of(found) == room_of(path) and found.name != "__init__.py":
                visit(found, (*trail, path))
        done.add(path)

    for path in SOURCES:
        visit(path, ())


def _name(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def _at_the_top(path: Path) -> set[tuple[str, ...]]:
    here = path.relative_to(PACKAGE).parts[:-1]
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*here[: len(here) - node.level + 1], *(node.module.split(".") if node.module else ()))
            found |= {(*base, alias.name) for alias in node.names}
    return found


def test_certificates_are_known_by_their_face():
    """Nothing outside that folder imports a module of it; and what tells of stored runs needs no diagnostics at all."""
    inside = PACKAGE / "diagnostics" / "certificates"
    modules = {path.stem for path in inside.glob("*.py")}
    for path in SOURCES:
        names = [name for name in IMPORTS[path] if name[0] == "diagnostics"]
        if room_of(path) == "output":
            assert not names, f"{path.relative_to(PACKAGE)} reads stored runs: it must not import diagnostics"
        if path.parent != inside:
            for name in names:
                assert not (name[1:2] == ("certificates",) and name[2:] and name[2] in modules), path
