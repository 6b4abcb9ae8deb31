"""Kernels beside the roof of the machine: what is counted, and how far from the roof a kernel is said to be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "validation" / "benchmarks"
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import counted, roofline
from wgfpde.linear import tridiagonal

counted.replace_libraries()
n, lanes = 10, 2
a, b, s = (counted.counting(np.full((n, lanes), value)) for value in (1.0, 0.5, 2.0))
e, f, g, u, v = (counted.counting(np.zeros((n, lanes))) for _ in range(5))
found = {"factor": counted.operations(lambda: tridiagonal.factor(a, b, 0.1, s, False, e, f, g, u, v))}
x, y = counted.Counted(3.0), counted.Counted(2.0)
found["one by one"] = {
    text: [counted.operations(lambda: results.append(eval(text))), float(results[-1])]
    for results in [[]]
    for text in ("x + y", "x - y", "1.5 - x", "x * y", "x / y", "6.0 / x", "x < y", "-x", "abs(x)")
}
roofline.COUNTED = 8
found["kernels"] = roofline.count()
import json
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def counts():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(FOLDER)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def roofline():
    sys.path.insert(0, str(FOLDER))
    try:
        import roofline
    finally:
        sys.path.remove(str(FOLDER))
    return roofline


def test_operations_of_a_factorisation_are_those_of_its_formulas(counts):
    """On a face: D = σ + cα, its inverse, e, f and σ' = s' + cβ (σ/D); on the last cell one inverse."""
    faces, lanes = 9, 2
    known = {"add": 2 * faces * lanes, "multiply": 8 * faces * lanes, "divide": (faces + 1) * lanes}
    found = counts["factor"]
    assert {kind: found[kind] for kind in ("add", "divide")} == {kind: known[kind] for kind in ("add", "divide")}
    assert found["multiply"] <= known["multiply"]


def test_every_operation_counts_once_as_its_kind(counts):
    """A subtraction is an addition, also of a counted number from a plain one; a sign is nothing."""
    assert counts["one by one"] == {
        "x + y": [{"add": 1}, 5.0], "x - y": [{"add": 1}, 1.0], "1.5 - x": [{"add": 1}, -1.5],
        "x * y": [{"multiply": 1}, 6.0], "x / y": [{"divide": 1}, 1.5], "6.0 / x": [{"divide": 1}, 2.0],
        "x < y": [{"compare": 1}, 0.0], "-x": [{}, -3.0], "abs(x)": [{}, 3.0],
    }  # fmt: skip


def test_every_kernel_is_counted(counts, roofline):
    assert set(counts["kernels"]) == set(roofline.BYTES)
    energy = counts["kernels"]["energy"]
    assert energy.get("function") == 1 or energy["multiply"] > 15  # ρ ln ρ, by a function or by a polynomial
    assert counts["kernels"]["sweep x"]["multiply"] > 5


def test_the_roof_is_the_longer_of_two_times(roofline):
    rates = {"bandwidth": 1e10, "peak": 1e9}
    low = roofline.row("energy", 100, 1, 1e-4, {"add": 1.0}, rates)
    assert low["bound"] == "memory" and low["roof_nanoseconds"] == pytest.approx(1.6, rel=1e-12, abs=0)
    assert low["nanoseconds_per_cell"] == pytest.approx(10, rel=1e-12, abs=0)
    assert low["share_of_roof"] == pytest.approx(0.16, rel=1e-12, abs=0)
    high = roofline.row("energy", 100, 1, 1e-4, {"add": 2.0, "divide": 3.0}, rates)
    assert high["bound"] == "arithmetic" and high["roof_nanoseconds"] == pytest.approx(5, rel=1e-12, abs=0)


def test_the_section_of_the_page(roofline, tmp_path):
    sys.path.insert(0, str(FOLDER / "peers"))
    try:
        from scaling_section import roofline as section
    finally:
        sys.path.remove(str(FOLDER / "peers"))
    assert section(tmp_path / "missing.json") == []
    rates = {"bandwidth": 1e10, "peak": 1e9}
    rows = [roofline.row("energy", 100, 1, 1e-4, {"add": 1.0}, rates)]
    file = tmp_path / "roofline.json"
    file.write_text(json.dumps({"date": "2026-01-01T00:00:00", "roofs": {"1": rates}, "rows": rows}))
    text = "\n".join(section(file))
    assert "| energy | 100² | 1 | 10.0 | 16 | 1 | 1.6 | memory | 16% |" in text
    assert "10.0 GB/s and 1.0 billion operations" in text
