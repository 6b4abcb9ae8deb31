"""The table [terminal]: what the end of a path costs, with the keys of [energy]."""

from __future__ import annotations

from pydantic import model_validator

from ..base.case_table import Table, fail
from ..energy.laws import LAWS
from .sources.feature_tables import FeatureDataTable, FeatureTable
from .sources.file_tables import FILE, InteractionFile, PotentialFile
from .tables import EnergyTable


class TerminalTable(EnergyTable):
    """The cost G(ρ) of the density at the end of a game, as an energy: ∫U(ρ) + ∫Vρ + ½∬W(x−y)ρ(x)ρ(y)."""

    @model_validator(mode="after")
    def _a_cost_alone(self) -> TerminalTable:
        for key, value in (("tilt", self.tilt), ("force", self.force), ("lambda", self.sobolev)):
            if value is not None:
                raise fail(f"{key}: of use only in [energy]: the cost of an end moves nothing; remove it")
        return self


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
