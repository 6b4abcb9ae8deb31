"""The arguments of public functions, held against their annotations: what does not fit is a sentence, no TypeError.

    @public                       or      @public(but=("limit",))  where the function says more of one itself
    def run(case: Source, …): …

Only kinds are looked at here (a number, a text, an array, a Grid); what a value may be is said where it is used.
"""

from __future__ import annotations

import ast
import difflib
import functools
import inspect
import numbers
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, overload

import numpy as np

from ..base.toml import shortened
from ..errors import CaseError

Thing = TypeVar("Thing", bound=Callable[..., Any])
Test = Callable[[Any], bool]

ANYTHING = {"Any", "Ends", "Given", "object"}
"""Annotations of what has many forms, which the function tells apart itself."""
OTHERS = {"Source": "Case | Run | str | os.PathLike[str]", "Function": "Callable[..., Any]"}
"""What stands for a longer annotation."""


@overload
def public(thing: Thing) -> Thing: ...


@overload
def public(*, but: Iterable[str] = ()) -> Callable[[Thing], Thing]: ...


def public(thing: Any = None, *, but: Iterable[str] = ()) -> Any:
    """A function, or a class, whose arguments are held against its annotations, but for those named.

    It raises CaseError for an argument that is missing, unknown, or of another kind.
    """
    if thing is None:
        return functools.partial(public, but=but)
    if isinstance(thing, type):
        made = _checked(vars(thing)["__init__"], thing.__name__, set(but))
        setattr(thing, "__init__", made)  # noqa: B010
        return thing
    return _checked(thing, thing.__name__, set(but))


