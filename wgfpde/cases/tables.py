"""The tables of a case file but the solver's: the problem, its times and its output.

Everything that can be said about a table alone is checked here, strictly: no unknown key, no text for a number, nothing
infinite.  Descriptions serve the JSON Schema, the messages and the reference alike.
"""

from __future__ import annotations

import difflib
import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from ..base.case_table import OneOf, Positive, Table, fail
from ..base.toml import show, to_value
from ..energy.laws import LAWS, law_named
from ..errors import CaseError
from ..grid.boundary import WALLS, boundary_of
from .feature_tables import FeaturesTable, text_of

Cells = Annotated[int, Field(ge=2)]
INITIAL_SOURCES = ("density", "file", "samples")
"""Keys of [initial], of which a case has exactly one; of [target] likewise."""


def _ends(value: object) -> object:
    """The name of a wall, or a pair of them where the ends differ, with one message for both (a union gives two)."""
    if isinstance(value, list) and len(value) != 2:
        raise fail(f"expected one name for both ends of an axis, or a pair, found {show(value)}")
    for name in value if isinstance(value, list) else [value]:
        if not isinstance(name, str) or name not in WALLS:
            near = difflib.get_close_matches(str(name), WALLS, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            raise fail(f"expected {' or '.join(to_value(wall) for wall in WALLS)}, found {show(name)}{hint}")
    try:
        return boundary_of(value).in_case  # type: ignore[arg-type]
    except CaseError as error:
        raise fail(str(error)) from error


_WALL = {"type": "string", "enum": list(WALLS)}
_PAIR = {"type": "array", "items": _WALL, "minItems": 2, "maxItems": 2}
Ends = Annotated[str | list[str], BeforeValidator(_ends), WithJsonSchema({"anyOf": [_WALL, _PAIR]})]


class GridTable(Table):
    """A tensor-product grid of one or two axes, x first."""

    shape: list[Cells] = Field(description="cells per axis, x first: [nx] or [nx, ny]")
    lower: list[float] = Field(description="lower bounds, one number per axis")
    upper: list[float] = Field(description="upper bounds, one number per axis")
    boundary: list[Ends] = Field(
        default=[],
        validate_default=True,
        description='"no-flux" (default) or "periodic", one per axis, or a pair of them for its two ends',
    )
    mapping: list[str] | None = Field(
        default=None, description="one formula in s per axis: an increasing map of [0, 1] onto [0, 1]"
    )

    @field_validator("shape")
    @classmethod
    def _one_or_two_axes(cls, shape: list[int]) -> list[int]:
        if len(shape) not in (1, 2):
            raise fail(f"a grid has one or two axes, found {len(shape)} entries; give [nx] or [nx, ny]")
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
            hint = f"; write [{to_value(values)}] for its two ends" if info.field_name == "boundary" else ""
            hint = hint if len(shape) == 1 and len(values) == 2 else ""
            raise fail(f"expected {wanted}, one per axis of grid.shape, found {len(values)}{hint}")
        if info.field_name == "upper":
            for k, (low, high) in enumerate(zip(info.data.get("lower", []), values, strict=False)):
                if high <= low:
                    raise fail(f"upper[{k}] must lie above lower[{k}]; found {high:g} and {low:g}")
        return values


InternalTable = Annotated[Any, OneOf("kind", lambda: [law.table for law in LAWS.values()])]


def _internals() -> str:
    """'{ kind = "entropy" }, { kind = "power", m = … } or { kind = "none" }'."""
    texts = []
    for kind, law in LAWS.items():
        keys = [key for key, info in law.table.model_fields.items() if info.is_required() and key != "kind"]
        texts.append(f"{{ {', '.join([f'kind = {kind!r}', *(f'{key} = …' for key in keys)])} }}".replace("'", '"'))
    return f"{', '.join(texts[:-1])} or {texts[-1]}"


class EnergyTable(Table):
    """E(ρ) = ∫U(ρ) + ∫Vρ + ½∬W(x−y)ρ(x)ρ(y) + ½Σ w_j (∫φ_j dρ − b_j)²."""

    internal: InternalTable = Field(description=_internals())
    potential: str | None = Field(default=None, description="V, a formula in x (and y), r = |(x, y)| and the params")
    interaction: str | None = Field(
        default=None, description="W, an even formula in the displacement x (and y) and r = |(x, y)|"
    )
    features: FeaturesTable | None = Field(
        default=None, description="{ formula = …, data = … }, or a list of { formula = …, target = …, weight = … }"
    )
    sobolev: Positive | None = Field(
        default=None,
        alias="lambda",
        description="a positive number λ with H ≤ (κ/2λ) I, where you know it better than V tells",
    )

    @property
    def features_text(self) -> str:
        """The formulas of the features, to be read; "" without."""
        return text_of(self.features)

    @model_validator(mode="after")
    def _not_zero(self) -> EnergyTable:
        law = law_named(self.internal.kind)
        plain = self.interaction is None and self.features is None
        if law.vanishes and self.potential is None and plain:
            raise fail("the energy is zero and nothing would move; give internal, potential, interaction or features")
        if self.sobolev is not None and not (law.linear_diffusion and plain):
            raise fail('lambda: of use only with { kind = "entropy" } and neither interaction nor features; remove it')
        return self


def _width(value: object) -> object:
    """Accept a positive number or "scott", with one message for both (a union would give two)."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or value == "scott" or (number and 0 < value < math.inf):  # type: ignore[operator]
        return value
    raise fail(f'expected a positive number or "scott", found {show(value)}')


_WIDTH = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "scott"}]}
Width = Annotated[float | Literal["scott"] | None, BeforeValidator(_width), WithJsonSchema(_WIDTH)]


class DensityTable(Table):
    """A density: exactly one of density, file, samples."""

    density: str | None = Field(default=None, description="a formula in x (and y), r = |(x, y)| and the params, ≥ 0")
    file: str | None = Field(default=None, description="a .npy array ordered (y, x), or an earlier run")
    samples: str | None = Field(
        default=None, description="a .csv file with one point per line; a header names its columns: x, y, weight"
    )

    bandwidth: Width = Field(
        default=None, description='of a Gaussian around each of the samples: a length, or "scott"; default: a histogram'
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> DensityTable:
        given = [name for name in INITIAL_SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) if given else "none of them"
            raise fail(f"expected exactly one of density, file, samples; found {found}")
        if self.bandwidth is not None and self.samples is None:
            raise fail(f"bandwidth: of use only with samples, found {given[0]}; remove it")
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


class TimeTable(Table):
    """From start to end."""

    start: float = Field(default=0.0, description="a number, the time of the initial density, default 0")
    end: float = Field(description="a number larger than start")

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: float, info: ValidationInfo) -> float:
        start = info.data.get("start", -math.inf)
        if end <= start:
            raise fail(f"expected a time after time.start = {start:g}, found {end:g}")
        return end


class OutputTable(Table):
    """When snapshots are written; start and end always are."""

    every: Positive | None = Field(default=None, description="time between snapshots, a positive number")
    times: list[float] | None = Field(
        default=None, description="increasing times within [start, end]; start and end need not be named"
    )
    diagnostics: list[str] = Field(
        default=[], description='names of numbers to record beyond the usual ones, such as "w2_previous"'
    )
    fields: list[str] | None = Field(
        default=None, description='fields to store beside rho, such as "phi" of JKO steps; default: those of the method'
    )
    precision: Literal["float64", "float32"] = Field(
        default="float64", description='of the densities in the file, "float64" (default) or "float32"'
    )
    compression: Literal["none", "gzip"] = Field(
        default="none", description='"gzip": the file is compressed once the run has ended; default "none"'
    )
    checkpoint: Positive = Field(default=60.0, description="seconds of wall clock between checkpoints")

    @model_validator(mode="after")
    def _at_most_one(self) -> OutputTable:
        if self.every is not None and self.times is not None:
            raise fail("expected either every or times, found both; remove one")
        return self
