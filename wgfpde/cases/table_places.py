"""Every table of a case file by its place, and the JSON Schema: with the laws and methods that are registered now."""

from __future__ import annotations

from typing import Any

from ..base.case_table import Table
from ..energy.laws import LAWS
from ..methods import METHODS
from .schema import Case
from .sources.file_tables import FILE, DensityFile, DiffusionFile
from .tables.density_tables import ExactTable, InitialTable, TargetTable
from .tables.energy_tables import ENERGIES, DynamicsTable, EnergyTable, TerminalTable, parts_of
from .tables.grid_tables import GridTable
from .tables.time_tables import OutputTable, TimeTable


def tables_by_place() -> dict[tuple[str, ...], type[Table]]:
    """Every table by its place; the last part of a union's places is the tag of the member."""
    return {
        (): Case,
        ("grid",): GridTable,
        ("energy",): EnergyTable,
        ("dynamics",): DynamicsTable,
        ("dynamics", "diffusion", FILE): DiffusionFile,
        **parts_of("energy"),
        ("initial",): InitialTable,
        ("initial", "file", FILE): DensityFile,
        ("target", "file", FILE): DensityFile,
        ("target",): TargetTable,
        ("terminal",): TerminalTable,
        **parts_of("terminal"),
        ("exact",): ExactTable,
        **{("solver", name): method.table for name, method in METHODS.items()},
        **{("solver", name, key): table for name, method in METHODS.items() for key, table in _inner(method.table)},
        ("time",): TimeTable,
        ("output",): OutputTable,
    }


def _inner(table: type[Table]) -> list[tuple[str, type[Table]]]:
    """The keys of a table that are tables themselves."""
    fields = table.model_fields.items()
    return [(k, f.annotation) for k, f in fields if isinstance(f.annotation, type) and issubclass(f.annotation, Table)]


UNIONS = (
    ("solver",), ("dynamics", "diffusion"), ("initial", "file"), ("target", "file"),
    *((name, part) for name in ENERGIES for part in ("internal", "potential", "interaction", "features")),
)  # fmt: skip
"""Places of tables of which one is chosen; pydantic puts the tag of the chosen one after them."""


def _registered() -> list[type[Table]]:
    """The tables of all laws and methods."""
    return [law.table for law in LAWS.values()] + [method.table for method in METHODS.values()]


_members = _registered()


def validated(data: dict[str, Any]) -> Case:
    """A case of the laws and the methods that are registered now.  Raises pydantic's ValidationError."""
    _renew()
    return Case.model_validate(data)


def _renew() -> None:
    """Build the models anew where laws or methods came or went."""
    now = _registered()
    if now != _members:
        _members[:] = now
        for table in (EnergyTable, TerminalTable):
            table.model_rebuild(force=True)
        Case.model_rebuild(force=True)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a case file, with the laws and the methods that are registered now."""
    _renew()
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
