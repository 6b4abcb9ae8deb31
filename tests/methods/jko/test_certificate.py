"""The certificate: whatever φ and ρ it is made from, its end is feasible and its two values enclose the minimum."""

import numpy as np
import pytest
from hypothesis import event, given, note, settings
from hypothesis import strategies as st
from strategies import logarithmic

from wgfpde.energy.energy import Internal
from wgfpde.grid import Grid
from wgfpde.linear.multigrid.solver import Multigrid
from wgfpde.methods.jko.certificate import ONCE, advance, downstream, limit_downstream
from wgfpde.methods.jko.convex import ConvexStep
from wgfpde.methods.jko.newton import NewtonSolver
from wgfpde.transport.benamou_brenier.operators import Staggering

LAWS = {
    "entropy": Internal("entropy", 0.7),
    "m=1.5": Internal("power", 0.7, 1.5),
    "m=2": Internal("power", 0.7, 2.0),
    "m=4": Internal("power", 0.7, 4.0),
    "m=0.8": Internal("power", 0.7, 0.8),
    "none": Internal("none"),
}
DATA = ("random", "blocks", "dirac", "spread")


def stretch(s):
    return s + 0.12 * np.sin(2 * np.pi * s)


def density(rng, data, volume):
    """Mass 1 in the way of `data`."""
    if data == "random":
        rho = rng.random(volume.shape) + 1e-3
    elif data == "blocks":
        rho = np.where(rng.random(volume.shape) < 0.5, 1.0, 0.0)
    elif data == "spread":
        rho = 10.0 ** rng.uniform(-100, 0, volume.shape)
    else:
        rho = np.zeros(volume.shape)
    if not rho.any():
        rho.flat[rng.integers(rho.size)] = 1.0
    return rho / np.sum(volume * rho)


@st.composite
def steps(draw, laws=tuple(LAWS), sizes=(2, 3, 5, 8)):
    """(step, grid, law, generator)."""
    dim = draw(st.sampled_from((1, 2)))
    shape = [draw(st.sampled_from(sizes)) for _ in range(dim)]
    flags = [draw(st.booleans()) for _ in range(dim)]
    maps = [draw(st.sampled_from((None, stretch))) for _ in range(dim)]
    grid = Grid([-1.0, 0.5][:dim], [1.0, 1.2][:dim], shape, flags, maps)
    law, tau = draw(st.sampled_from(laws)), draw(logarithmic(1e-6, 1.0))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    stagger = Staggering(grid)
    rho0 = density(rng, draw(st.sampled_from(DATA)), stagger.volume)
    x, y = grid.x.centers[None, :], grid.axes[-1].centers[:, None] if dim == 2 else 0.0
    wells = (0.0 * x, x**2 / 2 + (y - 0.8) ** 2, 3.0 * (x**2 - 0.25) ** 2 + y, rng.normal(size=stagger.shape))
    potential = np.array(np.broadcast_to(draw(st.sampled_from(wells)), stagger.shape))
    note(f"{law}, tau = {tau}, rho0 = {rho0.tolist()}, V = {potential.tolist()}")
    return ConvexStep(stagger, LAWS[law], rho0, potential, tau), grid, law, rng


def divergence(flux_x, flux_y):
    return flux_x - np.roll(flux_x, 1, axis=1) + flux_y - np.roll(flux_y, 1, axis=0)


def value_of(step, law, rho, flux_x, flux_y):
    """(transport, τE) of a feasible pair, from the definitions: Σ w m²/(2θ(½(ρ⁰+ρ))), with 0/0 = 0."""
    s = step.stagger
    half = 0.5 * s.volume * (step.rho0 + rho)
    total = 0.0
    for flux, inverse, axis in ((flux_x, s.ax[None, :], 1), (flux_y, s.ay[:, None], 0)):
        weight = 0.5 * (half + np.roll(half, -1, axis=axis)) * inverse**2  # w θ / d²
        moving = flux != 0
        assert np.all(weight[moving] > 0)
        total += np.sum(0.5 * flux[moving] ** 2 / weight[moving])
    return total, step.tau * np.sum(s.volume * LAWS[law].density(rho)) + np.sum(s.volume * step.tau_v * rho)


