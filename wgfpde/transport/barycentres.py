"""Barycentres of densities on a line: the density nearest to several in the mean of squared distances.

    argmin_ν Σ_k λ_k W₂²(μ_k, ν):      F_ν⁻¹ = Σ_k λ_k F_k⁻¹

Quantile functions are averaged, not densities: the barycentre of two humps is one between them.  Of piecewise constant
densities quantiles are linear between the levels of all, so that the average is exact, and is given back as cell
averages.

Reference: Agueh, Carlier (2011), DOI 10.1137/100805741.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import CaseError
from ..grid import Array, Grid
from ..grid.public_arguments import public
from .line import _ends, levels_of
from .pairs import check_masses, checked


@public
def barycentre(grid: Grid, densities: Sequence[Array], weights: Sequence[float] | None = None) -> Array:
    """The Wasserstein barycentre of densities on one line.

    Parameters
    ----------
    grid
        A line without a ring; of cells of any size.
    densities
        Cell averages, (n,) each, of one mass.
    weights
        Numbers ≥ 0, not all 0, one per density; equal by default.  Their sum does not matter.

    Returns
    -------
    Array
        Cell averages, (n,), of the same mass, ≥ 0.

    Raises
    ------
    CaseError
        For a plane or a ring, where quantiles do not tell a barycentre, and for what are no densities of one mass.
    """
    if grid.dim != 1 or grid.x.ring:
        raise CaseError("a barycentre by quantiles is one of densities on a line; found a plane, or a periodic axis.")
    known = [checked(f"density {k}", grid, rho) for k, rho in enumerate(densities, start=1)]
    if not known:
        raise CaseError("a barycentre needs at least one density.")
    share = np.ones(len(known)) if weights is None else np.asarray(weights, dtype=float)
    if share.shape != (len(known),) or not np.all(share >= 0) or not 0 < np.sum(share) < np.inf:
        raise CaseError(f"{len(known)} densities take as many finite weights ≥ 0, not all 0; found {share.tolist()}.")
    mass = known[0][1]
    if not mass > 0:
        raise CaseError("a barycentre is one of densities that hold mass; found none in the first.")
    for _, other in known[1:]:
        check_masses(mass, other)
    edges, origin = grid.x.edges - grid.x.lower, grid.x.lower
    levels = [levels_of(rho * grid.x.widths) for rho, _ in known]
    u = np.unique(np.concatenate(levels))
    ends = sum(part * _ends(edges, level, u) for part, level in zip(share / np.sum(share), levels, strict=True))
    x = np.maximum.accumulate(np.ravel(ends))
    below = np.interp(grid.x.edges - origin, x, np.ravel(np.stack([u[:-1], u[1:]], axis=1)))
    below[0], below[-1] = 0.0, 1.0
    return np.asarray(mass * np.diff(np.maximum.accumulate(below)) / grid.x.widths)
