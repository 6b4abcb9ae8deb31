"""Orders in time as fitted slopes, and what the second-order scheme keeps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import Problem, logarithmic

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.methods.jko.certificate import MARGIN, limit
from wgfpde.methods.jko.extrapolation import extrapolate
from wgfpde.methods.jko.minimise import Minimiser
from wgfpde.methods.jko.stepper import Jko


def smooth(kind, dim=1, size=32, interaction=False):
    """Data bounded away from vacuum in a smooth potential: flow and ρ⁰."""
    internal = Internal("power", 0.5, kind) if isinstance(kind, float) else Internal(kind, 0.5)
    grid = Grid([-1.0] * dim, [1.0] * dim, [size, size // 2][:dim], [False, True][:dim])

    def well(x, y=0.0):
        return 0.6 * np.cos(np.pi * x) * (1 + 0.3 * np.cos(np.pi * y))

    def hill(x, y=0.0):
        return 1 + 0.3 * np.sin(np.pi * x / 2) + 0.2 * np.cos(np.pi * (y - 0.1))

    potential = (lambda x: well(x)) if dim == 1 else (lambda x, y: well(x, y))
    kernel = (lambda x: 0.2 * x**2) if interaction else None
    flow = Flow(grid, Energy(internal, potential, kernel))
    return flow, grid.average((lambda x: hill(x)) if dim == 1 else (lambda x, y: hill(x, y)))


def ornstein_uhlenbeck():
    grid = Grid([-5.0], [5.0], [64])
    flow = Flow(grid, Energy(Internal("entropy", 0.7), lambda x: x**2 / 2))
    return flow, grid.average(lambda x: np.exp(-((x - 0.6) ** 2)) / np.sqrt(np.pi))


def run(flow, rho, end, steps, scheme):
    stepper = Jko(flow, end / steps, scheme=scheme, tolerance=1e-12, threads=1)
    state = Snapshot(0.0, 0, {"rho": rho})
    while state.t < end:
        state = stepper.step(state, end)
        assert state.report.rejected == 0
    assert state.step == steps
    return state.rho


def time_slopes(flow, rho, end, schemes=("jko", "extrapolated"), counts=(8, 16, 32)):
    """Fitted orders against one fine run of the second-order scheme on the same grid."""
    finest = run(flow, rho, end, 3 * counts[-1], "extrapolated")
    slopes = []
    for scheme in schemes:
        errors = [flow.integral(np.abs(run(flow, rho, end, n, scheme) - finest)) for n in counts]
        slopes.append(-np.polyfit(np.log(counts), np.log(errors), 1)[0])
    return slopes


def test_orders_in_time_ornstein_uhlenbeck():
    first, second = time_slopes(*ornstein_uhlenbeck(), end=0.2)
    assert 0.9 <= first <= 1.1
    assert 1.9 <= second <= 2.3


@pytest.mark.parametrize("kind", ["entropy", 2.0, 1.5, 0.8])
def test_orders_in_time_of_smooth_solutions(kind):
    first, second = time_slopes(*smooth(kind, size=24), end=0.03)
    assert 0.9 <= first <= 1.1
    assert 1.85 <= second <= 2.3


def test_order_in_time_in_2d():
    (second,) = time_slopes(*smooth("entropy", 2, 12), 0.03, ("extrapolated",))
    assert 1.85 <= second <= 2.3


def test_orders_in_time_with_interaction():
    (second,) = time_slopes(*smooth("entropy", 1, 12, interaction=True), 0.02, ("extrapolated",), (4, 8, 16))
    assert 1.85 <= second <= 2.3


def test_a_second_order_step_is_made_of_three():
    """2ρ_{τ/2,τ/2} − ρ_τ where nothing needs repair; the work of all three, the gap of the worst."""
    flow, rho = smooth(2.0)
    first, tau = Snapshot(0.0, 0, {"rho": rho}), 0.01
    whole = Jko(flow, tau, tolerance=1e-12, threads=1).step(first, tau)
    half = Jko(flow, tau / 2, tolerance=1e-12, threads=1)
    middle = half.step(first, tau / 2)
    second = half.step(middle, tau)
    new = Jko(flow, tau, tolerance=1e-12, scheme="extrapolated", threads=1).step(first, tau)
    assert new.report.repaired == 0
    assert new.report.note == ""
    assert new.rho == pytest.approx(2 * second.rho - whole.rho, rel=1e-8, abs=0)
    assert new.report.gap <= 1e-12
    assert new.report.iterations > whole.report.iterations
    assert np.isnan(new.report.transport)


@settings(max_examples=40)
@given(
    kind=st.sampled_from(("entropy", 1.5, 2.0, 4.0, 0.8)),
    dim=st.sampled_from((1, 2)),
    potential=st.sampled_from(("none", "smooth")),
    data=st.sampled_from(("smooth", "blocks", "dirac", "random", "spread")),
    periodic=st.booleans(),
    tau=logarithmic(1e-6, 1.0),
    seed=st.integers(0, 10**6),
)
def test_mass_sign_and_energy_law(kind, dim, potential, data, periodic, tau, seed):
    """E(ρ¹) ≤ E(ρ⁰), also where the correction had to be limited or cut."""
    shape = (13, 6)[:dim]
    problem = Problem(kind, shape, (periodic,) * dim, (True,) * dim, potential=potential, data=data, dt=tau, seed=seed)
    flow, rho = problem.build()
    stepper, old = Jko(flow, tau, scheme="extrapolated", threads=1), Snapshot(0.0, 0, {"rho": rho})
    for k in (1, 2):
        new = stepper.step(old, k * tau)
        assert np.min(new.rho) >= 0
        assert flow.mass(new.rho) == pytest.approx(flow.mass(old.rho), rel=1e-14, abs=0)
        size = sum(abs(part) for part in flow.parts(old.rho))
        assert flow.value(new.rho) <= flow.value(old.rho) + 1e-13 * size
        assert new.report.gap <= 1e-8
        old = new


def test_a_correction_that_would_make_a_cell_negative_is_limited():
    """A block driven against a wall: 2ρ_{τ/2,τ/2} − ρ_τ is far below zero behind it."""
    grid = Grid([-1.0], [1.0], [16])
    flow = Flow(grid, Energy(Internal("power", 0.1, 2.0), lambda x: -4.0 * x))
    rho = grid.average(lambda x: np.where(np.abs(x) < 0.3, 1.0, 0.0))
    state = Snapshot(0.0, 0, {"rho": rho})
    whole = Jko(flow, 0.3, threads=1).step(state, 0.3).rho
    half = Jko(flow, 0.15, threads=1)
    plain = 2 * half.step(half.step(state, 0.15), 0.3).rho - whole
    new = Jko(flow, 0.3, scheme="extrapolated", threads=1).step(state, 0.3)
    assert np.min(plain) < -0.1
    assert new.report.repaired > 0
    assert np.min(new.rho) >= 0
    assert flow.mass(new.rho) == pytest.approx(flow.mass(rho), rel=1e-14, abs=0)


class Overshooting:
    """A minimiser whose whole step is far too long, so that the correction points away from the minimum."""

    def __init__(self, minimiser, tau):
        self.minimiser, self.tau = minimiser, tau

    def __getattr__(self, name):
        return getattr(self.minimiser, name)

    def solve(self, rho0, tau, warm):
        return self.minimiser.solve(rho0, 100 * tau if tau == self.tau else tau, warm)


@pytest.mark.parametrize("dim", [1, 2])
def test_a_correction_that_would_raise_the_energy_is_cut(dim):
    """Through the faces of both axes alike: the fluxes told are those that moved the mass."""
    flow, rho = smooth("entropy", dim, 32 if dim == 1 else 12)
    rho, tau = rho.reshape(-1, flow.grid.x.size), 0.01
    minimiser = Minimiser(flow, "newton", 1, 1e-10, None, None, 1)
    plain = extrapolate(minimiser, rho, tau, {})
    assert plain.note == ""
    step = extrapolate(Overshooting(minimiser, tau), rho, tau, {})
    assert "would have raised the energy" in step.note
    shape = flow.grid.shape
    assert flow.value(step.rho.reshape(shape)) <= flow.value(rho.reshape(shape))
    assert np.min(step.rho) >= 0
    assert flow.mass(step.rho.reshape(shape)) == pytest.approx(flow.mass(rho.reshape(shape)), rel=1e-14, abs=0)
    net = step.flux_x - np.roll(step.flux_x, 1, axis=1) + step.flux_y - np.roll(step.flux_y, 1, axis=0)
    assert step.rho == pytest.approx(rho - net / np.reshape(flow.grid.cell_volume, rho.shape), rel=1e-12, abs=0)
    first = minimiser.solve(rho, 0.5 * tau, {})
    second = minimiser.solve(first.rho, 0.5 * tau, first.fields)
    whole = Overshooting(minimiser, tau).solve(rho, tau, {"phi": first.fields["phi"] + second.fields["phi"]})
    full = [getattr(first, name) + getattr(second, name) - getattr(whole, name) for name in ("flux_x", "flux_y")]
    limit(second.rho, minimiser.stagger.volume, *full, np.zeros(rho.shape), MARGIN)
    part = [getattr(step, name) - getattr(first, name) - getattr(second, name) for name in ("flux_x", "flux_y")]
    cut = 0.5 ** round(np.log2(np.abs(full[0]).max() / np.abs(part[0]).max()))
    assert cut < 1
    for one, whole in zip(part, full, strict=True):
        assert one == pytest.approx(cut * whole, rel=0, abs=1e-9 * np.abs(full[0]).max())


def test_no_congestion_at_second_order():
    with pytest.raises(CaseError, match="does not keep a bound"):
        Jko(Flow(Grid([0.0], [1.0], [8]), Energy()), 0.1, algorithm="pdhg", congestion=2.0, scheme="extrapolated")
