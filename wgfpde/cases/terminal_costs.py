"""The table [terminal]: what the end of a path costs, with the keys of [energy]."""

from __future__ import annotations

from pydantic import model_validator

from ..base.case_table import fail
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
