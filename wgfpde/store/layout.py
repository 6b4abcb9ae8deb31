"""The layout of the HDF5 file: its names, and what a file holds.  `empty_file` makes one with room for a run.

output.h5
  /t /x /y /x_bnds /y_bnds      coordinates (dimension scales; /t unlimited) and cell edges
  /rho (t,x) or (t,y,x)         cell averages, one chunk per snapshot
  /NAME (t,…)                   other fields of the snapshots, those in the attribute `fields`
  /diagnostics/NAME (t)         one number per snapshot
  /steps/NAME (steps/step)      one row per accepted step
  /case_toml /resolved_toml     the case as written and as understood
  /sources_json                 where each value of the case came from
  /code/NAME/…                  values of functions that were given in Python
  /VTKHDF /entry                hard links to the same data, for ParaView and for NeXus viewers
output.xdmf                     the same for ParaView and VisIt on any grid: text that points into output.h5
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as with_default
from numbers import Integral

import numpy as np

from ..energy.snapshot import Column, Field, Label
from ..errors import StoreError
from ..grid import Grid
from .kept_code import CODE

FORMAT = 1
FILE_NAME = "output.h5"
SWEEP_FILE = "sweep.json"
"""A folder that holds it is one of a sweep."""
STUDY_KIND = "wgfpde study"
"""The attribute `kind` of files of studies begins with this."""
TEXTS = {"case_toml": "the case as the user wrote it", "resolved_toml": "the case with all defaults, as run"}
FIXED_TEXT = {"status": 16, "verdict": 16, "resolution": 2000, "message": 2000, "command": 2000}
"""Text attributes that are overwritten in place, with the bytes set aside for them."""
PRECISIONS = ("float64", "float32")
NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable."
"""Name, with the length in ten places, of a dimension scale that netCDF shows as a dimension only."""
COMPRESSIONS = ("none", "gzip")
TAKEN = {"t", "x", "y", "x_bnds", "y_bnds", "vertices", "rho", "diagnostics", "steps", "step", "entry", "VTKHDF", CODE}
"""Names at the root of the file that no field can have."""


STEP_COLUMNS = (
    Column("t", "1", "time", "Time at the end of each accepted step; the start has no row."),
    Column("dt", "1", "step size", "Length of the step."),
    Column("iterations", "1", "iterations", "Newton or first-order iterations, summed over the step.", integer=True),
    Column("residual", "1", "residual", "Largest relative residual left by a solve of the step.", residual=True),
    Column("gap", "1", "primal-dual gap", "Relative primal minus dual value of a JKO step; else NaN.", residual=True),
    Column("outer", "1", "interaction evaluations", "Evaluations of the convolution W*rho.", integer=True),
    Column("repaired", "1", "repaired cells", "Cells the flux correction touched to keep rho >= 0.", integer=True),
    Column("rejected", "1", "rejected attempts", "Attempts thrown away before this step was accepted.", integer=True),
)
"""Columns of /steps of every run; a scheme may add its own."""


@dataclass(frozen=True)
class Layout:
    """What a file holds, whatever its length: the grid, the columns of its tables, the texts, the type of /rho.

    columns : those that the scheme adds to /steps.   fields : arrays beside /rho, one dataset each.
    compression : of the finished file.   constants : arrays of the grid's shape that do not change, with their names.
    code : arrays and texts of a case that was put together in Python, by path below /code.
    Raises StoreError for an unknown precision or compression.
    """

    grid: Grid
    diagnostics: Sequence[Label]
    columns: Sequence[Column] = ()
    texts: Mapping[str, str] = with_default(default_factory=dict)
    precision: str = "float64"
    compression: str = "none"
    fields: Sequence[Field] = ()
    constants: Sequence[tuple[Label, np.ndarray]] = ()
    code: Mapping[str, np.ndarray | str] = with_default(default_factory=dict)

    def __post_init__(self) -> None:
        for name, known in (("precision", PRECISIONS), ("compression", COMPRESSIONS)):
            if getattr(self, name) not in known:
                raise StoreError(f"{name} is one of {', '.join(known)}; found {getattr(self, name)!r}.")
        self._check_names()

    def _check_names(self) -> None:
        """Refuse names of fields, their dimensions and columns that the file, or an export of it, cannot tell apart."""
        fields = [field.name for field in self.fields]
        columns = [column.name for column in self.step_columns]
        dims: dict[str, int] = {}
        for name, size in (pair for field in self.fields for pair in field.dims):
            if dims.setdefault(name, size) != size:
                raise StoreError(f"the dimension {name} has {dims[name]} places for one field and {size} for another.")
        taken = TAKEN | TEXTS.keys() | self.texts.keys() | {d.name for d in self.diagnostics}
        taken |= {label.name for label, _ in self.constants}
        taken |= {f"step_{name}" for name in columns}
        if found := sorted({*fields, *dims} & taken):
            raise StoreError(f"a field or its dimension cannot have the name {', '.join(found)}: the file uses it.")
        if bad := [name for name in (*fields, *dims, *columns) if not re.fullmatch(r"[^\W\d]\w*", name)]:
            raise StoreError(f"fields, dimensions and columns have names of letters, digits and _; found {bad[0]!r}.")
        apart = [[*fields, *dims], columns, *([name for name, _ in field.dims] for field in self.fields)]
        if found := [name for names in apart for name in names if names.count(name) > 1]:
            raise StoreError(f"two fields, dimensions or columns cannot both have the name {found[0]}.")
        check_texts(self.texts)
        if wrong := [name for name, size in dims.items() if not isinstance(size, Integral) or size < 1]:
            raise StoreError(f"the dimension {wrong[0]} needs a whole number of places; found {dims[wrong[0]]}.")

    @property
    def step_columns(self) -> tuple[Column, ...]:
        return (*STEP_COLUMNS, *self.columns)

    def shape_of(self, field: Field) -> tuple[int, ...]:
        """The shape of a field in one snapshot."""
        return tuple(size for _, size in field.dims) if field.dims else self.grid.shape

    def bytes_of(self, snapshots: int, steps: int) -> int:
        """What so many rows take, uncompressed."""
        values = self.grid.size + sum(math.prod(self.shape_of(field)) for field in self.fields)
        kept = sum(len(one) if isinstance(one, str) else one.nbytes for one in self.code.values())
        row = values * np.dtype(self.precision).itemsize + 8 * (1 + len(self.diagnostics))
        return kept + snapshots * row + steps * 8 * len(self.step_columns)


def check_texts(texts: Mapping[str, str]) -> None:
    """Raise StoreError for a text that HDF5 would cut off, at a NUL."""
    if wrong := [name for name, text in texts.items() if "\0" in text]:
        raise StoreError(f"the text {wrong[0]} holds a NUL character, which the file cannot keep; remove it.")
