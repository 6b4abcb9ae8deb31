"""Tests that can fail: no comparison falls back on a tolerance that nobody chose.

`pytest.approx(x, rel=…)` adds abs = 1e-12 unasked, and `np.isclose` 1e-8: gaps, divergences near a Gibbs state and
graded matrices are smaller than that, and anything at all would pass.  Each comparison says its own, most often abs=0.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = [path for folder in ("tests", "validation", "docs") for path in sorted((ROOT / folder).rglob("*.py"))]
NEEDED = {"approx": ("abs", 3), "isclose": ("atol", 4), "allclose": ("atol", 4)}
"""Function → the keyword that it needs, or the number of positional arguments that holds it."""


def unsaid(text: str) -> list[int]:
    """Lines with a comparison that leaves its absolute tolerance to the library."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in NEEDED or (
            isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "math"
        ):
            continue
        keyword, place = NEEDED[name]
        if len(node.args) < place and not {keyword, None} & {k.arg for k in node.keywords}:
            found.append(node.lineno)
    return sorted(found)


def test_every_absolute_tolerance_was_chosen():
    left = {str(path.relative_to(ROOT)): lines for path in SCRIPTS if (lines := unsaid(path.read_text("utf-8")))}
    assert left == {}


def test_the_look_finds_what_it_looks_for():
    assert unsaid("x == pytest.approx(1, rel=1e-3)\nnp.isclose(a, b)\napprox(1, abs=0)\nmath.isclose(1, 2)") == [1, 2]
