"""The house keeps its shape: small folders, names with one meaning, heavy libraries in few places, no ghosts."""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

import pytest

import wgfpde

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "wgfpde"
MOST_FILES, LEAST_LINES = 14, 25
IN_EVERY_FAMILY = {"method", "stepper"}
"""Modules that each family of methods may have, with the same meaning in each."""
FILES = [path for path in sorted(PACKAGE.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
SOURCES = [path for path in FILES if path.suffix == ".py"]
MODULES = [path for path in SOURCES if path.name not in ("__init__.py", "__main__.py")]
TREES = {path: ast.parse(path.read_text(encoding="utf-8"), str(path)) for path in SOURCES}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


# ---- size and names ----------------------------------------------------------------------------------------


def test_no_folder_is_crowded():
    counts = Counter(path.parent for path in FILES)
    assert {name_of(folder): n for folder, n in counts.items() if n > MOST_FILES} == {}


def test_no_module_is_a_crumb():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name_of(path): n for path, n in lines.items() if n < LEAST_LINES} == {}


def test_no_two_modules_have_one_name():
    counts = Counter(path.stem for path in MODULES)
    assert {stem for stem, n in counts.items() if n > 1} <= IN_EVERY_FAMILY
    for path in MODULES:
        if counts[path.stem] > 1:
            assert fnmatch(name_of(path), f"methods/*{path.stem}.py"), name_of(path)


def test_no_module_has_the_name_of_what_it_holds():
    """Else the face of its folder, or a caller, overwrites one with the other."""
    for path in MODULES:
        held = {node.name for node in TREES[path].body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert path.stem not in held, name_of(path)


def test_no_module_has_the_name_of_a_public_function():
    functions = {name for name in wgfpde.__all__ if name.islower()}
    assert {"distance", "march", "spectrum"} <= functions
    assert [name_of(path) for path in MODULES if path.stem in functions] == []


def test_no_module_for_what_has_no_place():
    names = {part.removesuffix(".py") for path in SOURCES for part in path.relative_to(PACKAGE).parts}
    assert not names & {"util", "utils", "common", "helpers", "misc"}


# ---- who imports what --------------------------------------------------------------------------------------


def libraries(path: Path) -> set[str]:
    """What a file imports from outside, at module level or inside functions."""
    found = set()
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).split(".")[0])
    return found


@pytest.mark.parametrize(
    ("library", "owners"),
    [
        ("argparse", ["cli/*"]),
        ("h5py", ["store/*"]),
        ("matplotlib", ["output/plots/*", "base/own_process.py"]),
        ("pydantic", ["base/case_table.py", "cases/*", "methods/?*.py", "methods/*/*method.py", "energy/laws/*"]),
        ("tqdm", ["runs/progress.py", "studies/sweep/live.py"]),
    ],
)
def test_few_modules_import(library, owners):
    importers = [name_of(path) for path in SOURCES if library in libraries(path)]
    assert importers, f"nothing imports {library}"
    assert [name for name in importers if not any(matches(name, owner) for owner in owners)] == []


def matches(name: str, pattern: str) -> bool:
    """fnmatch whose last * stays within a folder where the pattern ends in .py."""
    return fnmatch(name, pattern) and (not pattern.endswith(".py") or name.count("/") == pattern.count("/"))


def test_one_module_prints():
    """It cleans what it prints: titles, names and messages come from files of others."""
    for path in SOURCES:
        if name_of(path) == "cli/printing.py":
            continue
        for node in ast.walk(TREES[path]):
            prints = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            assert not prints, f"{name_of(path)}:{node.lineno} prints"


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


# ---- what is shipped, and what is gone ---------------------------------------------------------------------


def test_every_folder_is_shipped():
    """pyproject lists packages by name because `cases` and `validation` are mapped into the package."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    folders = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in SOURCES}
    assert sorted(listed) == sorted(folders | {"wgfpde._cases", "wgfpde._validation"})


GONE = [
    "amounts", "averages", "blowup", "case", "casefile", "compare", "continuum", "convergence", "convexity",
    "convolution", "curvature", "door", "equations", "expressions", "flow", "folder", "fv", "grammar", "html",
    "inequalities", "initial", "interrupts", "jko", "mistakes", "plots", "program", "progress", "promises",
    "provenance", "quantiles", "references", "regression", "report", "runner", "schema", "solver_tables", "spectra",
    "steady", "stepping", "syntax", "tables", "threads", "timeloop", "timetable", "toml", "validate", "vary",
]  # fmt: skip
"""Names that modules and folders had before there were rooms."""


@pytest.mark.parametrize("name", GONE)
def test_old_names_do_not_import(name):
    found = importlib.util.find_spec(f"wgfpde.{name}")
    assert found is None, f"a folder that holds only caches still imports: make tidy removes {found}"


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_tidy_removes_the_ghosts_that_a_move_leaves_behind(tmp_path):
    """Git leaves the caches of a folder that moved, and Python takes any folder for a package."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    caches = [tmp_path / "wgfpde" / folder / "__pycache__" for folder in ("fv", "jko/old", "grid", "")]
    for cache in caches:
        cache.mkdir(parents=True)
        (cache / "schemes.cpython-311.pyc").touch()
    for kept in ("__init__.py", "grid/__init__.py", "report/page.css"):
        (tmp_path / "wgfpde" / kept).parent.mkdir(exist_ok=True)
        (tmp_path / "wgfpde" / kept).touch()
    assert imports(tmp_path, "wgfpde.fv") and imports(tmp_path, "wgfpde.jko.old")
    subprocess.run(["make", "tidy"], cwd=tmp_path, check=True, capture_output=True)
    assert not imports(tmp_path, "wgfpde.fv") and not imports(tmp_path, "wgfpde.jko")
    assert imports(tmp_path, "wgfpde.grid") and caches[2].is_dir() and caches[3].is_dir()
    assert (tmp_path / "wgfpde/report/page.css").is_file()


def imports(folder: Path, name: str) -> bool:
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", f"import {name}"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True).returncode == 0
