"""The shortest path between two densities of one mass, in the Wasserstein distance.

In 1D the law of (1 − s)F⁻¹ + sG⁻¹, exactly (module `line`).  In 2D the path of the Benamou–Brenier problem with
`inner_steps` steps in s, between its upper and lower bound,

    Σ_k Σ_σ w m_k²/(2θ(ρ)) /N  ≥  ½W₂²  ≥  ⟨b, φ(1)⟩ − ⟨a, φ(0)⟩,     N(ρ_k − ρ_{k−1}) + ∇·m_k = 0,  ∂s φ + ½|∇φ|² ≤ 0:

first by shooting (module `nearby`), which needs densities near each other; where its gap does not close, by a
first-order method that starts from what it found (module `pdhg`).  The distance of a path is that of the discrete
problem, of order 2 in h and in 1/inner_steps for smooth densities; `distances.distance` is of the densities themselves.

References: Benamou, Brenier (2000), DOI 10.1007/s002110050002; McCann (1997), DOI 10.1006/aima.1997.1634.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CaseError
from ..grid import Array, Grid
from ..grid.public_arguments import public
from ..linear.threads import default_threads
from .distances import Distance
from .line import Coupling
from .pairs import check_equal_cells, comparable

if TYPE_CHECKING:
    from .benamou_brenier.pdhg import PdhgResult

INNER_STEPS, TOLERANCE, MAX_ITERATIONS = 16, 1e-3, 20_000
"""Defaults in 2D: steps in s, relative gap of W₂² (smaller than the usual errors in h and s), iterations."""
USEFUL = 0.2
"""Largest gap of a path that starts the first-order method better than rest does."""


@public
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
    between its steps linear in s.   Raises CaseError for densities or masses that do not fit, for stretched
    axes in 2D and for times outside [0, 1]; SolverError where 2D does not converge: from there on, a little mass that
    crosses a vacuum or a tail that grows by orders of magnitude.
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
        self.a, self.b = comparable(grid, a, grid, b)
        check_equal_cells(grid)
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
        """W₂(a, b), in 2D of the discrete problem, with its bounds and the mismatch of its path."""
        if self.grid.dim == 1:
            return Distance.exact(self._coupling.w2)
        return Distance.exact(0.0) if self._rests else _found(self._result)

    @cached_property
    def _coupling(self) -> Coupling:
        x = self.grid.x
        return Coupling(x.edges, self.a * x.widths, x.edges, self.b * x.widths, x.ring == 1)

    @cached_property
    def _result(self) -> PdhgResult:
        return solve(self.grid, self.a, self.b, *self._options)


def _found(result: PdhgResult) -> Distance:
    lower, upper = (math.sqrt(2 * max(value, 0.0)) for value in (result.dual, result.primal))
    return Distance(upper, lower, upper, result.continuity, result.iterations)


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