def _checked(function: Callable[..., Any], name: str, but: set[str]) -> Callable[..., Any]:
    signature = inspect.signature(function)
    tests = {
        key: (_test_of(parameter.annotation), parameter.annotation, _takes_columns(parameter.annotation))
        for key, parameter in signature.parameters.items()
        if key not in but and isinstance(parameter.annotation, str) and parameter.kind is not parameter.VAR_KEYWORD
    }

    kinds = {parameter.kind for parameter in signature.parameters.values()}
    named = kinds <= {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    places = [key for key, p in signature.parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    needed = {key for key, p in signature.parameters.items() if p.default is p.empty}

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        given, bound = {**dict(zip(places, args)), **keywords}, None  # noqa: B905
        once = len(given) == len(args) + len(keywords) and needed <= given.keys() <= signature.parameters.keys()
        if not (named and once):  # `bind` knows all rules, and takes as long as a small distance
            try:
                bound = signature.bind(*args, **keywords)
            except TypeError as error:
                raise CaseError(f"{name}: {_misfit(signature, keywords, str(error))}") from None
            given = bound.arguments
        for key, value in given.items():
            if key not in tests:
                continue
            if not tests[key][0](value):
                wanted = _in_words(tests[key][1])
                raise CaseError(f"{name}: {key}: expected {wanted}, found {_shown(value)}")
            given[key] = _plainly(value, tests[key][2])
        return function(**given) if bound is None else function(*bound.args, **bound.kwargs)

    return call


def _misfit(signature: inspect.Signature, keywords: Mapping[str, Any], words: str) -> str:
    """What is wrong with a call, in words."""
    known = [key for key in signature.parameters if key != "self"]
    open_ = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    unknown = [] if open_ else [key for key in keywords if key not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}"
        return f"there is no argument {shortened(unknown[0])}; {hint}"
    return f"{words}; it takes {', '.join(known)}"


def _shown(value: Any) -> str:
    kind = type(value).__name__
    members = value if isinstance(value, list | tuple) else [value]
    plain = all(isinstance(member, str | bool | numbers.Number) or member is None for member in members)
    return f"{kind} {shortened(repr(value), 60)}" if plain and value is not None else "None" if plain else kind


# ---- annotations -------------------------------------------------------------------------------------------


def _parts(annotation: str, between: str = "|") -> list[str]:
    """The members of a union, or of a list of annotations; brackets hold theirs together."""
    annotation = OTHERS.get(annotation, annotation)
    parts, depth = [""], 0
    for letter in annotation:
        depth += (letter == "[") - (letter == "]")
        if letter == between and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _test_of(annotation: str) -> Test:
    tests = [_test_of_one(part) for part in _parts(annotation)]
    if len(tests) == 1:
        return tests[0]
    return lambda value: any(test(value) for test in tests)


def _test_of_one(part: str) -> Test:
    head, _, inner = part.partition("[")
    head, inner = head.rpartition(".")[2], inner.removesuffix("]")
    if head in ANYTHING:
        return lambda value: True
    if head in SIMPLE:
        return SIMPLE[head]
    if head == "Literal":
        values = ast.literal_eval(f"[{inner}]")
        return lambda value: isinstance(value, str) and value in values
    if head == "tuple" and "," in inner and not inner.endswith("..."):  # of so many entries
        tests = [_test_of(one.strip()) for one in inner.split(",")]
        return lambda value: _is_row(value) and len(value) == len(tests) and all(map(_fits, tests, value))
    if head in ("Sequence", "tuple", "list", "Iterable"):
        several = [_test_of(part) for part in _parts(inner, ",") if part != "..."]
        if len(several) > 1:
            return lambda value: (
                _is_row(value) and len(value) == len(several) and all(t(v) for t, v in zip(several, value, strict=True))
            )
        (each,) = several
        return lambda value: _is_row(value) and all(each(one) for one in value)
    return lambda value: any(one.__name__ == head for one in type(value).__mro__)


def _fits(test: Test, value: Any) -> bool:
    return test(value)


def _is_row(value: Any) -> bool:
    if isinstance(value, list | tuple | range) or (isinstance(value, np.ndarray) and value.ndim > 0):
        return True
    return _is_series(value)


def _is_series(value: Any) -> bool:
    """Whether it is a Series or an Index of pandas."""
    return type(value).__module__.partition(".")[0] == "pandas" and getattr(value, "ndim", 0) == 1


def _takes_columns(annotation: str) -> bool:
    """Whether a function or an array may stand there, and so a column of pandas as it is."""
    return any(word in annotation for word in ("Callable", "Function", "Array", *ANYTHING))


def _plainly(value: Any, columns: bool) -> Any:
    """A number for an array without axes; a list for a column of pandas, unless those are taken as they are."""
    if isinstance(value, np.ndarray):
        return value if value.ndim else value[()]
    return value.tolist() if not columns and _is_series(value) else value


def _is_scalar(value: Any, kind: Any) -> bool:
    """Whether it is a number of a kind, or an array without axes that holds one."""
    return isinstance(value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value, kind)


def _is_numbers(value: Any) -> bool:
    """Whether it is a number or an array of them, also a sparse one, or what NumPy makes one of."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "buif"
    if isinstance(value, str | bytes | dict) or callable(value):
        return False
    try:
        return hasattr(value, "tocsr") or np.asarray(value).dtype.kind in "buif"
    except ValueError:
        return False


def _is_table(value: Any) -> bool:
    """Whether it is of pandas or xarray: a table stands for a function of places."""
    return any(hasattr(value, name) for name in ("iloc", "coords", "data_vars"))


def _is_array(value: Any) -> bool:
    return _is_numbers(value) and np.ndim(value) > 0


SIMPLE: dict[str, Test] = {
    "None": lambda value: value is None,
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool | np.bool_),
    "int": lambda value: _is_scalar(value, numbers.Integral) and not isinstance(value, bool),
    "float": lambda value: _is_scalar(value, numbers.Real) or isinstance(value, np.bool_),
    "PathLike": lambda value: hasattr(value, "__fspath__"),
    "Path": lambda value: isinstance(value, str | os.PathLike),
    "Callable": lambda value: callable(value) or _is_table(value),
    "Mapping": lambda value: isinstance(value, Mapping),
    "Array": _is_array,
    "ArrayLike": _is_numbers,
}
"""Tests of the plain kinds."""
WORDS = {
    "None": "None", "str": "a text", "bool": "True or False", "int": "a whole number", "float": "a number",
    "PathLike": "a path", "Path": "a path", "Callable": "a function", "Mapping": "a table",
    "Array": "an array of numbers", "ArrayLike": "numbers",
}  # fmt: skip


def _in_words(annotation: str) -> str:
    """'a number, a text or None'."""
    words = []
    for part in _parts(annotation):
        head, _, inner = part.partition("[")
        head, inner = head.rpartition(".")[2], inner.removesuffix("]")
        if head == "Literal":
            words += [f'"{value}"' for value in ast.literal_eval(f"[{inner}]")]
        elif head in ("Sequence", "tuple", "list", "Iterable"):
            words.append(f"a list, each of it {' and '.join(_in_words(p) for p in _parts(inner, ',') if p != '...')}")
        else:
            words.append(WORDS.get(head, head))
    *some, last = dict.fromkeys(words)
    return f"{', '.join(some)} or {last}" if some else last
