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
    moments = np.zeros((*target.mass.shape, 8))
    share = _kept(arrivals(psi, source, target, periods), target.mass, *target.centres, moments)
    cost = kept_and_left(psi, source, target, periods, share, moments)
    return cost + float(coupled(moments)) + shapes(source, target)


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


@njit(cache=True, nogil=True)
def _kept(arrived, mass, x, y, moments):
    """Which share of what arrives each place keeps; the moments of what it then misses go to the last four."""
    share = np.empty(mass.shape)
    for j in range(mass.shape[0]):
        for i in range(mass.shape[1]):
            share[j, i] = mass[j, i] / arrived[j, i] if arrived[j, i] > mass[j, i] else 1.0
            missing = max(mass[j, i] - share[j, i] * arrived[j, i], 0.0)
            moments[j, i, 4], moments[j, i, 5], moments[j, i, 6] = missing, missing * x[j, i], missing * y[j, i]
            moments[j, i, 7] = missing * (x[j, i] * x[j, i] + y[j, i] * y[j, i])
    return share


@njit(cache=True, nogil=True)
def coupled(moments):
    """The cost of moving what is too much to where it is missing.   moments : (ny, nx, 8) of both, changed."""
    total, much, missing = 0.0, 0.0, 0.0
    for j in range(moments.shape[0]):
        for i in range(moments.shape[1]):
            much, missing = max(much, abs(moments[j, i, 3])), max(missing, abs(moments[j, i, 7]))
    while True:
        for down, across in ((0, 0), (1, 1), (0, 1), (1, 0)):
            total += _couple_blocks(moments, down, across)
        if moments.shape[0] <= 2 and moments.shape[1] <= 2:
            return total + ROUNDING * (much + missing)
        moments = _halved(moments)


@njit(cache=True, nogil=True)
def _halved(moments):
    """Sums over blocks of two by two."""
    ny, nx, _ = moments.shape
    sums = np.zeros(((ny + 1) // 2, (nx + 1) // 2, 8))
    for j in range(ny):
        for i in range(nx):
            for k in range(8):
                sums[j // 2, i // 2, k] += moments[j, i, k]
    return sums


@njit(cache=True, nogil=True)
def _couple_blocks(s, down, across):
    """Couples as much as possible within each block of two by two; takes it off s; returns its cost."""
    ny, nx, _ = s.shape
    total = 0.0
    t = np.empty(8)
    for j in range(-down, ny, 2):
        for i in range(-across, nx, 2):
            t[:] = 0.0
            for b in range(max(j, 0), min(j + 2, ny)):
                for a in range(max(i, 0), min(i + 2, nx)):
                    if s[b, a, 0] > 0.0 or s[b, a, 4] > 0.0:
                        for k in range(8):
                            t[k] += s[b, a, k]
            if t[0] <= 0.0 or t[4] <= 0.0:
                continue
            m = min(t[0], t[4])
            e, d = m / t[0], m / t[4]
            total += e * t[3] + d * t[7] - 2.0 * e * d * (t[1] * t[5] + t[2] * t[6]) / m
            for b in range(max(j, 0), min(j + 2, ny)):
                for a in range(max(i, 0), min(i + 2, nx)):
                    for k in range(4):
                        s[b, a, k] *= 1.0 - e
                        s[b, a, k + 4] *= 1.0 - d
    return total
