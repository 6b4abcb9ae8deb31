"""Marches with open walls and sinks: the account, the sign and what falls, for every step and law; closed forms."""

from typing import Literal

import numpy as np
import pytest
from scipy.special import beta, betaincinv, j0, jn_zeros

from wgfpde.base.case_table import Table
from wgfpde.energy import laws
from wgfpde.energy.currents import exit_rates
from wgfpde.energy.dynamics import Dynamics
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.features import Features
from wgfpde.energy.flow import Flow
from wgfpde.energy.laws.array_law import ArrayLaw
from wgfpde.energy.laws.law import ENTROPY, NONE
from wgfpde.energy.openings.account import EXITS, at_start, came_in, left
from wgfpde.energy.openings.sinks import Sink
from wgfpde.energy.rates import faces_of, sg_network
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.limiter import contract, correct_fluxes
from wgfpde.methods.finite_volumes.linear_sweep import _let_go
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
from wgfpde.methods.jko.stepper import Jko

STEPS = (1e-3, 0.1, 1.0, 1e3, 1e6)


def march(flow, rho, dt, count, order=2, start=None):
    stepper = FiniteVolumes(flow, order, dt, threads=1)
    snapshot = Snapshot(0.0, 0, {"rho": rho}) if start is None else start
    found = []
    for _ in range(count):
        snapshot = stepper.step(snapshot, snapshot.t + (dt if dt != "adaptive" else 0.1))
        found.append(snapshot)
    return found


