"""The tables of a case file, and what each key may hold.

Everything that can be said about a case without its grid is checked here, strictly: no unknown key, no text
for a number, nothing infinite.  Descriptions serve the JSON Schema and the messages alike.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from . import html
from .equations import name_equation
from .errors import CaseError
from .expressions import check_params
from .toml import show, to_toml


def _fail(message: str) -> PydanticCustomError:
    """A mistake whose text is complete: it is shown after the key path as it stands."""
    return PydanticCustomError("sentence", "{text}", {"text": message})


def _step_size(value: object) -> object:
    """Accept a positive number or "adaptive", with one message for both (a union would give two)."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or value == "adaptive" or (number and 0 < value < math.inf):  # type: ignore[operator]
        return value
    raise _fail(f'expected a positive number or "adaptive", found {show(value)}')


Positive = Annotated[float, Field(gt=0)]
Cells = Annotated[int, Field(ge=2)]
StepSize = Annotated[float | Literal["adaptive"] | None, BeforeValidator(_step_size)]
Algorithm = Literal["newton", "pdhg"]
InnerSteps = Annotated[int, Field(ge=1)]
Iterations = Annotated[int, Field(ge=1)] | None
INITIAL_SOURCES = ("density", "file", "samples")
"""Keys of [initial], of which a case has exactly one; of [target] likewise."""
TOLERANCE_FLOOR = {"newton": 1e-12, "pdhg": 1e-10}
"""Smallest relative gap that may be asked for.  Primal and dual are sums of cell values that cancel to the gap, which
leaves about 1e-13 of rounding; a first-order method loses some more digits in its transforms."""
TOLERANCES = {"newton": 1e-8, "pdhg": 1e-4}
"""Default gaps: what a quadratically convergent method reaches at no cost, and a first-order one in reasonable time."""


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class GridTable(Table):
    """A tensor-product grid of one or two axes, x first."""

    shape: list[Cells] = Field(description="cells per axis, x first: [nx] or [nx, ny]")
    lower: list[float] = Field(description="lower bounds, one number per axis")
    upper: list[float] = Field(description="upper bounds, one number per axis")
    boundary: list[Literal["no-flux", "periodic"]] = Field(
        default=[], validate_default=True, description='"no-flux" (default) or "periodic", one per axis'
    )
    mapping: list[str] | None = Field(
        default=None, description="one formula in s per axis: an increasing map of [0, 1] onto [0, 1]"
    )

    @field_validator("shape")
    @classmethod
    def _one_or_two_axes(cls, shape: list[int]) -> list[int]:
        if len(shape) not in (1, 2):
            raise _fail(f"a grid has one or two axes, found {len(shape)} entries; give [nx] or [nx, ny]")
        return shape

    @field_validator("lower", "upper", "boundary", "mapping")
    @classmethod
    def _one_per_axis(cls, values: list | None, info: ValidationInfo) -> list | None:
        shape = info.data.get("shape")
        if values is None or shape is None:
            return values
        if info.field_name == "boundary" and not values:
            return ["no-flux"] * len(shape)
        if len(values) != len(shape):
            wanted = "1 entry" if len(shape) == 1 else "2 entries"
            raise _fail(f"expected {wanted}, one per axis of grid.shape, found {len(values)}")
        if info.field_name == "upper":
            for k, (low, high) in enumerate(zip(info.data.get("lower", []), values, strict=False)):
                if high <= low:
                    raise _fail(f"upper[{k}] must lie above lower[{k}]; found {high:g} and {low:g}")
        return values


class Entropy(Table):
    """U = κ(ρ ln ρ − ρ)."""

    kind: Literal["entropy"]
    kappa: Positive = Field(default=1.0, description="diffusivity, a positive number")


class Power(Table):
    """U = κ ρ^m/(m − 1)."""

    kind: Literal["power"]
    m: Positive = Field(description="exponent, a positive number other than 1, ≥ 1 − 1/d in d dimensions")
    kappa: Positive = Field(default=1.0, description="diffusivity, a positive number")

    @field_validator("m")
    @classmethod
    def _not_one(cls, m: float) -> float:
        if m == 1:
            raise _fail('m = 1 is the entropy; write { kind = "entropy" } instead')
        return m