def certificate(step, phi, rho):
    weights = [np.zeros(phi.shape) for _ in range(5)]
    step.coefficients(phi, rho, np.ones(phi.shape), weights)
    return step.certify(phi, rho, weights[1], weights[2])


def check(step, law, proof):
    """Feasible to rounding, valued as defined, and above the dual."""
    s = step.stagger
    assert np.all(np.isfinite(proof.rho))
    assert np.min(proof.rho) >= 0
    assert step.integral(proof.rho) == pytest.approx(step.mass, rel=1e-14, abs=0)
    moved = np.abs(proof.flux_x) + np.abs(proof.flux_y)
    change = s.volume * (proof.rho - step.rho0)
    largest = np.max(moved) + np.max(s.volume * step.rho0)
    assert np.max(np.abs(change + divergence(proof.flux_x, proof.flux_y))) <= 1e-14 * largest
    for flux, axis in ((proof.flux_x, 1), (proof.flux_y, 0)):
        inverse = s.ax if axis == 1 else s.ay
        assert np.all(np.moveaxis(flux, axis, -1)[..., inverse == 0] == 0)
    transport, energy = value_of(step, law, proof.rho, proof.flux_x, proof.flux_y)
    internal = step.tau * np.sum(s.volume * LAWS[law].density(proof.rho))
    potential = np.sum(s.volume * step.tau_v * proof.rho)
    size = transport + abs(internal) + abs(potential)
    assert proof.transport == pytest.approx(transport, rel=1e-12, abs=0)
    assert proof.primal == pytest.approx(transport + energy, abs=1e-12 * size)
    v, here = step.tau_v - step.tau_v.min(), s.volume * proof.rho / step.mass
    pressure = step.tau * np.sum(s.volume * LAWS[law].law.pressure(proof.rho, LAWS[law]))
    spread = step.mass * np.sum(here * (np.abs(v - np.sum(here * v)) + 1e-3 * v))
    least = (
        1e-12 * step.mass * min(np.min(d) for d in (1 / s.ax[s.ax > 0], 1 / s.ay[s.ay > 0], [np.inf]) if len(d)) ** 2
    )
    assert proof.scale == pytest.approx(
        max(transport + pressure + spread, least), rel=1e-9, abs=1e-14 * step.mass * v.max()
    )
    if proof.scale > 0 and np.isfinite(proof.dual):
        assert proof.gap == pytest.approx((proof.primal - proof.dual) / proof.scale, rel=1e-9, abs=0)
    assert proof.primal - proof.dual >= -1e-13 * (size + abs(proof.dual))


@settings(max_examples=200)
@given(case=steps(), size=logarithmic(1e-8, 1e3), extent=logarithmic(1e-6, 1e3))
def test_any_potential_and_density_give_a_proof(case, size, extent):
    """φ and ρ that have nothing to do with the step: feasible, and weak duality."""
    step, _, law, rng = case
    phi = size * rng.normal(size=step.rho0.shape)
    proof = certificate(step, phi, extent * rng.random(phi.shape))
    event(f"limited: {proof.limited > 0}")
    check(step, law, proof)


@settings(max_examples=60)
@given(case=steps(), size=logarithmic(1e-12, 1e2))
def test_near_the_minimum_the_two_values_still_enclose_it(case, size):
    step, grid, law, rng = case
    solver = NewtonSolver(Multigrid(grid), step.rho0.shape, 1e-8, 400)
    solution = solver.solve(step)
    check(step, law, solution.certificate)
    assert solution.certificate.gap <= 1e-8
    best = solution.certificate
    phi = solution.phi + size * step.tau * rng.normal(size=step.rho0.shape)
    rho = solution.rho * np.exp(min(size, 3.0) * rng.normal(size=step.rho0.shape))
    other = certificate(step, phi, rho)
    check(step, law, other)
    rounding = 1e-12 * (best.scale + other.scale + abs(other.dual))
    assert other.primal >= best.dual - rounding
    assert best.primal >= other.dual - rounding


