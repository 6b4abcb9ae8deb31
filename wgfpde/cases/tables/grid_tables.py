"""The table [grid], with what the ends of its axes are, and the entries of [sinks]."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from ...base.case_table import Table, fail
from ...base.toml import shortened, show, to_value
from ...base.unsupported import entries_instead, refused
from ...errors import CaseError
from ...grid.boundary import PLAIN, VALUED, boundary_of, wall_of

Cells = Annotated[int, Field(ge=2)]


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
