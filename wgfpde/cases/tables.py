"""The tables of a case file but the solver's: the problem, its times and its output.

Everything that can be said about a table alone is checked here, strictly: no unknown key, no text for a number, nothing
infinite.  Descriptions serve the JSON Schema, the messages and the reference alike.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from ..base.case_table import FormulaText, OneOf, Positive, Table, fail
from ..base.toml import shortened, show, to_value
from ..base.unsupported import entries_instead, refused
from ..energy.laws import LAWS, law_named
from ..errors import CaseError
from ..grid.boundary import PLAIN, VALUED, boundary_of, wall_of
from .sources.feature_tables import FeaturesTable, text_of
from .sources.file_tables import (
    DensitySource,
    DiffusionFile,
    InteractionSource,
    PotentialSource,
    files_of,
    in_words,
    text_or,
)

Cells = Annotated[int, Field(ge=2)]
INITIAL_SOURCES = ("density", "file", "samples", "image")
"""Keys of [initial], of which a case has exactly one; of [target] likewise."""


def _ends(value: object) -> object:
    """A wall, a pair of them, or a table of both ends, as `Boundary.in_case`; one message for all, not one for each."""
    if isinstance(value, list) and len(value) == 1:
        raise fail(f"expected one wall for both ends of an axis, or a pair, found {show(value)}")
    try:
        return boundary_of(wall_of(value) if isinstance(value, str) else value).in_case  # type: ignore[arg-type]
    except CaseError as error:
        raise fail(str(error)) from error


_NAMED = {"type": "string", "enum": list(PLAIN)}
_OPEN = {
    "type": "object",
    "properties": {
        name: {"type": "number"} if name == "robin" else {"type": ["number", "string"]} for name in VALUED
    },
    "minProperties": 1, "maxProperties": 1, "additionalProperties": False,
}  # fmt: skip
_WALL: dict[str, Any] = {"anyOf": [_NAMED, _OPEN]}
_PAIR = {"type": "array", "items": _WALL, "minItems": 2, "maxItems": 2}
_SIDES = {"type": "object", "properties": {"lower": _WALL, "upper": _WALL}, "additionalProperties": False}
Ends = Annotated[Any, BeforeValidator(_ends), WithJsonSchema({"anyOf": [_NAMED, _OPEN, _PAIR, _SIDES]})]


def _sink(value: object) -> object:
    """A region as a formula, or a table with a rate."""
    if isinstance(value, dict) and set(value) == {"region"}:
        value = value["region"]
    if isinstance(value, dict) and set(value) == {"rate"}:
        rate = value["rate"]
        if isinstance(rate, int | float) and not isinstance(rate, bool):
            rate = to_value(rate)
        if isinstance(rate, str):
            return {"rate": rate}
    if isinstance(value, str):
        return value
    raise fail(f'expected a region, a formula such as "x > 1", or {{ rate = "…" }}, found {_shown(value)}')


def _shown(value: object) -> str:
    return shortened(to_value(value)) if isinstance(value, dict) else show(value)


_RATE = {"type": "object", "properties": {"rate": {"type": ["number", "string"]}}, "additionalProperties": False}
_REGION = {"type": "object", "properties": {"region": {"type": "string"}}, "additionalProperties": False}
SinkEntry = Annotated[Any, BeforeValidator(_sink), WithJsonSchema({"anyOf": [{"type": "string"}, _RATE, _REGION]})]


class GridTable(Table):
    """A tensor-product grid of one or two axes, x first."""

    shape: list[Cells] = Field(description="cells per axis, x first: [nx] or [nx, ny]")
    lower: list[float] = Field(description="lower bounds, one number per axis")
    upper: list[float] = Field(description="upper bounds, one number per axis")
    boundary: list[Ends] = Field(
        default=[],
        validate_default=True,
        description='"no-flux" (default), "periodic", "absorbing", { robin = K }, { density = "…" } or '
        '{ inflow = "…" }, one per axis, or { lower = …, upper = … }, or a pair, for its two ends',
    )
    mapping: list[str] | None = Field(
        default=None, description="one formula in s per axis: an increasing map of [0, 1] onto [0, 1]"
    )
    radial: Literal[2, 3] | None = Field(
        default=None, description="2 or 3: the one axis, x or r in formulas, is the radius in so many dimensions"
    )

    @field_validator("shape")
    @classmethod
    def _one_or_two_axes(cls, shape: list[int]) -> list[int]:
        if len(shape) not in (1, 2):
            found = f"found {len(shape)} entries; give [nx] or [nx, ny]{refused('dim', len(shape) > 2)}"
            raise fail(f"a grid has one or two axes, {found}")
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
            hint = entries_instead(str(info.field_name), len(shape), values)
            raise fail(f"expected {wanted}, one per axis of grid.shape, found {len(values)}{hint}")
        if info.field_name == "upper":
            for k, (low, high) in enumerate(zip(info.data.get("lower", []), values, strict=False)):
                if high <= low:
                    raise fail(f"upper[{k}] must lie above lower[{k}]; found {high:g} and {low:g}")
        return values


def _numbers(value: object) -> object:
    """A number or a list of numbers, with one message for both (a union would give two)."""
    entries = value if isinstance(value, list) else [value]
    if all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in entries) and entries:
        return value
    raise fail(f"expected a number, or a list of one number per axis, found {show(value)}")


Tilt = Annotated[float | list[float], BeforeValidator(_numbers)]
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
    potential: PotentialSource | None = Field(
        default=None,
        description='V, a formula in x (and y), r = |(x, y)|, t and the params, or a table: { file = "…" }',
    )
    interaction: InteractionSource | None = Field(
        default=None,
        description='W, an even formula in the displacement x (and y), r = |(x, y)| and t, or a table: { file = "…" }',
    )
    tilt: Tilt | None = Field(
        default=None,
        description="a constant force on a periodic axis, a number or one per axis; entropy only",
    )
    force: str | None = Field(
        default=None, description="a force on a periodic axis, a formula in x, t and the params; 1D, entropy only"
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

    @model_validator(mode="after")
    def _one_force(self) -> EnergyTable:
        if self.tilt is not None and self.force is not None:
            raise fail("expected either tilt, a constant force, or force, a formula, found both; remove one")
        law = law_named(self.internal.kind)
        for key, value in (("tilt", self.tilt), ("force", self.force)):
            if value is not None and not law.linear_diffusion:
                raise fail(
                    f'{key}: of use only with {{ kind = "entropy" }}, whose fluxes stay rates with it, found kind = '
                    f'"{self.internal.kind}"; remove it'
                )
            if value is not None and self.sobolev is not None:
                raise fail(f"lambda: of use only without {key}, under which no state is a Gibbs state; remove one")
        return self


def _formulas(value: object) -> object:
    """One formula, or a list of them, with one message for both (a union would give two)."""
    texts = value if isinstance(value, list) else [value]
    if texts and len(texts) <= 2 and all(isinstance(text, str) for text in texts):
        return value
    raise fail(f'expected a formula such as "1/(1 + x**2)", or one per axis as a list, found {show(value)}')


_FORMULA = {"type": "string"}
Formulas = Annotated[
    str | list[str],
    BeforeValidator(_formulas),
    WithJsonSchema({"anyOf": [_FORMULA, {"type": "array", "items": _FORMULA, "minItems": 1, "maxItems": 2}]}),
]


class DynamicsTable(Table):
    """How fast the flow goes: ∂tρ = ∇·(D ρ ∇ξ)."""

    diffusion: text_or(DiffusionFile, Formulas) = Field(  # type: ignore[valid-type]
        description="D > 0, a factor of the flux, a formula in x (and y), r and the params, one per axis as a list, or "
        'a table: { file = "…" }'
    )
    convention: Literal["kinetic", "stratonovich", "ito"] = Field(
        default="kinetic",
        description='what the noise √(2κD) means: "kinetic" (default; the gradient flow), "stratonovich" or "ito", '
        "which add ½κ ln D or κ ln D to V (entropy only)",
    )
    faces: Literal["value", "harmonic"] = Field(
        default="value", description='D on faces: its "value" there (default), or "harmonic" means of cells, for jumps'
    )


def _width(value: object) -> object:
    """Accept a positive number or "scott", with one message for both (a union would give two)."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or value == "scott" or (number and 0 < value < math.inf):  # type: ignore[operator]
        return value
    raise fail(f'expected a positive number or "scott", found {show(value)}')


