"""Bounds that runs are held to, as plain values, read from their stored snapshots and steps.

    E(tₖ₊₁) ≤ E(tₖ) + ε'        between two snapshots, ε' being what rounding leaves of energies
    E(tₖ₊₁) ≤ E(tₖ) + W + ε'    where work W is done on the density in between

What every run promises is judged in `output.promises`; a method adds its own bounds from these parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..store import Run

ENERGY = "energy rise"
ENERGIES = ("energy", "energy_internal", "energy_potential", "energy_interaction")
RELATIVE = 1e-12
ENERGY_MEANING = "the largest rise of the energy between two snapshots; rounding is allowed"
DRIVEN_MEANING = "the largest rise of the energy beyond the work between two snapshots; rounding is allowed"
JARZYNSKI = 1e-10
"""Steps leave some ε each, and the exponentials of V/κ some ε V/κ."""


def bounded(name: str, meaning: str, measured: float, bound: float) -> dict[str, Any]:
    """measured ≤ bound.  Not a number is never kept."""
    return {
        "name": name, "meaning": meaning, "measured": float(measured), "sign": "≤", "bound": float(bound),
        "kept": bool(measured <= bound),
    }  # fmt: skip


def energy_rise(run: Run, first: int = 0) -> dict[str, Any]:
    """The largest rise of the energy, beyond the work that was done.   first : the snapshot to start from."""
    meaning = DRIVEN_MEANING if "work" in run.diagnostics else ENERGY_MEANING
    return largest_rise(ENERGY, meaning, energy_changes(run), run, first)


def energy_changes(run: Run) -> Any:
    """E(tₖ₊₁) − E(tₖ) less the work in between, (n−1,)."""
    changes = np.diff(run.diagnostics["energy"])
    return changes - np.diff(run.diagnostics["work"]) if "work" in run.diagnostics else changes


def first_law(run: Run) -> dict[str, Any]:
    """|E(t) − E(0) − (work − heat)|, of a run that records both, over the size of what is summed up."""
    d = run.diagnostics
    gap = np.abs(d["energy"] - d["energy"][0] - (d["work"] - d["heat"]))
    size = float(np.max(energy_sizes(run) + np.abs(d["work"]) + np.abs(d["heat"])))
    meaning = "the largest difference of energy and work less heat since the start, relative"
    return bounded("first law", meaning, np.max(gap) / size if size > 0 else 0.0, RELATIVE)


def jarzynski_defect(run: Run) -> list[dict[str, Any]]:
    """|⟨e^{−W/κ}⟩ e^{ΔF/κ} − 1|, of a run that recorded both and started in the Gibbs state."""
    d, kappa = run.diagnostics, run.number("kappa")
    if not {"jarzynski", "free_energy", "kl_gibbs"} <= set(d) or not d["kl_gibbs"][0] <= RELATIVE * d["mass"][0]:
        return []
    change = (d["free_energy"] - d["free_energy"][0]) / (kappa * d["mass"][0])
    meaning = "the largest relative difference of the mean of e^{−work/κ} and Z(t)/Z(0)"
    return [bounded("Jarzynski", meaning, np.max(np.abs(d["jarzynski"] * np.exp(change) - 1)), JARZYNSKI)]


def largest_rise(name: str, meaning: str, rises: Any, run: Run, first: int = 0) -> dict[str, Any]:
    """The largest of the rises (n−1,) between snapshots, which rounding may leave, beside that rounding.

    An energy may fall by many orders of magnitude: each rise is judged by the larger of the two sizes beside it, and
    the one that is furthest above its own rounding, or nearest below, is given.
    """
    sizes = energy_sizes(run)
    rounding = RELATIVE * np.maximum(sizes[:-1], sizes[1:])[first:]
    rises = np.asarray(rises)[first:]
    if not len(rises):
        return bounded(name, meaning, 0.0, RELATIVE * float(np.max(sizes)))
    worst = int(np.argmax(np.where(np.isnan(rises), np.inf, rises - rounding)))
    return bounded(name, meaning, rises[worst], rounding[worst])


def energy_sizes(run: Run) -> Any:
    """What the sums of energies are made of, (n,): their parts, and κM where U = κ(ρ ln ρ − ρ), whose terms cancel."""
    parts = [run.diagnostics[name] for name in (*ENERGIES, "work") if name in run.diagnostics]
    kappa = run.number("kappa", 0.0)
    loss = run.diagnostics.get("energy_features", np.zeros(1))  # steps sum its parts, which cancel as it falls
    return np.asarray(sum(np.abs(part) for part in parts)) + loss + loss[0] + kappa * run.diagnostics["mass"][0]


def duality_gap(largest: float, tolerance: float) -> dict[str, Any]:
    """The largest gap of the steps, where that is what the key `tolerance` of the method bounds."""
    meaning = "the largest relative primal–dual gap of a step: how far it is from its minimum at most"
    return bounded("duality gap", meaning, largest, tolerance)


def between_snapshots(run: Run, values: Any) -> Any:
    """Sums of the values of steps over those between each two snapshots, (n−1,)."""
    place = np.searchsorted(run.t[1:], run.steps["t"], side="left")
    return np.bincount(place, weights=values, minlength=len(run))[: len(run) - 1]
