"""Formulas that are refused, the sentences that say so, and parameters."""

import math

import numpy as np
import pytest

from wgfpde.errors import CaseError
from wgfpde.formulas.compile import check_params, compile_expression

XS = np.linspace(-2.0, 2.0, 41)


def value(text, variables=("x", "r"), params=None, **arrays):
    return compile_expression(text, variables, params)(**(arrays or {"x": XS}))


def refusal(text, variables=("x", "r"), params=None, where="energy.potential"):
    with pytest.raises(CaseError) as caught:
        compile_expression(text, variables, params, where)
    return str(caught.value)


# What they refuse


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("__import__('os')", ["function __import__ is unknown", "character 1"]),
        ("().__class__", ["().__class__", "attribute access"]),
        ("x.__class__", ["x.__class__: attribute access", "character 1"]),
        ("1 + x.real", ["x.real: attribute access", "character 5"]),
        ("[x for x in y]", ["comprehension"]),
        ("(x for x in y)", ["comprehension"]),
        ("{x: 1 for x in y}", ["comprehension"]),
        ("lambda: x", ["lambda"]),
        ("(lambda x: x)(1)", ["lambda"]),
        ('f"{x}"', ["text in quotes"]),
        ("f'{__import__(\"os\")}'", ["text in quotes"]),
        ("'abc'", ["text in quotes"]),
        ("b'abc'", ["text in quotes"]),
        ("1j", ["complex number"]),
        ("True", ["truth value"]),
        ("None", ["not part of a formula"]),
        ("...", ["not part of a formula"]),
        ("x[0]", ["indexing", "character 1"]),
        ("[1, 2]", ["a list"]),
        ("x, 1", ["a list of values"]),
        ("{}", ["dictionary"]),
        ("{x}", ["a set"]),
        ("(x := 1)", ["assignment"]),
        ("x = 1", ["Write ==", "character 3"]),
        ("await x", ["await"]),
        ("x^2", ["operator ^", "character 2", "**"]),
        ("x % 2", ["operator %", "floor"]),
        ("x // 2", ["operator //", "floor"]),
        ("x @ x", ["operator @"]),
        ("(x > 0) & (x < 1)", ["operator &", "'and'"]),
        ("(x > 0) | (x < 1)", ["operator |", "'or'"]),
        ("x << 2", ["operator <<"]),
        ("~x", ["~", "not"]),
        ("x is x", ["Compare with < <= > >= == or !="]),
        ("x in x", ["Compare with"]),
        ("2x", ["*", "2*x"]),
        ("2 x", ["*", "2*x"]),
        ("x(2)", ["x is not a function", "x*(…)"]),
        ("2(x)", ["only functions can be called", "*"]),
        ("pi(x)", ["pi is not a function"]),
        ("x y", ["character 3"]),
        ("x;x", ["character 2"]),
        ("x +", ["cannot be read"]),
        ("x + (", ["brackets do not match", "character 5"]),
        ("x)", ["brackets do not match", "character 2"]),
        ("(x]", ["brackets do not match"]),
        ("import os", ["cannot be read"]),
        ("0777", ["must not start with 0"]),
        ("", ["empty"]),
        (" \n\t", ["empty"]),
        ("x # + 1", ["comments", "character 3"]),
        ("x\x00", ["'\\x00'", "character 2"]),
        ("\ud800", ["character 1"]),
        ("x \\ 2", ["cannot be read"]),
        ("ｅｘｐ(x)", ["'ｅ'", "character 1", "ASCII"]),
        ("𝐱 + 1", ["character 1", "ASCII"]),
        ("x²", ["Write **2", "character 2"]),
        ("3 − x", ["Write -"]),
        ("2·x", ["Write *"]),
        ("π", ["Write pi"]),
        ("1e999", ["1.8e308"]),
        ("1" * 400, ["1.8e308"]),
        ("1" * 9000, ["1.8e308"]),
        ("expp(x)", ["function expp", "Did you mean exp?", "Functions: abs,"]),
        ("Exp(x)", ["Did you mean exp?"]),
        ("print(x)", ["function print is unknown"]),
        ("exp", ["exp is a function", "exp(…)"]),
        ("exp(x=1)", ["no named arguments"]),
        ("exp(**x)", ["no named arguments"]),
        ("min(*x)", ["no unpacked arguments"]),
        ("exp()", ["exp takes 1 argument; found 0"]),
        ("exp(x, x)", ["exp takes 1 argument; found 2"]),
        ("hypot(x)", ["hypot takes 2 arguments; found 1"]),
        ("min(x)", ["min takes 2 or more arguments; found 1"]),
        ("where(x > 0, 1)", ["where takes 3 arguments; found 2", "where(condition, value, other)"]),
        ("heaviside(x, 1, 2)", ["heaviside takes 1 or 2 arguments"]),
        ("where(x, 1, 2)", ["'where' needs a condition", "x > 0", "character 7"]),
        ("1 if x else 2", ["'if' needs a condition"]),
        ("not x", ["'not' needs a condition"]),
        ("x and x > 0", ["'and' needs a condition"]),
        ("x > 0 or 1", ["'or' needs a condition"]),
        ("kapa*x", ["name kapa is unknown", "Did you mean kappa?", "parameters kappa", "constants pi, e"]),
        ("z", ["name z is unknown", "the variables x, r"]),
        ("y", ["y is not available: the grid has one axis", "the variables x, r"]),
        ("t*x", ["t is not available in this formula"]),
    ],
)
def test_refused(text, words):
    message = refusal(text, params={"kappa": 1.0})
    assert message.startswith("energy.potential: ") and message.endswith(".")
    for word in words:
        assert word in message, message


