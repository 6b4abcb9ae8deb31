"""A table: values at the places of a tensor-product grid of its own, in whatever order they were listed.

Missing are the places that are not listed, NaN and +inf (an empty bin of a free energy), and what one says is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import CaseError
from ..axis import AXIS_NAMES, Array
from ..text_columns import Columns

MOST_VALUES = 2**22
"""Of a table; larger ones are refused by their header or their size, before they are read."""
SAME = 1e-8
"""Places nearer to each other than this part of the table's length are one."""


@dataclass(frozen=True, repr=False)
class Table:
    """Values on a tensor grid.

    places : increasing places along each axis, x first.   values : (n,) or (ny, nx), NaN where missing.
    what : the file or the object, in messages.   names : of the coordinates, as the file has them.
    periods : of each coordinate where the file says that it closes, else None.
    """

    places: tuple[Array, ...]
    values: Array
    what: str
    names: tuple[str, ...] = AXIS_NAMES
    periods: tuple[float | None, ...] = (None, None)

    @property
    def dim(self) -> int:
        return len(self.places)

    def __repr__(self) -> str:
        axes = " × ".join(f"{len(p)} in [{p[0]:g}, {p[-1]:g}]" for p in self.places)
        return f"Table({self.what}: {axes})"


def table_of(
    places: Sequence[Array],
    values: Array,
    what: str,
    names: Sequence[str] = AXIS_NAMES,
    periods: Sequence[float | None] = (None, None),
) -> Table:
    """A table from places along each axis, x first, in any order, and values ordered (y, x).

    Raises CaseError for places that repeat or are not finite, fewer than two of them along an axis, −inf among the
    values, and where nothing but missing values is left.
    """
    values = np.array(values, dtype=float)
    if values.shape != (wanted := tuple(len(p) for p in reversed(places))):
        raise CaseError(f"{what}: the values have the shape {values.shape} and their places {wanted}, ordered (y, x).")
    if values.size > MOST_VALUES:
        raise CaseError(
            f"{what} has {values.size} values; at most {MOST_VALUES} are taken. Average it over wider bins."
        )
    if np.any(np.isneginf(values)):
        raise CaseError(f"{what}: found −inf; a value may be missing (nan, inf), but not −inf. Mend the table.")
    values[~np.isfinite(values)] = np.nan
    if np.all(np.isnan(values)):
        raise CaseError(f"{what} holds no finite value.")
    ordered = []
    for k, (name, given) in enumerate(zip(names, places, strict=False)):
        along = np.array(given, dtype=float)
        _check_places(along, name, what)
        order = np.argsort(along, kind="stable")
        ordered.append(along[order])
        values = np.take(values, order, axis=values.ndim - 1 - k)
        if np.any(np.diff(ordered[-1]) <= SAME * np.ptp(along)):
            twice = ordered[-1][int(np.argmin(np.diff(ordered[-1])))]
            raise CaseError(f"{what}: {name} = {twice:.6g} is there twice. Each place has one value.")
    return Table(tuple(ordered), values, what, tuple(names[: len(places)]), tuple(periods[: len(places)]))


def table_of_rows(
    points: Sequence[Array], values: Array, what: str, names: Sequence[str], periods: Sequence[float | None]
) -> Table:
    """A table from rows of places and values, (n,) each, in any order; places that are not listed are missing.

    Raises CaseError where the rows do not lie on a tensor grid, or a place is listed twice.
    """
    axes, index = [], []
    for name, column in zip(names, points, strict=False):
        if not np.all(np.isfinite(column)):
            row = int(np.argmax(~np.isfinite(column)))
            raise CaseError(f"{what}: {name} must be finite; found {column[row]:g} in data row {row + 1}.")
        axis, where = _distinct(column)
        axes.append(axis)
        index.append(where)
    shape = tuple(len(axis) for axis in reversed(axes))
    count, bins = len(values), int(np.prod([float(n) for n in shape]))
    if len(shape) == 2 and (count < sum(shape) or bins > MOST_VALUES):
        raise CaseError(
            f"{what}: {count} rows at {shape[1]} different {names[0]} and {shape[0]} different {names[1]} are no table "
            "on a grid. Give the values on a grid, at most "
            f"{MOST_VALUES} of them; rows may come in any order, and rows of missing bins may be left out."
        )
    flat = np.ravel_multi_index(tuple(reversed(index)), shape)
    if len(np.unique(flat)) < count:
        order = np.argsort(flat, kind="stable")
        row = int(order[1:][np.diff(flat[order]) == 0][0])
        place = ", ".join(f"{name} = {column[row]:.6g}" for name, column in zip(names, points, strict=False))
        raise CaseError(f"{what}: {place} is listed twice, again in data row {row + 1}. Each place has one value.")
    filled = np.full(shape, np.nan)
    filled.flat[flat] = values
    return table_of(axes, filled, what, names, periods)


