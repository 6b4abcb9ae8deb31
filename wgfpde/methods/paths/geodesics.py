"""A march along the shortest path between two densities, in the Wasserstein distance."""

from __future__ import annotations

import numpy as np

from ...diagnostics.certificates import CHORD, Ends
from ...energy.flow import Flow
from ...energy.snapshot import Report, Snapshot
from ...grid import Array, Grid
from ...transport.shortest_path import INNER_STEPS, TOLERANCE, Path, solve


class Geodesic:
    """A march along a geodesic, as a stepper: from `start` at time t0 to `target` at t1, one step per output time.

    Preserves mass and ρ ≥ 0; the energy of the flow, recorded on the way, is convex in t wherever it is displacement
    convex (McCann 1997): each snapshot holds what the chord of every part of it hangs between.  Arguments otherwise as
    `geodesic`.   The report of each step holds ½W₂² of its ends.
    """

    def __init__(
        self,
        flow: Flow,
        start: Array,
        target: Array,
        t0: float,
        t1: float,
        inner_steps: int = INNER_STEPS,
        tolerance: float = TOLERANCE,
        max_iterations: int | None = None,
        threads: int | None = None,
    ) -> None:
        self._path = Path(flow.grid, start, target, inner_steps, tolerance, max_iterations, threads)
        self._ends = Ends.of(flow, self._path.a, self._path.b)
        self._t0, self._t1 = t0, t1

    def chord(self, t: float) -> Array:
        """The field of that name; at the start of a path that is not solved yet, without its length."""
        s = (t - self._t0) / (self._t1 - self._t0)
        return self._ends.chord(s, self._path.distance.w2 if s > 0 else 0.0)

    def warm_up(self) -> None:
        """Compile, or load, the kernels of both methods in 2D: one short path on a few cells, far enough for both."""
        if self._path.grid.dim == 2:
            small = Grid([0.0, 0.0], [1.0, 1.0], [24, 24], [axis.boundary for axis in self._path.grid.axes])
            start = 1.0 + np.where(np.arange(24) < 8, 9.0, 0.0)[:, None] + small.x.centers
            solve(small, start, start[::-1].copy(), 2, 1e-2, None, 1)

    def step(self, snapshot: Snapshot, t_next: float) -> Snapshot:
        """The density of the path at t_next."""
        first = snapshot.step == 0
        rho = self._path((t_next - self._t0) / (self._t1 - self._t0))
        found = self._path.distance
        share = (t_next - snapshot.t) / (self._t1 - self._t0)
        report = Report(
            iterations=found.iterations if first else 0, gap=found.gap, transport=0.5 * (share * found.w2) ** 2
        )
        fields = snapshot.fields | {"rho": rho, CHORD: self.chord(t_next)}
        return Snapshot(t_next, snapshot.step + 1, fields, t_next - snapshot.t, report=report)
