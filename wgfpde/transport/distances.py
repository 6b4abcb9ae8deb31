"""Wasserstein distances and geodesics between two densities of equal mass on a grid.

    W₂²(a, b) = min ∫₀¹∫ |m|²/ρ    s.t.  ∂s ρ + ∇·m = 0,  ρ(0) = a,  ρ(1) = b;     mass M makes it M times as large

In 1D the densities are constant on cells, their distribution functions F, G piecewise linear, and with the quantiles

    W₂² = M ∫₀¹ |F⁻¹(u) − G⁻¹(u)|² du,      ρ_s is the law of (1 − s)F⁻¹ + sG⁻¹

is integrated exactly between the merged breakpoints, on any two grids.  On a circle of length L the quantiles go on as
F⁻¹(u + 1) = F⁻¹(u) + L, and W₂² is the minimum over the shift α of the convex ∫₀¹ |F⁻¹(u) − G⁻¹(u + α)|² du (module
`line`).

In 2D the Benamou–Brenier problem is solved with `inner_steps` steps in s, between an upper and a lower bound,

    Σ_k Σ_σ w m_k²/(2θ(ρ)) /N  ≥  ½W₂²  ≥  ⟨b, φ(1)⟩ − ⟨a, φ(0)⟩,     N(ρ_k − ρ_{k−1}) + ∇·m_k = 0,  ∂s φ + ½|∇φ|² ≤ 0:

first by shooting (module `nearby`), which needs densities near each other and knows their distance down to
rounding; where its gap does not close, by a first-order method that starts from what it found (module `pdhg`).

Measured with the defaults, Gaussians of width σ in a box of 12.5 σ on 64², 128², 256² cells and two cores:

    moved by 1e-9 … 0.01 σ    gap 1e-5 … 1e-8    0.01, 0.04, 0.15 s    error 4e-5, 3e-6, 1e-7 (of the box) + ¼ to ½ gap
             0.1, 0.3 σ       gap 1e-8, 2e-6     0.03, 0.1, 0.5 s
             1 σ              gap 5e-6           0.2, 0.5, 2.2 s
    scaled by 1.000001 … 1.1  gap 2e-7 … 1e-6    0.05, 0.2, 0.8 s      error 6e-3, 2e-3, 4e-4: order 2 in h
              2               gap 5e-4           0.8, 8, 42 s          error 7e-3, 2e-3, 8e-4: the first-order method

References: Villani (2003), Topics in Optimal Transportation, section 2.2; Benamou, Brenier (2000), DOI
10.1007/s002110050002; McCann (1997), DOI 10.1006/aima.1997.1634; Peyre (2018), DOI 10.1051/cocv/2017050.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CaseError
from ..grid import Array, Grid
from ..linear.threads import default_threads
from .line import Coupling

if TYPE_CHECKING:
    from .benamou_brenier.pdhg import PdhgResult

MASS_MISMATCH = 1e-6
"""Largest relative difference of the masses, what single precision leaves; below it the second density is rescaled."""
INNER_STEPS, TOLERANCE, MAX_ITERATIONS = 16, 1e-3, 20_000
"""Defaults in 2D: steps in s, relative gap of W₂² (smaller than the usual errors in h and s), iterations."""
USEFUL = 0.2
"""Largest gap of a path that starts the first-order method better than rest does."""


@dataclass(frozen=True)
class Distance:
    """w2 : the distance.   gap : relative primal–dual gap of W₂² for the discrete problem, 0 where it is exact (1D).

    mismatch : ‖ρ(1) − b‖₁/mass, how far the path found ends from b: by rounding, or, from the first-order method, by at
    most the tolerance times ‖b − a‖₁/mass, and W₂² is corrected for it to first order.
    iterations : of the first-order method, 0 in 1D; of conjugate gradients where it was not needed.
    """

    w2: float
    gap: float = 0.0
    mismatch: float = 0.0
    iterations: int = 0


def w2(grid: Grid, a: Array, b: Array, **options: object) -> float:
    """The distance alone; arguments as for `distance`."""
    return distance(grid, a, b, **options).w2  # type: ignore[arg-type]


def distance(
    grid: Grid,
    a: Array,
    b: Array,
    other: Grid | None = None,
    inner_steps: int = INNER_STEPS,
    tolerance: float = TOLERANCE,
    max_iterations: int | None = None,
    threads: int | None = None,
) -> Distance:
    """W₂ between two densities.

    a, b : cell averages, arrays of the grid's shape, ≥ 0, of one mass.   other : the grid of b, where it is not that of
    a (1D only).   inner_steps, tolerance : of the Benamou–Brenier problem, in 2D; fast mass gets more steps, up to 32.
    max_iterations : of the first-order method.

    1D: exact for the piecewise constant densities; W₂² is true to about 1e-16 L² M, so that W₂ near 0 is to 1e-8 L √M.
    2D: order 2 in h and in 1/inner_steps for smooth densities; the gap is ≤ `tolerance`, the mismatch ≤ that times
    ‖b − a‖₁/mass.  W₂² of the discrete problem is true to the gap; after the first-order method it was true to 0.3 % at
    1e-3 and 0.05 % at 1e-4 between densities wider than their distance.
    Raises CaseError for densities, masses or grids that do not fit, SolverError where 2D does not converge: from there
    on, a little mass that crosses a vacuum or a tail that grows by orders of magnitude.
    """
    b_grid = other or grid
    a, b = _comparable(grid, a, b_grid, b)
    if grid.dim == 1:
        return Distance(_coupling(grid, a, b_grid, b).w2)
    if np.array_equal(a, b):
        return Distance(0.0)
    return _found(solve(grid, a, b, inner_steps, tolerance, max_iterations, threads))


def geodesic(
    grid: Grid,
    a: Array,
    b: Array,
    times: Sequence[float] | Array,
    inner_steps: int = INNER_STEPS,
    tolerance: float = TOLERANCE,
    max_iterations: int | None = None,
    threads: int | None = None,
) -> Array:
    """The shortest path from a (s = 0) to b (s = 1) at the given times in [0, 1], array (times, *grid.shape).

    Preserves mass to rounding and ρ ≥ 0; s = 0 and 1 give a and b themselves (b rescaled to the mass of a).
    1D: displacement interpolation, exact, then averaged over cells.   2D: the path of the Benamou–Brenier problem,
    between its steps linear in s.   Raises as `distance`, and CaseError for times outside [0, 1].
    """
    path = Path(grid, a, b, inner_steps, tolerance, max_iterations, threads)
    return np.stack([path(float(s)) for s in times]) if len(times) else np.empty((0, *grid.shape))


class Path:
    """The geodesic from a to b as a function of s ∈ [0, 1]; solved when first asked for.  Arguments as `geodesic`."""

    def __init__(
        self,
        grid: Grid,
        a: Array,
        b: Array,
        inner_steps: int = INNER_STEPS,
        tolerance: float = TOLERANCE,
        max_iterations: int | None = None,
        threads: int | None = None,
    ) -> None:
        self.grid = grid
        self.a, self.b = _comparable(grid, a, grid, b)
        self._rests = np.array_equal(self.a, self.b)
        self._options = inner_steps, tolerance, max_iterations, threads

    def __call__(self, s: float) -> Array:
        """The density at s, array of the grid's shape."""
        if not 0 <= s <= 1:
            raise CaseError(f"a geodesic is asked for at times in [0, 1]; found {s:g}.")
        if s in (0, 1) or self._rests:
            return (self.b if s == 1 else self.a).copy()
        if self.grid.dim == 1:
            return self._coupling.deposit(s, self.grid.x.edges) / self.grid.x.widths
        path = self._result.path
        place = s * (len(path) - 1)
        k = min(int(place), len(path) - 2)
        return (1 - (place - k)) * path[k] + (place - k) * path[k + 1]

    @property
    def distance(self) -> Distance:
        """W₂(a, b)."""
        if self.grid.dim == 1:
            return Distance(self._coupling.w2)
        return Distance(0.0) if self._rests else _found(self._result)

    @cached_property
    def _coupling(self) -> Coupling:
        return _coupling(self.grid, self.a, self.grid, self.b)

    @cached_property
    def _result(self) -> PdhgResult:
        return solve(self.grid, self.a, self.b, *self._options)


