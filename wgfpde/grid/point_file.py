"""A file of points: one a row, with a header that names the columns, or without one.

    x,y,weight          the axes of the grid in any order, and "weight" where the points count differently
    0.1,0.5,2           without a header: x, or x and y

Separators are commas, semicolons or blanks.  Empty lines and lines that start with # are skipped; but a header may
stand behind # too, as NumPy's `savetxt` writes it.  Columns of other names are refused: a table of x and rho has as
many as one of x and y, and is no cloud of points.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from ..errors import CaseError
from .grid import AXIS_NAMES, Array

WEIGHT = "weight"
HEADER_WORDS = {*AXIS_NAMES, WEIGHT, "t", "rho", "density"}
"""What tells a header behind # from a remark."""


def read_points(file: Path, raw: bytes, dim: int) -> tuple[list[Array], Array]:
    """Columns x[, y] and weights (ones if there are none), (n,) each.   raw : what the file holds.

    Raises CaseError for what is no table of finite numbers, for other columns than the axes, and for negative weights.
    """
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise CaseError(f"{file} is not a text file. Give a CSV file with one point a row.") from None
    remarks = list(itertools.takewhile(_is_remark, lines))
    lines = [line for line in lines if not _is_remark(line)]
    if not lines:
        raise CaseError(f"{file} holds no points. Give a CSV file with one point a row.")
    separator = ";" if ";" in lines[0] else "," if "," in lines[0] else None
    first = _names(lines[0], separator)
    header = first if not all(_is_number(name) for name in first) else []
    rows = lines[1:] if header else lines
    if not rows:
        raise CaseError(f"{file} holds a header line but no points. Give one point a row below it.")
    table = _table(file, rows, separator)
    order = _columns(file, header or _header_in(remarks, separator, table.shape[1]), table.shape[1], dim)
    points = [table[:, k] for k in order[:dim]]
    if len(order) == dim:
        return points, np.ones(len(table))
    weights = table[:, order[dim]]
    if np.any(weights < 0):
        row = int(np.argmax(weights < 0))
        raise CaseError(f"the weights in {file} must be ≥ 0; found {weights[row]:g} in data row {row + 1}.")
    return points, weights


def _table(file: Path, rows: list[str], separator: str | None) -> Array:
    try:
        table = np.loadtxt(rows, delimiter=separator, ndmin=2, comments=None)
    except ValueError as error:
        raise CaseError(
            f"{file} must hold numbers, one point a row and as many in every row: "
            f"{str(error).rstrip('.')} (rows count the lines with data, below any header)."
        ) from None
    if not np.all(np.isfinite(table)):
        row = int(np.argmax(~np.all(np.isfinite(table), axis=1)))
        raise CaseError(f"{file} must hold finite numbers; found {rows[row].strip()!r} in data row {row + 1}.")
    return table


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
            f'Weights are headed "{WEIGHT}"; a density on a grid is no set of points: give it as file = a .npy array.'
        )
    raise CaseError(
        f"{file} must hold {dim} column{'s' if dim > 1 else ''} ({', '.join(names)}) for a {dim}D grid; "
        f"found {found}. {remedy}"
    )


def _names(line: str, separator: str | None) -> list[str]:
    return [name.strip().strip("\"'").lower() for name in line.split(separator)]


def _header_in(remarks: list[str], separator: str | None, count: int) -> list[str]:
    """The header that the last remark above the points is; [] where it says something else."""
    last = next((line.strip().lstrip("#").strip() for line in reversed(remarks) if line.strip()), "")
    names = _names(last, separator)
    return names if len(names) == count and set(names) & HEADER_WORDS else []


def _is_remark(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