class NoInternal(Table):
    """U = 0."""

    kind: Literal["none"]


class EnergyTable(Table):
    """E(ρ) = ∫U(ρ) + ∫Vρ + ½∬W(x−y)ρ(x)ρ(y)."""

    internal: Annotated[Entropy | Power | NoInternal, Field(discriminator="kind")] = Field(
        description='{ kind = "entropy" }, { kind = "power", m = … } or { kind = "none" }'
    )
    potential: str | None = Field(default=None, description="V, a formula in x (and y), r = |(x, y)| and the params")
    interaction: str | None = Field(
        default=None, description="W, an even formula in the displacement x (and y) and r = |(x, y)|"
    )

    @model_validator(mode="after")
    def _not_zero(self) -> EnergyTable:
        if self.internal.kind == "none" and self.potential is None and self.interaction is None:
            raise _fail("the energy is zero and nothing would move; give internal, potential or interaction")
        return self


class DensityTable(Table):
    """A density: exactly one of density, file, samples."""

    density: str | None = Field(default=None, description="a formula in x (and y), r = |(x, y)| and the params, ≥ 0")
    file: str | None = Field(default=None, description="a .npy array ordered (y, x), or an earlier run")
    samples: str | None = Field(default=None, description="a .csv file with one point per line")

    @model_validator(mode="after")
    def _exactly_one(self) -> DensityTable:
        given = [name for name in INITIAL_SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) if given else "none of them"
            raise _fail(f"expected exactly one of density, file, samples; found {found}")
        return self


class InitialTable(DensityTable):
    """The density at the start."""

    mass: Positive | None = Field(default=None, description="mass to rescale to, a positive number")
    sampling: Literal["average", "centre"] = Field(
        default="average", description='"average" (cell averages, default) or "centre"; also for [exact] and [target]'
    )


class TargetTable(DensityTable):
    """Where a geodesic ends; rescaled to the mass of the start."""


class ExactTable(Table):
    """The exact solution, where it is known: adds error_l1, error_l2, error_linf to the output."""

    density: str = Field(description="a formula in x (and y), r = |(x, y)|, t and the params")


class FvTable(Table):
    """Structure-preserving finite volumes."""

    method: Literal["fv"]
    order: Literal[1, 2] = Field(default=2, description="order in time, 1 or 2")
    dt: StepSize = Field(default=None, description='step size, a number > 0 or "adaptive"; default span/200')
    tolerance: Positive = Field(default=1e-4, description="error per step over mass, for adaptive steps")
    first_dt: Positive | None = Field(default=None, description="first trial step of adaptive stepping")
    stationary: Positive | None = Field(default=None, description="stop when max|F| falls below this number")

    @model_validator(mode="after")
    def _first_dt_is_adaptive(self) -> FvTable:
        if self.first_dt is not None and self.dt != "adaptive":
            raise _fail('first_dt belongs to adaptive stepping; write dt = "adaptive" or remove it')
        return self


class JkoTable(Table):
    """The JKO scheme by Benamou–Brenier: ρ ↦ argmin ½W₂²(ρ, ·) + τE."""

    method: Literal["jko"]
    tau: Positive = Field(description="JKO step, a positive number")
    scheme: Literal["jko", "extrapolated"] = Field(
        default="jko", description='"jko" (order 1 in tau, default) or "extrapolated" (order 2)'
    )
    algorithm: Algorithm = Field(default="newton", description='"newton" or "pdhg"')
    inner_steps: InnerSteps = Field(default=1, description="inner steps of the transport, an integer ≥ 1 (pdhg only)")
    tolerance: Positive | None = Field(
        default=None, description="largest relative primal–dual gap; default 1e-8 (newton), 1e-4 (pdhg)"
    )
    max_iterations: Iterations = Field(default=None, description="an integer ≥ 1")
    congestion: Positive | None = Field(default=None, description="upper bound on the density (pdhg only)")
    stationary: Positive | None = Field(default=None, description="stop when max|F| falls below this number")

    @field_validator("tolerance")
    @classmethod
    def _reachable(cls, tolerance: float | None, info: ValidationInfo) -> float | None:
        return reachable(tolerance, info.data.get("algorithm", "newton"))

    @model_validator(mode="after")
    def _newton_takes_plain_steps(self) -> JkoTable:
        if self.algorithm == "newton" and self.inner_steps > 1:
            raise _fail(f'algorithm = "newton" takes inner_steps = 1, found {self.inner_steps}; "pdhg" takes more')
        if self.algorithm == "newton" and self.congestion is not None:
            raise _fail('algorithm = "newton" takes no congestion; write algorithm = "pdhg", or remove congestion')
        if self.scheme == "extrapolated" and self.congestion is not None:
            raise _fail(
                'scheme = "extrapolated" takes no congestion: the combination of its steps would exceed the bound; '
                'write scheme = "jko", or remove congestion'
            )
        return self


