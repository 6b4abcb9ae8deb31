"""How a density is evolved: a folder for each family of methods, and the list of all methods.

METHODS["jko"].traits(table).step          what a case with that table can rely on
register(Method("mine", MyTable, …))       a method from elsewhere, for cases that are read from then on
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from ..errors import CaseError
from .method import Asked, Built, Method

__all__ = ["METHODS", "Asked", "Built", "Method", "method_of", "register", "table_of", "unregister"]

FAMILIES = ("finite_volumes", "jko", "paths", "particles", "reaction", "reduced")
METHODS: dict[str, Method] = {
    method.name: method for family in FAMILIES for method in import_module(f".{family}.method", __name__).METHODS
}
"""By the word in `solver.method`; the first is that of a case without [solver]."""


def register(method: Method) -> Method:
    """Enter a method; cases read from then on may name it.  Returns it.

    Raises CaseError where another method has that name, or where the table's `method` is another.
    """
    word = method.table.model_fields.get("method")
    if word is None or getattr(word.annotation, "__args__", None) != (method.name,):
        raise CaseError(f'the table of a method needs the line method: Literal["{method.name}"].')
    if METHODS.get(method.name, method) is not method:
        raise CaseError(f'there is a method "{method.name}" already; choose another name, or unregister that one.')
    METHODS[method.name] = method
    return method


def unregister(name: str) -> None:
    """Let a method go, so that another may have its name; its runs stay readable.  Raises CaseError without one."""
    if name not in METHODS:
        raise CaseError(f'there is no method "{name}"; known: {", ".join(METHODS)}.')
    del METHODS[name]


def method_of(table: Any) -> Method:
    """The method that a table [solver] names."""
    return METHODS[table.method]


def table_of(solver: Mapping[str, Any]) -> Any:
    """The table of a stored run, from its plain values; None where no method here reads them."""
    method = METHODS.get(str(solver.get("method")))
    try:
        return None if method is None else method.table.model_validate(dict(solver))
    except ValidationError:
        return None
