"""Bridges, games and entropic steps against numbers that share no code with them, and against each other.

Heat kernels by images, dense scalings in NumPy, a Riccati equation by SciPy; a game whose cost lies at its end alone is
the plain entropic step, on the same chain to rounding.
"""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid
from wgfpde.methods.paths.bridge import Bridge
from wgfpde.methods.paths.potential_game import PotentialGame
from wgfpde.methods.paths.sinkhorn import EntropicSteps

BENT = [lambda s: s + 0.05 * np.sin(2 * np.pi * s)]
GRIDS = {
    "line": lambda n: Grid([-2.0], [2.0], [4 * n]),
    "stretched": lambda n: Grid([-2.0], [2.0], [4 * n], mapping=BENT),
    "ring": lambda n: Grid([-2.0], [2.0], [4 * n], periodic=True),
    "plane": lambda n: Grid([-2.0, -1.5], [2.0, 1.5], [2 * n, n], periodic=[True, False]),
}


def heat_kernel(axis, variance):
    """(n, n) e^{variance Δ/2} between centres by images, mirrored at walls or repeated on a ring, 1/length."""
    x, y = axis.centers[:, None] - axis.lower, axis.centers - axis.lower
    shifts = axis.length * np.arange(-6, 7) * (1 if axis.ring else 2)
    lags = [x - y + s for s in shifts] + ([] if axis.ring else [x + y + s for s in shifts])
    return sum(np.exp(-(lag**2) / (2 * variance)) for lag in lags) / np.sqrt(2 * np.pi * variance)


def smoothing(grid, variance):
    """Fields to fields: ∫K(x, y)f(y)dy, by the midpoint rule."""
    kernels = [heat_kernel(axis, variance) * axis.widths for axis in grid.axes]
    if grid.dim == 1:
        return lambda f: kernels[0] @ f
    return lambda f: kernels[1] @ f @ kernels[0].T


def bump(flow, centre, width):
    """A periodic bump along x, wide along y, of mass 1."""
    at = flow.grid.coordinates()
    rho = np.exp((np.cos(np.pi * (at["x"] - centre) / 2) - 1) / width)
    rho = rho * (1 + 0.3 * np.sin(at["y"])) if flow.grid.dim == 2 else rho
    return rho / flow.mass(rho)


def wells(**at):
    return 0.7 * np.cos(np.pi * at["x"]) + (0.3 * at["y"] ** 2 if "y" in at else 0.0)


def potential_of(dim):
    return (lambda x: wells(x=x)) if dim == 1 else (lambda x, y: wells(x=x, y=y))


