"""JKO steps of problems that are mirrored, exchanged, scaled, shifted or repeated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jko_problems import JkoProblem, moved, problems, start, stepper_of
from strategies import LENGTH, LOWER

from wgfpde.energy.energy import Energy
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid
from wgfpde.linear import threads as threads_module
from wgfpde.transport.benamou_brenier.gap_scale import scale_of_gap
from wgfpde.transport.benamou_brenier.operators import Staggering

# ----------------------------------------------------------------------------------------------------- symmetries


@settings(max_examples=20)
@given(problem=problems(interactions=("none", "quadratic")), other=st.integers(0, 3))
def test_repetition_is_bit_identical(problem, other):
    """The same bits again: from the same stepper with another step in between, from a new one, with more threads."""
    flow, rho = problem.build()
    stepper = stepper_of(flow, problem.dt)
    first = stepper.step(start(rho), problem.dt)
    stepper.step(start(np.roll(rho, other) + np.mean(rho)), problem.dt)
    for again in (stepper, stepper_of(flow, problem.dt), stepper_of(flow, problem.dt, threads=2)):
        new = again.step(start(rho), problem.dt)
        assert all(np.array_equal(first.fields[name], new.fields[name]) for name in first.fields)
        assert (new.t, new.dt, new.dt_next) == (first.t, first.dt, first.dt_next)
        assert new.report.iterations == first.report.iterations
        assert new.report.gap == first.report.gap


def test_the_number_of_threads_changes_no_bit_on_a_large_grid(monkeypatch):
    monkeypatch.setattr(threads_module, "SERIAL_CELLS", 0)
    problem = JkoProblem(2.0, (200, 160), (False, True), (False, False), potential="quadratic", data="vacuum", dt=0.01)
    flow, rho = problem.build()
    one, two = (stepper_of(flow, 0.01, threads=n).step(start(rho), 0.01) for n in (1, 2))
    assert np.array_equal(one.rho, two.rho)
    assert np.array_equal(one.fields["phi"], two.fields["phi"])


SYMMETRIC = [
    ("entropy", "double well"),
    (2.0, "double well"),
    (4.0, "none"),
    (0.8, "double well"),
    ("none", "quadratic"),
]


def sharp(kind):
    """A tolerance well below what the densities are compared to."""
    return 1e-8 if kind == "none" else 1e-10


@pytest.mark.parametrize("tau", [1e-4, 0.1])
@pytest.mark.parametrize(("kind", "potential"), SYMMETRIC)
def test_a_problem_constant_in_y_is_the_problem_in_x(kind, potential, tau):
    problem = JkoProblem(kind, (16,), stretched=(True,), potential=potential, data="vacuum", dt=tau)
    flow, rho = problem.build()
    mapping = [lambda s: s + 0.12 * np.sin(2 * np.pi * s), None]
    wide = Grid([LOWER[0], 0.0], [LOWER[0] + LENGTH[0], 0.7], [16, 4], False, mapping)
    v = np.zeros(16) if flow.potential is None else flow.potential
    in_2d = Flow(wide, Energy(flow.internal, lambda x, y: v + 0 * y))
    one = stepper_of(flow, tau, tolerance=sharp(kind)).step(start(rho), tau)
    two = stepper_of(in_2d, tau, tolerance=sharp(kind)).step(start(np.tile(rho, (4, 1))), tau)
    assert np.max(np.ptp(two.rho, axis=0)) <= (1e-4 if kind == "none" else 1e-6) * np.max(rho)
    assert moved(flow, one.rho, two.rho.mean(axis=0)) <= (1e-4 if kind == "none" else 1e-5)
    assert two.report.transport == pytest.approx(0.7 * one.report.transport, rel=1e-4, abs=0)


@pytest.mark.parametrize("tau", [1e-4, 0.1])
@pytest.mark.parametrize(("kind", "potential"), SYMMETRIC)
def test_mirrored_and_exchanged_axes(kind, potential, tau):
    problem = JkoProblem(kind, (9, 7), (False, False), (False, False), potential=potential, data="blocks", seed=5)
    flow, rho = problem.build()
    v = np.zeros(flow.grid.shape) if flow.potential is None else flow.potential

    def end(change, shape):
        grid = Grid([0.0, 0.0], [shape[0] / 9, shape[1] / 9], shape)
        turned = Flow(grid, Energy(flow.internal, lambda x, y: change(v)))
        return stepper_of(turned, tau, tolerance=sharp(kind)).step(start(np.ascontiguousarray(change(rho))), tau).rho

    plain = end(lambda a: a, (9, 7))
    for change, shape in ((np.fliplr, (9, 7)), (np.flipud, (9, 7)), (np.transpose, (7, 9))):
        assert np.mean(np.abs(end(change, shape) - change(plain))) <= 1e-5 * np.mean(plain)


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e5])
@pytest.mark.parametrize("tau", [1e-3, 0.3])
def test_mass_scales_with_the_entropy(factor, tau):
    """κ(ρ ln ρ − ρ) at fixed mass knows no scale: a ρ⁰ goes to a ρ¹."""
    flow, rho = JkoProblem(
        "entropy", (9, 7), (False, True), (True, False), potential="double well", data="rough"
    ).build()
    one, many = (stepper_of(flow, tau, tolerance=1e-11).step(start(a * rho), tau) for a in (1.0, factor))
    assert moved(flow, factor * one.rho, many.rho) <= 1e-6
    assert many.report.transport == pytest.approx(factor * one.report.transport, rel=1e-5, abs=0)


@pytest.mark.parametrize("kind", ["entropy", 2.0, 0.8, "none"])
def test_a_shifted_potential_changes_nothing(kind):
    """V + a gives the same density: the energy changes by a constant."""
    flow, rho = JkoProblem(kind, (16,), potential="quadratic", data="vacuum").build()
    other = Flow(flow.grid, Energy(flow.internal, lambda x: flow.potential + 3.0))
    a, b = (stepper_of(f, 0.05, tolerance=sharp(kind)).step(start(rho), 0.05) for f in (flow, other))
    assert moved(flow, a.rho, b.rho) <= 1e-5


@pytest.mark.parametrize("algorithm", ["newton", "pdhg"])
@pytest.mark.parametrize("shape", [(16,), (6, 5)])
def test_a_shifted_potential_shifts_what_a_step_proves(algorithm, shape):
    """V + a: P and D are higher by τaM, φ lower by τa, and the gap is the same: it is relative to no constant."""
    dim, tau, height = len(shape), 0.05, 3.0
    mapped = (False,) * dim
    flow, rho = JkoProblem("entropy", shape, mapped, mapped, potential="quadratic", data="smooth").build()
    other = Flow(flow.grid, Energy(flow.internal, lambda **z: flow.potential + height))
    options = {"algorithm": algorithm, "tolerance": 1e-9 if algorithm == "newton" else 1e-6}
    a, b = (stepper_of(f, tau, **options).step(start(rho), tau) for f in (flow, other))
    lift = tau * height * flow.mass(rho)
    assert b.report.primal - a.report.primal == pytest.approx(lift, rel=1e-12, abs=0)
    assert b.report.dual - a.report.dual == pytest.approx(lift, rel=1e-12, abs=0)
    assert b.report.gap == pytest.approx(a.report.gap, rel=1e-3, abs=1e-15)
    law = flow.internal.code, tau * flow.internal.kappa, flow.internal.m
    for state, problem in ((a, flow), (b, other)):
        fields = (z.reshape(flow.grid.shape if dim == 2 else (1, -1)) for z in (state.rho, tau * problem.potential))
        scale = scale_of_gap(Staggering(flow.grid), *fields, law, state.report.transport)
        assert (state.report.primal - state.report.dual) / scale == pytest.approx(state.report.gap, rel=1e-3, abs=1e-14)
    phi = [state.fields["phi"] for state in (a, b)]
    assert phi[1] - phi[0] == pytest.approx(-tau * height, rel=1e-9, abs=0)