def flow_of(rng, dim, internal, sinks=True, walls=("absorbing", {"robin": 2.0}, "no-flux"), interaction=None):
    """Random potential, diffusion, walls and sinks on unequal cells."""
    a, b, c = rng.normal(size=3)
    open_walls = [{"lower": walls[rng.integers(len(walls))], "upper": "absorbing"}, ["no-flux", walls[0]]]
    grid = Grid([0.0] * dim, [1.0] * dim, [17, 9][:dim], open_walls[:dim], [lambda s: s**1.3, None][:dim])

    def potential(x, y=0.0):
        return 4 * a * x + 2 * np.sin(5 * x + b + 3 * y)

    def diffusion(x, y=0.0):
        return 1.1 + np.cos(3 * c * x + y)

    region = (lambda x: (x > 0.6) & (x < 0.72)) if dim == 1 else (lambda x, y: (x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.03)
    some = [Sink("region", region=region), Sink("decay", rate=lambda x, y=1.0: 3 * x * y)] if sinks else []
    energy = Energy(internal, potential, interaction)
    return Flow(grid, energy, dynamics=Dynamics((diffusion,)), sinks=some)


def start_of(rng, flow):
    rho = rng.exponential(size=flow.grid.shape)
    rho[rng.random(flow.grid.shape) < 0.3] = 0.0
    return rho


def square_norm(flow, rho):
    return np.sum(rho**2 * np.exp(flow.potential / flow.internal.kappa) * flow.grid.cell_volume)


LAWS = {
    "entropy": Internal("entropy", 0.5), "drift": Internal("none"), "porous": Internal("power", 0.5, 2.0),
    "steep": Internal("power", 0.5, 4.5), "between": Internal("power", 0.5, 1.5), "fast": Internal("power", 0.5, 0.8),
}  # fmt: skip


class Own(Table):
    kind: Literal["of-walls"]


SQUARE = ArrayLaw("of-walls", Own, lambda r: r**2, lambda r: 2 * r, lambda r: 2 + 0 * r)
LOG = ArrayLaw("of-walls", Own, lambda r: r * np.log(r) - r + r**2, lambda r: np.log(r) + 2 * r, lambda r: 1 / r + 2)


@pytest.mark.parametrize("law", [SQUARE, LOG])
@pytest.mark.parametrize("dim", [1, 2])
def test_laws_without_kernels_leave_too(law, dim):
    """F(ρ, 0) of the two-point flux, also where U'(0) = −∞."""
    laws.register(law)
    try:
        rng = np.random.default_rng(dim)
        for dt in (1e-3, 0.1, 10.0):
            for order in (1, 2):
                flow = flow_of(rng, dim, Internal("of-walls"), walls=("absorbing", "no-flux"))
                rho = start_of(rng, flow) + (0.0 if law is SQUARE else 0.05)
                for snapshot in march(flow, rho, dt, 2, order):
                    account = left(snapshot.fields[EXITS])
                    assert abs(flow.mass(snapshot.rho) + account.sum() - flow.mass(rho)) <= 1e-13 * flow.mass(rho)
                    assert snapshot.rho.min() >= 0 and account.min() >= 0
        if law is SQUARE:  # the same as the power 2 but for the weight of ΔΦ at walls
            flat = [
                Flow(Grid([0.0], [1.0], [9], "absorbing"), Energy(i)) for i in (Internal("of-walls"), LAWS["porous"])
            ]
            one, two = (march(flow, np.ones(9), dt, 1, 1)[0].rho for flow, dt in zip(flat, (0.01, 0.02), strict=True))
            assert one == pytest.approx(two, rel=1e-10, abs=0)
    finally:
        del laws.LAWS["of-walls"]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("law", LAWS)
def test_promises_for_every_step(law, dim, order):
    """S + exits = 1, S never up, ρ ≥ 0, nothing comes back by an exit; for linear flows ∫ρ²/π falls."""
    rng = np.random.default_rng([dim, order, list(LAWS).index(law)])
    linear = law in ("entropy", "drift")
    for dt in STEPS:
        walls = ("absorbing", {"robin": 2.0}, "no-flux") if linear else ("absorbing", "no-flux")
        flow = flow_of(rng, dim, LAWS[law], walls=walls)
        rho = start_of(rng, flow)
        mass, found = flow.mass(rho), march(flow, rho, dt, 3, order)
        before, gone, norm = np.inf, np.zeros(len(flow.exits)), np.inf
        for snapshot in found:
            account, now = snapshot.fields[EXITS], flow.mass(snapshot.rho)
            assert abs(now + left(account).sum() - mass) <= 1e-13 * mass and at_start(account) == mass
            assert snapshot.rho.min() >= 0 and now <= before * (1 + 1e-14)
            assert np.all(left(account) >= gone - 1e-15 * mass)
            if law == "entropy":
                assert square_norm(flow, snapshot.rho) <= norm * (1 + 1e-13)
                norm = square_norm(flow, snapshot.rho)
            before, gone = now, left(account)
        assert np.all(snapshot.rho[flow.inside] == 0)


def test_a_repulsion_keeps_the_account():
    """W∗ρ at the wall is carried on; the outer iteration does not disturb the account."""
    rng = np.random.default_rng(4)
    for dim in (1, 2):
        flow = flow_of(rng, dim, LAWS["entropy"], interaction=lambda x, y=0.0: np.exp(-4 * (x * x + y * y)))
        rho = start_of(rng, flow)
        for snapshot in march(flow, rho, 0.05, 3):
            account = snapshot.fields[EXITS]
            assert flow.mass(snapshot.rho) + left(account).sum() == pytest.approx(flow.mass(rho), rel=1e-13, abs=0)
            assert snapshot.rho.min() >= 0


@pytest.mark.parametrize("dim", [1, 2])
def test_mass_that_comes_in_is_accounted_for(dim):
    walls = [{"lower": {"density": 2.0}, "upper": "absorbing"}, {"lower": {"inflow": 0.3}, "upper": {"robin": 1.0}}]
    grid = Grid([0.0] * dim, [1.0] * dim, [12, 7][:dim], walls[:dim])
    flow = Flow(grid, Energy(Internal("entropy", 0.5), lambda x, **_: np.cos(4 * x)))
    for dt in STEPS:
        last = march(flow, np.ones(grid.shape), dt, 4)[-1]
        account = last.fields[EXITS]
        through = 1.0 + came_in(account)
        assert came_in(account) == pytest.approx(4 * dt * sum(np.sum(g) for g in flow.gains.values()), rel=1e-13, abs=0)
        assert abs(flow.mass(last.rho) + left(account).sum() - 1.0) <= 1e-13 * through and last.rho.min() >= 0
    if dim == 1:  # in the plane sweeps bring every line to rest on its own
        rates = exit_rates(flow, last.rho)
        assert sum(rates.values()) == pytest.approx(0.0, abs=1e-12 * rates["x_upper"])


@pytest.mark.parametrize("order", [1, 2])
def test_what_comes_in_by_an_inflow_is_its_rate_times_the_time(order):
    """Gross, whatever leaves; rejected tries of adaptive steps leave no trace in it."""
    grid = Grid([0.0, 0.0], [1.0, 2.0], [8, 6], [{"lower": {"inflow": 0.3}, "upper": "absorbing"}, "no-flux"])
    flow = Flow(grid, Energy(Internal("entropy", 0.5)))
    rho = np.where(np.arange(8) == 4, 8.0, 0.0) + np.zeros((6, 1))
    assert came_in(march(flow, rho, 0.25, 2, order)[-1].fields[EXITS]) == pytest.approx(
        0.3 * 2.0 * 0.5, rel=1e-13, abs=0
    )
    stepper, rejected = FiniteVolumes(flow, order, "adaptive", first_dt=0.2), 0
    snapshot = Snapshot(0.0, 0, {"rho": rho})
    while snapshot.t < 0.5:
        snapshot = stepper.step(snapshot, 0.5)
        rejected += snapshot.report.rejected
    assert rejected > 0
    assert came_in(snapshot.fields[EXITS]) == pytest.approx(0.3 * 2.0 * 0.5, rel=1e-12, abs=0)


def test_a_single_mode_between_absorbing_walls():
    """Sines are eigenvectors on equal cells: λ = 4κ sin²(πh/2)/h²; SDIRK2 multiplies them by its R(λdt)."""
    grid = Grid([0.0], [1.0], [20], "absorbing")
    flow, gamma, dt = Flow(grid, Energy(Internal("entropy"))), 1 - np.sqrt(0.5), 0.01
    z = 4 * 400 * np.sin(np.pi / 40) ** 2 * dt
    rho = np.sin(np.pi * grid.x.centers)
    last = march(flow, rho, dt, 3)[-1]
    assert last.rho == pytest.approx(rho * ((1 - (1 - 2 * gamma) * z) / (1 + gamma * z) ** 2) ** 3, rel=1e-12, abs=0)
    assert left(last.fields[EXITS])[0] == pytest.approx(left(last.fields[EXITS])[1], rel=1e-13, abs=0)


@pytest.mark.parametrize("ring", [False, True])
@pytest.mark.parametrize("law", ["entropy", "drift"])
def test_a_repair_changes_nothing_where_there_is_room(law, ring):
    """Away from a negative cell a step with what decays is SDIRK2's, solved for densely: its loss taken once."""
    grid = Grid([0.0], [1.0], [40], ["periodic" if ring else "no-flux"], [lambda s: s - 0.05 * np.sin(2 * np.pi * s)])
    x, dt, gamma = grid.x.centers, 0.01, 1 - np.sqrt(0.5)
    sinks = [Sink("decay", rate=lambda x: 3 + x)]
    flow = Flow(grid, Energy(LAWS[law], lambda x: 0.3 * x**2 * (1 - x) ** 2), sinks=sinks)
    rho = np.where((x > 0.6) & (x < 0.63), 40.0, 0.0) + 0.1 + np.exp(-30 * (x - 0.2) ** 2)
    found = march(flow, rho, dt, 1)[0]
    if law == "entropy":
        faces, (a, b) = faces_of(flow), sg_network(flow, flow.potential)
        i, j, moves = faces.lower, faces.upper, np.diag(sum(flow.losses.values()))
        for row, column, rate in ((i, i, a), (j, j, b), (j, i, -a), (i, j, -b)):
            np.add.at(moves, (row, column), rate)
        inverse = np.linalg.inv(np.diag(grid.x.widths) + gamma * dt * moves)
        stage = inverse @ (grid.x.widths * rho)
        expected = inverse @ (grid.x.widths * (rho + (1 - gamma) / gamma * (stage - rho)))
        assert expected.min() < -0.1
        assert np.all(found.rho >= 0)
        far = (x > 0.1) & (x < 0.45)
        assert found.rho[far] == pytest.approx(expected[far], rel=1e-11, abs=0)
    gone = left(found.fields[EXITS]).sum()
    assert flow.mass(found.rho) + gone == pytest.approx(flow.mass(rho), rel=1e-14, abs=0)
    decay = sum(flow.losses.values())  # ∫∫ k ρ over the step, between its ends
    assert gone == pytest.approx(dt * np.sum(decay * 0.5 * (rho + found.rho)), rel=0.1, abs=0)


def test_orders_of_the_survival():
    """2 along lines, also with what decays; the exits share as ∫ of their rates does."""
    grid = Grid([0.0], [1.0], [30], ["absorbing"])
    flow = Flow(grid, Energy(Internal("entropy")), sinks=[Sink("decay", rate=lambda x: 5 * x)])
    rho = np.sin(np.pi * grid.x.centers)
    found = [left(march(flow, rho, 0.16 / n, n)[-1].fields[EXITS]) for n in (8, 16, 32)]
    assert np.log2(np.abs(found[0] - found[1]) / np.abs(found[1] - found[2])) == pytest.approx(2.0, abs=0.15)


def test_a_disc_of_any_radius_by_sweeps():
    z, a, end = jn_zeros(0, 1)[0], 0.9, 0.1
    off = []
    for n, count in ((24, 6), (48, 12)):
        grid = Grid([-1.0, -1.0], [1.0, 1.0], [n, n])
        flow = Flow(grid, Energy(Internal("entropy")), sinks=[Sink("rim", region=lambda x, y: np.hypot(x, y) > a)])
        r = np.hypot(grid.x.centers, grid.y.centers[:, None])
        rho = np.where(r < a, np.maximum(j0(z * r / a), 0.0), 0.0)
        last = march(flow, rho, end / count, count)[-1].rho
        off.append(flow.integral(np.abs(last - rho * np.exp(-((z / a) ** 2) * end))) / flow.mass(rho))
    assert off[1] < 1.5e-3 and np.log2(off[0] / off[1]) > 1.0


def test_slow_diffusion_between_absorbing_walls():
    """ρ = F(x)/(1 + t) with (F²)″ = −F: F² = G(1 − …), by the incomplete beta function; order 2."""
    area = beta(2 / 3, 1 / 2)
    peak = (1 / (2 * np.sqrt(0.75) * (2 / 3) * area)) ** 2

    def profile(x):
        return peak * betaincinv(2 / 3, 1 / 2, np.minimum(2 * np.minimum(x, 1 - x), 1.0)) ** (1 / 3)

    off = []
    for n in (20, 40, 80):
        grid = Grid([0.0], [1.0], [n], "absorbing")
        flow = Flow(grid, Energy(Internal("power", 1.0, 2.0)))
        start = grid.average(lambda x: profile(x), points=8)
        last = march(flow, start, 1.0 / n, n)[-1]
        off.append(flow.integral(np.abs(last.rho - start / 2)) / flow.mass(start))
    assert off[-1] < 1e-3 and np.log2(off[1] / off[2]) > 1.4


def test_what_the_start_has_in_a_region_has_left():
    grid = Grid([0.0], [1.0], [10])
    flow = Flow(grid, Energy(Internal("entropy")), sinks=[Sink("end", region=lambda x: x > 0.8)])
    last = march(flow, np.ones(10), 1e-6, 1)[-1]
    assert left(last.fields[EXITS])[0] == pytest.approx(0.2, rel=1e-3, abs=0) and at_start(last.fields[EXITS]) == 1.0


def test_adaptive_steps_and_a_march_that_goes_on():
    """Rejected steps leave no trace in the account; a march from a snapshot is the same march."""
    rng = np.random.default_rng(7)
    flow = flow_of(rng, 1, LAWS["entropy"])
    rho = start_of(rng, flow)
    stepper, snapshot, all_of = FiniteVolumes(flow, dt="adaptive", tolerance=1e-5, first_dt=0.05), None, []
    snapshot = Snapshot(0.0, 0, {"rho": rho})
    while snapshot.t < 0.2:
        snapshot = stepper.step(snapshot, 0.2)
        all_of.append(snapshot)
    assert sum(s.report.rejected for s in all_of) > 0
    assert flow.mass(snapshot.rho) + left(snapshot.fields[EXITS]).sum() == pytest.approx(
        flow.mass(rho), rel=1e-13, abs=0
    )
    per_step = [sum(v for k, v in s.report.more.items() if k.startswith("exit_")) for s in all_of]
    before = at_start(all_of[0].fields[EXITS]) - flow.mass(np.where(flow.inside, 0.0, rho))
    assert sum(per_step) + before == pytest.approx(left(snapshot.fields[EXITS]).sum(), rel=1e-13, abs=0)
    again = FiniteVolumes(flow, dt="adaptive", tolerance=1e-5, first_dt=0.05).step(all_of[1], 0.2)
    assert (again.rho == all_of[2].rho).all() and (again.fields[EXITS] == all_of[2].fields[EXITS]).all()


def test_the_repair_takes_no_more_than_there_is():
    """A drain is limited with the fluxes out of its cell; one that comes back by what the low state lets go."""
    low, anti, h = np.ones((3, 1)), np.zeros((3, 1)), np.ones(3)
    drain, drained, out = np.array([2.0, 0.25, -3.0]), np.array([1.0, 1.0, 0.5]), np.empty((3, 1))
    assert correct_fluxes(low, anti, drain, drained, h, 0, 0.0, 0, out) == 1
    assert out[:, 0] == pytest.approx([0.0, 0.75, 1.5], abs=1e-14)
    assert np.all(out >= 0) and np.all(drained + drain >= 0)
    assert out.sum() + (drained + drain).sum() == pytest.approx(low.sum() + drained.sum(), rel=1e-15, abs=0)


def test_the_norm_is_kept_from_rising():
    h, phi = np.ones(2), np.zeros((2, 1))
    old, low, new = np.array([[1.0], [1.0]]), np.array([[0.9], [0.9]]), np.array([[2.0], [0.0]])
    mean, half = np.array([[3.0], [3.0]]), np.array([[1.0], [1.0]])
    assert contract(new, low, old, mean, half, np.arange(2), np.zeros((2, 1)), phi, h, 1.0, 0)
    assert np.sum(new**2) <= np.sum(old**2) and np.sum(new**2) > 0.99 * np.sum(old**2)
    share = (new[0, 0] - 0.9) / 1.1
    assert mean[0, 0] == pytest.approx((1 - share) * 0.95 + share * 3.0, rel=1e-12, abs=0)
    assert not contract(new, low, old, mean, half, np.arange(2), np.ones((2, 1)), phi, h, 1.0, 0)  # mass comes in


@pytest.mark.parametrize("law", [ENTROPY, NONE])
def test_the_norm_is_kept_where_mass_leaves_and_for_the_entropy_alone(law):
    h, none = np.ones(2), np.zeros((2, 1))
    old, low, new, half = (np.array([[x], [y]]) for x, y in ((1.0, 1.0), (0.9, 0.9), (2.0, 0.0), (1.0, 1.0)))
    drained, drain, mean = np.array([0.25, 0.5]), np.array([0.5, 0.25]), np.full((2, 1), 3.0)
    left = np.arange(2), np.full((1, 2, 1), 5.0), none[None], mean[None]
    rest = new, low, old, half, none, h, 0.5, law, 1.0, 0, drain, drained
    assert not _let_go(None, 0, *rest)
    assert _let_go(left, 0, *rest) == (law == ENTROPY) == (new[0, 0] < 2.0)
    if law == NONE:
        assert mean[:, 0] == pytest.approx(0.75 / (0.5 * 5.0), rel=1e-15, abs=0)


def test_the_norm_weighs_cells_by_the_potential_and_their_width():
    """Σ h ρ² e^{Φ/κ}: what rises in it may fall where low cells count more, and the other way round."""
    h, kappa = np.array([0.5, 2.0]), 0.5
    phi = np.array([[1.0], [2.5]])
    weight = h[:, None] * np.exp(phi / kappa)
    old, low = np.array([[1.0], [1.0]]), np.array([[0.9], [0.9]])
    for high, has_to in (([[0.0], [1.5]], True), ([[3.0], [0.9]], False)):
        new, mean = np.array(high), np.ones((2, 1))
        asked = new.copy()
        assert contract(new, low, old, mean, low, np.arange(2), np.zeros((2, 1)), phi, h, kappa, 0) is has_to
        before, after = np.sum(weight * old**2), np.sum(weight * new**2)
        assert after <= before and (after > 0.999 * before if has_to else np.array_equal(new, asked))


def test_jko_steps_take_no_exits():
    flow = Flow(Grid([0.0], [1.0], [8], "absorbing"), Energy(Internal("entropy")))
    with pytest.raises(CaseError, match=r"a JKO step moves all of the mass: .*found x_lower, x_upper"):
        Jko(flow, 0.1)


@pytest.mark.parametrize("internal", [Internal("entropy", 0.3), Internal("power", 0.3, 2.0)])
def test_what_leaves_by_features_is_what_leaves_by_their_potential(internal):
    """A feature x of small weight w and of the target −c/w is V = cx, up to w; also where it is absorbed."""
    grid = Grid([0.0], [1.0], [20], "absorbing", [lambda s: s**1.3])
    drawn = Features([lambda x: x], [-2.0 / 1e-6], [1e-6])
    found = []
    for energy in (Energy(internal, features=drawn), Energy(internal, lambda x: 2.0 * x)):
        flow = Flow(grid, energy, sinks=[Sink("hole", region=lambda x: (x > 0.4) & (x < 0.6))])
        rho = np.where(flow.empty, 0.0, 1.0)
        found.append(left(march(flow, rho, 1e-2, 2)[-1].fields[EXITS]))
    assert found[0] == pytest.approx(found[1], rel=1e-5, abs=0)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("law", ["entropy", "drift", "porous", "fast"])
def test_two_rates_share_what_decays(law, dim):
    """ρ' = −(1 + 3)ρ everywhere: e^{−4t}, a quarter of it by one and the rest by the other; order 2, in 2D too."""
    sinks = [Sink("slow", rate=lambda x, y=0.0: 1.0 + 0 * x), Sink("fast", rate=lambda x, y=0.0: 3.0 + 0 * x)]
    flow = Flow(Grid([0.0] * dim, [1.0] * dim, [5, 4][:dim]), Energy(LAWS[law]), sinks=sinks)
    worst = []
    for count in (8, 16):
        fields = march(flow, np.ones(flow.grid.shape), 0.25 / count, count)[-1].fields
        gone = dict(zip(flow.exits, left(fields[EXITS]), strict=True))
        assert gone["fast"] == pytest.approx(3 * gone["slow"], rel=1e-10, abs=0)
        worst.append(abs(np.sum(flow.grid.cell_volume * fields["rho"]) - np.exp(-1.0)))
    assert worst[1] < 1e-3 and np.log2(worst[0] / worst[1]) > 1.7