class GeodesicTable(Table):
    """The shortest path, in the Wasserstein distance, from [initial] to [target]; the time says how far along it."""

    method: Literal["geodesic"]
    inner_steps: InnerSteps = Field(default=16, description="steps of the path in 2D, an integer ≥ 1")
    tolerance: Positive = Field(default=1e-3, description="largest relative primal–dual gap, in 2D")
    max_iterations: Iterations = Field(default=None, description="an integer ≥ 1")

    @field_validator("tolerance")
    @classmethod
    def _reachable(cls, tolerance: float) -> float | None:
        return reachable(tolerance, "pdhg")


def reachable(tolerance: float | None, algorithm: str) -> float | None:
    """Refuse a gap that double precision cannot show, or that the algorithm cannot reach."""
    floor = TOLERANCE_FLOOR[algorithm]
    if tolerance is None or tolerance >= floor:
        return tolerance
    raise _fail(
        f'expected at least {floor:g}, found {tolerance:g}: double precision leaves algorithm = "{algorithm}" '
        "no smaller gap; enlarge it"
    )


class TimeTable(Table):
    """From start to end."""

    start: float = Field(default=0.0, description="a number, default 0")
    end: float = Field(description="a number larger than start")

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: float, info: ValidationInfo) -> float:
        start = info.data.get("start", -math.inf)
        if end <= start:
            raise _fail(f"expected a time after time.start = {start:g}, found {end:g}")
        return end


class OutputTable(Table):
    """When snapshots are written; start and end always are."""

    every: Positive | None = Field(default=None, description="time between snapshots, a positive number")
    times: list[float] | None = Field(default=None, description="increasing times within [start, end]")
    diagnostics: list[str] = Field(
        default=[], description='names of numbers to record beyond the usual ones, such as "w2_previous" in 2D'
    )
    precision: Literal["float64", "float32"] = Field(
        default="float64", description='of the densities in the file, "float64" (default) or "float32"'
    )
    compression: Literal["none", "gzip"] = Field(
        default="none", description='"gzip": the file is compressed once the run has ended; default "none"'
    )
    checkpoint: Positive = Field(default=300.0, description="seconds of wall clock between checkpoints")

    @model_validator(mode="after")
    def _at_most_one(self) -> OutputTable:
        if self.every is not None and self.times is not None:
            raise _fail("expected either every or times, found both; remove one")
        return self


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
            raise _fail(str(error).removeprefix("params: ").removeprefix("params.")) from error
        return params

    @model_validator(mode="after")
    def _target_of_a_geodesic(self) -> Case:
        method = self.solver.method
        if method == "geodesic" and self.target is None:
            raise _fail('target: missing: method = "geodesic" needs a table with one of density, file, samples')
        if method != "geodesic" and self.target is not None:
            raise _fail(f'target: only method = "geodesic" has one, found method = "{method}"; remove the table')
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


TABLES: dict[tuple[str, ...], type[Table]] = {
    (): Case,
    ("grid",): GridTable,
    ("energy",): EnergyTable,
    ("energy", "internal", "entropy"): Entropy,
    ("energy", "internal", "power"): Power,
    ("energy", "internal", "none"): NoInternal,
    ("initial",): InitialTable,
    ("target",): TargetTable,
    ("exact",): ExactTable,
    ("solver", "fv"): FvTable,
    ("solver", "jko"): JkoTable,
    ("solver", "geodesic"): GeodesicTable,
    ("time",): TimeTable,
    ("output",): OutputTable,
}
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
