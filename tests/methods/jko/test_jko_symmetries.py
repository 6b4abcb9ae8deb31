"""Which symmetries a JKO step has, for every law: mirrors, exchange of x and y, shifts on a torus, units of x, ρ and E.

The minimiser has all of them, and what is computed has them to the accuracy of its gap, though cells are relaxed one
after the other, in place.
"""

from dataclasses import replace

import numpy as np
import pytest
from wild import Wild, at_centres

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.methods.jko.stepper import Jko

KINDS = ("entropy", "none", 0.75, 1.5, 2.0, 3.0, 8.0)
TOLERANCE = 1e-9


def problem(kind, shape, rings):
    """A random problem of a law: V, data and size of the step, boundaries where they are not all rings."""
    rng = np.random.default_rng([KINDS.index(kind), *shape, rings])
    return Wild(
        kind, shape, tuple(rings or bool(rng.integers(2)) for _ in shape),
        (1.0,) * len(shape), (0.0, -1.0)[: len(shape)], (1.0, 1.5)[: len(shape)],
        potential=str(rng.choice(["none", "smooth", "noise", "steep"])), steepness=10.0 ** rng.uniform(-1, 0.7),
        data=str(rng.choice(["smooth", "random", "blocks", "dirac", "hump"])), dt=10.0 ** rng.uniform(-4, -1),
    )  # fmt: skip


def step(grid, internal, potential, rho, tau):
    """The density after a step, and what is reported of it."""
    energy = Energy(internal, None if potential is None else at_centres(np.ascontiguousarray(potential)))
    stepper = Jko(Flow(grid, energy), tau, tolerance=TOLERANCE, threads=1)
    state = stepper.step(Snapshot(0.0, 0, {"rho": np.ascontiguousarray(rho)}), tau)
    return state.rho, state.report


def assert_same(one, two, back=lambda z: z, factor=1.0):
    """Densities to 1e-6 of the mass, and minima to the gaps: each is at most its gap above the least value."""
    (a, first), (b, second) = one, two
    assert np.sum(np.abs(a - back(b))) <= 1e-6 * np.sum(np.abs(a))
    assert abs(factor * first.primal - second.primal) <= 4 * TOLERANCE * max(abs(second.primal), second.transport)


def moves(problem, rings):
    """Moves of arrays and the way back: shifts by some cells on rings, else mirrors of both axes."""
    if rings:
        return [(lambda z: np.roll(z, 4, -1), lambda z: np.roll(z, -4, -1))]
    return [(lambda z, k=k: np.flip(z, k), lambda z, k=k: np.flip(z, k)) for k in range(len(problem.shape))]


@pytest.mark.parametrize(("shape", "rings"), [((9,), False), ((12,), True), ((6, 7), False), ((6, 7), True)])
@pytest.mark.parametrize("kind", KINDS)
def test_moved_data_give_the_moved_step(kind, shape, rings):
    p = problem(kind, shape, rings)
    flow, rho = p.build()
    v, plain = flow.potential, step(flow.grid, flow.internal, flow.potential, rho, p.dt)
    for move, back in moves(p, rings):
        assert_same(plain, step(flow.grid, flow.internal, None if v is None else move(v), move(rho), p.dt), back)
    if len(shape) == 2 and not rings:
        turned = replace(p, shape=shape[::-1], periodic=p.periodic[::-1], lower=p.lower[::-1], length=p.length[::-1])
        assert_same(plain, step(turned.grid(), flow.internal, None if v is None else v.T, rho.T, p.dt), np.transpose)


@pytest.mark.parametrize("kind", KINDS)
def test_units_of_length_energy_and_mass(kind):
    """E by 2⁷ and τ by 2⁻⁷; x by 8 and τ by 64; ρ by 2¹⁰ with κ by 2^{−10(m−1)}."""
    p = problem(kind, (9,), False)
    flow, rho = p.build()
    law, v, grid = flow.internal, flow.potential, flow.grid
    plain = step(grid, law, v, rho, p.dt)
    stronger = Internal(law.kind, 128 * law.kappa, law.m)
    assert_same(plain, step(grid, stronger, None if v is None else 128 * v, rho, p.dt / 128))
    wide = replace(p, lower=tuple(8 * z for z in p.lower), length=tuple(8 * z for z in p.length)).grid()
    assert_same(plain, step(wide, law, v, rho, 64 * p.dt), factor=8.0 ** (1 + 2))
    m = kind if isinstance(kind, float) else 1.0
    heavy = step(grid, Internal(law.kind, law.kappa * 2.0 ** (-10 * (m - 1)), law.m), v, 1024 * rho, p.dt)
    if kind != "entropy":  # whose U(aρ) is aU(ρ) and a constant
        assert_same(plain, heavy, lambda z: z / 1024, 1024.0)
    else:
        assert np.sum(np.abs(1024 * plain[0] - heavy[0])) <= 1e-6 * np.sum(heavy[0])
