"""What double precision cannot carry is refused with the unit that would do."""

import copy
import re
from functools import reduce
from operator import getitem

import pytest

from wgfpde.cases.building import build
from wgfpde.cases.loading import from_mapping
from wgfpde.errors import CaseError

CASE = {
    "grid": {"lower": [-1.0], "upper": [1.0], "shape": [8]},
    "energy": {"internal": {"kind": "entropy", "kappa": 1.0}},
    "initial": {"density": 1},
    "time": {"end": 1.0},
}


def with_key(key, value):
    data = copy.deepcopy(CASE)
    *above, name = key.split(".")
    reduce(getitem, above, data)[name] = value
    return data


@pytest.mark.parametrize(("key", "value", "unit"), [
    ("grid.upper", [1e200], "lengths in units of 1e+200"),
    ("grid.lower", [-3e150], "lengths in units of 1e+150"),
    ("initial.mass", 1e308, "masses in units of 1e+308"),
    ("initial.mass", 1e-200, "masses in units of 1e-200"),
    ("energy.internal.kappa", 1e300, "energies in units of 1e+300"),
])  # fmt: skip
def test_scales_beyond_double_precision(key, value, unit):
    with pytest.raises(CaseError, match=re.escape(unit)):
        build(from_mapping(with_key(key, value)))


def test_small_boxes():
    small = CASE | {"grid": {"lower": [-1e-320], "upper": [1e-320], "shape": [8]}}
    with pytest.raises(CaseError, match="lengths in units of"):
        build(from_mapping(small))


def test_a_density_may_be_a_number():
    case = from_mapping(CASE)
    assert case.initial.density == "1" and 'density = "1"' in case.resolved_toml()
    assert build(case).initial.rho == pytest.approx(1.0, rel=1e-15, abs=0)


PLANE = {"lower": [-1.0, -1.0], "upper": [1.0, 1.0], "shape": [8, 8]}


@pytest.mark.parametrize("grid", [CASE["grid"], CASE["grid"] | {"mapping": ["s + 0.2*s*(1 - s)"]}, PLANE])
@pytest.mark.parametrize(("key", "formula"), [
    ("energy.internal.kappa", "1e-320"),
    ("energy.internal.kappa", "exp(300 - t)"),
    ("energy.internal.kappa", "exp(-500*t)"),
    ("dynamics.diffusion", "1e308**(x < 0)"),
    ("dynamics.diffusion", "1e101 + 0*x"),
    ("dynamics.diffusion", "1e300**t"),
])  # fmt: skip
def test_formulas_keep_to_them(grid, key, formula, recwarn):
    """κ and D by formulas, at the start, in the end, and anywhere in the box; NumPy says nothing."""
    data = with_key("grid", grid) | {"dynamics": {"diffusion": "1"}}
    *above, name = key.split(".")
    reduce(getitem, above, data)[name] = formula
    with pytest.raises(CaseError, match=rf"{re.escape(key.rpartition('.')[2])}.*1e\+100"):
        build(from_mapping(data))
    assert not [warning for warning in recwarn if issubclass(warning.category, RuntimeWarning)]


@pytest.mark.parametrize("grid", [CASE["grid"], PLANE, CASE["grid"] | {"boundary": ["periodic"]}])
@pytest.mark.parametrize("density", ["1e308", "1e200*(x > 0)"])
@pytest.mark.parametrize("sampling", ["average", "centre"])
def test_densities_keep_to_them(grid, density, sampling, recwarn):
    """Also where no mass is asked for: their sums overflowed in NumPy, with a warning."""
    data = with_key("grid", grid) | {"initial": {"density": density, "sampling": sampling}}
    with pytest.raises(
        CaseError, match=r"initial\.density: the density must have a (positive, finite mass|mass of at most)"
    ):
        build(from_mapping(data))
    assert not list(recwarn)


@pytest.mark.parametrize("grid", [CASE["grid"], PLANE, CASE["grid"] | {"mapping": ["s + 0.2*s*(1 - s)"]}])
@pytest.mark.parametrize("key", ["potential", "interaction"])
@pytest.mark.parametrize("formula", ["1e308*(x**2 > 0.5)", "1e101 + x**2", "-1e200*x**2"])
def test_energies_keep_to_them(grid, key, formula, recwarn):
    """What is divided by κ, added and multiplied overflowed in NumPy, with a warning."""
    data = with_key(f"energy.{key}", formula) | {"grid": grid}
    with pytest.raises(CaseError, match=rf"energy\.{key}: the {key} is (not at most|beyond) 1e\+100"):
        build(from_mapping(data))
    assert not list(recwarn)
