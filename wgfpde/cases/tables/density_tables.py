"""The tables of densities: [initial], [target] and [exact]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from ...base.case_table import FormulaText, Positive, Table, fail, positive_or
from ..sources.file_tables import DensitySource, files_of, in_words

INITIAL_SOURCES = ("density", "file", "samples", "image")
"""Keys of [initial], of which a case has exactly one; of [target] likewise."""


_WIDTH = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "scott"}]}
Width = Annotated[float | Literal["scott"] | None, BeforeValidator(positive_or("scott")), WithJsonSchema(_WIDTH)]


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