def _comparable(a_grid: Grid, a: Array, b_grid: Grid, b: Array) -> tuple[Array, Array]:
    """Both densities as arrays, b of the mass of a.  Raises CaseError where they cannot be compared."""
    _check_grids(a_grid, b_grid)
    pair = []
    for name, grid, rho in (("first", a_grid, a), ("second", b_grid, b)):
        rho = np.asarray(rho, dtype=float)
        if rho.shape != grid.shape:
            raise CaseError(f"the {name} density must have the grid's shape {grid.shape}; found {rho.shape}.")
        if not np.all(rho >= 0) or not np.isfinite(np.sum(rho)):
            raise CaseError(f"the {name} density must be finite and ≥ 0 in every cell; check the data.")
        pair.append((rho, float(np.sum(np.sum(rho * grid.cell_volume, axis=-1)))))
    (a, a_mass), (b, b_mass) = pair
    if not (a_mass > 0 and b_mass > 0):
        raise CaseError(f"both densities need mass; found {a_mass:g} and {b_mass:g}.")
    if abs(a_mass - b_mass) > MASS_MISMATCH * max(a_mass, b_mass):
        raise CaseError(
            f"mass can only be moved between densities of one mass; found {a_mass:.10g} and {b_mass:.10g}. "
            "Rescale one of them, for example with initial.mass in its case."
        )
    return a, b * (a_mass / b_mass)