def feasible(step, rng, size):
    """A random feasible pair: fluxes scaled until every cell keeps a part of what it has."""
    s = step.stagger
    flux_x = rng.normal(size=s.shape) * (s.ax[None, :] > 0)
    flux_y = rng.normal(size=s.shape) * (s.ay[:, None] > 0)
    for flux, axis in ((flux_x, 1), (flux_y, 0)):
        donor = np.where(flux > 0, step.rho0, np.roll(step.rho0, -1, axis=axis))
        flux[donor == 0] = 0.0
    out = np.maximum(flux_x, 0) + np.maximum(-np.roll(flux_x, 1, axis=1), 0)
    out = out + np.maximum(flux_y, 0) + np.maximum(-np.roll(flux_y, 1, axis=0), 0)
    stock = s.volume * step.rho0
    scale = size * np.min(np.where(out > 0, stock / np.where(out > 0, out, 1.0), np.inf), initial=1.0)
    flux_x, flux_y = scale * flux_x, scale * flux_y
    return step.rho0 - divergence(flux_x, flux_y) / s.volume, flux_x, flux_y


@settings(max_examples=60)
@given(case=steps(sizes=(2, 3, 4)), size=logarithmic(1e-6, 0.999))
def test_no_feasible_pair_lies_below_the_minimum(case, size):
    step, grid, law, rng = case
    best = NewtonSolver(Multigrid(grid), step.rho0.shape, 1e-8, 400).solve(step).certificate
    for _ in range(5):
        rho, flux_x, flux_y = feasible(step, rng, size)
        transport, energy = value_of(step, law, np.maximum(rho, 0.0), flux_x, flux_y)
        assert transport + energy >= best.primal - (1e-8 + 1e-13) * best.scale - 1e-13 * abs(energy)


# ---------------------------------------------------------------------- an independent solver on very small grids


def reference(step, law, faces):
    """min over the fluxes u, by dense Newton on P(u) − μ∫ln ρ for μ → 0: (value, ρ).

    faces : list of (row, column, axis).
    P(u) = Σ u²/(2w) + τE(ρ),  ρ = ρ⁰ + Cu,  w = b + Bu.
    """
    s, internal = step.stagger, LAWS[law]
    volume, rho0, n = s.volume.ravel(), step.rho0.ravel(), step.rho0.size
    number = np.arange(n).reshape(s.shape)
    c, average = np.zeros((n, len(faces))), np.zeros((len(faces), n))
    for k, (j, i, axis) in enumerate(faces):
        inverse = s.ax[i] if axis == 1 else s.ay[j]
        for cell, sign in ((number[j, i], -1.0), (np.roll(number, -1, axis=axis)[j, i], 1.0)):
            c[cell, k] += sign / volume[cell]
            average[k, cell] += 0.25 * volume[cell] * inverse**2
    b, fixed = average @ c, 2 * average @ rho0

    def parts(u, mu):
        rho, w = rho0 + c @ u, fixed + b @ u
        if np.min(rho) <= 0:
            return np.inf, rho, w
        energy = step.tau * internal.density(rho) + step.tau_v.ravel() * rho - mu * np.log(rho)
        return np.sum(u**2 / (2 * w)) + volume @ energy, rho, w

    def newton(u, mu):
        for _ in range(100):
            value, rho, w = parts(u, mu)
            slope = step.tau * internal.derivative(rho) + step.tau_v.ravel() - mu / rho
            gradient = u / w - 0.5 * b.T @ (u / w) ** 2 + c.T @ (volume * slope)
            power = {"entropy": 1.0, "none": 0.0}.get(internal.kind, internal.m * rho ** (internal.m - 1))
            curvature = (0.0 if internal.kind == "none" else step.tau * internal.kappa) * power / rho + mu / rho**2
            bent = np.eye(len(u)) / w**0.5 - b.T * (u / w**1.5)
            move = -np.linalg.solve(bent @ bent.T + c.T @ ((volume * curvature)[:, None] * c), gradient)
            size = 1.0
            while parts(u + size * move, mu)[0] > value + 0.1 * size * (gradient @ move) and size > 1e-12:
                size *= 0.5
            u = u + size * move
            if -gradient @ move < 1e-16:
                break
        return u

    u = np.zeros(len(faces))
    for mu in 10.0 ** -np.arange(0, 12.5, 0.5):
        u = newton(u, mu)
    value, rho, _ = parts(u, 0.0)
    return value, rho.reshape(s.shape)


