"""The table [terminal]: what the end of a path costs, with the keys of [energy]."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import ConfigDict, model_validator

from ..base.case_table import Table, fail
from ..energy.laws import LAWS
from .sources.feature_tables import FeatureDataTable, FeatureTable
from .sources.file_tables import FILE, InteractionFile, PotentialFile
from .tables import EnergyTable


class TerminalTable(EnergyTable):
    """The cost G(ρ) of the density at the end of a game, as an energy: ∫U(ρ) + ∫Vρ + ½∬W(x−y)ρ(x)ρ(y)."""

    model_config = ConfigDict(json_schema_extra=lambda schema: _without(schema, TerminalTable.refused))
    refused: ClassVar[frozenset[str]] = frozenset({"tilt", "force", "lambda"})

    @model_validator(mode="before")
    @classmethod
    def _a_cost_alone(cls, data: Any) -> Any:
        for key in sorted(cls.refused):
            if isinstance(data, dict) and data.get(key) is not None:
                raise fail(f"{key}: of use only in [energy]: the cost of an end moves nothing; remove it")
        return data


def _without(schema: dict[str, Any], keys: frozenset[str]) -> None:
    for key in keys:
        schema["properties"].pop(key, None)


TERMINAL = "internal, potential, interaction or features, as [energy] has them"
"""What a case that needs one, or has one in vain, is told of it."""
ENERGIES = ("energy", "terminal")
"""Places of tables that have the keys of an energy."""


def parts_of(energy: str) -> dict[tuple[str, ...], type[Table]]:
    """The tables of the parts of an energy, [energy] or [terminal]."""
    return {
        **{(energy, "internal", kind): law.table for kind, law in LAWS.items()},
        (energy, "potential", FILE): PotentialFile,
        (energy, "interaction", FILE): InteractionFile,
        (energy, "features", "data"): FeatureDataTable,
        (energy, "features", "list"): FeatureTable,
    }
