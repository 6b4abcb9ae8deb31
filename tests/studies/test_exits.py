"""Exits: mean first-passage times, where it leaves, committors, rates and quasi-stationary densities."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from wgfpde.energy.dynamics import Dynamics
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.openings.sinks import Sink
from wgfpde.grid import Grid
from wgfpde.studies.exits import KilledChain, find_exits

KEPT, ABSORBED = ["no-flux", "absorbing"], ["absorbing", "absorbing"]


def quartic(x):
    return (x * x - 1) ** 2


def line(cells, lower, upper, ends, kappa=1.0, potential=None, diffusion=None, sinks=(), radial=None, mapping=None):
    grid = Grid([lower], [upper], [cells], [ends], None if mapping is None else [mapping], radial=radial)
    dynamics = None if diffusion is None else Dynamics((diffusion,))
    return Flow(grid, Energy(Internal("entropy", kappa), potential), dynamics=dynamics, sinks=sinks)


def time_at(flow, x, **question):
    """T at a place, between the cells."""
    found = find_exits(flow, np.ones(flow.grid.shape), **question)
    return float(CubicSpline(flow.grid.x.centers, found.fields["mean_time"])(x))


def errors(exact, flows, measure):
    """Relative errors on grids twice as fine each, and the order of the last step."""
    found = np.array([abs(measure(flow) / exact - 1) for flow in flows])
    return found, float(np.log2(found[-2] / found[-1]))


# ---- closed forms ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kappa", "exact", "tolerance"),
    [(0.2, 182.4176729856, 2.5e-5), (0.1, 25527.0913642925, 5e-5), (0.05, 549661100.352, 1e-4)],
)
def test_escape_from_a_well(kappa, exact, tolerance):
    """V = (x² − 1)² from −1, wall at −2, absorbed at 1; by quadrature."""
    found, order = errors(
        exact, [line(n, -2.0, 1.0, KEPT, kappa, quartic) for n in (400, 800)], lambda flow: time_at(flow, -1.0)
    )
    assert found[-1] < tolerance and order == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize("kappa", [0.005, 0.03, 0.2])
def test_every_digit_of_a_chain(kappa):
    """T and T₂ on 60 cells against exact arithmetic with the same rates: up to 200 kT, where LU has the wrong sign."""
    flow = line(60, -2.0, 1.0, KEPT, kappa, quartic)
    chain = KilledChain(flow)
    found = find_exits(flow, np.ones(60))
    times = recursion(chain, [Fraction(v) for v in chain.volume])
    squares = recursion(chain, [2 * Fraction(v) * t for v, t in zip(chain.volume, times, strict=True)])
    exact = np.array([float(t) for t in times])
    np.testing.assert_allclose(found.fields["mean_time"], exact, rtol=1e-12, atol=0)
    shown = np.array([float(t) if t < 10**300 else np.inf for t in squares])
    np.testing.assert_allclose(found.fields["second_moment"], shown, rtol=1e-12, atol=0)


def recursion(chain, right):
    """A u = right on a chain left at its upper end: a_i(u_i − u_{i+1}) = right_i + b_{i−1}(u_{i−1} − u_i)."""
    a, b = ([Fraction(v) for v in rates] for rates in (chain.a, chain.b))
    drop, drops = Fraction(0), []
    for i in range(len(a)):
        drop = (right[i] + (b[i - 1] * drop if i else 0)) / a[i]
        drops.append(drop)
    u = [(right[-1] + b[-1] * drop) / Fraction(chain.loss[-1])]
    for drop in reversed(drops):
        u.append(u[-1] + drop)
    return u[::-1]


@pytest.mark.parametrize(("goal", "exact"), [(1.0, 2.09340664967832), (2.0, 10.428409397996), (3.0, 86.931619898888)])
def test_ornstein_uhlenbeck_up_to_a_level(goal, exact):
    flows = [line(n, -10.0, goal, KEPT, 1.0, lambda x: x * x / 2) for n in (400, 800)]
    found, order = errors(exact, flows, lambda flow: time_at(flow, 0.0))
    assert found[-1] < 5e-5 and order == pytest.approx(2.0, abs=0.05)


def test_diffusion_that_depends_on_place():
    flows = [line(n, -2.0, 1.0, KEPT, 0.1, quartic, lambda x: 1 / (1 + x * x)) for n in (200, 400)]
    found, order = errors(26228.57802472, flows, lambda flow: time_at(flow, -1.0))
    assert found[-1] < 2e-4 and order == pytest.approx(2.0, abs=0.03)


@pytest.mark.parametrize("stretched", [False, True])
def test_robin_wall(stretched):
    """−T'' = 1 on [0, 1], T'(0) = 2 T(0), T(1) = 0; from a wall that takes only a part, and one that takes all."""
    mapping = (lambda s: 0.5 * s + 0.5 * s**2) if stretched else None
    worst = []
    for n in (40, 80):
        flow = line(n, 0.0, 1.0, {"lower": {"robin": 2.0}, "upper": "absorbing"}, mapping=mapping)
        found = find_exits(flow, np.ones(n))
        x = flow.grid.x.centers
        worst.append(np.max(np.abs(found.fields["mean_time"] - (-x * x / 2 + x / 3 + 1 / 6))))
        assert sum(found.exits.values()) == pytest.approx(1.0, abs=1e-14)
        assert found.exits["x_lower"] == pytest.approx(1 / 3, abs=1e-3)
    assert worst[-1] < 1e-4 and worst[0] / worst[1] == pytest.approx(4.0, abs=0.3)


