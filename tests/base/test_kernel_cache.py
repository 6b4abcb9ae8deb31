"""Kernels on disk: kept while no source changes, renewed in all files when one does."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wgfpde.base import kernel_cache

PACKAGE = Path(kernel_cache.PACKAGE)
RATES = """
import numpy as np
from wgfpde.energy.energy import Energy
from wgfpde.energy.flow import Flow
from wgfpde.energy.fluxes import dissipation
from wgfpde.grid import Grid

print(dissipation(Flow(Grid([0.0], [1.0], [8]), Energy()), np.linspace(1.0, 2.0, 8)))
"""


@pytest.fixture
def copy(tmp_path):
    """A copy of the package without compiled files."""
    shutil.copytree(PACKAGE, tmp_path / "wgfpde", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def computed(copy: Path, **environment: str) -> float:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    done = subprocess.run(
        [sys.executable, "-c", RATES],
        cwd=copy,
        env=kept | {"PYTHONPATH": str(copy)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def compiled(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.nb?")}


def test_a_formula_that_changes_in_a_callee_is_computed_anew(copy):
    before, kept = computed(copy), compiled(copy)
    assert kept, "kernels are cached beside their source"
    assert computed(copy) == before and compiled(copy) == kept, "nothing is compiled twice"

    callee = copy / "wgfpde" / "energy" / "scharfetter_gummel.py"  # called from another file
    text = callee.read_text(encoding="utf-8")
    assert text.count("return 1.0 - 0.5 * s") == 1
    callee.write_text("\n" + text.replace("return 1.0 - 0.5 * s", "return 2.0 - 0.5 * s"), encoding="utf-8")
    assert computed(copy) == pytest.approx(2 * before, rel=0.2, abs=0)
    assert set(compiled(copy)) == set(kept), "old kernels are overwritten, though their lines have moved"


def test_a_cache_folder_of_ones_own_is_honoured(copy):
    own = copy / "own"
    computed(copy, NUMBA_CACHE_DIR=str(own))
    assert compiled(own) and not compiled(copy / "wgfpde")


def kernel_sources() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if "@njit" in path.read_text(encoding="utf-8")]


def test_every_kernel_is_in_the_digest():
    known = {Path(path) for path in kernel_cache.kernel_files()}
    assert set(kernel_sources()) <= known, "kernels lie in kernel_cache.ROOMS"
    for path in PACKAGE.rglob("*.py"):
        if path.name not in ("kernel_cache.py", "kernel_pointer.py", "own_process.py"):
            text = path.read_text(encoding="utf-8")
            assert "from numba import" not in text and "import numba" not in text, f"{path}: import njit from base"


def test_constants_that_kernels_compile_in_are_in_the_digest():
    for path in kernel_sources():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.level and any(alias.name.isupper() for alias in node.names):
                folder = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
                source = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
                assert kernel_cache.MARK in source.read_bytes(), f"{path} takes a constant of {source}"
