"""The account of a driven march: work and heat of its steps, summed up beside the density.

    first law     E(t) − E(0) = W − Q
    work          what changing V, W and κ at a frozen density adds:  W = E_after(ρ) − E_before(ρ)
                  (and what a force adds along the fluxes, ∫∫ f F)
    heat          what relaxing at frozen V, W and κ takes:           Q = E(ρ) − E(ρ') ≥ 0

Differences are formed cell by cell, so that a small change of a large energy keeps its digits, and sums over steps
carry what rounding leaves (Kahan).  The account travels in the snapshots, also into a checkpoint.

Reference: Sekimoto (1998), DOI 10.1143/PTPS.130.17; Kahan (1965), DOI 10.1145/363707.363723.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...grid import Array
from ..flow import Flow
from ..snapshot import Snapshot

ACCOUNT = "account"
"""Field of a snapshot: (2, 2), the sums of work and of heat, each with what rounding left of it."""
WORK, HEAT = 0, 1


def work_between(before: Flow, after: Flow, rho: Array) -> float:
    """E_after(ρ) − E_before(ρ), of one density of the grid's shape."""
    total = 0.0
    if after.potential is not before.potential:
        total += after.integral((_values(after) - _values(before)) * rho)
    if after.interaction is not before.interaction:
        assert after.interaction is not None and before.interaction is not None
        total += 0.5 * after.integral(rho * (after.interaction.apply(rho) - before.interaction.apply(rho)))
    if after.internal != before.internal:
        total += after.integral(after.internal.density(rho) - before.internal.density(rho))
    return total


def heat_between(flow: Flow, before: Array, after: Array) -> float:
    """E(ρ) − E(ρ') of a frozen flow, of two densities of the grid's shape."""
    lost = flow.internal.density(before) - flow.internal.density(after)
    change = before - after
    if flow.potential is not None:
        lost = lost + flow.potential * change
    if flow.interaction is not None:  # ½⟨ρ, Wρ⟩ − ½⟨ρ', Wρ'⟩, W being symmetric
        lost = lost + 0.5 * flow.interaction.apply(before + after) * change
    return flow.integral(lost)


def opened() -> dict[str, Array]:
    """The fields of a start."""
    return {ACCOUNT: np.zeros((2, 2))}


def entered(fields: Mapping[str, Array], work: float, heat: float) -> dict[str, Array]:
    """The account after a step, from the fields of the snapshot before."""
    account = np.array(fields.get(ACCOUNT, np.zeros((2, 2))))
    for row, value in ((WORK, work), (HEAT, heat)):
        total, carry = account[row]
        value = value + carry
        account[row] = total + value, value - ((total + value) - total)
    return {ACCOUNT: account}


def account_of(snapshot: Snapshot) -> tuple[float, float]:
    """Work and heat since the start; NaN where the snapshot keeps no account."""
    account = snapshot.fields.get(ACCOUNT)
    return (np.nan, np.nan) if account is None else (float(account[WORK, 0]), float(account[HEAT, 0]))


def _values(flow: Flow) -> Array:
    return np.zeros(flow.grid.shape) if flow.potential is None else flow.potential