@pytest.mark.parametrize("n", [2, 3])
def test_ball(n):
    """T = (R² − r²)/(2n) by the radius alone."""
    worst = []
    for cells in (20, 40):
        flow = line(cells, 0.0, 1.5, KEPT, radial=n)
        r = flow.grid.x.centers
        worst.append(np.max(np.abs(find_exits(flow, np.ones(cells)).fields["mean_time"] - (2.25 - r * r) / (2 * n))))
    assert worst[1] < 1e-3 and np.log2(worst[0] / worst[1]) == pytest.approx(2.0, abs=0.1)


def square(cells, *ends, sinks=(), potential=None, kappa=1.0, lower=(0.0, 0.0), upper=(1.0, 1.0)):
    return Flow(Grid(lower, upper, [cells] * 2, ends), Energy(Internal("entropy", kappa), potential), sinks=sinks)


def middle(field):
    """Value at the centre of a square, of an even number of cells, by the four cells around it; of second order."""
    n = len(field) // 2
    return field[n - 1 : n + 1, n - 1 : n + 1].mean()


def test_square_with_four_absorbing_sides():
    found = find_exits(square(32, "absorbing", "absorbing"), np.ones((32, 32)))
    assert found.mean_time == pytest.approx(0.0351442537390, abs=2e-4)
    assert middle(found.fields["mean_time"]) == pytest.approx(0.0736713522737, abs=3e-4)
    for share in found.exits.values():
        assert share == pytest.approx(0.25, abs=1e-14)
    for name in ("mean_time", "exit_x_lower"):
        other = found.fields["exit_y_lower" if name != "mean_time" else name]
        np.testing.assert_allclose(found.fields[name], other.T, rtol=1e-13, atol=0)


def test_square_with_two_absorbing_sides_is_a_quarter_of_one_with_four():
    """The far corner: 4 × the centre of the square, 0.294685409; cell by cell."""
    quarter = find_exits(square(16, KEPT, KEPT), np.ones((16, 16))).fields["mean_time"]
    whole = find_exits(square(32, "absorbing", "absorbing", lower=(-1, -1)), np.ones((32, 32))).fields["mean_time"]
    np.testing.assert_allclose(quarter, whole[16:, 16:], rtol=1e-13, atol=0)
    assert quarter[0, 0] == pytest.approx(0.294685409, rel=6e-3, abs=0)


def banana(x, y):
    return (x * x - 1) ** 2 + 2 * (y - x * x / 2) ** 2


def test_banana_well():
    """38.737 by quadratic finite elements on 96² quadrilaterals; here by the right side of [−2, 1] × [−1.5, 2.5]."""
    from scipy.interpolate import RegularGridInterpolator

    found = []
    for n in (32, 64):
        flow = square(n, KEPT, "no-flux", potential=banana, kappa=0.3, lower=(-2, -1.5), upper=(1, 2.5))
        time = find_exits(flow, np.ones((n, n))).fields["mean_time"]
        at = RegularGridInterpolator((flow.grid.y.centers, flow.grid.x.centers), time, method="cubic")
        found.append(float(at([[0.5, -1.0]])[0]))
    assert found == pytest.approx([38.600685, 38.702963], rel=1e-7, abs=0)  # what an independent assembly gives
    assert (4 * found[1] - found[0]) / 3 == pytest.approx(38.7369, rel=3e-4, abs=0)


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_a_curved_region(shift):
    """A disc: T = (1 − r²)/4 and the rate j₀², to second order wherever the grid lies."""
    worst, rates = [], []
    for n in (32, 64):
        low = -1.5 + shift * 3 / n
        flow = square(n, "no-flux", "no-flux", lower=(low, -1.5), upper=(low + 3, 1.5),
                      sinks=[Sink("rim", region=lambda x, y: x * x + y * y > 1)])  # fmt: skip
        found = find_exits(flow, np.ones((n, n)))
        r2 = flow.grid.x.centers**2 + flow.grid.y.centers[:, None] ** 2
        worst.append(np.max(np.abs(found.fields["mean_time"] - np.maximum(1 - r2, 0) / 4)))
        rates.append(abs(found.quasi_stationary_rate / 5.783185962946783 - 1))
    assert worst[1] < 1.5e-4 and rates[1] < 7e-4
    assert np.log2([worst[0] / worst[1], rates[0] / rates[1]]) == pytest.approx([2, 2], abs=0.3)


