"""Columns of numbers in a text file, with the names that a header gives them: points, tables, free energies.

    x,y,value              a header line, or one behind # as NumPy's `savetxt` writes it, or none
    0.1,0.5,2

    #! FIELDS phi psi file.free                 PLUMED's grids: names, and what is set of each coordinate
    #! SET min_phi -pi
    #! SET periodic_phi true

Separators are commas, semicolons or blanks.  Empty lines and lines that start with # are skipped.

Reference: Tribello, Bonomi, Branduardi, Camilloni, Bussi (2014), DOI 10.1016/j.cpc.2013.09.018 (PLUMED 2).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..base.plain_text import is_number
from ..base.toml import show
from ..errors import CaseError
from .grid import Array

MOST_BYTES = 2**26
"""Of a text file; larger ones are refused by their size, before they are read."""


@dataclass(frozen=True)
class Columns:
    """What a text holds.

    values : (rows, k).   rows : the lines that they stand in.   header : names in a line of their own, [] without one.
    remark : the words of the last remark above the numbers where they are k.   fields, settings : of PLUMED's lines,
    empty without them.
    """

    values: Array
    rows: list[str] = field(default_factory=list, repr=False)
    header: list[str] = field(default_factory=list)
    remark: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of the columns from wherever they are given, k of them; [] where nothing names them."""
        count = self.values.shape[1]
        return next((names for names in (self.header, self.fields, self.remark) if len(names) == count), [])


def read_columns(file: Path, raw: bytes, each: str = "point", holes: bool = False) -> Columns:
    """The columns of a text.   raw : what the file holds.   each : what a row is, for messages.

    holes : whether a field between two commas may be empty: it is then NaN.
    Raises CaseError for what is no text, or no table of numbers with as many in every row.
    """
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise CaseError(f"{file} is not a text file. Give a CSV file with one {each} a row.") from None
    fields, settings = _plumed(lines)
    remarks = list(itertools.takewhile(_is_remark, lines))
    lines = [line for line in lines if not _is_remark(line)]
    if not lines:
        raise CaseError(f"{file} holds no {each}s. Give a CSV file with one {each} a row.")
    separator = ";" if ";" in lines[0] else "," if "," in lines[0] else None
    first = _names(lines[0], separator)
    header = first if not all(is_number(name) or (holes and not name) for name in first) else []
    rows = lines[1:] if header else lines
    if not rows:
        raise CaseError(f"{file} holds a header line but no {each}s. Give one {each} a row below it.")
    if holes and separator is not None:
        rows = [_filled(row, separator) for row in rows]
    values = numbers_in(file, rows, separator, each)
    return Columns(values, rows, header, _last_remark(remarks, separator, values.shape[1]), fields, settings)


def numbers_in(file: Path, rows: list[str], separator: str | None, each: str) -> Array:
    """The rows as numbers, (rows, columns).   each : what a row is.   Raises CaseError."""
    try:
        return np.loadtxt(rows, delimiter=separator, ndmin=2, comments=None)
    except ValueError:
        raise CaseError(
            f"{file} must hold numbers, one {each} a row and as many in every row: {_first_odd_row(rows, separator)}."
        ) from None


def _first_odd_row(rows: list[str], separator: str | None) -> str:
    """What makes rows no table of numbers: the first place, counted among the lines with data below any header."""
    count = len(rows[0].split(separator))
    for k, row in enumerate(rows, 1):
        parts = row.split(separator)
        if bad := [part.strip() for part in parts if not is_number(part) or "_" in part]:
            return f"found {show(bad[0])} in data row {k}"
        if len(parts) != count:
            return f"data row {k} has {len(parts)}, the first has {count}"
    return "found what is no number"


def _plumed(lines: list[str]) -> tuple[list[str], dict[str, str]]:
    """What PLUMED's lines say: the names of the first FIELDS, and the settings."""
    fields: list[str] = []
    settings: dict[str, str] = {}
    for line in lines:
        words = line[2:].split() if line.startswith("#!") else []
        if words[:1] == ["FIELDS"] and not fields:
            fields = words[1:]
        elif words[:1] == ["SET"] and len(words) >= 3:
            settings[words[1]] = words[2]
    return fields, settings


def _filled(row: str, separator: str) -> str:
    """nan in the place of empty fields."""
    parts = row.split(separator)
    return separator.join(part if part.strip() else "nan" for part in parts)


def _names(line: str, separator: str | None) -> list[str]:
    return [name.strip().strip("\"'") for name in line.split(separator)]


def _last_remark(remarks: list[str], separator: str | None, count: int) -> list[str]:
    """The words of the last remark above the numbers, where there are as many as columns."""
    last = next((line.strip().lstrip("#").strip() for line in reversed(remarks) if line.strip()), "")
    names = _names(last, separator)
    return names if len(names) == count else []


def _is_remark(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")
