"""Formulas: what they mean, what they refuse and in which words."""

import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgfpde.errors import CaseError
from wgfpde.formulas.compile import FUNCTIONS, compile_expression

XS = np.linspace(-2.0, 2.0, 41)
PLANE = ("x", "y", "r")


def value(text, variables=("x", "r"), params=None, **arrays):
    return compile_expression(text, variables, params)(**(arrays or {"x": XS}))


# What formulas mean


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("(x**2 - 1)**2 + k*x**2/2", lambda x: (x * x - 1) ** 2 + 1.5 * x * x / 2),
        ("-x**2", lambda x: -(x**2)),
        ("2**-1 * +x", lambda x: 0.5 * x),
        ("2**3**2", lambda x: 512.0 + 0 * x),
        ("1 - 2 - 3*x/4/5", lambda x: -1 - 3 * x / 20),
        ("where(x < 0, -x, 2*x)", lambda x: np.where(x < 0, -x, 2 * x)),
        ("-x if x < 0 else 2*x", lambda x: np.where(x < 0, -x, 2 * x)),
        ("abs(x) < 1", lambda x: (np.abs(x) < 1) * 1.0),
        ("-1 < x <= 1", lambda x: ((x > -1) & (x <= 1)) * 1.0),
        ("(x < 0) - (x > 1)", lambda x: (x < 0) * 1.0 - (x > 1) * 1.0),
        ("x < -1 or x > 1 and not x > 1.5", lambda x: ((x < -1) | ((x > 1) & ~(x > 1.5))) * 1.0),
        ("x == 0", lambda x: (x == 0) * 1.0),
        ("x != 0", lambda x: (x != 0) * 1.0),
        ("min(x, 1, x**2)", lambda x: np.minimum(np.minimum(x, 1), x * x)),
        ("max(x, 0)", lambda x: np.maximum(x, 0)),
        ("heaviside(x)", lambda x: np.heaviside(x, 0.5)),
        ("heaviside(x, 1)", lambda x: np.heaviside(x, 1)),
        ("atan2(x, 2) + arctan2(x, 2)", lambda x: 2 * np.arctan2(x, 2)),
        ("exp(x) + expm1(x) + cbrt(x)", lambda x: np.exp(x) + np.expm1(x) + np.cbrt(x)),
        ("log1p(x + 3)", lambda x: np.log1p(x + 3)),
        ("pi*e", lambda x: math.pi * math.e + 0 * x),
        ("r**2 + r**3 + r", lambda x: x**2 + np.abs(x) ** 3 + np.abs(x)),
        ("  x\n\t + 1 ", lambda x: x + 1),
        ("1_0*x + 0x10 + 1e-3", lambda x: 10 * x + 16.001),
    ],
)
def test_value(text, reference):
    np.testing.assert_allclose(value(text, params={"k": 1.5}), reference(XS), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("n", range(-9, 13))
def test_whole_powers(n):
    x = np.array([-1.7, -0.3, 0.9, 2.2])
    np.testing.assert_allclose(value(f"x**{n}", x=x), np.power(x, float(n)), rtol=2e-15)
    np.testing.assert_allclose(value(f"r**{n}", x=x), np.power(np.abs(x), float(n)), rtol=2e-15)
    plane = value(f"r**({n})", PLANE, x=x, y=2 * x)
    np.testing.assert_allclose(plane, np.power(np.hypot(x, 2 * x), float(n)), rtol=4e-15)


def test_special_functions():
    special = pytest.importorskip("scipy.special")
    for name in ("erf", "erfc", "gammaln", "i0", "i1"):
        np.testing.assert_array_equal(value(f"{name}(x)", x=XS), getattr(special, name)(XS))


def test_every_function_can_be_called():
    for name in FUNCTIONS:
        tried = [f"{name}({', '.join(args)})" for args in (["x"], ["x", "x"], ["x > 0", "x", "x"])]
        results = []
        for text in tried:
            try:
                results.append(compile_expression(text, ("x",))(x=XS).shape)
            except CaseError:
                continue
        assert results and set(results) == {XS.shape}, name


def test_literals_are_floats():
    assert value("9**9**9**9", x=0.0) == np.inf
    assert value("10**10**10", x=0.0) == np.inf
    assert value("1/0", x=0.0) == np.inf
    assert np.isnan(value("0/0", x=0.0))
    assert value("7/2", x=0.0) == 3.5
    assert value("2**62*4", x=0.0) == 2.0**64


def test_negative_zero_is_kept_apart():
    assert value("1/(0*x - 0.0) + 0", x=np.array([1.0]))[0] == np.inf
    assert value("1/(-0.0*x)", x=np.array([1.0]))[0] == -np.inf


def test_shapes_and_layout():
    x, y = XS[None, :], np.arange(3.0)[:, None]
    for text in ("3", "x", "y", "x + y", "x**2", "x < y", "r", "x**2 + y**2 - x*y"):
        result = value(text, PLANE, x=x, y=y)
        assert result.shape == (3, 41) and result.dtype == float
        assert result.flags.c_contiguous and result.flags.writeable
    assert value("3", x=1.0).shape == ()
    assert value("x", x=np.asfortranarray(np.ones((3, 4)))).flags.c_contiguous


def test_arguments_survive():
    x = XS.copy()
    result = value("x", x=x)
    result[:] = 0
    value("((x + 1)*(x + 1) - x)*x", x=x)
    np.testing.assert_array_equal(x, XS)


def test_repeated_calls_agree():
    f = compile_expression("exp(-(x - y)**2)*(x - y)**2 + sin(r)/(1 + r)", PLANE)
    x, y = np.meshgrid(XS, XS)
    first = f(x=x, y=y)
    kept = first.copy()
    f(x=x + 1, y=y)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(f(x=x, y=y), kept)


def test_variables_used_and_passed():
    f = compile_expression("x + t", ("x", "y", "r", "t"))
    assert f.variables == {"x", "t"} and f.text == "x + t"
    assert f(x=1.0, t=2.0) == 3 == f(x=1.0, y=5.0, t=2.0)
    assert compile_expression("r", PLANE).variables == {"r"}
    assert compile_expression("r", PLANE)(x=3.0, y=4.0) == 5
    with pytest.raises(TypeError, match="needs t"):
        f(x=1.0)
    assert compile_expression("s**2", ("s",))(s=0.5) == 0.25
    assert compile_expression("x*0 + 2", ("x",))(x=1) == 2


def test_expressions_pickle():
    f = compile_expression("where(x > 0, exp(-k*x), erf(x))", ("x",), {"k": 2.0})
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(f))(x=XS), f(x=XS))