@pytest.mark.parametrize("periodic", [False, True])
def test_the_edge_of_a_region_lies_between_centres(periodic):
    """From [0.23, 0.81] out: T = (x − 0.23)(0.81 − x)/2, exactly but for rounding where all distances count."""
    flow = line(50, 0.0, 1.0, "periodic" if periodic else "no-flux", sinks=[
        Sink("low", region=lambda x: x < 0.23), Sink("high", region=lambda x: x > 0.81)
    ])  # fmt: skip
    if periodic:  # the same, across the seam
        flow = line(50, 0.4, 1.4, "periodic", sinks=[
            Sink("low", region=lambda x: (x > 1.1) * (x < 1.23)), Sink("high", region=lambda x: (x > 0.81) * (x < 0.9))
        ])  # fmt: skip
    found = find_exits(flow, np.ones(50)).fields
    x = flow.grid.x.centers
    x = np.where(x > 1.0, x - 1.0, x) if periodic else x
    inner = (x > 0.23) & (x < 0.81)
    exact = (x - 0.23) * (0.81 - x) / 2
    assert np.max(np.abs(found["mean_time"] - exact)[inner]) < 2e-3  # h²/4 at each edge, and less
    share = (x - 0.23) / 0.58
    assert np.max(np.abs(found["exit_high"] - share)[inner]) < 0.03


# ---- promises ----------------------------------------------------------------------------------------------

WALLS = ["no-flux", "absorbing", {"robin": 0.7}, {"density": 0.3}]


def random_flow(seed, dim):
    """V, D, walls, sinks and grid by chance; one wall absorbs in any case."""
    rng = np.random.default_rng(seed)
    waves, shift = rng.normal(size=4), rng.uniform(0, 6, 4)
    height = 10.0 ** rng.uniform(-1, 1.7)

    def potential(x, y=0.0):
        return height * (np.sin(3 * waves[0] * x + shift[0]) + 0.5 * np.cos(2 * waves[1] * y + shift[1]) * x)

    def diffusion(x, y=0.0):
        return 0.2 + (waves[2] * x + np.sin(waves[3] * y)) ** 2

    ends = [[WALLS[rng.integers(4)], WALLS[rng.integers(4)]] for _ in range(dim)]
    ends[0][1] = "absorbing"
    if dim == 2 and rng.random() < 0.3:
        ends[1] = "no-flux"
    sinks = []
    if rng.random() < 0.6:
        sinks.append(Sink("decay", rate=lambda x, y=0.0: 0.1 * (x > 0.2)))
    if rng.random() < 0.6:
        sinks.append(Sink("hole", region=lambda x, y=0.0: (x - 0.6) ** 2 + (y - 0.1) ** 2 < 0.03))
    bend = rng.uniform(0.3, 1.0)
    mapping = [(lambda s: bend * s + (1 - bend) * s * s) if rng.random() < 0.5 else None for _ in range(dim)]
    cells = [40] if dim == 1 else [13, 11]
    grid = Grid([-1.0, -0.9][:dim], [1.0, 1.1][:dim], cells, ends, mapping)
    return Flow(grid, Energy(Internal("entropy", 0.5), potential), dynamics=Dynamics((diffusion,)), sinks=sinks), rng


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("seed", range(12))
def test_promises(seed, dim):
    """Probabilities add up to 1, ⟨ρ⁰, T⟩ = ∫G, moments in order, 1/λ and T of the quasi-stationary density agree."""
    flow, rng = random_flow(seed, dim)
    rho = rng.random(flow.grid.shape)
    found = find_exits(flow, rho)
    volume = flow.grid.cell_volume
    assert sum(found.exits.values()) == pytest.approx(1.0, abs=1e-12)
    total = sum(found.fields[f"exit_{name}"] for name in found.exits)
    np.testing.assert_allclose(total, 1.0, rtol=1e-12, atol=0)
    assert np.sum(volume * found.fields["occupation"]) == pytest.approx(found.mean_time, rel=1e-12, abs=0)
    for name, k in flow.losses.items():
        if name in found.exits and (flow.inside is None or name != "hole"):
            assert np.sum(k * found.fields["occupation"]) == pytest.approx(found.exits[name], rel=1e-11, abs=1e-14)
    assert found.second_moment >= found.mean_time**2
    shares, times = np.array(list(found.exits.values())), np.array(list(found.conditional_times.values()))
    assert np.sum(shares * np.where(shares > 0, times, 0)) == pytest.approx(found.mean_time, rel=1e-11, abs=0)
    late = found.fields["quasi_stationary"]
    assert np.all(late >= 0) and np.sum(volume * late) == pytest.approx(1.0, rel=1e-12, abs=0)
    assert found.quasi_stationary_residual < 1e-6
    after = find_exits(flow, late)
    assert after.mean_time * found.quasi_stationary_rate == pytest.approx(1.0, rel=1e-9, abs=0)
    assert after.second_moment * found.quasi_stationary_rate**2 == pytest.approx(2.0, rel=1e-9, abs=0)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("seed", range(8))
