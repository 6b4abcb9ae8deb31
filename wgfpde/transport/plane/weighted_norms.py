"""Bounds of W₂² between two densities nearer to each other than lattices can tell: as good at 1e-9 of a cell as at one.

**Above.**  Along a path ρ_s = (1 − g(s))a + g(s)b any flux m with ∇·m = a − b serves, at the cost

    W₂² ≤ ∫ |m|²/Λ,     1/Λ = ∫₀¹ g'²/ρ_s ds = (ln b − ln a)/(b − a)      for g = s,
                                             = ½π²/(√a + √b)²            for g = sin²(½πs),

the first exact for neighbours, the second a quarter too much there but finite where only one of them vanishes.
Fluxes through faces, linear in between, have the divergence of cell averages exactly, and the integral over a cell is
(p² + pq + q²)/3 for the values p, q at two opposite faces.  m = Λ∇u with −∇·(Λ∇u) = b − a, Λ harmonic on faces.

**Below.**  For any Lipschitz φ = su, u bilinear between corners, the minimum in φ^c(x) = min_y ½|x − y|² − φ(y) lies
within r = 2s sup|∇u| of x, so that φ^c ≥ −φ − ½s²G², G the largest |∇u| within r, and for a and b of one mass

    W₂² ≥ 2s ∫u (b − a) − s² ∫ G² a,      the best s, at most 1.

In a cell |∇u| changes by at most r|∂ₓ∂ᵧu| within r; what lies within r of its sides counts with the largest slope of
the cells around.  Both bounds are exact up to terms of relative order |D²u| and h² for smooth densities.

Reference: Peyre (2018), DOI 10.1051/cocv/2017050, compares W₂ with such weighted norms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter

from ...grid import Array, Axis, Grid
from ..benamou_brenier.elliptic import Elliptic, rises
from ..benamou_brenier.operators import Staggering
from .interpolation import Interpolation

FLOOR = 1e-3
"""Density added for the potential, in units of the mean: what has next to no mass shall have no steep potential."""
CLOSE, TIGHT = 0.5, 0.1
"""Gaps up to which densities count as near each other, and up to which these bounds are all that is needed."""
CORRECTIONS = 3
"""Solves for the flux: each leaves 1e-11 of what the one before left."""
ROUNDING, MEET = 1e-14, 1e-9
"""Of sums over cells, relative to their terms; relative, of a lower bound above the upper one that it meets."""
SINE = math.pi**2 / 8
"""What the second path costs too much between densities that are all but equal."""


@dataclass(frozen=True)
class Near:
    """Of W₂²: bounds, and the value to which the upper one tends between densities that are all but equal."""

    lower: float
    value: float
    upper: float

    @property
    def close(self) -> bool:
        """Whether the bounds say that the two are near each other."""
        return self.lower >= (1 - CLOSE) * self.upper

    @property
    def tight(self) -> bool:
        return self.lower >= (1 - TIGHT) * self.upper


def uncrossed(lower: float, upper: float) -> float:
    """The lower bound, 0 where it is above the upper one by more than rounding.

    An upper bound is the cost of a plan or of a flux that is there, and what it misses of the marginals is in it.  A
    lower one holds only if an inequality does for all pairs of places.  Where they contradict each other that one goes.
    """
    return min(lower, upper) if lower <= (1 + MEET) * upper else 0.0


def near_bounds(grid: Grid, a: Array, b: Array, *, known: float = 0.0) -> Near:
    """Bounds of W₂², of mass 1, that hold for any two densities; 0 and inf where they say nothing.

    grid : 2D, stretched or not.   a, b : (ny, nx) ≥ 0 of mass 1, different, constant on its cells.   known : a lower
    bound; where this one is so far below that the two are not `close`, it is all there is, with NaN for the value.
    """
    faces = Staggering(grid)
    lower = _below(grid, faces, a, b)
    if lower < (1 - CLOSE) * known:
        return Near(lower, math.nan, math.inf)
    means = log_mean(a, b), 2 / math.pi**2 * (np.sqrt(a) + np.sqrt(b)) ** 2
    (straight, upper), (sine, other) = (_above(grid, faces, a, b, mean) for mean in means)
    upper = min(upper, other)
    lower = uncrossed(lower, upper)
    return Near(lower, max(min(straight, sine / SINE), lower), upper)


def _above(grid: Grid, faces: Staggering, a: Array, b: Array, mean: Array) -> tuple[float, float]:
    """The cost of the best flux found for one Λ, (ny, nx), and with what rounding left of its divergence."""
    if np.any((mean == 0) & (a != b)):
        return math.inf, math.inf
    problem = Elliptic(grid, faces, mean, _harmonic(mean))
    moved, cell = _moved(faces, a, b), faces.volume
    flux, r = np.zeros((2, *grid.shape)), moved
    for _ in range(CORRECTIONS):
        psi, _ = problem.solve(r)
        flux += problem.g * rises(psi)
        r = moved + _outflow(flux) / cell
    areas = faces.hy[:, None], faces.hx
    cost = sum(_squares(flux[k], np.roll(flux[k], 1, axis=1 - k)) / areas[k] ** 2 for k in (0, 1))
    with np.errstate(over="ignore"):
        spent = float(np.sum(cell * np.divide(cost, mean, out=np.zeros_like(cost), where=cost > 0)))
    diagonal = sum(axis.length**2 for axis in grid.axes)
    missed = 0.5 * float(np.sum(cell * np.abs(r)))
    return spent, (math.sqrt(spent) + math.sqrt(diagonal * missed)) ** 2


def _moved(faces: Staggering, a: Array, b: Array) -> Array:
    """b − a for one mass, also below the rounding of theirs."""
    moved, cell = b - a, faces.volume
    return np.asarray(moved - np.sum(cell * moved) * b / np.sum(cell * b))


def _harmonic(mean: Array) -> Array:
    """On faces, (2, ny, nx): 0 beside a cell where it is 0, so that no flux enters there."""
    after = np.stack([np.roll(mean, -1, axis=1), np.roll(mean, -1, axis=0)])
    low, high = np.minimum(mean, after), np.maximum(mean, after)
    return 2 * low / (1 + np.divide(low, high, out=np.zeros_like(low), where=high > 0))


def log_mean(a: Array, b: Array) -> Array:
    """(b − a)/(ln b − ln a), a where they are equal, 0 where one is 0; without cancellation."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = (high - low) / low
        mean = np.where(rise > 0, (high - low) / np.log1p(rise), low)
    return np.where(low > 0, mean, 0.0)


