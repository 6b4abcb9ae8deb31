"""What every table of a case file is made of: strict validation, whole sentences for mistakes, and open unions.

No unknown key, no text for a number, nothing infinite.  A union of tables is told apart by one of their keys, its tag
(`method` of a solver, `kind` of an internal energy); its members are those registered when the case is read, so that a
method or a law may be added without a line here.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from functools import reduce
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from .toml import show

Positive = Annotated[float, Field(gt=0)]


def _formula_or_number(value: object, number: Callable[[object], float]) -> object:
    return value if isinstance(value, str) else number(value)


PositiveInTime = Annotated[
    float,
    Field(gt=0),
    WrapValidator(_formula_or_number),
    PlainSerializer(lambda value: value, return_type=Any),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}),
]
"""A positive number, or a formula in t, which is read where the energy is built."""


FormulaText = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) in (int, float) else value)]
"""A formula as text; a number alone is the constant."""


def fail(message: str) -> PydanticCustomError:
    """A mistake whose text is complete: it is shown after the key path as it stands."""
    return PydanticCustomError("sentence", "{text}", {"text": message})


def positive_or(word: str) -> Callable[[object], object]:
    """A check of a positive number or one word, with one message for both (a union would give two)."""

    def checked(value: object) -> object:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is None or value == word or (number and 0 < value < math.inf):  # type: ignore[operator]
            return value
        raise fail(f'expected a positive number or "{word}", found {show(value)}')

    return checked


class Table(BaseModel):
    """A table of a case file; its docstring and the descriptions of its keys are what the reference shows.

    refused : keys of a table that it is derived from, and that it does not take.
    """

    refused: ClassVar[frozenset[str]] = frozenset()
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    def __dir__(self) -> list[str]:
        """Its keys, and what it says of itself: pydantic's own methods are not what one looks for in a case."""
        own = {name for kind in type(self).__mro__ if issubclass(kind, Table) for name in vars(kind)}
        names = {*type(self).model_fields, *own - {"refused"}}
        return sorted(name for name in names if not name.startswith(("_", "model_")))


class OneOf:
    """The annotation of a key that holds one of several tables, told apart by the key `tag`.

    members : gives the tables, asked whenever the schema of the case is built.
    """

    def __init__(self, tag: str, members: Callable[[], Iterable[type[Table]]]) -> None:
        self.tag, self.members = tag, members

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        tables = list(self.members())
        union: Any = reduce(operator.or_, tables)
        tagged = Annotated[union, Field(discriminator=self.tag)] if len(tables) > 1 else union
        return handler.generate_schema(tagged)


def tags_in_words(tag: str, names: Iterable[str]) -> str:
    """'a table with method = "fv", "jko" or "geodesic"'."""
    *some, last = (f'"{name}"' for name in names)
    return f"a table with {tag} = {', '.join(some)}{' or ' if some else ''}{last}"
