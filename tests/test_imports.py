"""The import graph points downward, and the few privileged imports stay where they belong."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "wgfpde"

LAYERS = (
    ("cli",),
    ("door",),
    ("studies",),
    ("validate", "regression"),
    ("claims",),
    ("convergence", "report", "compare", "progress"),
    ("runner",),
    ("timeloop", "promises", "references"),
    ("inequalities",),
    ("spectra", "steady"),
    ("case", "vary"),
    ("casefile", "stepping"),
    ("folder", "provenance"),
    ("mistakes", "timetable"),
    ("schema",),
    ("solver_tables",),
    ("tables",),
    ("diagnostics", "store", "plots"),
    ("transport",),
    ("fv", "jko"),
    ("blowup", "continuum", "convexity", "curvature"),
    ("flow", "equations", "linear", "initial", "averages", "convolution", "quantiles"),
    ("energy", "grid", "expressions"),
    ("grammar",),
    ("syntax", "program"),
    ("amounts", "errors", "toml", "threads", "html", "interrupts"),
)
"""From the top down.  A unit (a module, or a package with all its files) may import its own layer and those
below; `__init__`, which holds the version only, may be imported by all."""
LEVEL = {unit: level for level, layer in enumerate(LAYERS) for unit in layer}
LEAVES = {"store", "plots"}
"""Readers and writers: they import `flow` and below, and no scheme."""


def unit_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


SOURCES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8"), str(path)) for path in SOURCES}


def imported_modules(path: Path) -> set[str]:
    """Absolute dotted names of everything a file imports, at module level or inside functions."""
    package = ["wgfpde", *path.relative_to(PACKAGE).parts[:-1]]
    names = set()
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def imported_units(path: Path) -> set[str]:
    """Units of this package that a file imports, its own excluded."""
    found = set()
    for name in imported_modules(path):
        parts = name.split(".")
        if parts[0] == "wgfpde" and len(parts) > 1 and not parts[1].startswith("__"):
            found.add(parts[1])
    return found - {unit_of(path)}


GRAPH: dict[str, set[str]] = {}
for source in SOURCES:
    GRAPH.setdefault(unit_of(source), set()).update(imported_units(source))


def test_every_unit_has_a_layer():
    unknown = set(GRAPH) - set(LEVEL) - {"__init__", "__main__"}
    assert not unknown, f"give these a layer in {Path(__file__).name}: {sorted(unknown)}"


@pytest.mark.parametrize("unit", sorted(set(GRAPH) & set(LEVEL)))
def test_imports_point_downward(unit):
    for other in GRAPH[unit]:
        assert LEVEL[other] >= LEVEL[unit], f"{unit} must not import {other}, which lies above it"


def test_wings_never_import_each_other():
    wings = {"fv", "jko"}
    assert "linear" in GRAPH["fv"]  # what a wing does import is seen
    for wing in wings & set(GRAPH):
        assert not GRAPH[wing] & (wings - {wing})


@pytest.mark.parametrize("unit", sorted(LEAVES & set(GRAPH)))
def test_store_and_plots_know_no_scheme(unit):
    for other in GRAPH[unit] - LEAVES:
        assert LEVEL[other] >= LEVEL["flow"], f"{unit} imports {other}; only flow and below are allowed"


def test_no_cycles():
    done: set[str] = set()

    def visit(unit: str, trail: tuple[str, ...]) -> None:
        assert unit not in trail, " → ".join((*trail, unit))
        if unit not in done:
            for other in GRAPH.get(unit, set()):
                visit(other, (*trail, unit))
            done.add(unit)

    for unit in GRAPH:
        visit(unit, ())


@pytest.mark.parametrize(
    ("library", "owners"),
    [
        ("h5py", {"store"}),
        ("matplotlib", {"plots"}),
        ("pydantic", {"schema", "tables", "solver_tables", "mistakes", "casefile"}),
        ("argparse", {"cli"}),
    ],
)
def test_few_importers(library, owners):
    importers = {unit_of(path) for path in SOURCES if any(n.split(".")[0] == library for n in imported_modules(path))}
    assert importers <= owners


def test_only_cli_prints():
    for path in SOURCES:
        if unit_of(path) == "cli":
            continue
        for node in ast.walk(TREES[path]):
            prints = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            assert not prints, f"{path.name}:{node.lineno} prints"


def test_no_util_module():
    names = {part.removesuffix(".py") for path in SOURCES for part in path.relative_to(PACKAGE).parts}
    assert not names & {"util", "utils", "common", "helpers", "misc"}


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_imports_nothing_heavy(argument):
    program = (
        "import sys\n"
        "from wgfpde.cli import main\n"
        f"code = main([{argument!r}])\n"
        "heavy = {'numba', 'numpy', 'scipy', 'matplotlib', 'pydantic', 'h5py', 'ducc0'} & set(sys.modules)\n"
        "sys.exit(code or ' '.join(sorted(heavy)) or None)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_every_package_is_shipped():
    """pyproject lists packages by name because `cases` and `validation` are mapped into the package."""
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    folders = {p.parent.relative_to(ROOT).as_posix().replace("/", ".") for p in SOURCES}
    assert listed == folders | {"wgfpde.cases", "wgfpde.validation"}