_WIDTH = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "scott"}]}
Width = Annotated[float | Literal["scott"] | None, BeforeValidator(_width), WithJsonSchema(_WIDTH)]


class DensityTable(Table):
    """A density: exactly one of density, file, samples, image."""

    density: FormulaText | None = Field(
        default=None, description="a formula in x (and y), r = |(x, y)| and the params, ≥ 0"
    )
    file: DensitySource | None = Field(
        default=None,
        description='a .npy array ordered (y, x), an earlier run, a table, or one with options: { file = "…" }',
    )
    samples: str | None = Field(
        default=None, description="a .csv file with one point per line; a header names its columns: x, y, weight"
    )

    bandwidth: Width = Field(
        default=None, description='of a Gaussian around each of the samples: a length, or "scott"; default: a histogram'
    )
    image: str | None = Field(
        default=None, description="a picture laid over the grid: bright is much, row 0 is the top"
    )
    invert: bool | None = Field(default=None, description="true: dark is much in the image")

    @property
    def source(self) -> str:
        """What it comes from, in words."""
        return in_words(next(value for name in INITIAL_SOURCES if (value := getattr(self, name)) is not None))

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that it names."""
        given = (self.file, self.samples, self.image)
        return (*(Path(name) for name in given if isinstance(name, str)), *files_of(self.file))

    @model_validator(mode="after")
    def _exactly_one(self) -> DensityTable:
        given = [name for name in INITIAL_SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) if given else "none of them"
            raise fail(f"expected exactly one of density, file, samples, image; found {found}")
        if self.invert is not None and self.image is None:
            raise fail("invert: only an image can be inverted; remove it")
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

    density: FormulaText = Field(description="a formula in x (and y), r = |(x, y)|, t and the params")


class TimeTable(Table):
    """From start to end."""

    start: float = Field(default=0.0, description="a number, the time of the initial density, default 0")
    end: float = Field(description="a number larger than start")
    breakpoints: list[float] | None = Field(
        default=None, description="increasing times between start and end that steps land on, as where a formula jumps"
    )

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: float, info: ValidationInfo) -> float:
        start = info.data.get("start", -math.inf)
        if end <= start:
            raise fail(f"expected a time after time.start = {start:g}, found {end:g}")
        return end

    @field_validator("breakpoints")
    @classmethod
    def _in_between(cls, times: list[float] | None, info: ValidationInfo) -> list[float] | None:
        start, end = info.data.get("start", -math.inf), info.data.get("end", math.inf)
        for t in times or []:
            if not start < t < end:
                raise fail(f"expected times between start = {start:g} and end = {end:g}, found {t:.10g}; leave it out")
        for one, two in pairwise(times or []):
            if not one < two:
                raise fail(f"expected increasing times, found {one:.10g} before {two:.10g}; write them in order")
        return times


class OutputTable(Table):
    """When snapshots are written; start and end always are."""

    every: Positive | None = Field(default=None, description="time between snapshots, a positive number")
    times: list[float] | None = Field(
        default=None, description="increasing times within [start, end]; start and end need not be named"
    )
    diagnostics: list[str] = Field(
        default=[], description='names of numbers to record beyond the usual ones, such as "w2_previous"'
    )
    averages: dict[str, str] | None = Field(
        default=None,
        description='averages to record with every snapshot, ∫qρ/∫ρ: a name and a formula each, as { q = "x**2*y" }',
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
