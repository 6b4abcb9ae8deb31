"""A whole case: its tables together, and what it says of itself."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from ..base import html
from ..base.case_table import OneOf, Table, fail, tags_in_words
from ..base.plain_text import joined_lines, one_line
from ..base.toml import shortened, to_toml, to_value
from ..energy.laws.equation_names import PLACED, name_equation
from ..energy.snapshot import Traits
from ..errors import CaseError
from ..formulas.compile import check_params
from ..grid.boundary import boundary_of
from ..methods import METHODS, Method, method_of
from .sources.file_tables import in_words
from .tables.density_tables import ExactTable, InitialTable, TargetTable
from .tables.energy_tables import TERMINAL, DynamicsTable, EnergyTable, TerminalTable
from .tables.grid_tables import GridTable, SinkEntry
from .tables.time_tables import OutputTable, TimeTable

DEFAULT = next(iter(METHODS.values()))
"""The method of a case without [solver]."""
SolverTable = Annotated[Any, OneOf("method", lambda: [method.table for method in METHODS.values()])]


class Case(Table):
    """A validated case with every default filled in.  Two cases are equal when they describe the same run.

    path : the file it came from, as messages name it.   text : that file's text, as the user wrote it.
    sources : dotted key → "default", "file", "included NAME", "command line" or "Python".
    """

    schema_version: Literal[1] = Field(default=1, alias="schema", description="version of this format: 1")
    title: str = Field(description="a line of text, line breaks become blanks; default: the file's name")
    params: dict[str, float] = Field(default={}, description="named constants for the formulas")
    grid: GridTable = Field(description="a table with shape, lower, upper")
    energy: EnergyTable = Field(description="a table with internal, potential, interaction")
    dynamics: DynamicsTable | None = Field(default=None, description="a table with diffusion")
    initial: InitialTable = Field(description="a table with one of density, file, samples, image")
    exact: ExactTable | None = Field(default=None, description="a table with density")
    target: TargetTable | None = Field(default=None, description="a table with one of density, file, samples, image")
    terminal: TerminalTable | None = Field(default=None, description=f"a table with {TERMINAL}")
    sinks: dict[str, SinkEntry] = Field(
        default={}, description='regions and rates by name, as product = "x > 1" or decay = { rate = "0.2*(x > 0)" }'
    )
    solver: SolverTable = Field(
        default=DEFAULT.table.model_validate({"method": DEFAULT.name}),
        description=tags_in_words("method", METHODS),
    )
    time: TimeTable = Field(description="a table with end (and start)")
    output: OutputTable = Field(default=OutputTable(), description="a table with every or times")

    _draft: Any = PrivateAttr(default=None)
    """What it was made from, a `loading.Draft`."""
    _code: Any = PrivateAttr(default=None)
    """Functions and arrays that stand for its formulas, a `python_code.Code`, where it was put together in Python."""
    _sources: dict[str, str] = PrivateAttr(default={})

    @field_validator("title")
    @classmethod
    def _one_line(cls, title: str) -> str:
        return joined_lines(title)

    @field_validator("params")
    @classmethod
    def _names(cls, params: dict[str, float]) -> dict[str, float]:
        try:
            check_params(params)
        except CaseError as error:
            raise fail(str(error).removeprefix("params: ").removeprefix("params.")) from error
        return params

    @model_validator(mode="after")
    def _tables_that_the_method_needs(self) -> Case:
        method = self.solver.method
        sources = "one of density, file, samples, image"
        for name, given, what in (("target", self.target, sources), ("terminal", self.terminal, TERMINAL)):
            needs = [other.name for other in METHODS.values() if name in other.needs]
            takes = [other.name for other in METHODS.values() if name in other.needs | other.takes]
            if method in needs and given is None:
                raise fail(f'{name}: missing: method = "{method}" needs a table with {what}')
            if method not in takes and given is not None:
                those = " or ".join(f'"{other}"' for other in takes)
                raise fail(
                    f'{name}: only method = {those} has one, found method = "{method}"; remove the table '
                    f"(on the command line: --set {name}=)"
                )
        return self

    @model_validator(mode="after")
    def _what_the_method_takes(self) -> Case:
        given = {"dynamics": self.dynamics is not None, "grid.radial": self.grid.radial is not None}
        for key, asked in given.items():
            able = [f'"{m.name}"' for m in METHODS.values() if getattr(m, key.rpartition(".")[2])]
            if asked and f'"{self.solver.method}"' not in able:
                raise fail(f'{key}: only method = {" or ".join(able)} takes it, found method = "{self.solver.method}"')
        entries = [] if self.dynamics is None else self.dynamics.diffusion
        if isinstance(entries, list) and len(entries) not in (0, 1, self.dim):
            raise fail(
                f"dynamics.diffusion: expected one formula for all axes or one per axis of grid.shape, {self.dim}, "
                f"found {len(entries)}"
            )
        return self

    @model_validator(mode="after")
    def _exits_that_the_method_takes(self) -> Case:
        if self.has_exits and not self.method.exits:
            where, what = ("sinks", "sinks") if self.sinks else ("grid.boundary", "walls that mass may pass")
            others = " or ".join(f'"{method.name}"' for method in METHODS.values() if method.exits)
            raise fail(
                f'{where}: method = "{self.solver.method}" takes no {what}: it moves all of the mass; '
                f"write method = {others}"
            )
        return self

    @property
    def has_exits(self) -> bool:
        """Whether mass may leave, or come in: by open walls or by sinks."""
        return bool(self.sinks) or any(boundary_of(ends).open for ends in self.grid.boundary)

    @property
    def method(self) -> Method:
        """The record of the method that [solver] names."""
        return method_of(self.solver)

    @property
    def traits(self) -> Traits:
        """What is true of its march."""
        traits = self.method.traits(self.solver)
        if not self.has_exits:
            return traits
        regions = self.dim == 2 and any(isinstance(value, str) for value in self.sinks.values())
        return replace(traits.with_exits, order=min(traits.order, 1.0) if regions else traits.order)

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
    def texts(self) -> dict[str, str]:
        """As written, and with every default: what a file keeps of a case."""
        return {"case_toml": self.text, "resolved_toml": self.resolved_toml()}

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
        tables = self.model_dump(by_alias=True, exclude_none=True)
        return to_toml({name: table for name, table in tables.items() if name != "sinks" or table})

    @property
    def equation(self) -> str:
        """The usual short name of what is solved."""
        own = self.method.equation(self.energy, self.solver)
        return own or (PLACED if self.dynamics is not None else name_equation(self.energy).name)

    @property
    def summary(self) -> dict[str, str]:
        """What it solves, in a few words by name."""
        axes = zip(self.grid.shape, self.grid.lower, self.grid.upper, map(boundary_of, self.grid.boundary), strict=True)
        sinks = ", ".join(f"{key} = {to_value(value)}" for key, value in self.sinks.items())
        radius = f", radius in {self.grid.radial}D" if self.grid.radial is not None else ""
        dynamics = {} if self.dynamics is None else self.dynamics.model_dump()
        if self.dynamics is not None and not isinstance(self.dynamics.diffusion, str | list):
            dynamics["diffusion"] = in_words(self.dynamics.diffusion)
        return {
            "equation": self.equation,
            "energy": _in_a_line(self.energy),
            **({} if self.terminal is None else {"terminal": _in_a_line(self.terminal)}),
            **({"dynamics": ", ".join(f"{key} = {value}" for key, value in dynamics.items())} if dynamics else {}),
            "grid": "; ".join(f"{n} cells on [{low:g}, {high:g}], {kind}" for n, low, high, kind in axes) + radius,
            **({"sinks": sinks} if sinks else {}),
            "solver": ", ".join(f"{key} = {value}" for key, value in self.solver.model_dump(exclude_none=True).items()),
            "time": f"{self.time.start:g} to {self.time.end:g}",
        }

    def __repr__(self) -> str:
        parts = "; ".join(f"{key}: {one_line(shortened(value))}" for key, value in self.summary.items())
        return f"Case({shortened(self.title)!r}: {parts})"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return f"<b>{html.text(self.title)}</b>{html.table([], self.summary.items())}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Case) and self.model_dump() == other.model_dump()

    __hash__ = None  # type: ignore[assignment]


def _in_a_line(energy: EnergyTable) -> str:
    return ", ".join(text if key == "U" else f"{key} = {text}" for key, text in energy.terms.items())
