"""Bounds that runs are held to, as plain values, read from their stored snapshots and steps.

    E(tₖ₊₁) ≤ E(tₖ) + ε' + slack        between two snapshots, ε' being what rounding leaves of energies

What every run promises is judged in `output.promises`; a method adds its own bounds from these parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..store import Run

ENERGY = "energy rise"
ENERGY_MEANING = "the largest rise of the energy between two snapshots; rounding and the steps' gaps are allowed"


def bounded(name: str, meaning: str, measured: float, bound: float) -> dict[str, Any]:
    """measured ≤ bound.  Not a number is never kept."""
    return {
        "name": name, "meaning": meaning, "measured": float(measured), "sign": "≤", "bound": float(bound),
        "kept": bool(measured <= bound),
    }  # fmt: skip


def energy_rise(run: Run, first: int = 0, slack: Any = 0.0) -> dict[str, Any]:
    """The largest rise of the energy beyond its slack.   first : the snapshot to start from."""
    return largest_rise(ENERGY, ENERGY_MEANING, np.diff(run.diagnostics["energy"]), slack, run, first)


def largest_rise(name: str, meaning: str, rises: Any, slack: Any, run: Run, first: int = 0) -> dict[str, Any]:
    """The rise that exceeds its slack most, or comes closest to it.   rises : (n−1,) between snapshots."""
    energy = run.diagnostics["energy"]
    rounding = 1e-12 * (np.max(np.abs(energy)) + run.diagnostics["mass"][0])
    rises, slack = rises[first:], np.broadcast_to(slack, np.shape(rises))[first:]
    if not len(rises):
        return bounded(name, meaning, 0.0, rounding)
    k = int(np.argmax(rises - slack))
    return bounded(name, meaning, rises[k], rounding + slack[k])


def duality_gap(largest: float, tolerance: float) -> dict[str, Any]:
    """The largest gap of the steps, where that is what the key `tolerance` of the method bounds."""
    meaning = "the largest relative primal–dual gap of a step: how far it is from its minimum at most"
    return bounded("duality gap", meaning, largest, tolerance)


def between_snapshots(run: Run, values: Any) -> Any:
    """Sums of the values of steps over those between each two snapshots, (n−1,)."""
    place = np.searchsorted(run.t[1:], run.steps["t"], side="left")
    return np.bincount(place, weights=values, minlength=len(run))[: len(run) - 1]