def _outflow(flux: Array) -> Array:
    return (flux[0] - np.roll(flux[0], 1, axis=1)) + (flux[1] - np.roll(flux[1], 1, axis=0))


def _squares(p: Array, q: Array) -> Array:
    """The mean of a squared function that is linear between p and q."""
    return (p * p + p * q + q * q) / 3


def _below(grid: Grid, faces: Staggering, a: Array, b: Array) -> float:
    """The bound of one potential, that of the first flux with a little density added.

    It holds for the numbers u, however they were found: only what the sum for ∫u(b − a) is rounded by is taken off.
    """
    u, steep = steepness(grid, faces, a, b)
    each = faces.volume * _moved(faces, a, b) * means_of_corners(u)
    rounding = ROUNDING * float(np.max(np.abs(u))) * float(np.sum(faces.volume * np.abs(b - a)))
    raised = max(float(np.sum(each)) - rounding, 0.0)
    cost = float(np.sum(faces.volume * a * steep))
    return raised * (raised / cost) if raised < cost else 2 * raised - cost


def means_of_corners(u: Array) -> Array:
    return np.asarray(0.25 * (u[1:, 1:] + u[1:, :-1] + u[:-1, 1:] + u[:-1, :-1]))


def steepness(grid: Grid, faces: Staggering, a: Array, b: Array) -> tuple[Array, Array]:
    """A potential u between the two at corners, (ny+1, nx+1), and the mean of G² over each cell, (ny, nx).

    u has the mean 0, so that its rounding is one of its changes, and goes round circles to the bit.
    For x in the cell and any y: ½|x − y|² − u(y) ≥ −u(x) − ½G²(x), and as much for every su, s ≤ 1, with s²G².
    """
    mean = log_mean(a, b)
    psi, _ = Elliptic(grid, faces, mean + FLOOR / grid.volume).solve(b - a)
    u = _at_corners(grid, psi)
    u -= np.mean(u)
    if grid.x.ring:
        u[:, -1] = u[:, 0]
    if grid.y.ring:
        u[-1] = u[0]
    h = faces.hx, faces.hy[:, None]
    slopes = [np.diff(u, axis=1 - k) / h[k] for k in (0, 1)]  # (ny+1, nx), on horizontal sides, and (ny, nx+1)
    sides = [(s[:-1], s[1:]) if k == 0 else (s[:, :-1], s[:, 1:]) for k, s in enumerate(slopes)]
    steepest = [np.maximum(p**2, q**2) for p, q in sides]
    flattest = [np.where(p * q > 0, np.minimum(p**2, q**2), 0.0) for p, q in sides]
    r = 2 * math.sqrt(float(np.max(steepest[0] + steepest[1])))
    twist = [r * np.abs(q - p) / h[1 - k] for k, (p, q) in enumerate(sides)]
    own = sum(_squares(*side) + 2 * t * np.sqrt(_squares(*side)) + t * t for side, t in zip(sides, twist, strict=True))
    reach = [_cells_within(axis, r) for axis in grid.axes]
    modes = ["wrap" if axis.ring else "nearest" for axis in grid.axes]
    most = maximum_filter(steepest[0] + steepest[1], [2 * n + 1 for n in reach[::-1]], mode=modes[::-1])
    inside = np.maximum(1 - 2 * r / h[0], 0.0) * np.maximum(1 - 2 * r / h[1], 0.0)
    near_sides = (1 - inside) * np.maximum(most - (flattest[0] + flattest[1]), 0.0)
    return u, np.minimum(own + near_sides, most)


def _at_corners(grid: Grid, psi: Array) -> Array:
    """From centres to corners: cubic between equal cells, linear between others."""
    if grid.uniform:
        return Interpolation(grid, (grid.x.edges, grid.y.edges))(psi)
    for k, axis in enumerate(grid.axes):
        values = psi if k == 0 else psi.T
        first, last = (values[:, -1:], values[:, :1]) if axis.ring else (values[:, :1], values[:, -1:])
        h = np.concatenate([axis.widths[-1:], axis.widths, axis.widths[:1]])
        wide, share = np.hstack([first, values, last]), h[:-1] / (h[:-1] + h[1:])
        values = (1 - share) * wide[:, :-1] + share * wide[:, 1:]
        psi = values if k == 0 else values.T
    return np.ascontiguousarray(psi)


def _cells_within(axis: Axis, r: float) -> int:
    """How many cells next to any cell of an axis come within r of it, to one side."""
    turns = (-1, 0, 1) if axis.ring else (0,)
    edges = np.concatenate([(axis.edges if k == turns[-1] else axis.edges[:-1]) + k * axis.length for k in turns])
    own = np.arange(axis.size) + (axis.size if axis.ring else 0)
    before = own + 1 - np.searchsorted(edges, axis.edges[:-1] - r, side="right")
    after = np.searchsorted(edges, axis.edges[1:] + r, side="left") - 1 - own
    return min(int(max(before.max(), after.max())), axis.size)
