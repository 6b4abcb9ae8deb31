"""Diagnostics against closed forms."""

from decimal import Decimal, localcontext
from types import SimpleNamespace

import numpy as np
import pytest

from wgfpde import diagnostics
from wgfpde.diagnostics import REGISTRY, Setting, chosen, compute, kernels, relative_entropy_density
from wgfpde.diagnostics.registry import diagnostic, unregister
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError
from wgfpde.grid import Grid


def snap(rho, t=0.0):
    return Snapshot(t, 0, {"rho": rho})


def gaussian(mean, variance):
    return lambda x: np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)


LINE = Grid([-12.0], [12.0], [600])
PLANE = Grid([-8.0, -9.0], [8.0, 9.0], [160, 180])
WELL = Energy(Internal("entropy"), potential=lambda x: x**2 / 2)


def test_gaussian_on_the_line():
    mass, mean, variance = 2.0, 0.7, 0.6
    d = compute(Flow(LINE, WELL), snap(mass * LINE.sample(gaussian(mean, variance))))
    entropy = mass * np.log(mass) - 0.5 * mass * np.log(2 * np.pi * np.e * variance)
    expected = {
        "mass": mass,
        "mean_x": mean,
        "variance_x": variance,
        "second_moment": mass * (mean**2 + variance),
        "entropy": entropy,
        "energy_internal": entropy - mass,
        "energy_potential": 0.5 * mass * (mean**2 + variance),
        "energy_interaction": 0.0,
        "kl_gibbs": mass * 0.5 * (variance + mean**2 - 1 - np.log(variance)),
        "max": mass / np.sqrt(2 * np.pi * variance),
    }
    for name, value in expected.items():
        tolerance = 1e-3 if name == "max" else 1e-12  # the peak lies between centres
        assert d[name] == pytest.approx(value, rel=tolerance, abs=1e-12), name
    assert d["energy"] == d["energy_internal"] + d["energy_potential"] + d["energy_interaction"]
    assert 0 <= d["min"] < 1e-50


def test_dissipation_is_the_fisher_information():
    """Heat flow of a Gaussian: ∫ |ρ'|²/ρ = 1/variance, to second order in h."""
    d = compute(Flow(LINE, Energy(Internal("entropy"))), snap(LINE.sample(gaussian(0.0, 1.0))))
    assert d["dissipation"] == pytest.approx(1.0, rel=1e-3, abs=0)


def test_rates_of_energy_loss_by_reaction():
    """∫ρ(ξ − ⟨ξ⟩)² where the mass is kept, else ∫ρξ²; of V alone by hand, an empty cell and no mass at all too."""
    grid = Grid([0.0], [3.0], [3], mapping=[lambda s: s**2])
    rho, v = np.array([2.0, 0.0, 0.5]), np.array([1.0, 7.0, -3.0])
    flow = Flow(grid, Energy(Internal("none"), lambda x: v))
    weight = rho * grid.cell_volume
    mean = weight @ v / weight.sum()
    expected = {"fisher_rao_rate": weight @ (v - mean) ** 2, "unbalanced_rate": weight @ v**2}
    for name, value in expected.items():
        assert REGISTRY[name].value(diagnostics.State(flow, snap(rho))) == pytest.approx(value, rel=1e-14, abs=0)
        assert REGISTRY[name].value(diagnostics.State(flow, snap(0 * rho))) == 0.0


def test_dissipation_in_vacuum_is_infinite():
    rho = np.where(np.abs(LINE.x.centers) < 1, 1.0, 0.0)
    flow = Flow(LINE, WELL)
    every = chosen(Setting(flow), ["fisher_gibbs", "w2_gibbs", "slack_hwi", "entropy_gibbs"])
    d = compute(flow, snap(rho), which=every)
    assert d["dissipation"] == np.inf
    infinite = {"dissipation", "fisher_gibbs", "slack_lsi", "slack_hwi"}
    assert {name for name, value in d.items() if not np.isfinite(value)} == infinite
    assert d["min"] == 0 and d["max"] == 1


def test_correlated_gaussian_in_the_plane():
    mean, covariance = np.array([0.5, -1.0]), np.array([[1.0, 0.3], [0.3, 0.5]])
    inverse = np.linalg.inv(covariance)

    def density(x, y):
        u, v = x - mean[0], y - mean[1]
        form = inverse[0, 0] * u**2 + 2 * inverse[0, 1] * u * v + inverse[1, 1] * v**2
        return np.exp(-0.5 * form) / (2 * np.pi * np.sqrt(np.linalg.det(covariance)))

    flow = Flow(PLANE, Energy(Internal("none"), interaction=lambda x, y: 0.5 * (x**2 + y**2)))
    d = compute(flow, snap(PLANE.sample(density)))
    assert d["mean_x"] == pytest.approx(0.5, rel=1e-9, abs=0) and d["mean_y"] == pytest.approx(-1.0, rel=1e-9, abs=0)
    assert d["variance_x"] == pytest.approx(1.0, rel=1e-9, abs=0) and d["variance_y"] == pytest.approx(
        0.5, rel=1e-9, abs=0
    )
    assert d["covariance_xy"] == pytest.approx(0.3, rel=1e-9, abs=0)
    assert d["second_moment"] == pytest.approx(1.5 + 1.25, rel=1e-9, abs=0)
    assert d["energy_interaction"] == pytest.approx(0.5 * 1.5, rel=1e-9, abs=0)
    assert d["entropy"] == pytest.approx(
        -np.log(2 * np.pi * np.e) - 0.5 * np.log(np.linalg.det(covariance)), rel=1e-9, abs=0
    )
    assert "kl_gibbs" not in d


