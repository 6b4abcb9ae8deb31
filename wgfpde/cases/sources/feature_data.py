"""The features of a case: formulas over the grid, one for each row of a file of data, or a list of them.

    s,b,w            b the target, w the weight where there is one, every other column a datum of that name
    -1.0,0.3,1       without a header: s, b, or s, b, w

Separators are commas, semicolons or blanks; empty lines and lines that start with # are skipped.  Without weights each
row weighs 1/n, so that the loss is half the mean of squares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...base.plain_text import is_number
from ...energy.features import Features
from ...errors import CaseError
from ...formulas.compile import Expression
from ...grid import Array
from ...grid.tables.array_file import looked_in, read_bytes
from ...grid.text_columns import MOST_BYTES, numbers_in
from ..case_densities import function_of, space_of
from ..loading import located
from ..schema import Case

TARGET, WEIGHT = "b", "w"
KEY = "energy.features"


@dataclass(frozen=True)
class AtDatum:
    """φ(·; s) of one datum.   expression : of the coordinates and the datum.   datum : its values by name."""

    expression: Expression
    datum: dict[str, float]

    @property
    def text(self) -> str:
        return self.expression.text

    def derivative(self, name: str) -> AtDatum:
        """∂φ/∂x or ∂φ/∂y at this datum."""
        return AtDatum(self.expression.derivative(name), self.datum)

    def __call__(self, **place: Any) -> Array:
        return np.asarray(self.expression(**place, **self.datum))


def features_of(case: Case) -> Features | None:
    """The features that [energy] gives.  Raises CaseError, with the key."""
    table = case.energy.features
    if table is None:
        return None
    if isinstance(table, list):
        functions: list[Callable[..., Array]] = [
            function_of(case, item.formula, space_of(case), f"{KEY}[{k}].formula") for k, item in enumerate(table)
        ]
        texts = ", ".join(item.formula for item in table)
        return Features(functions, [item.target for item in table], [item.weight for item in table], texts)
    with located(case.path, f"{KEY}.data"):
        columns = read_data(Path(table.data), reserved={*space_of(case), "t", *case.params})
    targets = columns.pop(TARGET)
    weights = columns.pop(WEIGHT, np.full(len(targets), 1.0 / len(targets)))
    expression = function_of(case, table.formula, (*space_of(case), *columns), f"{KEY}.formula")
    data = [{name: float(values[k]) for name, values in columns.items()} for k in range(len(targets))]
    with located(case.path, f"{KEY}.data"):
        functions = [AtDatum(expression, datum) for datum in data]
        return Features(functions, targets.tolist(), weights.tolist(), table.formula)


def read_data(file: Path, reserved: set[str]) -> dict[str, Array]:
    """The columns of a file of data by name, (n,) each.   reserved : names that a datum cannot have.

    Raises CaseError for what is no table of finite numbers with a target and a datum.
    """
    if not file.is_file():
        raise CaseError(f"{file} does not exist{looked_in(file)}")
    try:
        text = read_bytes(file, MOST_BYTES).decode("utf-8-sig")
        lines = [line.strip() for line in text.splitlines()]
    except UnicodeDecodeError:
        raise CaseError(f"{file} is not a text file. Give a CSV file with one datum a row.") from None
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise CaseError(f"{file} holds no data. Give one datum a row: s, b and, where they differ, the weight w.")
    separator = ";" if ";" in lines[0] else "," if "," in lines[0] else None
    first = [name.strip().strip("\"'") for name in lines[0].split(separator)]
    header = first if not all(is_number(name) for name in first) else []
    rows = lines[1:] if header else lines
    if not rows:
        raise CaseError(f"{file} holds a header line but no data. Give one datum a row below it.")
    table = _table(file, rows, separator)
    names = header or ["s", TARGET, WEIGHT][: table.shape[1]]
    if len(names) != table.shape[1] or len(set(names)) < len(names):
        raise CaseError(
            f"{file} must have a header that names its {table.shape[1]} columns, each once, such as s,b or s,b,w; "
            f"found {', '.join(names)}"
        )
    _check_names(file, names, reserved)
    return dict(zip(names, table.T, strict=True))


def _check_names(file: Path, names: list[str], reserved: set[str]) -> None:
    if TARGET not in names or not set(names) - {TARGET, WEIGHT}:
        raise CaseError(
            f'{file} must hold a column "{TARGET}" of targets and at least one of data, such as s; '
            f"found {', '.join(names)}"
        )
    for name in names:
        if not name.isidentifier():
            raise CaseError(f"{file}: expected a name for each column, such as s, found {name!r}")
        if name in reserved:
            raise CaseError(f'{file}: a column cannot be called "{name}", which formulas use otherwise; rename it')


def _table(file: Path, rows: list[str], separator: str | None) -> Array:
    table = numbers_in(file, rows, separator, "datum")
    if not np.all(np.isfinite(table)):
        row = int(np.argmax(~np.all(np.isfinite(table), axis=1)))
        raise CaseError(f"{file} must hold finite numbers; found {rows[row]!r} in data row {row + 1}.")
    return table
