"""Kernels on disk: kept while no source changes, renewed in all files when one does."""

import ast
import importlib.util
import os
import platform
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


NOT_LOADED = """
import sys
assert "numba.np.linalg" not in sys.modules, "what only compiling takes is not loaded"
"""


@pytest.fixture
def copy(tmp_path):
    """A copy of the package without compiled files."""
    shutil.copytree(PACKAGE, tmp_path / "wgfpde", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def computed(copy: Path, script: str = RATES, **environment: str) -> float:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    done = subprocess.run(
        [sys.executable, "-c", script],
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
    assert computed(copy, RATES + NOT_LOADED) == before and compiled(copy) == kept, "nothing is compiled twice"

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
    assert PACKAGE / "base" / "kernel_pointer.py" in known, "it is compiled into those that are given kernels"
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


# ---- one index for each signature ---------------------------------------------------------------------------

TARGET = ("system", "processor", "+able")
ONE, OTHER = (("float64",), TARGET, ("code", "")), (("float32",), TARGET, ("code", ""))


def test_two_processes_that_save_the_same_function_at_once_keep_both_codes(tmp_path, monkeypatch):
    """With an index for all signatures, as Numba has it, one of the two is then run in place of the other."""
    first, second = (kernel_cache.KernelFiles(str(tmp_path), "module.kernel.py3", "stamp") for _ in range(2))
    index = kernel_cache.caching.IndexDataCacheFile
    plain, begun = index._load_index, []

    def interrupted(self):
        known = plain(self)
        if not begun:  # between reading the index and writing it, the other process does all of its own
            begun.append(True)
            second.save(OTHER, "code for float32")
        return known

    monkeypatch.setattr(index, "_load_index", interrupted)
    first.save(ONE, "code for float64")
    assert begun and first.load(ONE) == "code for float64" and first.load(OTHER) == "code for float32"


def test_codes_of_other_sources_are_not_read_and_leave_with_the_next(tmp_path):
    old, new = (kernel_cache.KernelFiles(str(tmp_path), "module.kernel.py3", stamp) for stamp in ("old", "new"))
    other = kernel_cache.KernelFiles(str(tmp_path), "module.kernel_2.py3", "old")
    for files in (old, other):
        files.save(ONE, "old code")
        files.save(OTHER, "old code")
    assert new.load(ONE) is None and old.load(ONE) == "old code"
    new.save(ONE, "new code")
    assert new.load(ONE) == "new code" and len(list(tmp_path.glob("module.kernel.py3.*"))) == 2
    assert other.load(OTHER) == "old code", "a kernel of another name is left alone"
    new.flush()
    assert not list(tmp_path.glob("module.kernel.py3.*")) and other.load(ONE) == "old code"


# ---- kernels that a wheel brings along ----------------------------------------------------------------------

KERNEL = """
import numpy as np
from wgfpde.linear.lines import scatter

out = np.zeros((1, 4))
scatter(np.arange(4.0)[:, None], 1, 0, 1, out)
print(out.sum())
"""


def shipping():
    """The script that makes wheels with kernels."""
    path = PACKAGE.parent / "validation" / "kernels_in_wheel" / "make_wheel.py"
    spec = importlib.util.spec_from_file_location("make_wheel", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() not in kernel_cache.PORTABLE, reason="ships none"
)
def test_shipped_kernels_serve_while_the_sources_are_theirs_and_the_processor_can(copy):
    def run(name, **more):
        done = computed(copy, KERNEL, NUMBA_CACHE_DIR=str(copy / name), **more)
        return done, len(compiled(copy / name))

    processor, able = kernel_cache.PORTABLE[platform.machine()]
    assert run("built", NUMBA_CPU_NAME=processor, NUMBA_CPU_FEATURES=able) == (6.0, 2)
    assert run("before")[1] == 2, "they were not shipped yet"
    assert shipping().ship(copy / "built", copy / "wgfpde") == 2
    assert run("from_wheel") == (6.0, 0), "nothing is compiled"

    cache = copy / "wgfpde" / "base" / "kernel_cache.py"
    text = cache.read_text(encoding="utf-8")
    cache.write_text(text.replace("able.get(name[1:], False)", "False"), encoding="utf-8")
    assert run("less_able")[1] == (2 if able else 0), "a processor that cannot do all of it"
    cache.write_text(text, encoding="utf-8")

    lines = copy / "wgfpde" / "linear" / "lines.py"
    source = lines.read_text(encoding="utf-8")
    assert source.count("= block[i, k]") == 2
    lines.write_text(source.replace("= block[i, k]", "= 2 * block[i, k]"), encoding="utf-8")
    assert run("changed") == (12.0, 2), "other sources"