def test_order_parameter_on_a_circle():
    """ρ = 1 + a cos(2π(x − c)/L) has order a/2 wherever its centre is."""
    grid = Grid([-1.0], [3.0], [64], periodic=True)
    flow = Flow(grid, Energy())
    for centre in (0.0, 0.3, -0.9):
        rho = 3 * (1 + 0.8 * np.cos(2 * np.pi * (grid.x.centers - centre) / 4))
        assert compute(flow, snap(rho))["order_x"] == pytest.approx(0.4, rel=1e-13, abs=0)
    point = np.zeros(64)
    point[5] = 1.0
    assert compute(flow, snap(point))["order_x"] == pytest.approx(1.0, rel=1e-14, abs=0)
    assert compute(flow, snap(np.ones(64)))["order_x"] < 1e-15


def test_errors_use_the_exact_solution_at_the_snapshots_time():
    flow = Flow(Grid([0.0], [2.0], [4]), Energy())
    d = compute(flow, snap(np.array([1.0, 2.0, 3.0, 4.0]), t=2.0), exact=lambda t: np.full(4, t))
    assert d["error_l1"] == pytest.approx(0.5 * (1 + 0 + 1 + 2), rel=1e-9, abs=0)
    assert d["error_l2"] == pytest.approx(np.sqrt(0.5 * (1 + 1 + 4)), rel=1e-9, abs=0)
    assert d["error_linf"] == 2.0


def test_stretched_grids_weigh_their_cells():
    grid = Grid([0.0], [1.0], [200], mapping=[lambda s: s**2])
    d = compute(Flow(grid, Energy()), snap(grid.average(lambda x: 2 * x)))
    assert d["mass"] == pytest.approx(1.0, rel=1e-14, abs=0)
    assert d["mean_x"] == pytest.approx(2 / 3, rel=1e-4, abs=0)
    assert d["variance_x"] == pytest.approx(1 / 18, rel=1e-3, abs=0)


# ---- Kullback–Leibler --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e-1, 1e-2, 1e-3, 1e-6, 1e-9, 1e-12])
def test_kl_is_accurate_near_the_gibbs_state(size):
    """For ρ = π(1 + ε φ), Σhπφ = 0: KL = ε²/2 Σhπφ² − ε³/6 Σhπφ³ + …"""
    flow = Flow(LINE, WELL)
    x, pi = LINE.x.centers, flow.gibbs()
    phi = np.tanh(x)
    moments = [flow.integral(pi * (-phi) ** k) / (k * (k - 1)) for k in range(2, 30)]
    expected = sum(moment * size**k for k, moment in enumerate(moments, start=2))
    rounding = max(1e-12, 1e-15 / size)
    assert compute(flow, snap(pi * (1 + size * phi)))["kl_gibbs"] == pytest.approx(expected, rel=rounding, abs=0)


def test_kl_vanishes_at_the_gibbs_state_and_where_pi_underflows():
    flow = Flow(LINE, Energy(Internal("entropy", kappa=0.01), potential=lambda x: 50 * x**2))
    pi = flow.gibbs(3.0)
    assert pi.min() == 0
    assert 0 <= compute(flow, snap(pi))["kl_gibbs"] < 1e-25
    flat = np.full(600, 1 / 24)
    expected = flow.value(flat) / 0.01 - np.log(flow.gibbs().max()) - 5000 * LINE.x.centers[300] ** 2 + 1
    assert compute(flow, snap(flat))["kl_gibbs"] == pytest.approx(expected, rel=1e-12, abs=0)


def test_relative_entropy_density_is_smooth_and_nonnegative():
    pi = np.full(4001, 0.3)
    rho = 0.3 * np.linspace(0.0, 2.0, 4001)
    values = relative_entropy_density(rho, np.log(np.where(rho > 0, rho, 1.0)), pi, np.log(pi))
    assert (values >= 0).all() and values[0] == 0.3 and values[2000] == 0
    assert np.all(np.diff(values, 2) > 0), "convex, also where the series takes over"


