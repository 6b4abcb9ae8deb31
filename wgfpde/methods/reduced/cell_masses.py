"""Gaussians on cells, and the Gaussians that a density on cells is like.

    ρ_i = (1/h_i) ∫_{cell i} N(m, S),     in 2D  ∫ N(x; m_x, S_xx) [Φ(b(x)) − Φ(a(x))] dx,  a, b: y-edges given x

In 1D by differences of Φ, in 2D by nodes of Gauss and Legendre along x, weighed so that every column has the mass that
Φ says.  What lies outside the box is put into the outermost cells: the sum over all is 1 to rounding.
Preserves: mass, sign.  The error in 2D is 1e-9 of the density and below for cells up to a deviation wide.
"""

from __future__ import annotations

import numpy as np

from ...errors import CaseError
from ...grid import Array, Axis, Grid

LEGENDRE = 6
MOST = 64
"""Nodes in a cell that is narrower than a third of the deviation, and at most."""


def mixture_on_cells(grid: Grid, mean: Array, cov: Array) -> Array:
    """Σ_k N(m_k, S_k) as cell averages, array of the grid's shape."""
    each = _line if grid.dim == 1 else _plane
    total = sum((each(grid, m, s) for m, s in zip(mean, cov, strict=True)), start=np.zeros(grid.shape))
    return np.asarray(total / grid.cell_volume)


def outside(grid: Grid, mean: Array, cov: Array) -> Array:
    """(K,) what of each lies outside the box, summed over the axes."""
    from scipy.special import ndtr

    total = np.zeros(len(mean))
    for k, axis in enumerate(grid.axes):
        width = np.sqrt(cov[:, k, k])
        total += ndtr((axis.lower - mean[:, k]) / width) + ndtr((mean[:, k] - axis.upper) / width)
    return total


def _line(grid: Grid, mean: Array, cov: Array) -> Array:
    return between(_scaled(grid.x, float(mean[0]), float(np.sqrt(cov[0, 0]))))


def _plane(grid: Grid, mean: Array, cov: Array) -> Array:
    """Columns of cells: their mass, spread along y as the conditional Gaussians at nodes in x have it."""
    wide, slope = float(np.sqrt(cov[0, 0])), float(cov[0, 1] / cov[0, 0])
    narrow = float(np.sqrt(cov[1, 1] - slope * cov[0, 1]))
    columns = between(_scaled(grid.x, float(mean[0]), wide))
    count = min(MOST, LEGENDRE + int(np.ceil(3 * np.max(grid.x.widths) / wide)))
    nodes, weights = np.polynomial.legendre.leggauss(count)
    x = grid.x.centers[:, None] + 0.5 * grid.x.widths[:, None] * nodes  # (nx, q)
    log = -0.5 * ((x - mean[0]) / wide) ** 2
    part = weights * np.exp(log - np.max(log, axis=1, keepdims=True))
    part *= (columns / np.sum(part, axis=1))[:, None]
    found = np.zeros(grid.shape)
    for q in range(count):
        middle = mean[1] + slope * (x[:, q] - mean[0])
        edges = (grid.y.edges[:, None] - middle) / narrow  # (ny+1, nx)
        edges[0], edges[-1] = -np.inf, np.inf
        found += part[:, q] * between(edges)
    return found


def _scaled(axis: Axis, mean: float, width: float) -> Array:
    """Edges in deviations from the mean; the first and the last take the tails."""
    edges = (axis.edges - mean) / width
    edges[0], edges[-1] = -np.inf, np.inf
    return np.asarray(edges)


def between(edges: Array) -> Array:
    """Φ(b) − Φ(a) of neighbours along the first axis, to relative rounding in both tails."""
    from scipy.special import ndtr

    a, b = edges[:-1], edges[1:]
    return np.where(a > 0, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))


# ---- the start ---------------------------------------------------------------------------------------------------


def moments(grid: Grid, rho: Array, count: int) -> tuple[Array, Array]:
    """Means (K, d) and covariances (K, d, d) of a density, or of its parts of equal mass along its longest direction.

    Sums over values at cell centres: of smooth densities on equal cells better than any power of h.
    Raises CaseError where a part lies within a cell, so that it has no covariance.
    """
    places = np.stack([np.broadcast_to(c, grid.shape).ravel() for c in grid.coordinates().values()], axis=1)
    mass = np.ravel(rho * grid.cell_volume)
    whole = _moments(places, mass)
    if count == 1:
        found = [whole]
    else:
        along = places @ np.linalg.eigh(whole[1])[1][:, -1]
        order = np.argsort(along, kind="stable")
        level = np.append(0.0, np.cumsum(mass[order])) / np.sum(mass)
        found = []
        for k in range(count):
            cut = np.clip(level, k / count, (k + 1) / count)
            found.append(_moments(places[order], np.diff(cut)))
    mean, cov = (np.array(part) for part in zip(*found, strict=True))
    least = np.array([min(axis.widths) for axis in grid.axes]) ** 2
    if np.any(np.linalg.eigvalsh(cov) <= 1e-6 * np.min(least)):
        raise CaseError(
            f"the density at the start, in {count} part{'s' * (count > 1)}, is too narrow for its covariance to be "
            "told on these cells; give solver.means and solver.variances, or finer cells"
        )
    return mean, cov


def _moments(places: Array, mass: Array) -> tuple[Array, Array]:
    share = mass / np.sum(mass)
    mean = share @ places
    return mean, np.einsum("n,na,nb->ab", share, places - mean, places - mean)
