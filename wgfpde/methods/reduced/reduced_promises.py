"""What runs of few numbers promise beyond their mass, as plain values.

Gaussians     E(m, S) never rises, from snapshot to snapshot and within steps; every covariance is positive
Accelerated   ½∫ρ|v|² + E never rises, and loses to the last digit what friction takes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bounds_on_runs import bounded

if TYPE_CHECKING:
    from ...store import Run

ROUNDING = 1e-12
"""What rounding may leave, relative to the sizes of the energies."""


def gaussian_promises(run: Run, solver: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The energy of the Gaussians themselves: that of the cells has the error of the grid."""
    energy, within = run.diagnostics["gaussian_energy"], run.steps["gaussian_rise"]
    rise = max(float(np.max(np.diff(energy), initial=0.0)), float(np.max(within, initial=0.0)))
    meaning = "the largest rise of the energy of the Gaussians, between snapshots or within a step"
    least = float(np.min(run.diagnostics["least_variance"]))
    spread = bounded("covariance", "the smallest variance of a component in any direction", least, 0.0)
    return [
        bounded("energy rise", meaning, rise, ROUNDING * _size(run, np.abs(energy))),
        spread | {"sign": "≥", "kept": bool(least > 0.0)},
    ]


def accelerated_promises(run: Run, solver: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The total energy and its account."""
    total = run.diagnostics["total_energy"]
    bound = ROUNDING * _size(run, np.abs(total) + run.diagnostics["kinetic_energy"])
    rise = float(np.max(np.diff(total), initial=0.0))
    account = float(np.max(np.abs(run.steps["energy_account"]), initial=0.0))
    return [
        bounded("total energy", "the largest rise of the kinetic energy and E between two snapshots", rise, bound),
        bounded("account", "the largest |change of the total energy + loss to friction| of a step", account, bound),
    ]


def _size(run: Run, more: Any) -> float:
    """What the energies are made of, at its largest."""
    parts = sum(np.abs(run.diagnostics[f"energy_{name}"]) for name in ("internal", "potential", "interaction"))
    return float(np.max(parts + more + run.diagnostics["mass"]))
