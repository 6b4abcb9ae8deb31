"""Derivatives of formulas: every function of the grammar against central differences, kinks, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgfpde.errors import CaseError
from wgfpde.formulas.compile import FUNCTIONS, compile_expression

PLANE = ("x", "y", "r")
STEP = 6e-6
"""About the cube root of the rounding of doubles: differences err by some 1e-11 times a third derivative."""


def differences(f, name, **at):
    ahead, back = dict(at), dict(at)
    ahead[name], back[name] = at[name] + STEP, at[name] - STEP
    return (f(**ahead) - f(**back)) / (ahead[name] - back[name])


def check(text, at, tolerance=1e-8, params=None):
    f = compile_expression(text, PLANE, params)
    for name in ("x", "y"):
        found, expected = f.derivative(name)(**at), differences(f, name, **at)
        assert found.shape == np.broadcast_shapes(*(np.shape(v) for v in at.values())) and found.dtype == float
        rounding = 1e-10 * np.max(np.abs(f(**at)))
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=rounding)


POINTS = {"x": np.array([-1.37, -0.61, -0.23, 0.31, 0.52, 1.73]), "y": np.array([0.83, -1.21, 0.44, 0.57, -0.38, 1.9])}
ARGUMENTS = {
    "log": "1.5 + 0.3*x*y", "log1p": "0.3*x*y", "log2": "1.5 + 0.3*x*y", "log10": "1.5 + 0.3*x*y", "gammaln": "2.5 + x",
    "sqrt": "2 + x*y/2", "arcsin": "0.3*x*y", "arccos": "0.3*x*y", "asin": "0.3*x*y", "acos": "0.3*x*y",
    "hypot": "x*y, x - y", "arctan2": "x*y, x - y", "atan2": "x*y, x - y", "minimum": "x*y, x - y",
    "maximum": "x*y, x - y", "min": "x*y, x - y, 0.1*y", "max": "x*y, x - y, 0.1*y", "where": "x > y, x**2, x*y**3",
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_of_the_grammar(name):
    check(f"x*{name}({ARGUMENTS.get(name, 'x + 0.7*y**2')})", POINTS)


@pytest.mark.parametrize(
    "text",
    [
        "(x**2 - 1)**2 + k*y**2/2", "exp(-r**2)*cos(3*x)/(1 + y**2)", "log(1 + r) + r**1.5 - r", "(2 + x)**y",
        "2**x - abs(y)**(1/3 + x**2)", "abs(x)**1.5 + min(x, y) + max(x*y, 0.3)", "x if y < 0 else x**2*y", "k*pi*e",
        "-x**-2/(3 - y) + x**7", "(abs(x) < 1)*x**2 - 3*(-x) + (x > y and not y > 1)", "r**3 + r**-1.5", "tanh(30*x)*y",
        "x*heaviside(x, 1) + sign(y)*y", "sqrt(x**2 + y**2)*floor(y)",
    ],
)  # fmt: skip
def test_formulas(text):
    check(text, POINTS, 2e-8, {"k": 1.7})


def test_the_double_well_in_closed_form():
    x = np.linspace(-3, 3, 31)
    slope = compile_expression("(x**2 - 1)**2", ("x", "r")).derivative("x")
    np.testing.assert_allclose(slope(x=x), 4 * x * (x**2 - 1), rtol=1e-14, atol=1e-14)
    second = slope.derivative("x")
    np.testing.assert_allclose(second(x=x), 12 * x**2 - 4, rtol=1e-14, atol=1e-13)
    assert slope.variables == {"x"} and slope.text == "d/dx ((x**2 - 1)**2)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r", 0.0), ("abs(x)", 0.0), ("sqrt(x**2 + y**2)", 0.0), ("hypot(x, y)", 0.0), ("r**1.5", 0.0), ("r**0.5", 0.0),
        ("cbrt(x**3)", 0.0), ("(x**2)**0.3", 0.0), ("atan2(x, y)", 0.0), ("i1(x)", 0.5), ("max(x, 2*x)", 1.0),
        ("min(0, x)", 0.0), ("where(x > 0, x, 3*x)", 3.0), ("heaviside(x)", 0.0), ("3*(x > 0)", 0.0), ("x**y", 0.0),
    ],
)  # fmt: skip
def test_at_kinks_one_side_counts_and_infinite_slopes_times_nothing_are_nothing(text, expected):
    at = {"x": 0.0, "y": 2.0 if text == "x**y" else 0.0}
    assert compile_expression(text, PLANE).derivative("x")(**at) == expected


def test_an_infinite_slope_stays_one():
    assert compile_expression("sqrt(x)", ("x",)).derivative("x")(x=0.0) == math.inf
    assert compile_expression("log(abs(x))", ("x",)).derivative("x")(x=1e-3) == pytest.approx(1e3, rel=1e-13, abs=0)


def test_large_arguments_neither_overflow_nor_lose_their_tails():
    slope = compile_expression("tanh(x)", ("x",)).derivative("x")
    assert slope(x=30.0) == pytest.approx(4 * math.exp(-60), rel=1e-12, abs=0) and slope(x=1e4) == 0
    assert compile_expression("expm1(x)", ("x",)).derivative("x")(x=-50.0) == pytest.approx(
        math.exp(-50), rel=1e-14, abs=0
    )


def test_what_it_is_differentiated_by():
    f = compile_expression("x*t + s", ("x", "t", "s"))
    assert f.derivative("t")(x=3.0, t=1.0) == 3 and f.derivative("s")(x=0.0) == 1 and f.derivative("y")(x=1.0) == 0
    assert f.derivative("y").variables == frozenset()
    for name in ("r", "z", "k", ""):
        with pytest.raises(CaseError, match="one of x, y, t, s; found"):
            f.derivative(name)
    with pytest.raises(CaseError, match=r"'d/dx \(gammaln\(x\)\)' cannot be differentiated by x: no rule for psi"):
        compile_expression("gammaln(x)", ("x",)).derivative("x").derivative("x")


SMALL = st.floats(0.2, 2.0).map(lambda value: round(value, 3))
FORMULAS = st.recursive(
    st.one_of(st.sampled_from(["x", "y", "r", "k"]), SMALL.map(str)),
    lambda part: st.one_of(
        st.tuples(part, st.sampled_from(["+", "-", "*"]), part).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        st.tuples(part, part).map(lambda p: f"({p[0]})/(2 + ({p[1]})**2)"),
        st.tuples(st.sampled_from(["sin", "cos", "tanh", "arctan", "erf"]), part).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(part, st.integers(1, 3)).map(lambda p: f"({p[0]})**{p[1]}"),
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(FORMULAS)
def test_random_formulas_against_complex_steps_of_size_zero(text):
    """Two step sizes and Richardson's rule: differences good to 1e-9 of the formula's size."""
    f = compile_expression(text, PLANE, {"k": 0.8})
    at, h = {"x": np.array([0.41, -0.73, 1.1]), "y": np.array([-0.56, 0.38, 0.9])}, 1e-3
    for name in ("x", "y"):
        wide, close = ((f(**at | {name: at[name] + s}) - f(**at | {name: at[name] - s})) / (2 * s) for s in (h, h / 2))
        scale = 1 + np.max(np.abs(f(**at))) ** 1.5 + np.max(np.abs(wide))
        assert np.max(np.abs(f.derivative(name)(**at) - (4 * close - wide) / 3)) < 1e-7 * scale