def test_relative_entropy_density_loses_nothing_to_its_series():
    """(1+u) ln(1+u) − u in 50 digits: no value is off by more than some rounding, nor all of them on average."""
    u = np.concatenate([-np.linspace(5e-3, 9.999e-3, 400), np.linspace(1e-7, 9.999e-3, 400)])
    rho = 1 + u
    with localcontext() as context:
        context.prec = 50
        exact = [Decimal(r) * Decimal(r).ln() - (Decimal(r) - 1) for r in rho.tolist()]
        found = relative_entropy_density(rho, np.log(rho), np.ones(800), np.zeros(800))
        off = np.array([float(Decimal(f) / e - 1) for f, e in zip(found.tolist(), exact, strict=True)])
    assert np.abs(off).max() <= 4 * 2.0**-52
    assert abs(off[300:500].mean()) <= 0.3 * 2.0**-52, "where the series is longest"


# ---- registry ----------------------------------------------------------------------------------------------


def test_every_diagnostic_is_described():
    for name, d in REGISTRY.items():
        assert d.name == name and d.units and d.long_name and d.description.endswith("."), name


def test_names_depend_on_the_problem():
    line, circle = Flow(LINE, WELL), Flow(Grid([0.0], [1.0], [8], periodic=True), Energy(Internal("none")))
    plane = Flow(PLANE, Energy(Internal("power", m=2.0)))
    settings = [Setting(flow, exact) for flow in (line, circle, plane) for exact in (False, True)]
    names = [[d.name for d in chosen(setting)] for setting in settings]
    assert "kl_gibbs" in names[0] and "error_l1" not in names[0] and "error_l1" in names[1]
    assert "order_x" in names[2] and "mean_y" not in names[2] and "order_x" not in names[0]
    assert {"mean_y", "variance_y", "covariance_xy"} <= set(names[4])
    assert names[0][:2] == ["mass", "energy"]
    computed = compute(plane, snap(np.ones(PLANE.shape)))
    assert list(computed) == names[4]


def test_distance_to_the_previous_snapshot():
    """A block of mass 2 moved by 0.5: W₂ = 0.5 √2."""
    grid = Grid([0.0], [4.0], [40])
    flow = Flow(grid, Energy(Internal("none")))
    block = np.where(np.abs(grid.x.centers - 1) < 0.5, 2.0, 0.0)
    which = chosen(Setting(flow), ["w2_previous"])
    assert compute(flow, snap(block), which=which)["w2_previous"] == 0.0
    moved = compute(flow, snap(np.roll(block, 5)), previous=block, which=which)
    assert moved["w2_previous"] == pytest.approx(0.5 * np.sqrt(2), rel=1e-14, abs=0)
    assert np.isnan(compute(flow, snap(0 * block), previous=block, which=which)["w2_previous"])


def test_what_may_be_asked_for():
    plane, line = Flow(PLANE, Energy()), Flow(LINE, Energy())
    for flow in (plane, line):
        assert "w2_previous" not in [d.name for d in chosen(Setting(flow))]
        assert "w2_previous" in [d.name for d in chosen(Setting(flow), ["w2_previous", "mass"])]
    with pytest.raises(CaseError, match='did you mean "w2_previous"'):
        chosen(Setting(plane), ["w2_previos"])
    with pytest.raises(CaseError, match=r'"mean_y" \(mean y\) has no meaning for this case'):
        chosen(Setting(line), ["mean_y"])


def test_the_convolution_is_computed_once():
    flow = Flow(LINE, Energy(Internal("entropy"), interaction=lambda x: np.abs(x)))
    calls = []
    flow_parts = flow.parts
    flow.parts = lambda rho: calls.append(1) or flow_parts(rho)  # type: ignore[method-assign]
    compute(flow, snap(np.ones(600)))
    assert len(calls) == 1


def test_mass_of_nothing_gives_no_warning():
    flow = Flow(LINE, Energy(Internal("none")))
    state = diagnostics.State(flow, snap(np.zeros(600)))
    assert np.isnan(REGISTRY["mean_x"].value(state))


def test_a_name_is_one_diagnostics_own():
    def mass(s):
        """Another mass."""
        return 0.0

    with pytest.raises(CaseError, match='there is a diagnostic "mass" already'):
        diagnostic("mass")(mass)
    with pytest.raises(CaseError, match='there is no diagnostic "maas"'):
        unregister("maas")


@pytest.mark.parametrize(
    ("kind", "names", "reads"),
    [("entropy", ["mass", "w2_gibbs"], 1), ("entropy", ["mass", "energy"], 0), ("power", ["w2_gibbs"], 0)],
)
@pytest.mark.parametrize("dim", [1, 2])
def test_only_what_is_asked_for_is_warmed_up(kind, names, reads, dim, monkeypatch):
    """The density is read on four cells per axis where a number is of it and there is a Gibbs state; else it is not."""
    read = []
    monkeypatch.setattr(kernels, "continuum_of", lambda flow: SimpleNamespace(read=lambda *a: read.append(flow.grid)))
    internal = Internal(kind, m=2.0 if kind == "power" else 1.0)
    kernels.warm_up(Flow(Grid([0.0] * dim, [1.0] * dim, [9, 8][:dim]), Energy(internal)), names)
    assert [grid.shape for grid in read] == [(4,) * dim] * reads
