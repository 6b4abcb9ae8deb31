"""A file of points: one a row, with a header that names the columns, or without one.

    x,y,weight          the axes of the grid in any order, and "weight" where the points count differently
    0.1,0.5,2           without a header: x, or x and y

The text is as `text_columns` says.  Columns of other names are refused: a table of x and rho has as many as one of x
and y, and is no cloud of points.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import CaseError
from .axis import AXIS_NAMES, Array
from .text_columns import read_columns

WEIGHT = "weight"
HEADER_WORDS = {*AXIS_NAMES, WEIGHT, "t", "rho", "density"}
"""What tells a header behind # from a remark."""


def read_points(file: Path, raw: bytes, dim: int) -> tuple[list[Array], Array]:
    """Columns x[, y] and weights (ones if there are none), (n,) each.   raw : what the file holds.

    Raises CaseError for what is no table of finite numbers, for other columns than the axes, and for negative weights.
    """
    columns = read_columns(file, raw)
    table, header = columns.values, [name.lower() for name in columns.header]
    remark = [name.lower() for name in columns.remark]
    if not np.all(np.isfinite(table)):
        row = int(np.argmax(~np.all(np.isfinite(table), axis=1)))
        found = columns.rows[row].strip()
        raise CaseError(f"{file} must hold finite numbers; found {found!r} in data row {row + 1}.")
    order = _columns(file, header or (remark if set(remark) & HEADER_WORDS else []), table.shape[1], dim)
    points = [table[:, k] for k in order[:dim]]
    if len(order) == dim:
        return points, np.ones(len(table))
    weights = table[:, order[dim]]
    if np.any(weights < 0):
        row = int(np.argmax(weights < 0))
        raise CaseError(f"the weights in {file} must be ≥ 0; found {weights[row]:g} in data row {row + 1}.")
    return points, weights


def _columns(file: Path, header: list[str], count: int, dim: int) -> list[int]:
    """Positions of the columns x[, y][, weight]: by the names in the header, without one as they stand."""
    names = [*AXIS_NAMES[:dim]]
    for wanted in (names, [*names, WEIGHT]):
        if sorted(header) == sorted(wanted) and count == len(wanted):
            return [header.index(name) for name in wanted]
    if not header and count == dim:
        return list(range(count))
    found = f"{count}" + (f" under the header {', '.join(header)}" if header else "")
    remedy = f'A column of weights may follow if a header line names it "{WEIGHT}".'
    if others := [name for name in header if name not in (*names, WEIGHT)]:
        remedy = (
            f"{', '.join(others)} is no axis of the grid: leave such columns out, or name them as above in the header. "
            f'Weights are headed "{WEIGHT}"; a density on a grid is no set of points: give it as file = a .npy array '
            "or a table."
        )
    raise CaseError(
        f"{file} must hold {dim} column{'s' if dim > 1 else ''} ({', '.join(names)}) for a {dim}D grid; "
        f"found {found}. {remedy}"
    )
