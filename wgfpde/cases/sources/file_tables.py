"""Tables of a case file that name a table of data: where a formula may stand, `{ file = "…" }` may stand too.

potential = { file = "fes.dat", column = "file.free", scale = 4.184 }
interaction = { file = "w.csv" }
density = …, file = { file = "rho.csv", column = "p" }
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag, field_validator, model_validator

from ...base.case_table import Table, fail

if TYPE_CHECKING:
    from ...grid.tables.radial_table import RadialTable
    from ...grid.tables.tabulated import Tabulated

TEXT, FILE = "text", "file"
"""Tags of the two members of a union, which places of mistakes hold and the user did not write."""


class DataFile(Table):
    """A table in a file: text with columns (also PLUMED's grids), .npy, HDF5 or netCDF."""

    file: str = Field(
        description="a text file with columns, a .npy array, or an HDF5 or netCDF file; relative to the case"
    )
    column: str | None = Field(
        default=None,
        description="of a text file: the column of values, by name or number from 1; default: the only one",
    )
    dataset: str | None = Field(default=None, description="of HDF5 and netCDF: which dataset; default: the only one")
    interpolation: Literal["cubic", "pchip", "linear", "nearest"] = Field(
        default="cubic",
        description='"cubic" (default), "pchip", "linear" or "nearest"; all but the first make rates come out too fast',
    )
    scale: float = Field(default=1.0, description="a number that the values are multiplied by")

    @field_validator("scale")
    @classmethod
    def _not_zero(cls, scale: float) -> float:
        if scale == 0:
            raise fail("expected a number other than 0, found 0")
        return scale


class PlacedFile(DataFile):
    """A table in a file, over x (and y)."""

    lower: list[float] | None = Field(default=None, description="of a .npy array: lower bounds, x first")
    upper: list[float] | None = Field(default=None, description="of a .npy array: upper bounds, x first")
    points: Literal["centres", "ends"] = Field(
        default="centres",
        description='of a .npy array: values at the centres of equal cells between bounds, or at "ends" too',
    )

    @model_validator(mode="after")
    def _both_bounds(self) -> PlacedFile:
        if (self.lower is None) != (self.upper is None):
            missing = "upper" if self.upper is None else "lower"
            raise fail(f"{missing}: missing: a .npy array lies between lower and upper; give both, or neither")
        return self


class PotentialFile(PlacedFile):
    """V from a table."""

    missing: Literal["forbidden", "error"] = Field(
        default="forbidden",
        description='cells without a value (nan, inf, no row): "forbidden" (default), nothing enters, or "error"',
    )
    histogram: bool = Field(default=False, description="whether V = −κ ln of the values, a histogram; 0 is missing")


class DensityFile(PlacedFile):
    """A density from a table."""

    missing: Literal["empty", "error"] = Field(
        default="empty", description='cells without a value (nan, inf, no row): "empty" (default), or "error"'
    )
    interpolation: Literal["cubic", "pchip", "linear", "nearest"] = Field(
        default="linear", description='"linear" (default), "pchip", "nearest" or "cubic", which may leave the values'
    )


class DiffusionFile(PlacedFile):
    """D from a table, of all axes."""

    interpolation: Literal["cubic", "pchip", "linear", "nearest"] = Field(
        default="pchip", description='"pchip" (default; stays within the values), "linear", "nearest" or "cubic"'
    )
    missing: Literal["error", "nearest"] = Field(
        default="error", description='cells without a value: "error" (default), or the "nearest" value'
    )


class InteractionFile(DataFile):
    """W from a table of r and W(r), r ≥ 0; constant beyond the last r."""

    at_zero: Literal["refuse", "constant"] = Field(
        default="refuse", description='what W is below the first r > 0: "refuse" (default), or "constant"'
    )


def _member(value: object) -> str:
    return FILE if isinstance(value, dict | BaseModel) else TEXT


def text_or(table: type[Table], text: Any = str) -> Any:
    """The annotation of a key that holds a text or a table.   text : what stands for a text, for more than one."""
    return Annotated[
        Annotated[text, Tag(TEXT)] | Annotated[table, Tag(FILE)],
        Discriminator(_member),
    ]


PotentialSource = text_or(PotentialFile)
InteractionSource = text_or(InteractionFile)
DensitySource = text_or(DensityFile)


def in_words(source: Any) -> str:
    """A formula as it is, a table by its file: 'a table (fes.dat, cubic)'."""
    if source is None or isinstance(source, str):
        return source or ""
    column = f", {source.column}" if source.column else ""
    return f"a table ({Path(source.file).name}{column}, {source.interpolation})"


def files_of(*sources: Any) -> tuple[Path, ...]:
    """The files that sources name."""
    return tuple(Path(source.file) for source in sources if isinstance(source, DataFile))


def tabulated(source: PotentialFile | DensityFile | DiffusionFile, dim: int, kappa: float = 1.0) -> Tabulated:
    """The function of x (and y) that a table gives, not yet on a grid.   kappa : of histograms.

    Raises CaseError for what is no table.
    """
    from ...grid.tables.table import free_energy, scaled
    from ...grid.tables.tabulated import Tabulated
    from ...store.table_file import read_table

    bounds = None if source.lower is None or source.upper is None else (source.lower, source.upper)
    table = read_table(Path(source.file), dim, source.column, source.dataset, bounds, source.points)
    if isinstance(source, PotentialFile) and source.histogram:
        table = free_energy(table, kappa)
    if source.scale != 1.0:
        table = scaled(table, source.scale)
    return Tabulated(table, source.interpolation, source.missing, in_words(source))


def radial(source: InteractionFile) -> RadialTable:
    """W that a table of r and W(r) gives.  Raises CaseError for what is none."""
    from ...grid.tables.radial_table import RadialTable
    from ...grid.tables.table import scaled
    from ...store.table_file import read_table

    table = scaled(read_table(Path(source.file), 1, source.column, source.dataset, first=("r",)), source.scale)
    return RadialTable(table, source.interpolation, source.at_zero, in_words(source))
