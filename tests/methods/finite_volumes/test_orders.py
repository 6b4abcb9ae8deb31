"""Orders of convergence as fitted slopes on smooth solutions; error bounds where there is a free boundary."""

import math

import numpy as np
import pytest

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes

GAMMA = 1 - math.sqrt(0.5)


def run(flow, rho, end, steps, order=2, start=0.0):
    stepper = FiniteVolumes(flow, order=order, dt=(end - start) / steps, threads=1)
    state = Snapshot(start, 0, {"rho": rho})
    while state.t < end:
        state = stepper.step(state, end)
    assert state.step == steps
    return state.rho


def slope(sizes, errors):
    """The exponent p of error ∝ size^p."""
    return np.polyfit(np.log(sizes), np.log(errors), 1)[0]


def distance(grid, a, b):
    return float(np.sum(np.abs(a - b) * grid.cell_volume))


def gaussian(mean, variance):
    return lambda x: np.exp(-((x - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)


# ------------------------------------------------------------------------- exact amplification of discrete modes


def euler_factor(z):
    return 1 / (1 + z)


def sdirk_factor(z):
    w = 1 / (1 + GAMMA * z)
    return w * (1 + (1 - GAMMA) / GAMMA * (w - 1))


@pytest.mark.parametrize("tau", [1e-4, 3e-3, 0.1])
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize(("order", "factor"), [(1, euler_factor), (2, sdirk_factor)])
def test_heat_mode_in_1d_decays_by_the_stability_function(order, factor, periodic, tau):
    n, kappa, wave, count = 48, 0.7, 2, 5
    grid = Grid([0.0], [1.0], [n], periodic)
    shape = np.cos((2 if periodic else 1) * wave * np.pi * grid.x.centers)
    mu = 4 * kappa * n**2 * math.sin((2 if periodic else 1) * wave * math.pi / (2 * n)) ** 2
    rho = run(Flow(grid, Energy(Internal("entropy", kappa))), 1 + 0.3 * shape, count * tau, count, order)
    assert rho == pytest.approx(1 + 0.3 * factor(tau * mu) ** count * shape, abs=1e-12)


@pytest.mark.parametrize("tau", [1e-4, 3e-3, 0.1])
@pytest.mark.parametrize("periodic", [[False, False], [True, True], [True, False]])
@pytest.mark.parametrize("order", [1, 2])
def test_heat_mode_in_2d_decays_by_the_product(order, periodic, tau):
    """Split: x(τ) y(τ) at first order, x(τ/2) y(τ) x(τ/2) at second."""
    n, kappa, count = (24, 20), 0.7, 4
    grid = Grid([0.0, 0.0], [1.0, 1.0], n, periodic)
    shape, mu = 1.0, []
    for axis, cells, flag, wave in zip(grid.axes, n, periodic, (1, 2), strict=True):
        wave = (2 if flag else 1) * wave
        mode = np.cos(wave * math.pi * axis.centers)
        shape = shape * (mode[None, :] if axis.name == "x" else mode[:, None])
        mu.append(4 * kappa * cells**2 * math.sin(wave * math.pi / (2 * cells)) ** 2)
    if order == 1:
        factor = euler_factor(tau * mu[0]) * euler_factor(tau * mu[1])
    else:
        factor = sdirk_factor(tau / 2 * mu[0]) ** 2 * sdirk_factor(tau * mu[1])
    rho = run(Flow(grid, Energy(Internal("entropy", kappa))), 1 + 0.3 * shape, count * tau, count, order)
    assert rho == pytest.approx(1 + 0.3 * factor**count * shape, abs=1e-12)


def test_second_moment_grows_exactly():
    """Backward Euler on a uniform grid far from the walls: Σ x² ρ h grows by 2κ dt mass a step."""
    grid = Grid([-20.0], [20.0], [200])
    flow = Flow(grid, Energy(Internal("entropy", 0.7)))
    rho = grid.average(gaussian(0.3, 0.5))
    new = run(flow, rho, 0.5, 5, order=1)
    growth = flow.integral(grid.x.centers**2 * (new - rho))
    assert growth == pytest.approx(2 * 0.7 * 0.5 * flow.mass(rho), rel=1e-11, abs=0)


# ------------------------------------------------------------------------------------------------ linear, in space


def ou_error(size, mapping=None, end=0.5):
    grid = Grid([-8.0], [8.0], [size], mapping=mapping)
    flow = Flow(grid, Energy(Internal(), lambda x: x**2 / 2))
    rho = run(flow, grid.average(gaussian(1.0, 0.5)), end, size // 4)
    mean, variance = math.exp(-end), 1 - 0.5 * math.exp(-2 * end)
    return distance(grid, rho, grid.average(gaussian(mean, variance)))


def test_order_in_space_ornstein_uhlenbeck():
    sizes = np.array([40, 80, 160, 320])
    assert slope(1 / sizes, [ou_error(n) for n in sizes]) >= 1.9


def test_order_in_space_on_a_stretched_grid():
    sizes = np.array([80, 160, 320])

    def stretch(s):
        return s + 0.5 * np.sin(2 * np.pi * s) / (2 * np.pi)

    assert slope(1 / sizes, [ou_error(n, [stretch]) for n in sizes]) >= 1.85


def test_order_in_space_heat_in_1d():
    sizes, errors = np.array([40, 80, 160]), []
    for n in sizes:
        grid = Grid([-8.0], [8.0], [n])
        rho = run(Flow(grid, Energy()), grid.average(gaussian(0.2, 0.25)), 0.5, n // 2)
        errors.append(distance(grid, rho, grid.average(gaussian(0.2, 1.25))))
    assert slope(1 / sizes, errors) >= 1.9


def covariance_gaussian(mean, sigma):
    inverse, norm = np.linalg.inv(sigma), 2 * np.pi * math.sqrt(np.linalg.det(sigma))

    def density(x, y):
        dx, dy = x - mean[0], y - mean[1]
        form = inverse[0, 0] * dx**2 + 2 * inverse[0, 1] * dx * dy + inverse[1, 1] * dy**2
        return np.exp(-form / 2) / norm

    return density


def test_order_in_space_correlated_ornstein_uhlenbeck_in_2d():
    """Full covariance and full Hessian, so that the sweeps do not commute."""
    a, kappa, end = np.array([[2.0, 0.6], [0.6, 1.0]]), 0.5, 0.7
    start, mean = np.array([[0.3, -0.1], [-0.1, 0.2]]), np.array([1.0, -0.5])
    final_mean = (0.35208305, -0.42051739)
    final = np.array([[0.287701067852, -0.134937645159], [-0.134937645159, 0.479942095582]])

    def potential(x, y):
        return 0.5 * (a[0, 0] * x**2 + 2 * a[0, 1] * x * y + a[1, 1] * y**2)

    sizes, errors = np.array([32, 64, 128]), []
    for n in sizes:
        grid = Grid([-5.0, -5.0], [5.0, 5.0], [n, n])
        flow = Flow(grid, Energy(Internal("entropy", kappa), potential))
        rho = run(flow, grid.average(covariance_gaussian(mean, start)), end, n // 4)
        errors.append(distance(grid, rho, grid.average(covariance_gaussian(final_mean, final))))
    assert slope(1 / sizes, errors) >= 1.9


def test_error_at_high_peclet_number():
    """κ = 0.05, V = 2x², cell Péclet number up to 9: Scharfetter–Gummel loses accuracy by a known amount."""
    grid, kappa, end = Grid([-3.0], [3.0], [160]), 0.05, 0.5
    flow = Flow(grid, Energy(Internal("entropy", kappa), lambda x: 2 * x**2))
    rho = run(flow, grid.average(gaussian(1.0, 0.05)), end, 200)
    rest = kappa / 4
    exact = gaussian(math.exp(-4 * end), rest + (0.05 - rest) * math.exp(-8 * end))
    assert distance(grid, rho, grid.average(exact)) == pytest.approx(3.88e-2, rel=0.1, abs=0)


# --------------------------------------------------------------------------------------------------------- in time


SMOOTH_CASES = {
    "ou": ("entropy", None),
    "mean field": ("entropy", "attractive"),
    "m=2": (2.0, None),
    "m=3": (3.0, None),
    "m=2.5": (2.5, None),
    "m=1.5": (1.5, None),
    "m=0.6": (0.6, None),
    "m=2, mean field": (2.0, "repulsive"),
    "drift": ("none", None),
    "aggregation": ("none", "repulsive"),
}


def smooth_case(name, dim, size):
    """Data bounded away from vacuum; periodic in y."""
    kind, sign = SMOOTH_CASES[name]
    internal = Internal(kind, 0.5) if isinstance(kind, str) else Internal("power", 0.5, kind)
    height = 0.0 if sign is None else {"attractive": -0.4, "repulsive": 0.4}[sign]

    def one(x, y=0.0):
        return 0.6 * np.cos(np.pi * x) * (1 + 0.3 * np.cos(2 * np.pi * y))

    def bell(x, y=0.0):
        return height * (np.cos(np.pi * x) + np.cos(2 * np.pi * y))

    def start(x, y=0.0):
        return 1 + 0.3 * np.sin(np.pi * x / 2) + 0.2 * np.cos(2 * np.pi * (y - 0.1))

    two = dim == 2
    grid = Grid([-1.0, 0.0][:dim], [1.0, 1.0][:dim], [size, size - 2][:dim], [False, True][:dim])
    potential = (lambda x, y: one(x, y)) if two else (lambda x: one(x))
    kernel = None if sign is None else (lambda x, y: bell(x, y)) if two else (lambda x: bell(x))
    flow = Flow(grid, Energy(internal, potential, kernel))
    return flow, grid.average((lambda x, y: start(x, y)) if two else (lambda x: start(x)))


def time_slope(name, dim, order, counts=(8, 16, 32), end=0.08):
    flow, rho = smooth_case(name, dim, 40 if dim == 1 else 18)
    finest = run(flow, rho, end, 16 * counts[-1], 2)
    errors = [distance(flow.grid, run(flow, rho, end, n, order), finest) for n in counts]
    return slope(1 / np.array(counts), errors)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("name", [n for n in SMOOTH_CASES if n not in ("drift", "aggregation")])
def test_order_two_in_time(name, dim):
    assert time_slope(name, dim, 2) >= 1.9


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("name", ["ou", "mean field", "m=2", "m=1.5", "drift"])
def test_order_one_in_time_by_name(name, dim):
    assert 0.9 <= time_slope(name, dim, 1) <= 1.1


@pytest.mark.parametrize("name", ["drift", "aggregation"])
def test_order_in_time_of_pure_drift(name):
    """The slope limiter switches where ρ has an extremum, which costs a little."""
    assert time_slope(name, 1, 2) >= 1.85


@pytest.mark.parametrize("name", ["m=2", "m=3", "m=1.5", "m=0.6", "mean field"])
def test_order_in_space_of_smooth_solutions(name):
    """Against the averages of a solution on a grid four times finer."""
    sizes, end = (16, 32, 64), 0.05
    flow, rho = smooth_case(name, 1, 256)
    finest = run(flow, rho, end, 40)
    errors = []
    for n in sizes:
        flow, rho = smooth_case(name, 1, n)
        mean = finest.reshape(n, -1).mean(axis=1)
        errors.append(distance(flow.grid, run(flow, rho, end, 40), mean))
    assert slope(1 / np.array(sizes), errors) >= 1.85


def test_mckean_vlasov_quadratic_mean_and_variance():
    """V = x²/2, W = x², κ = ½: mean .909795990, variance .198198477 at T = ½, with errors of second order."""
    sizes, errors = np.array([60, 120, 240]), []
    for n in sizes:
        grid = Grid([-4.0], [6.0], [n])
        flow = Flow(grid, Energy(Internal("entropy", 0.5), lambda x: x**2 / 2, lambda x: x**2))
        rho = run(flow, grid.average(gaussian(1.5, 0.8)), 0.5, n // 3)
        mean = flow.integral(grid.x.centers * rho)
        variance = flow.integral(grid.x.centers**2 * rho) - mean**2
        errors.append(abs(mean - 0.909795990) + abs(variance - 0.198198477))
    assert errors[-1] <= 1.5e-3
    assert slope(1 / sizes, errors) >= 1.85


# ------------------------------------------------------------------------------------------------- free boundaries

BARENBLATT = {  # m: (α, k, C), in 1D, unit mass
    2.0: (1 / 3, 1 / 12, 0.360562392577),
    3.0: (1 / 4, 1 / 12, 0.183776298474),
    4.0: (1 / 5, 0.075, 0.113201963128),
}


def barenblatt(m, t):
    alpha, k, c = BARENBLATT[m]
    return lambda x: t**-alpha * np.maximum(c - k * x**2 * t ** (-2 * alpha), 0.0) ** (1 / (m - 1))


@pytest.mark.parametrize(
    ("m", "size", "bound"), [(2.0, 160, 2.5e-4), (2.0, 320, 7e-5), (3.0, 320, 3e-4), (4.0, 320, 7e-4)]
)
def test_barenblatt_fronts_move(m, size, bound):
    """From t = 1 to 4: the front is within two cells of its place, and the L¹ error is bounded."""
    grid = Grid([-5.0], [5.0], [size])
    flow = Flow(grid, Energy(Internal("power", 1.0, m)))
    rho = run(flow, grid.average(barenblatt(m, 1.0), 64), 4.0, size // 2, start=1.0)
    assert distance(grid, rho, grid.average(barenblatt(m, 4.0), 64)) <= bound
    alpha, k, c = BARENBLATT[m]
    front = math.sqrt(c / k)
    travelled = front * 4**alpha - front
    here = grid.x.centers[np.nonzero(rho > 1e-3 * rho.max())[0][-1]]
    assert here == pytest.approx(front * 4**alpha, abs=2.5 * grid.x.widths[0])
    assert travelled > 5 * grid.x.widths[0]


@pytest.mark.parametrize("m", [2.0, 3.0])
def test_confined_support_with_moving_centre(m):
    """V = x²/2: ρ = R⁻¹F((x − c)/R), R^{m+1} = 1 + (R₀^{m+1} − 1) e^{−(m+1)t}; supports move, positivity holds."""
    b = {2.0: 1.442249570307, 3.0: 1.050075135809}[m]

    def exact(t):
        radius, centre = (1 + (0.6 ** (m + 1) - 1) * math.exp(-(m + 1) * t)) ** (1 / (m + 1)), 0.7 * math.exp(-t)
        return lambda x: (
            np.maximum((m - 1) / (2 * m) * (b**2 - ((x - centre) / radius) ** 2), 0.0) ** (1 / (m - 1)) / radius
        )

    grid = Grid([-3.0], [3.0], [240])
    flow = Flow(grid, Energy(Internal("power", 1.0, m), lambda x: x**2 / 2))
    rho = run(flow, grid.average(exact(0.0), 64), 1.0, 120)
    assert distance(grid, rho, grid.average(exact(1.0), 64)) <= 2e-3
    assert flow.integral(grid.x.centers * rho) == pytest.approx(0.7 * math.exp(-1), abs=2e-3)


def test_a_compact_disc_contracts_without_diffusion():
    """W = x²/2, no U: ρ(t, x) = e^t ρ₀(e^t x); the donor flux keeps the disc within a known error."""
    grid = Grid([-1.5], [1.5], [150])
    flow = Flow(grid, Energy(Internal("none"), None, lambda x: x**2 / 2))
    rho = run(flow, grid.average(lambda x: 0.5 * (np.abs(x) < 1), 64), 0.5, 50)
    half = math.exp(-0.5)
    exact = grid.average(lambda x: 0.5 / half * (np.abs(x) < half), 64)
    assert distance(grid, rho, exact) <= 0.1
    assert flow.integral(grid.x.centers**2 * rho) == pytest.approx(half**2 / 3, rel=0.02, abs=0)