@pytest.mark.parametrize("tau", [1e-3, 0.05, 0.5])
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("shape", "periodic"), [((6,), False), ((6,), True), ((3, 2), False)])
def test_the_minimum_is_that_of_an_independent_solver(law, tau, shape, periodic):
    """1D with 6 cells, 2D with 3 × 2, positive data: the minimum to 1e-6, and the density that attains it."""
    dim = len(shape)
    grid = Grid([0.0, 0.0][:dim], [1.0, 0.7][:dim], shape, periodic, [stretch, None][:dim])
    stagger = Staggering(grid)
    rng = np.random.default_rng(11)
    rho0 = rng.uniform(0.2, 1.8, stagger.shape)
    step = ConvexStep(stagger, LAWS[law], rho0, rng.normal(size=stagger.shape), tau)
    faces = [(j, i, 1) for j, i in np.ndindex(stagger.shape) if stagger.ax[i] > 0]
    faces += [(j, i, 0) for j, i in np.ndindex(stagger.shape) if stagger.ay[j] > 0]
    value, rho = reference(step, law, faces)
    proof = NewtonSolver(Multigrid(grid), stagger.shape, 1e-8 if law == "none" else 1e-9, 200).solve(step).certificate
    assert proof.primal <= value + 2e-8 * proof.scale
    assert value == pytest.approx(proof.primal, abs=1e-6 * proof.scale)
    assert step.integral(np.abs(proof.rho - rho)) <= 3e-3 * step.mass


def test_a_wrong_certificate_would_be_noticed():
    """The gap of φ = 0 is that of staying put: E(ρ⁰) against its lower bound, far from closed."""
    stagger = Staggering(Grid([0.0], [1.0], [8]))
    rho0 = np.array([[3.0, 1, 0.2, 0.1, 0.1, 0.4, 1, 2]])
    step = ConvexStep(stagger, LAWS["entropy"], rho0, np.zeros((1, 8)), 0.1)
    proof = certificate(step, np.zeros((1, 8)), rho0)
    assert np.array_equal(proof.rho, rho0)
    assert proof.gap > 1e-2


# ---------------------------------------------------------------------------------------- fluxes limited downstream


def fluxes_of(phi, rng, wraps):
    """Fluxes that run up φ with random conductances, some of them 0, and none through walls."""
    gx, gy = (rng.random(phi.shape) * (rng.random(phi.shape) < 0.8) for _ in range(2))
    if not wraps:
        gx[:, -1], gy[-1] = 0.0, 0.0
    return gx * (np.roll(phi, -1, 1) - phi), gy * (np.roll(phi, -1, 0) - phi)


def ordered(flux_x, flux_y):
    order = np.empty(flux_x.size, np.int64)
    return order[: downstream(flux_x, flux_y, order, np.empty(flux_x.shape, np.int64))]