def test_long_sums_are_not_deep():
    text = " + ".join(f"exp(-(x - {k})**2)" for k in range(300))
    assert value(text, x=3.0) == pytest.approx(sum(math.exp(-((3 - k) ** 2)) for k in range(300)), rel=1e-9, abs=0)


def test_equal_parts_are_computed_once():
    f = compile_expression("exp(-x**2) + exp(-x**2)*exp(-x**2) + 2*3*4 + 0*sin(1)", ("x",))
    assert sum(step.function is np.exp for step in f._program.steps) == 1
    assert not any(step.function is np.sin for step in f._program.steps)


def test_import_is_light():
    code = "import sys; import wgfpde.formulas.compile as e; e.compile_expression('x', 'x'); "
    code += "print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


# Against NumPy, on random formulas

_UNARY = {"exp": np.exp, "sin": np.sin, "abs": np.abs, "tanh": np.tanh, "floor": np.floor, "sqrt": np.sqrt}
_BINARY = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "min": np.minimum,
    "max": np.maximum,
    "<": lambda a, b: (a < b) * 1.0,
    ">=": lambda a, b: (a >= b) * 1.0,
}


def _power(a, n):
    """By multiplications, as the formulas do; 0 + a keeps r**2 from becoming x**2 + y**2."""
    return [1.0, a, a * a, a * (a * a), (a * a) * (a * a)][n]


@st.composite
def formulas(draw, depth=4):
    """A formula and its value on (x, y, k), built side by side."""
    kinds = ["leaf", "unary", "binary", "negative", "power", "choice"]
    kind = draw(st.sampled_from(kinds if depth else kinds[:1]))
    if kind == "leaf":
        name = draw(st.sampled_from(["x", "y", "r", "k", "number"]))
        if name == "number":
            number = draw(st.floats(0, 100, allow_nan=False))
            return repr(number), lambda x, y, k: np.float64(number)
        return name, lambda x, y, k: {"x": x, "y": y, "r": np.hypot(x, y), "k": k}[name]
    a, f = draw(formulas(depth=depth - 1))
    if kind == "unary":
        name = draw(st.sampled_from(sorted(_UNARY)))
        return f"{name}({a})", lambda x, y, k: _UNARY[name](f(x, y, k))
    if kind == "negative":
        return f"(-{a})", lambda x, y, k: -f(x, y, k)
    if kind == "power":
        n = draw(st.integers(0, 4))
        return f"((0 + {a})**{n})", lambda x, y, k: _power(0 + f(x, y, k), n)
    b, g = draw(formulas(depth=depth - 1))
    if kind == "choice":
        return (
            f"where({a} < {b}, {a}, 1 + {b})",
            lambda x, y, k: np.where(f(x, y, k) < g(x, y, k), f(x, y, k), 1 + g(x, y, k)),
        )
    name = draw(st.sampled_from(sorted(_BINARY)))
    text = f"{name}({a}, {b})" if name.isalpha() else f"({a} {name} {b})"
    return text, lambda x, y, k: _BINARY[name](f(x, y, k), g(x, y, k))


@given(formulas(), st.floats(-3, 3))
@settings(max_examples=100, deadline=None)
def test_random_formulas_equal_numpy(formula, k):
    text, reference = formula
    x, y = np.linspace(-2, 2, 5)[None, :], np.linspace(-1, 3, 4)[:, None]
    with np.errstate(all="ignore"):
        expected = np.broadcast_to(reference(x, y, np.float64(k)), (4, 5))
    result = compile_expression(text, PLANE, {"k": k})(x=x, y=y)
    np.testing.assert_array_equal(result, expected)


@given(st.text(alphabet="xy r+-*/()0123456789.,<>=^%[]{}'\"\\#eabiminwhere_:;~|&!@\n²π", max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_gives_a_function_or_a_sentence(text):
    try:
        f = compile_expression(text, PLANE, {"a": 2.0})
    except CaseError as error:
        assert str(error).endswith(".")
    else:
        assert f(x=np.ones(3), y=np.ones(3)).shape == (3,)


def test_long_formulas_are_evaluated_in_blocks(monkeypatch):
    """750 terms once took 1.5 GB; block by block the numbers are the same."""
    from wgfpde.formulas import program

    formula = compile_expression("max(" + ", ".join(f"x + {k}*y" for k in range(50)) + ")", ("x", "y"))
    x, y = np.linspace(-1, 1, 7), np.linspace(-1, 1, 33)[:, None]
    whole = formula(x=x, y=y)
    assert formula._program.most > 50
    monkeypatch.setattr(program, "MOST_BYTES", 8 * 7 * formula._program.most * 4)
    np.testing.assert_array_equal(formula(x=x, y=y), whole)
    np.testing.assert_array_equal(formula(x=x, y=np.full((1, 1), 0.5)), x[None] + np.maximum(0.5 * 49, 0.0))
