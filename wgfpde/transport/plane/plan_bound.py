"""An upper bound of W₂² between two measures: the cost of a plan that has both of them as its marginals, exactly.

A potential sends the bundles of one measure to the places of the other (module `parcels`); no place keeps more than it
should have.  What is too much in some places and missing in others is coupled block by block, from blocks of two by two
cells, in four positions each, to the whole raster: in a block, everything that is too much is shared among everything
that is missing.  Of such a product coupling the cost follows from masses, means and second moments alone,

    Σ_ij e_i d_j |C_i − C'_j|²/Σd = Σ e|C|² + Σ d|C'|² − 2 (Σ e C)·(Σ d C')/Σd,       Σe = Σd,

so that it takes O(cells).  Reference: Altschuler, Weed, Rigollet (2017), arXiv 1705.09634, for the rounding of a plan.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array
from .measures import Bundles, Periods
from .parcels import arrivals, kept_and_left

ROUNDING = 1e-15


def plan_cost(psi: Array, source: Bundles, target: Bundles, periods: Periods) -> float:
    """An upper bound of W₂².   psi : at the places of the source, (ny, nx).   periods : as for `CTransform`."""
    arrived = arrivals(psi, source, target, periods)
    share = np.minimum(1.0, target.mass / np.where(arrived > 0, arrived, 1.0))
    cost, left = kept_and_left(psi, source, target, periods, share)
    missing = np.maximum(target.mass - share * arrived, 0.0)
    x, y = target.centres
    moments = np.stack([*left, missing, missing * x, missing * y, missing * (x * x + y * y)])
    cost += coupled(moments)
    return cost + shapes(source, target)


def shapes(source: Bundles, target: Bundles) -> float:
    """What any plan between bundles costs at most besides the way between their centres."""
    widths = sum(
        _widths(source.sigmas[k], target.sigmas[k], np.sum(source.mass, axis=k), np.sum(target.mass, axis=k))
        for k in range(2)
    )
    return widths + source.variance + target.variance


def _widths(a: Array, b: Array, mass_a: Array, mass_b: Array) -> float:
    """At most Σ (σ − σ')² of any plan along one axis: what two bundles may differ by, exactly 0 for equal cells."""
    held_a, held_b = a[mass_a > 0], b[mass_b > 0]
    return float(max(held_a.max() - held_b.min(), held_b.max() - held_a.min())) ** 2


def coupled(moments: Array) -> float:
    """The cost of moving what is too much to where it is missing.   moments : (8, ny, nx), changed."""
    total = 0.0
    box = float(np.max(np.abs(moments[3])) + np.max(np.abs(moments[7])))
    while True:
        for down, across in ((0, 0), (1, 1), (0, 1), (1, 0)):
            total += couple_blocks(moments, down, across)
        if moments.shape[1] <= 2 and moments.shape[2] <= 2:
            return total + ROUNDING * box
        moments = _halved(moments)


def _halved(moments: Array) -> Array:
    """Sums over blocks of two by two."""
    _, ny, nx = moments.shape
    wide = np.zeros((8, 2 * ((ny + 1) // 2), 2 * ((nx + 1) // 2)))
    wide[:, :ny, :nx] = moments
    wide = wide[:, ::2] + wide[:, 1::2]
    return np.ascontiguousarray(wide[:, :, ::2] + wide[:, :, 1::2])


@njit(cache=True, nogil=True)
def couple_blocks(s, down, across):
    """Couples as much as possible within each block of two by two; takes it off s; returns its cost."""
    _, ny, nx = s.shape
    total = 0.0
    t = np.empty(8)
    for j in range(-down, ny, 2):
        for i in range(-across, nx, 2):
            t[:] = 0.0
            for b in range(max(j, 0), min(j + 2, ny)):
                for a in range(max(i, 0), min(i + 2, nx)):
                    if s[0, b, a] > 0.0 or s[4, b, a] > 0.0:
                        for k in range(8):
                            t[k] += s[k, b, a]
            if t[0] <= 0.0 or t[4] <= 0.0:
                continue
            m = min(t[0], t[4])
            e, d = m / t[0], m / t[4]
            total += e * t[3] + d * t[7] - 2.0 * e * d * (t[1] * t[5] + t[2] * t[6]) / m
            for b in range(max(j, 0), min(j + 2, ny)):
                for a in range(max(i, 0), min(i + 2, nx)):
                    for k in range(4):
                        s[k, b, a] *= 1.0 - e
                        s[k + 4, b, a] *= 1.0 - d
    return total
