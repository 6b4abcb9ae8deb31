"""What the gap of a step is relative to: what it moves, and what its energies are that do not depend on units.

    gap = (P − D)/scale,     scale = ½W₂² + τ∫p(ρ) + ∫|v − v̄|ρ + HIGH ∫(v − min v)ρ,     p = ρU' − U,  v = τ(V + W∗ρ)

with v̄ the mean of v over ρ.  All terms are ≥ 0; they and P − D scale alike with the units of length, mass and
energy, and no constant in V or W changes them.  |∫U| does not do: ∫ρ ln ρ depends on the unit of length, and is 0 in
one of them.  For the entropy ∫p = κM.

Of V only its spread over the mass counts.  The range of V does not do: a wall of 1e8 κ that holds no mass would let any
density pass.  How high the mass stands above the lowest place, reachable or not, counts by a thousandth: that keeps
the rounding of ∫vρ, 1e-16 of that height, below every gap that may be asked for, where mass stands on a plateau.

Where nothing moves and no energy varies the scale is that of moving all mass by STILL of a cell.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit
from ...energy.laws.by_code import pressure
from ...grid import Array
from .operators import Staggering

HIGH = 1e-3
STILL = 1e-6
"""Cells: moving the mass less far than this counts as not moving it; the scale of the gap is never smaller."""


def scale_of_gap(
    faces: Staggering, rho: Array, v: Array | None, law: tuple[int | None, float, float], transport: float
) -> float:
    """The scale for an end density rho (ny, nx) reached at a cost `transport` = ½W₂².

    v : (ny, nx) τ(V + W∗ρ), or None where the end is prescribed: nothing but transport counts then.
    law : code, τκ and m of the internal energy.
    """
    mass = float(np.sum(np.sum(faces.volume * rho, axis=-1)))
    least = STILL**2 * mass * faces.smallest**2
    if v is None or not mass > 0.0:
        return max(transport, least)
    rows = np.empty((2, len(rho)))
    _pressure_and_height(rho, v, *law, faces.volume, float(v.min()), rows)
    inner, height = (float(part) for part in rows.sum(axis=1))
    _spread(rho, v, float(v.min()) + height / mass, faces.volume, rows[0])
    return max(transport + inner + float(rows[0].sum()) + HIGH * height, least)


@njit(cache=True, nogil=True, error_model="numpy")
def _pressure_and_height(rho, v, code, c, m, volume, lowest, rows):
    """rows (2, ny): row sums of Σ vol p(ρ) and of Σ vol (v − lowest) ρ."""
    ny, nx = rho.shape
    for j in range(ny):
        first = second = 0.0
        for i in range(nx):
            first += volume[j, i] * pressure(rho[j, i], code, c, m)
            second += volume[j, i] * (v[j, i] - lowest) * rho[j, i]
        rows[0, j], rows[1, j] = first, second


@njit(cache=True, nogil=True, error_model="numpy")
def _spread(rho, v, mean, volume, rows):
    """rows (ny,): row sums of Σ vol |v − mean| ρ."""
    ny, nx = rho.shape
    for j in range(ny):
        total = 0.0
        for i in range(nx):
            total += volume[j, i] * abs(v[j, i] - mean) * rho[j, i]
        rows[j] = total
