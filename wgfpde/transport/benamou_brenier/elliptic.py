"""The weighted Poisson problem on the faces of the transport, θ the mean of a density.

    −∇·(θ∇ψ) = r,      ∫r = 0,      no flux through walls:       its θ∇ψ moves r at least cost Σ_σ w m²/(2θ)

by conjugate gradients with multigrid.  ψ is free up to a constant in every part of the domain that a vacuum encloses.
A cell term of 1e-12 of the smallest eigenvalue, in proportion to the density, settles it: what a part lacks of the
integral 0, by rounding, is lost where there is most mass, and is not carried through the vacuum to a corner.
"""

from __future__ import annotations

import numpy as np

from ...grid import Array, Grid
from ...linear.multigrid.solver import Multigrid
from .operators import Staggering

ANCHOR = 1e-12
"""The cell term, over θ/L²."""
ACCURACY, MOST = 1e-11, 100
"""Σ|residual| over Σ|r|; iterations of conjugate gradients."""


class Elliptic:
    """The problem for one density (ny, nx), on a 2D grid, with the mean of equal cells unless theta is given.

    theta : on faces, (2, ny, nx), by default the mean of the density on both sides.
    scale : w/d², broadcasts to faces (2, ny, nx); 0 at walls.   g : θ w/d².
    """

    def __init__(self, grid: Grid, faces: Staggering, rho: Array, theta: Array | None = None) -> None:
        along = [np.where(a > 0, axis.distances, 0.0) for a, axis in zip((faces.ax, faces.ay), grid.axes, strict=True)]
        held = faces.hy[:, None] * along[0], along[1][:, None] * faces.hx  # w
        self.scale = np.stack([held[0] * faces.ax**2, held[1] * faces.ay[:, None] ** 2])
        self.g = (means(rho) if theta is None else theta) * self.scale
        self._volume, self._weights = faces.volume, faces.volume * rho / np.sum(faces.volume * rho)
        self._multigrid, zero = Multigrid(grid), faces.zeros()
        anchor = ANCHOR / sum(axis.length**2 for axis in grid.axes) * faces.volume * rho
        self._multigrid.setup(anchor, self.g[0], self.g[1], zero, zero)

    def solve(self, r: Array) -> tuple[Array, int]:
        """(ψ, iterations).  What r lacks of the integral 0 is spread over the density."""
        f = r * self._volume
        f -= f.sum() * self._weights
        psi, iterations, _ = self._multigrid.solve(f, ACCURACY, MOST, total=True)
        return psi, iterations


def means(rho: Array) -> Array:
    """θ on faces, (2, ny, nx), for cells of one size."""
    return np.stack([0.5 * (rho + np.roll(rho, -1, axis=1)), 0.5 * (rho + np.roll(rho, -1, axis=0))])


def rises(phi: Array) -> Array:
    """φ_upper − φ_lower on faces, (2, ny, nx)."""
    return np.stack([np.roll(phi, -1, axis=1) - phi, np.roll(phi, -1, axis=0) - phi])