def test_reactive_rates_are_the_same_across_every_cut(seed, dim):
    """And forth as back, where A and B change places; with other exits too."""
    flow, rng = random_flow(seed, dim)
    a, b = (lambda x, y=0.0: x < -0.6), (lambda x, y=0.0: (x > -0.2) * (x < 0.2))
    rho = rng.random(flow.grid.shape)
    forth = find_exits(flow, rho, a, b)
    back = find_exits(flow, rho, b, a)
    assert 0 < forth.rate == pytest.approx(back.rate, rel=1e-12, abs=0)
    assert forth.rate_spread < 1e-11
    assert np.all(forth.fields["committor"] >= 0) and np.all(forth.fields["committor"] <= 1 + 1e-12)
    assert np.all(forth.fields["committor"] + back.fields["committor"] <= 1 + 1e-12)
    assert 0 <= forth.committor <= 1 and forth.passage_time > 0
    x = flow.grid.x.centers
    between = (x > -0.6) & (x < -0.2)
    current = forth.fields["reactive_current_x"]
    across = current if dim == 1 else np.sum(current * flow.grid.y.widths[:, None], axis=0)
    np.testing.assert_allclose(across[between], forth.rate, rtol=1e-11, atol=0)


# ---- committors and rates ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kappa", "exact"), [(0.1, 1.95870337464e-5), (0.2, 2.74096249457e-3)])
def test_reactive_rate(kappa, exact):
    """κ/(Z ∫e^{V/κ}) from x ≤ −1 to x ≥ 1, of (x² − 1)² on [−2, 2]; committor at −0.5."""
    found = []
    for n in (250, 500):
        flow = line(n, -2.0, 2.0, "no-flux", kappa, quartic)
        found.append(find_exits(flow, np.ones(n), lambda x: x < -1, lambda x: x > 1))
    off = [abs(one.rate / exact - 1) for one in found]
    assert off[1] < 3e-4 and np.log2(off[0] / off[1]) == pytest.approx(2.0, abs=0.1)
    fine = found[1]
    assert fine.rate_spread < 1e-12
    field = fine.fields["committor"]
    np.testing.assert_allclose(field + field[::-1], 1.0, rtol=1e-12, atol=0)
    if kappa == 0.1:
        at = CubicSpline(fine.grid.x.centers, field)(-0.5)
        assert at == pytest.approx(0.00206570024513, rel=3e-4, abs=0)


def test_the_current_of_a_line_is_the_rate_in_every_cell():
    flow = line(200, -2.0, 2.0, "no-flux", 0.1, quartic)
    found = find_exits(flow, np.ones(200), lambda x: x < -1, lambda x: x > 1)
    current, x = found.fields["reactive_current_x"], flow.grid.x.centers
    between = (x > -1) & (x < 1)
    np.testing.assert_allclose(current[between], found.rate, rtol=1e-12, atol=0)
    assert np.all(current[~between] == 0)
    density = found.fields["reactive_density"]
    assert np.sum(density) * 0.02 == pytest.approx(found.rate * found.passage_time, rel=1e-12, abs=0)


