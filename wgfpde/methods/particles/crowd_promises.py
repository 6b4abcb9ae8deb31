"""What runs of particles promise beyond their mass, as plain values.

Langevin      particles in the box; by Metropolis' rule the law keeps its Gibbs state, and E never rises
Stein         particles in the box; of the density E never rises, and loses by a positive form
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bounds_on_runs import bounded, energy_rise

if TYPE_CHECKING:
    from ...store import Run

OUTSIDE, LEAK = "outside box", "Gibbs moves"
GIBBS_MOVES = 1e-13
"""By how much of the mass a step of the adjusted law may move its Gibbs state: rounding."""
LEAK_ATTRIBUTE = "gibbs_moves"
"""Attribute of the file of an adjusted law: what a step does to the Gibbs state."""


def langevin_promises(run: Run, solver: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Particles in the box; of the adjusted law, a Gibbs state that stays and an energy that never rises."""
    found = []
    if "position" in run.fields:
        found.append(bounded(OUTSIDE, "how far a particle lies outside the box", _outside(run), 0.0))
    if solver.get("adjust") and solver.get("particles") is None:
        found.append(energy_rise(run))
    if LEAK_ATTRIBUTE in run.attributes:
        meaning = "by how much of its mass a step moves the Gibbs state"
        found.append(bounded(LEAK, meaning, run.number(LEAK_ATTRIBUTE), GIBBS_MOVES))
    return found


def _outside(run: Run) -> float:
    worst = 0.0
    for places in run.fields["position"]:
        for k, edges in enumerate(run.edges):
            beyond = np.maximum(edges[0] - places[:, k], places[:, k] - edges[-1])
            worst = max(worst, float(np.max(np.where(np.isnan(beyond), np.inf, beyond))))
    return worst


def svgd_promises(run: Run, solver: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A density: E never rises, and what it loses is a positive form.   Particles: they stay in the box."""
    if "position" in run.fields:
        return [bounded(OUTSIDE, "how far a particle lies outside the box", _outside(run), 0.0)]
    if solver.get("particles") is not None:
        return []
    lost = run.steps["stein_discrepancy"]
    meaning = "how far the Stein discrepancy of a step lies below 0, over the largest"
    below = max(0.0, -np.min(lost)) / np.max(np.abs(lost)) if np.any(lost) else 0.0
    return [energy_rise(run), bounded("discrepancy", meaning, below, 1e-12)]