@given(
    shape=st.tuples(st.integers(1, 7), st.integers(2, 9)), seed=st.integers(0, 10**6), wraps=st.booleans(),
    size=logarithmic(1e-320, 1e3), tails=st.booleans(),
)  # fmt: skip
def test_each_cell_is_limited_after_its_givers_and_none_goes_negative(shape, seed, wraps, size, tails):
    rng = np.random.default_rng(seed)
    phi = np.round(rng.normal(size=shape), rng.integers(1, 9))
    flux_x, flux_y = (size * flux for flux in fluxes_of(phi, rng, wraps))
    order = ordered(flux_x, flux_y)
    assert sorted(order) == list(range(phi.size))
    height = phi.ravel()[order]
    place = np.empty(phi.size, int)
    place[order] = np.arange(phi.size)
    for flux, axis in ((flux_x, 1), (flux_y, 0)):
        number = np.arange(phi.size).reshape(shape)
        here, there = place[number], place[np.roll(number, -1, axis)]
        assert np.all(here[flux > 0] < there[flux > 0]) and np.all(here[flux < 0] > there[flux < 0])
    assert np.all(np.isfinite(height))
    rho0 = 10.0 ** rng.uniform(-320 if tails else -3, 0, shape) * (rng.random(shape) < 0.7)
    volume = rng.uniform(0.1, 2.0, shape)
    before = flux_x.copy(), flux_y.copy()
    needy = limit_downstream(order, rho0, np.zeros(shape), volume, flux_x, flux_y, ONCE)
    rho = np.zeros(shape)
    advance(0, shape[0], rho0, volume, flux_x, flux_y, rho)
    assert np.min(rho) >= 0.0
    assert np.sum(volume * rho) == pytest.approx(np.sum(volume * rho0), rel=1e-13, abs=1e-300)
    assert (needy == 0) == (np.array_equal(before[0], flux_x) and np.array_equal(before[1], flux_y))
    assert all(np.all(np.abs(now) <= np.abs(then)) for now, then in zip((flux_x, flux_y), before, strict=True))
    assert limit_downstream(order, rho0, np.zeros(shape), volume, flux_x, flux_y, 1.0) == 0


@pytest.mark.parametrize("along", [0, 1])
def test_mass_passes_through_a_hundred_empty_cells_in_one_step(along):
    """From the first cell to the last: what is there passes, no more, and twice as much is asked for."""
    shape = (1, 100) if along else (100, 1)
    rho0, volume = np.zeros(shape), np.ones(shape)
    rho0.flat[0] = 1.0
    flux = np.ones(shape)
    flux.flat[-1] = 0.0
    for asked in (0.5, 2.0):
        fluxes = [asked * flux, np.zeros(shape)]
        flux_x, flux_y = fluxes if along else fluxes[::-1]
        limit_downstream(ordered(flux_x, flux_y), rho0, 0 * rho0, volume, flux_x, flux_y, ONCE)
        rho = np.zeros(shape)
        advance(0, shape[0], rho0, volume, flux_x, flux_y, rho)
        assert rho.flat[-1] == pytest.approx(min(asked, 1.0), rel=1e-12, abs=0)


def test_cells_on_a_circle_of_fluxes_have_no_place():
    flux_x, flux_y = np.zeros((4, 5)), np.zeros((4, 5))
    flux_x[1, :] = 1.0  # all the way round
    flux_y[0, 2], flux_y[1, 3] = 1.0, 1.0  # into it, and out of it to row 2, and on
    flux_y[2, 3] = 1.0
    assert sorted(ordered(flux_x, flux_y)) == [k for k in range(20) if k // 5 != 1 and k not in (13, 18)]


def test_a_cell_of_denormals_does_not_go_negative():
    """Volume times density rounds up there, so that what leaves is no more than what is held, and yet too much."""
    rho0, volume = np.array([[8e-320, 0.0]]), np.array([[1e-4, 1e-4]])
    flux_x, flux_y, rho = np.array([[9.88e-324, 0.0]]), np.zeros((1, 2)), np.zeros((1, 2))
    limit_downstream(ordered(flux_x, flux_y), rho0, 0 * rho0, volume, flux_x, flux_y, ONCE)
    advance(0, 1, rho0, volume, flux_x, flux_y, rho)
    assert np.min(rho) >= 0.0
