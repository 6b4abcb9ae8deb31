"""Hunts for a broken promise of distances, spectra and stationary states, far beyond everyday numbers."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from strategies import logarithmic
from wild_steps import KERNELS, start, steps

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.errors import SolverError
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
from wgfpde.studies.spectrum import spectrum
from wgfpde.studies.stationary import branches
from wgfpde.transport import geodesic, w2
from wgfpde.transport.line import Coupling

pytestmark = pytest.mark.nightly
HUNT = settings(settings.get_profile("hunt"))


# --------------------------------------------------------------------------------------------- distances on lines


@st.composite
def lines(draw):
    """(grid, three densities of one mass)."""
    n, stretch = draw(st.sampled_from((2, 3, 4, 8, 17, 33))), draw(st.sampled_from((0.0, 1.0, 5.0)))
    length, lower = draw(logarithmic(1e-3, 1e3)), draw(st.sampled_from((0.0, -1.0, 1e3)))
    maps = [(lambda s: np.expm1(stretch * s) / np.expm1(stretch)) if stretch else None]
    grid = Grid([lower], [lower + length], [n], draw(st.booleans()), maps)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mass, found = draw(logarithmic(1e-10, 1e10)), []
    for _ in range(3):
        rho = draw(
            st.sampled_from(
                (
                    rng.random(n),
                    np.where(rng.random(n) < 0.4, 1.0, 0.0),
                    np.eye(n)[n // 2],
                    10 ** rng.uniform(-300, 0, n),
                )
            )
        )
        rho = rho if rho.any() else np.eye(n)[0]
        found.append(rho * (mass / np.sum(rho * grid.x.widths)))
    return grid, mass, found


@HUNT
@given(case=lines(), turn=st.integers(1, 30))
def test_distances_in_1d(case, turn):
    grid, mass, (a, b, c) = case
    length, h = grid.x.length, grid.x.widths
    noise = 3e-8 * length * np.sqrt(mass)  # W₂² is known to 1e-16
    ab, bc, ca = w2(grid, a, b), w2(grid, b, c), w2(grid, c, a)
    assert w2(grid, a, a) <= noise and abs(w2(grid, b, a) - ab) <= noise + 1e-9 * ab
    assert ab <= bc + ca + noise
    line = Grid([grid.x.lower], [grid.x.upper], [grid.size], mapping=[lambda s: (grid.x.edges - grid.x.lower) / length])
    assert ab <= w2(line, a, b) + noise
    if grid.x.ring:
        round_ = Coupling(grid.x.edges, a * h, grid.x.edges, b * h, True)
        for shift in np.linspace(-1, 1, 21):
            u, first, last = round_._pieces(shift)
            d = first - last
            cost = np.sum(np.diff(u) * (d[:, 0] ** 2 + d[:, 0] * d[:, 1] + d[:, 1] ** 2)) / 3
            assert ab**2 <= mass * cost * (1 + 1e-9) + noise**2
        if grid.uniform:
            k = turn % grid.size
            assert abs(w2(grid, np.roll(a, k), np.roll(b, k)) - ab) <= noise + 1e-9 * ab
            assert w2(grid, a, np.roll(a, k)) <= min(k, grid.size - k) * h[0] * np.sqrt(mass) * (1 + 1e-9) + noise
    times = np.array([0.0, 0.3, 0.5, 1.0])
    for s, rho in zip(times, geodesic(grid, a, b, times), strict=True):
        assert rho.min() >= 0 and np.sum(rho * h) == pytest.approx(mass, rel=1e-13, abs=0)
        assert abs(w2(grid, a, rho) - s * ab) <= h.max() * np.sqrt(mass) + noise


# ------------------------------------------------------------------------------------ spectra and stationary states


@HUNT
@given(
    shape=st.tuples(*[st.sampled_from((2, 3, 5, 9, 14))] * 2),
    heights=st.tuples(logarithmic(1e-2, 60), logarithmic(1e-2, 60)),
    lengths=st.tuples(logarithmic(1e-2, 10), logarithmic(1e-2, 10)),
    kappa=logarithmic(1e-4, 1e3),
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 8),
)
def test_the_spectrum_of_a_sum_is_that_of_its_parts(shape, heights, lengths, kappa, seed, k):
    """V(x) + W(y): sums of the eigenvalues of two chains, which bisection finds to full relative accuracy."""
    rng = np.random.default_rng(seed)
    noise = [kappa * h * rng.uniform(0, 1, n) for h, n in zip(heights, shape, strict=True)]
    entropy = Internal("entropy", kappa)
    chains = [
        spectrum(
            Flow(Grid([0.0], [n], [cells]), Energy(entropy, lambda x, v=v: v if np.shape(x) == v.shape else 0 * x)),
            cells - 1,
        )
        for n, cells, v in zip(lengths, shape, noise, strict=True)
    ]
    plane = Grid([0.0, 0.0], lengths, shape)
    flow = Flow(plane, Energy(entropy, lambda x, y: noise[0] + noise[1][:, None]))
    k = min(k, plane.size - 1)
    expected = np.sort(np.add.outer(chains[0].eigenvalues, chains[1].eigenvalues).ravel())[: k + 1]
    try:
        found = spectrum(flow, k)
    except SolverError as failure:
        assert "the gap lies below" in str(failure)
        return
    np.testing.assert_allclose(found.eigenvalues[1:], expected[1:], rtol=1e-8)
    weight = (plane.cell_volume * found.pi).ravel()
    modes = found.modes.reshape(k + 1, -1)
    np.testing.assert_allclose((modes * weight) @ modes.T, np.eye(k + 1), atol=1e-8)


@HUNT
@given(problem=steps(kinds=("entropy", 1.5, 2.0, 4.0, 0.8), interactions=("none", *KERNELS), taus=(1e-4, 1e-2)))
def test_stationary_states_stay(problem):
    """Energy, mass, and one step of the finite volumes."""
    problem = replace(problem, height=min(problem.height, 30.0), offset=min(problem.offset, 1e3))
    flow, rho = problem.build()
    try:
        states = branches(flow, problem.mass, [rho, np.ones(flow.grid.shape)], limit=4)
    except SolverError:
        event("none found")
        return
    for state in states:
        assert state.rho.min() >= 0 and flow.mass(state.rho) == pytest.approx(problem.mass, rel=1e-12, abs=0)
        assert abs(state.energy - flow.value(state.rho)) <= 1e-12 * sum(map(abs, flow.parts(state.rho)))
        new = FiniteVolumes(flow, 1, problem.step, threads=1).step(start(state.rho), problem.step)
        growth = math.exp(min(max(state.eigenvalue, 0.0) * problem.step, 20.0))
        assert flow.integral(np.abs(new.rho - state.rho)) <= 1e-9 * problem.mass * growth