@pytest.mark.parametrize(
    "text",
    [
        "(" * 4000 + "x" + ")" * 4000,
        "(" * 10_000 + "x" + ")" * 10_000,
        "[" * 9000,
        "-" * 9999 + "x",
        "~" * 9999 + "x",
        "not " * 2400 + "x",
        "x" + "**x" * 3000,
        "x if x > 0 else " * 600 + "x",
        "exp(" * 2000,
        "lambda:" * 1400 + "x",
        "x" * 20_000,
        "x+" * 100_000 + "x",
        "+".join("x" * 2600),
        "x<" * 4900 + "x",
        "min(" + "x," * 4900 + "x)",
    ],
)
def test_too_deep_or_too_long(text):
    message = refusal(text)
    assert len(message) < 400
    assert any(word in message for word in ("nested", "at most", "unknown", "a lambda")), message


def test_positions_count_from_the_users_text():
    assert "(character 9 of" in refusal("\n   x + zeta")
    assert "(character 401 of …" in refusal("x + " * 100 + "zeta" + " + x" * 100)


def test_message_without_key_path():
    assert refusal("zeta", where="").startswith("the name zeta is unknown (character 1 of 'zeta'). Known")


@pytest.mark.parametrize("text", [None, 3, 1.5, b"x", ["x"]])
def test_text_must_be_text(text):
    assert "must be text in quotes" in refusal(text)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"x": 1.0}, "x is a variable"),
        ({"t": 1.0}, "t is a variable"),
        ({"exp": 1.0}, "exp is a function"),
        ({"where": 1.0}, "where is a function"),
        ({"pi": 1.0}, "pi is a constant"),
        ({"a b": 1.0}, "'a b' cannot name a parameter"),
        ({"1a": 1.0}, "cannot name"),
        ({"κ": 1.0}, "cannot name"),
        ({"lambda": 1.0}, "cannot name"),
        ({"": 1.0}, "cannot name"),
        ({"k": "1"}, "params.k must be a number"),
        ({"k": True}, "params.k must be a number"),
        ({"k": None}, "params.k must be a number"),
        ({"k": math.nan}, "params.k must be finite"),
        ({"k": math.inf}, "params.k must be finite"),
        ({"k": 10**400}, "params.k must be finite"),
    ],
)
def test_parameters_refused(params, words):
    with pytest.raises(CaseError) as caught:
        check_params(params)
    assert words in str(caught.value)
    assert words in refusal("x", params=params)


def test_parameters_that_are_fine():
    params = {"gamma": 2, "k_1": np.float64(3.0), "n": np.int64(4)}
    assert value("gamma + k_1*n", params=params, x=0.0) == 14


@pytest.mark.parametrize(("text", "hint"), [
    ("delta(x - 1)", "initial.samples"),
    ("where((x > 2)*(x < 3), 1, 0)", "Join conditions with 'and'"),
    ("where((x > 2) + (x < 3), 1, 0)", "Join conditions with 'or'"),
    ("where(x*2, 1, 0)", "Write a comparison such as x > 0"),
])  # fmt: skip
def test_what_would_be_right_is_said(text, hint):
    assert hint in refusal(text, ("x",))
