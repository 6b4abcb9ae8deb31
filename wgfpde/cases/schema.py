"""A whole case: its tables together, what it says of itself, and its JSON Schema."""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from ..base import html
from ..base.toml import to_toml
from ..energy.equations import name_equation
from ..errors import CaseError
from ..formulas.compile import check_params
from .solver_tables import TOLERANCES, FvTable, GeodesicTable, JkoTable
from .tables import (
    INITIAL_SOURCES,
    INTERNAL_TABLES,
    DensityTable,
    EnergyTable,
    Entropy,
    ExactTable,
    GridTable,
    InitialTable,
    NoInternal,
    OutputTable,
    Power,
    Table,
    TargetTable,
    TimeTable,
    fail,
)

__all__ = [
    "INITIAL_SOURCES", "TABLES", "TOLERANCES", "UNIONS", "Case", "DensityTable", "EnergyTable", "Entropy", "ExactTable",
    "FvTable", "GeodesicTable", "GridTable", "InitialTable", "JkoTable", "NoInternal", "OutputTable", "Power", "Table",
    "TargetTable", "TimeTable", "json_schema",
]  # fmt: skip


class Case(Table):
    """A validated case with every default filled in.  Two cases are equal when they describe the same run.

    path : the file it came from, as messages name it.   text : that file's text, as the user wrote it.
    sources : dotted key → "default", "file", "included NAME", "command line" or "Python".
    """

    schema_version: Literal[1] = Field(default=1, alias="schema", description="version of this format: 1")
    title: str = Field(description="a line of text; default: the file's name")
    params: dict[str, float] = Field(default={}, description="named constants for the formulas")
    grid: GridTable = Field(description="a table with shape, lower, upper")
    energy: EnergyTable = Field(description="a table with internal, potential, interaction")
    initial: InitialTable = Field(description="a table with one of density, file, samples")
    exact: ExactTable | None = Field(default=None, description="a table with density")
    target: TargetTable | None = Field(default=None, description="a table with one of density, file, samples")
    solver: Annotated[FvTable | JkoTable | GeodesicTable, Field(discriminator="method")] = Field(
        default=FvTable(method="fv"), description='a table with method = "fv", "jko" or "geodesic"'
    )
    time: TimeTable = Field(description="a table with end (and start)")
    output: OutputTable = Field(default=OutputTable(), description="a table with every or times")

    _draft: Any = PrivateAttr(default=None)
    """What it was made from, a `casefile.Draft`."""
    _code: Any = PrivateAttr(default=None)
    """Functions and arrays that stand for its formulas, a `case.Code`, where it was put together in Python."""
    _sources: dict[str, str] = PrivateAttr(default={})

    @field_validator("params")
    @classmethod
    def _names(cls, params: dict[str, float]) -> dict[str, float]:
        try:
            check_params(params)
        except CaseError as error:
            raise fail(str(error).removeprefix("params: ").removeprefix("params.")) from error
        return params

    @model_validator(mode="after")
    def _target_of_a_geodesic(self) -> Case:
        method = self.solver.method
        if method == "geodesic" and self.target is None:
            raise fail('target: missing: method = "geodesic" needs a table with one of density, file, samples')
        if method != "geodesic" and self.target is not None:
            raise fail(f'target: only method = "geodesic" has one, found method = "{method}"; remove the table')
        return self

    @property
    def path(self) -> Path:
        return self._draft.path if self._draft is not None else Path("case")

    @property
    def name(self) -> str:
        """What the run is called: the file's stem; of a case read from an output file, the name of its folder."""
        return self.path.resolve().parent.name if self.path.suffix in (".h5", ".hdf5") else self.path.stem

    @property
    def text(self) -> str:
        return self._draft.text if self._draft is not None else ""

    @property
    def sources(self) -> dict[str, str]:
        return dict(self._sources)

    @property
    def dim(self) -> int:
        return len(self.grid.shape)

    @property
    def cells(self) -> int:
        return math.prod(self.grid.shape)

    def resolved_toml(self) -> str:
        """The case with every default, as TOML; loading it gives an equal case."""
        return to_toml(self.model_dump(by_alias=True, exclude_none=True))

    @property
    def facts(self) -> dict[str, str]:
        """What it solves, in a few words by name."""
        axes = zip(self.grid.shape, self.grid.lower, self.grid.upper, self.grid.boundary, strict=True)
        energy = [f"{key} = {value}" for key, value in self.energy.internal.model_dump().items()]
        energy += [f"V = {self.energy.potential}"] if self.energy.potential is not None else []
        energy += [f"W = {self.energy.interaction}"] if self.energy.interaction is not None else []
        return {
            "equation": name_equation(self.energy).name,
            "energy": ", ".join(energy),
            "grid": "; ".join(f"{n} cells on [{low:g}, {high:g}], {kind}" for n, low, high, kind in axes),
            "solver": ", ".join(f"{key} = {value}" for key, value in self.solver.model_dump(exclude_none=True).items()),
            "time": f"{self.time.start:g} to {self.time.end:g}",
        }

    def __repr__(self) -> str:
        return f"Case({self.title!r}: " + "; ".join(f"{key}: {value}" for key, value in self.facts.items()) + ")"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return f"<b>{html.text(self.title)}</b>{html.table([], self.facts.items())}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Case) and self.model_dump() == other.model_dump()

    __hash__ = None  # type: ignore[assignment]


TABLES: Mapping[tuple[str, ...], type[Table]] = ChainMap(INTERNAL_TABLES, {
    (): Case,
    ("grid",): GridTable,
    ("energy",): EnergyTable,
    **INTERNAL_TABLES,
    ("initial",): InitialTable,
    ("target",): TargetTable,
    ("exact",): ExactTable,
    ("solver", "fv"): FvTable,
    ("solver", "jko"): JkoTable,
    ("solver", "geodesic"): GeodesicTable,
    ("time",): TimeTable,
    ("output",): OutputTable,
})  # fmt: skip
"""Every table by its place; the last part of a union's places is the tag of the member."""
UNIONS = (("solver",), ("energy", "internal"))


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a case file."""
    schema = Case.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "wgfpde case"
    schema["properties"]["include"] = {
        "type": "array",
        "items": {"type": "string"},
        "description": "case files merged below this one, relative to it",
    }
    schema["required"] = [key for key in schema["required"] if key != "title"]
    return schema