def _check_grids(a: Grid, b: Grid) -> None:
    if a.dim != b.dim:
        raise CaseError(f"the first density is {a.dim}D and the second {b.dim}D; compare densities of one dimension.")
    if a.dim == 2:
        if a != b:
            raise CaseError(f"in 2D both densities must be on one grid; found {a} and {b}. Run both on one grid.")
        for axis in a.axes:
            if not axis.uniform:
                raise CaseError(f"in 2D transport needs cells of one size; axis {axis.name} is stretched. Run without "
                                "grid.mapping.")  # fmt: skip
    elif a.x.ring != b.x.ring or (a.x.ring and (a.x.lower, a.x.upper) != (b.x.lower, b.x.upper)):
        raise CaseError(
            f"both densities must live on one line or on one circle; found {_kind(a)} and {_kind(b)}. "
            "Give both runs the same grid.boundary, and on a circle the same bounds."
        )


def _kind(grid: Grid) -> str:
    return f"{'the circle' if grid.x.ring else 'the line'} [{grid.x.lower:g}, {grid.x.upper:g}]"


def _coupling(a_grid: Grid, a: Array, b_grid: Grid, b: Array) -> Coupling:
    return Coupling(a_grid.x.edges, a * a_grid.x.widths, b_grid.x.edges, b * b_grid.x.widths, a_grid.x.ring == 1)


def _found(result: PdhgResult) -> Distance:
    return Distance(math.sqrt(2 * max(result.primal, 0.0)), result.gap, result.continuity, result.iterations)


def solve(
    grid: Grid, a: Array, b: Array, inner_steps: int, tolerance: float, max_iterations: int | None, threads: int | None
) -> PdhgResult:
    """The shortest path between two densities of one mass in the plane: by Newton's method, and where that is not found
    by the first-order method from there.  Raises CaseError for no inner step, SolverError where neither finds it."""
    from .benamou_brenier.nearby import solve_nearby
    from .benamou_brenier.pdhg import solve_transport

    if inner_steps < 1:
        raise CaseError(f"inner_steps must be at least 1; found {inner_steps}.")
    threads = threads or default_threads()
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    near = solve_nearby(grid, a, b, inner_steps, tolerance, threads)
    if near.gap <= tolerance:
        return near
    limit = MAX_ITERATIONS if max_iterations is None else max_iterations
    return solve_transport(grid, a, b, inner_steps, tolerance, limit, near if near.gap <= USEFUL else None, threads)