def test_passages_of_brownian_motion():
    """Over a distance L they take L²/(6κD) on average, at the rate κD/(L · length), D included."""
    flow = line(100, 0.0, 1.0, "no-flux", 0.5, diffusion=lambda x: 3.0 + 0.0 * x)
    found = find_exits(flow, np.ones(100), lambda x: x < 0.1, lambda x: x > 0.9)
    assert found.rate == pytest.approx(1.5 / 0.8, rel=1e-12, abs=0)
    assert found.passage_time == pytest.approx(0.64 / 9, rel=1e-3, abs=0)
    x, inner = flow.grid.x.centers, slice(10, 90)
    expected = (x - 0.1) * (0.9 - x) / 0.64
    np.testing.assert_allclose(found.fields["reactive_density"][inner], expected[inner], rtol=1e-12, atol=0)


def test_rates_of_a_hundred_kt():
    """κ = 0.01: relative digits of a rate of 1e-44, from the integrals by the midpoints that the scheme amounts to."""
    flow = line(400, -2.0, 2.0, "no-flux", 0.01, quartic)
    found = find_exits(flow, np.ones(400), lambda x: x < -1, lambda x: x > 1)
    x = np.linspace(-1, 1, 20001)
    z = np.linspace(-2, 2, 40001)
    # κ/(Z ∫e^{V/κ}): logarithms kept apart
    inner = np.trapezoid(np.exp((quartic(x) - 1) / 0.01), x)
    exact = 0.01 / np.trapezoid(np.exp(-quartic(z) / 0.01), z) / inner * np.exp(-100.0)
    assert found.rate == pytest.approx(exact, rel=5e-3, abs=0) and found.rate_spread < 1e-12
    assert found.mean_time * found.rate == pytest.approx(0.5, rel=1e-3, abs=0)  # half of the mass is on the side of A


def test_a_named_exit_is_a_target():
    """From the middle to one end: others count as failures; the committor is x/L from x = 0 to the wall."""
    flow = line(60, -1.0, 1.0, ABSORBED)
    found = find_exits(flow, np.ones(60), lambda x: np.abs(x) < 0.2, "x_upper")
    assert found.targets == ("x_upper",) and set(found.exits) == {"x_lower", "x_upper"}
    x = flow.grid.x.centers
    expected = np.where(x > 0.2, (x - 0.2) / 0.8, 0.0)
    assert np.max(np.abs(found.fields["committor"] - expected)) < 1e-12
    assert found.rate == pytest.approx(1 / 0.8 / 2, rel=1e-12, abs=0) and "by x_lower too" in found.notes[0]


# ---- late times --------------------------------------------------------------------------------------------


def test_quasi_stationary_brownian():
    flows = [line(n, 0.0, 1.0, ABSORBED, 0.7) for n in (50, 100)]
    found, order = errors(
        0.7 * np.pi**2, flows, lambda flow: find_exits(flow, np.ones(flow.grid.size)).quasi_stationary_rate
    )
    assert found[1] < 1e-4 and order == pytest.approx(2.0, abs=0.01)


def test_quasi_stationary_ornstein_uhlenbeck():
    """Absorbed at 0: rate 1 and density x e^{−x²/2}."""
    off, apart = [], []
    for n in (100, 200):
        flow = line(n, 0.0, 8.0, ["absorbing", "no-flux"], 1.0, lambda x: x * x / 2)
        found = find_exits(flow, np.ones(n))
        x = flow.grid.x.centers
        off.append(abs(found.quasi_stationary_rate - 1))
        apart.append(np.sum(np.abs(found.fields["quasi_stationary"] - x * np.exp(-x * x / 2))) * 8 / n)
    assert off[1] < 3e-4 and apart[1] < 7e-5
    assert np.log2([off[0] / off[1], apart[0] / apart[1]]) == pytest.approx([2, 2], abs=0.05)


@pytest.mark.parametrize("kappa", [0.01, 0.05, 0.1, 0.2])
def test_two_wells_that_decay_alike(kappa):
    """Both ends absorb: λ₂ − λ₁ is below rounding in part of the cases; still rate × mean time = 1 up to relaxation."""
    flow = line(200, -1.6, 1.6, ABSORBED, kappa, quartic)
    found = find_exits(flow, np.exp(-((flow.grid.x.centers + 1) ** 2) / 0.01))
    assert found.quasi_stationary_residual < 1e-7
    assert found.quasi_stationary_rate * found.mean_time == pytest.approx(1.0, rel=1e-4, abs=0)