@pytest.mark.parametrize("place", GRIDS)
def test_a_bridge_by_dense_scaling(place):
    """V = none: ψ, φ by Sinkhorn's iteration on the kernel of images; the middle and the cost, of order 2."""
    kappa, span, errors = 0.4, 0.5, []
    for n in (12, 24):
        flow = Flow(GRIDS[place](n), Energy(Internal("entropy", kappa)))
        a, b = bump(flow, -0.6, 0.4), bump(flow, 0.5, 0.3)
        heat, half = (smoothing(flow.grid, 2 * kappa * t) for t in (span, span / 2))
        phi = np.ones_like(b)
        for _ in range(60):
            psi = a / heat(phi)
            phi = b / heat(psi)
        middle = half(psi) * half(phi)
        cost = 2 * kappa * flow.integral(b * np.log(phi) - a * np.log(heat(phi)))
        found = Bridge(flow, a, b, 0.0, span, span / n, tolerance=1e-11).found
        errors.append([np.max(np.abs(found.density(n // 2) - middle)), abs(found.cost / cost - 1)])
    coarse, fine = errors
    assert fine[0] < 5e-3 and fine[1] < 5e-3
    assert coarse[0] / fine[0] > 3.3 and coarse[1] / fine[1] > 3.3


@pytest.mark.parametrize("compensated", [True, False])
@pytest.mark.parametrize("place", GRIDS)
def test_an_entropic_step_by_dense_scaling(place, compensated):
    """The scaling algorithm for KL proximal maps, b = prox(s)/s, prox(s) = (s^{2ν} e^{−V})^{1/(2ν+κ̃)}."""
    kappa, tau, epsilon, errors = 0.5, 0.1, 0.3, []
    nu = epsilon / (4 * tau)
    entropy = kappa - nu if compensated else kappa
    for n in (12, 24):
        grid = GRIDS[place](n)
        flow = Flow(grid, Energy(Internal("entropy", kappa), potential_of(grid.dim)))
        rho, heat = bump(flow, -0.4, 0.4), smoothing(grid, epsilon / 2)
        b = np.ones_like(rho)
        for _ in range(300):
            spread = heat(rho / heat(b))
            b = (spread ** (2 * nu) * np.exp(-flow.potential)) ** (1 / (2 * nu + entropy)) / spread
            b /= np.max(b)
        wanted = b * heat(rho / heat(b))
        found = EntropicSteps(flow, tau, epsilon, compensated, heat_steps=16, tolerance=1e-11).solve(rho)
        errors.append(flow.integral(np.abs(found.rho - wanted)))
    assert errors[1] < 6e-3 and errors[0] / errors[1] > 3.2


@pytest.mark.parametrize("place", GRIDS)
def test_a_game_with_a_cost_at_its_end_is_a_plain_entropic_step(place):
    """E = 0, G = F, T = τ, ν = ε/4τ: one chain of K heat steps, so that ρ' and the costs are the same numbers.

    The action counts from the start: A = 2ν(KL(γ|P) − ∫ρ ln ρ).
    """
    kappa, tau, epsilon, parts = 0.5, 0.1, 0.3, 8
    grid = GRIDS[place](12)
    flow = Flow(grid, Energy(Internal("entropy", kappa), potential_of(grid.dim)))
    nothing = Flow(grid, Energy(Internal("none"), lambda x, y=0.0: 0 * x))
    rho, nu = bump(flow, -0.4, 0.4), epsilon / (4 * tau)
    step = EntropicSteps(flow, tau, epsilon, compensated=False, heat_steps=parts, tolerance=1e-12).solve(rho)
    path = PotentialGame(nothing, flow, rho, tau, parts, nu).solve(1e-13, 200)
    assert step.note == path.note == ""
    np.testing.assert_allclose(path.m[-1], step.rho, rtol=1e-5)
    assert flow.integral(np.abs(path.m[-1] - step.rho)) < 1e-6
    action = 2 * nu * (step.kl - flow.integral(rho * np.log(rho)))
    assert np.sum(path.actions) + path.terminal == pytest.approx(action + flow.value(step.rho), rel=1e-11, abs=0)


@pytest.mark.parametrize("place", ["line", "stretched", "plane"])
def test_a_linear_quadratic_game_by_its_riccati_equation(place):
    """E = ½q∫|x|²m, G = ½c∫|x|²m: u = ½a|x|² + β, a' = a² − q, β' = −dνa, back from (c, 0); μ' = −aμ, s' = 2ν − 2as."""
    q, c, nu, span, s0, mean = 1.2, 0.4, 0.3, 1.0, 0.3, 0.5
    dim = 2 if place == "plane" else 1
    errors = []
    for n, steps in ((40, 8), (80, 16)):
        grid = Grid([-5.0] * dim, [5.0] * dim, [n] * dim, mapping=BENT if place == "stretched" else None)
        flow, end = (
            Flow(grid, Energy(Internal("none"), lambda x, y=0.0, k=k: 0.5 * k * (x**2 + y**2))) for k in (q, c)
        )
        at = grid.coordinates()
        start = np.exp(-((at["x"] - mean) ** 2 + at.get("y", 0.0) ** 2) / (2 * s0))
        start = start / flow.mass(start)
        path = PotentialGame(flow, end, start, span, steps, nu).solve(1e-10, 5)
        back = solve_ivp(
            lambda r, y: [q - y[0] ** 2, dim * nu * y[0]],
            (0, span),
            [c, 0.0],
            rtol=1e-11,
            atol=1e-13,
            dense_output=True,
        ).sol
        forth = solve_ivp(
            lambda t, y: [-back(span - t)[0] * y[0], 2 * nu - 2 * back(span - t)[0] * y[1]],  # noqa: B023
            (0, span), [mean, s0], rtol=1e-10, atol=1e-12,
        )  # fmt: skip
        m = path.m[-1]
        first = flow.integral(m * at["x"])
        second = flow.integral(m * (at["x"] - first) ** 2)
        a, beta = back(span)
        wanted = 0.5 * a * (mean**2 + s0 + (dim - 1) * s0) + beta
        cost = np.sum(path.actions) + path.terminal
        cost += np.trapezoid(path.running, dx=span / steps)
        paid = flow.integral(path.u[0] * start)
        assert paid == pytest.approx(cost, rel=0.02, abs=0)
        errors.append(np.abs([first - forth.y[0, -1], second - forth.y[1, -1], cost - wanted]))
    assert path.sweeps == 1 and np.all(errors[1] < [1e-3, 6e-3, 6e-3])
    assert np.all(errors[0] / errors[1] > 3.3)
