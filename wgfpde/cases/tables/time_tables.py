"""The tables [time] and [output]."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ...base.case_table import Positive, Table, fail


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