def table_in_text(
    columns: Columns, dim: int, what: str, column: str | None, first: Sequence[str] = AXIS_NAMES
) -> Table:
    """The table that columns of text hold.

    Coordinates are those with PLUMED's settings, or headed x and y, or else the first; the value is that of `column`,
    by its name or its number from 1, else the only one that is left (PLUMED's derivatives der_… do not count).
    first : how the coordinates may be headed.   Raises CaseError, naming the columns, where that does not tell.
    """
    names, count = columns.names, columns.values.shape[1]
    if count <= dim:
        raise CaseError(
            f"{what}: a {dim}D table has {dim} column{'s' if dim > 1 else ''} of places and one of values; found "
            f"{count} column{'s' if count > 1 else ''}."
        )
    lower = [name.lower() for name in names]
    set_here = [k for k, name in enumerate(names) if f"min_{name}" in columns.settings]
    if len(set_here) == dim:
        where = set_here
    elif all(name in lower for name in first[:dim]):
        where = [lower.index(name) for name in first[:dim]]
    else:
        where = list(range(dim))
    value = _value_column(names, count, where, column, what)
    labels = [names[k] if names else first[j] for j, k in enumerate(where)]
    periods = [_period(label, columns.settings, what) for label in labels]
    rows = columns.values
    return table_of_rows([rows[:, k] for k in where], rows[:, value], what, labels, periods)


def _value_column(names: list[str], count: int, places: list[int], column: str | None, what: str) -> int:
    left = [k for k in range(count) if k not in places]
    known = ", ".join(f'"{names[k] if names else k + 1}"' for k in left)
    if column is not None:
        if column in names:
            return names.index(column)
        if column.isdecimal() and 1 <= int(column) <= count:
            return int(column) - 1
        raise CaseError(f'{what} has no column "{column}" of values; found {known}.')
    if names and len(left) > 1:
        left = [k for k in left if not names[k].startswith("der_")]
    if len(left) != 1:
        raise CaseError(f"{what} has {len(left)} columns of values, {known}; say which is meant by column = …")
    return left[0]


def _period(name: str, settings: dict[str, str], what: str) -> float | None:
    """The period of a coordinate of PLUMED's, None where it does not close."""
    if settings.get(f"periodic_{name}", "false").lower() != "true":
        return None
    ends = [_number(settings.get(f"{end}_{name}", "")) for end in ("min", "max")]
    if not np.isfinite(ends[1] - ends[0]) or ends[1] <= ends[0]:
        raise CaseError(f"{what}: {name} is periodic, and min_{name} and max_{name} do not say from where to where.")
    return float(ends[1] - ends[0])


def _number(text: str) -> float:
    """A number as PLUMED writes it, "-pi" too; NaN for anything else."""
    unit, factor = (np.pi, text[:-2].rstrip("*")) if text.endswith("pi") else (1.0, text)
    try:
        return unit * float({"": "1", "-": "-1", "+": "1"}.get(factor, factor))
    except ValueError:
        return float("nan")


def _distinct(column: Array) -> tuple[Array, Array]:
    """The different places of a column, increasing, and which of them each row has; what differs by rounding is one."""
    order = np.argsort(column, kind="stable")
    ordered = column[order]
    new = np.diff(ordered, prepend=-np.inf) > SAME * (ordered[-1] - ordered[0])
    new[0] = True
    index = np.empty(len(column), dtype=int)
    index[order] = np.cumsum(new) - 1
    return ordered[new], index


def _check_places(along: Array, name: str, what: str) -> None:
    if not np.all(np.isfinite(along)):
        raise CaseError(f"{what}: the places along {name} must be finite; found {along[~np.isfinite(along)][0]:g}.")
    if len(along) < 2:
        raise CaseError(f"{what}: a table has at least two places along {name}; found {len(along)}.")


def scaled(table: Table, scale: float) -> Table:
    """The table with its values times a number that is finite and not 0."""
    if not np.isfinite(scale) or scale == 0:
        raise CaseError(f"scale: expected a number other than 0, found {scale:g}")
    return replace(table, values=scale * table.values)


def free_energy(table: Table, kappa: float) -> Table:
    """V = −κ ln of the values, a histogram or a density; missing where they are 0.

    Raises CaseError for negative values.
    """
    if np.any(table.values < 0):
        raise CaseError(f"{table.what}: a histogram has values ≥ 0; found {np.nanmin(table.values):.6g}.")
    positive = table.values > 0
    if not np.any(positive):
        raise CaseError(f"{table.what}: a histogram has values above 0 somewhere; found none.")
    values = np.full(table.values.shape, np.nan)
    values[positive] = -kappa * np.log(table.values[positive])
    return replace(table, values=values)
