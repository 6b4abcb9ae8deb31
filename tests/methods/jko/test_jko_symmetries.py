"""Which symmetries a JKO step has, for every law: mirrors, exchange of x and y, shifts on a torus, units of x, ρ and E.

The minimiser has all of them; what is computed has them to the accuracy of its gap.  Cells are relaxed one after the
other, in place, and none of it may be seen beyond that.
"""

from dataclasses import replace

import numpy as np
import pytest
from wild import Wild, at_centres

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.grid import Grid
from wgfpde.methods.jko.stepper import Jko

KINDS = ("entropy", "none", 0.75, 1.5, 2.0, 3.0, 8.0)
SHAPES = [(9,), (12,), (6, 7)]
TOLERANCE = 1e-9
MOVED = 1e-4


def problems(kind, shape, count, rings=False):
    """Random problems of a law: V, data, boundaries and sizes of steps."""
    rng = np.random.default_rng([KINDS.index(kind), *shape, rings])
    for seed in range(count):
        yield Wild(
            kind, shape, tuple(rings or bool(rng.integers(2)) for _ in shape),
            (1.0,) * len(shape), (0.0, -1.0)[: len(shape)], (1.0, 1.5)[: len(shape)],
            potential=rng.choice(["none", "smooth", "noise", "steep"]), steepness=10.0 ** rng.uniform(-1, 0.7),
            data=rng.choice(["smooth", "random", "blocks", "dirac", "hump"]), dt=10.0 ** rng.uniform(-4, -1), seed=seed,
        )  # fmt: skip


def step(grid, internal, potential, rho, tau):
    """The density after a step, and its value of W₂²/2τ + E with the size of the gap that it may be above the least."""
    energy = Energy(internal, None if potential is None else at_centres(np.ascontiguousarray(potential)))
    flow = Flow(grid, energy)
    state = Jko(flow, tau, tolerance=TOLERANCE, threads=1).step(
        Snapshot(0.0, 0, {"rho": np.ascontiguousarray(rho)}), tau
    )
    return state.rho, state.report


def apart(a, b):
    return np.sum(np.abs(a - b)) / np.sum(np.abs(a))
