"""Gaussians and their mixtures: slopes by differences, closed forms, promises, cells, the front door."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal

import wgfpde as wgf
from wgfpde.cases.building import build
from wgfpde.cases.loading import loads
from wgfpde.energy import equations
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.methods.reduced.cell_masses import mixture_on_cells, moments
from wgfpde.methods.reduced.gaussians import MixtureEnergy
from wgfpde.methods.reduced.mixtures import GaussianFlow


def well(x):
    return (x**2 - 1) ** 2


def plane(x, y):
    return 0.5 * (1.5 * x**2 + 1.2 * x * y + y**2) + 0.1 * np.cos(x + 2 * y)


def flow_in(dim, internal=None, potential=None, interaction=None, reach=12.0):
    grid = Grid([-reach] * dim, [reach] * dim, [40] * dim)
    return Flow(grid, Energy(internal or Internal(), potential, interaction))


def march(flow, mean, cov, end, mass=1.0, nodes=40):
    """Means and covariances at the end, by the stepper, with the largest rise of the energy."""
    mean = np.array(mean, dtype=float).reshape(-1, flow.grid.dim)
    stepper = GaussianFlow(flow, mass, len(mean), nodes)
    state = stepper.step(Snapshot(0.0, 0, stepper.start(mean, np.array(cov, dtype=float))), end)
    assert state.report.more["gaussian_rise"] <= 1e-13
    return state.fields["mean"], state.fields["covariance"], float(state.fields["gaussian_energy"][0])


# ---- slopes -----------------------------------------------------------------------------------------------------


def wave(**place):
    return np.exp(-sum(v**2 for v in place.values()) / 2)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("kind", ["entropy", "power", "none"])
@pytest.mark.parametrize("dim", [1, 2])
def test_slopes_are_those_of_the_energy_as_it_is_computed(dim, kind, count):
    internal = {"entropy": Internal("entropy", 0.7), "power": Internal("power", 0.7, 2.5), "none": Internal("none")}
    flow = flow_in(dim, internal[kind], well if dim == 1 else plane, wave)
    energy = MixtureEnergy(flow, 1.3, count, 30)
    rng = np.random.default_rng(count)
    mean = rng.normal(size=(count, dim))
    root = np.tril(0.3 * rng.normal(size=(count, dim, dim)), -1) + (0.4 + rng.random((count, dim, 1))) * np.eye(dim)
    cov, found, h = root @ root.swapaxes(1, 2), energy(mean, root), 1e-5
    for k in range(count):
        for a in range(dim):
            shift = np.zeros((count, dim))
            shift[k, a] = h
            slope = (energy(mean + shift, root).value - energy(mean - shift, root).value) / (2 * h)
            assert slope == pytest.approx(found.by_mean[k, a], rel=1e-7, abs=1e-8)
            for b in range(a + 1):
                turn = np.zeros((count, dim, dim))
                turn[k, a, b] = turn[k, b, a] = h
                ends = [energy(mean, np.linalg.cholesky(cov + s * turn)).value for s in (1, -1)]
                exact = found.by_covariance[k, a, b] * (1 if a == b else 2)
                assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(exact, rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("m", [0.75, 1.5, 2.0, 3.0, 4.5])
@pytest.mark.parametrize("dim", [1, 2])
def test_the_internal_energy_of_a_gaussian_in_closed_form(dim, m):
    """∫ρ^m = M^m (2π)^{d(1−m)/2} m^{−d/2} det S^{(1−m)/2}; and of the entropy κ(ln ρ₀ − d/2 − 1)M."""
    root = np.array([[[0.7]]]) if dim == 1 else np.array([[[0.7, 0.0], [0.3, 0.5]]])
    det, mass = float(np.linalg.det(root[0])) ** 2, 2.0
    integral = mass**m * ((2 * math.pi) ** dim * det) ** ((1 - m) / 2) * m ** (-dim / 2)
    power = MixtureEnergy(flow_in(dim, Internal("power", 0.3, m)), mass, 1, 24)(np.zeros((1, dim)), root)
    assert mass * power.value == pytest.approx(0.3 * integral / (m - 1), rel=1e-12, abs=0)
    top = mass / math.sqrt((2 * math.pi) ** dim * det)
    entropy = MixtureEnergy(flow_in(dim, Internal("entropy", 0.3)), mass, 1, 24)(np.zeros((1, dim)), root)
    assert entropy.value == pytest.approx(0.3 * (math.log(top) - dim / 2 - 1), rel=1e-13, abs=0)


@pytest.mark.parametrize("dim", [1, 2])
def test_equal_components_are_one_gaussian(dim):
    """The nodes do not share out ln ρ among two that coincide otherwise than to rounding."""
    flow = flow_in(dim, Internal(), well if dim == 1 else plane, wave)
    root = np.array([[[0.6]]]) if dim == 1 else np.array([[[0.6, 0.0], [0.2, 0.4]]])
    mean = np.full((1, dim), 0.3)
    one = MixtureEnergy(flow, 1.5, 1, 40)(mean, root)
    two = MixtureEnergy(flow, 1.5, 2, 40)(np.repeat(mean, 2, 0), np.repeat(root, 2, 0))
    assert two.value == pytest.approx(one.value, rel=1e-13, abs=0)
    assert 2 * two.by_mean == pytest.approx(np.repeat(one.by_mean, 2, 0), rel=1e-11, abs=1e-12)
    assert 2 * two.by_covariance == pytest.approx(np.repeat(one.by_covariance, 2, 0), rel=1e-11, abs=1e-12)


# ---- closed forms -----------------------------------------------------------------------------------------------


def test_a_gaussian_in_a_double_well():
    """(s − ½)/(s + 1/6) = C e^{−16t} from 0, and at rest KL = 0.3575612999."""
    flow = flow_in(1, potential=well)
    assert march(flow, [[0.0]], [[[0.1]]], 0.2)[1] == pytest.approx(0.4615865230, abs=1e-9)
    _, cov, energy = march(flow, [[0.3]], [[[0.1]]], 30.0)
    z = quad(lambda x: math.exp(-well(x)), -6, 6, epsabs=1e-13)[0]
    assert cov == pytest.approx(0.5, abs=1e-9) and energy + 1 + math.log(z) == pytest.approx(0.3575612999, abs=1e-9)


@pytest.mark.parametrize(
    ("means", "rest", "variances", "kl"),
    [([-0.6, 0.6], [0.81265141], [0.14019278], 0.0400790), ([-0.9, 0.05, 0.8], [0.99673421], [0.07485191], 0.0066920)],
)
def test_mixtures_in_a_double_well(means, rest, variances, kl):
    """At rest they minimise KL among mixtures, which a fine sum over the line says too."""
    flow = flow_in(1, potential=well)
    mean, cov, energy = march(flow, np.array(means)[:, None], np.full((len(means), 1, 1), 0.1), 30.0, nodes=80)
    z = quad(lambda x: math.exp(-well(x)), -6, 6, epsabs=1e-13)[0]
    assert energy + 1 + math.log(z) == pytest.approx(kl, abs=1e-7)
    assert mean[-1, 0] == pytest.approx(rest[0], abs=1e-7) and cov[-1, 0, 0] == pytest.approx(variances[0], abs=1e-7)
    assert np.array(mean + mean[::-1]) == pytest.approx(0, abs=1e-8)


def test_gaussians_stay_gaussian_in_quadratic_energies():
    """Ornstein–Uhlenbeck in the plane, and McKean–Vlasov with a mass on the line: the Wasserstein flow itself."""
    matrix, start = np.array([[1.5, 0.6], [0.6, 1.0]]), np.array([[0.4, 0.1], [0.1, 0.3]])
    flow = flow_in(2, Internal("entropy", 0.5), lambda x, y: 0.5 * (1.5 * x**2 + 1.2 * x * y + y**2))
    mean, cov, _ = march(flow, [[0.5, -0.5]], [start], 0.7)
    exact = equations.ornstein_uhlenbeck_2d(0.7, [0.5, -0.5], start, matrix, 0.5)
    assert mean == pytest.approx(exact[0], abs=1e-9) and cov == pytest.approx(exact[1], abs=1e-9)
    flow = flow_in(1, Internal("entropy", 0.5), lambda x: 0.4 * x**2, lambda x: 0.45 * x**2)
    mean, cov, _ = march(flow, [[1.0]], [[[0.3]]], 0.6, mass=2.0)
    exact = equations.mckean_vlasov_quadratic(0.6, 1.0, 0.3, 0.8, 0.9, 0.5, 2.0)
    assert (mean[0], cov[0, 0]) == pytest.approx(exact, abs=1e-9)


def test_what_has_no_internal_energy_falls_into_the_well():
    """Variance e^{−2λt}: down to 1e-26 of a deviation, and still positive."""
    flow = flow_in(1, Internal("none"), lambda x: x**2)
    mean, cov, _ = march(flow, [[1.0]], [[[0.3]]], 12.0)
    assert cov[0, 0] == pytest.approx(0.3 * math.exp(-48), rel=1e-6, abs=0) and mean[0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_the_energy_never_rises(seed):
    """Random wells, laws and mixtures, few nodes: exact is the descent of the sum over the nodes."""
    rng = np.random.default_rng(seed)
    dim, count, (a, b) = 1 + seed % 2, 1 + seed % 3, rng.normal(size=2)
    internal = [Internal("entropy", 0.4), Internal("power", 0.4, 2.0), Internal("power", 0.5, 1.4)][seed % 3]

    def rough(**place):
        return sum(0.5 * v**2 + np.sqrt((v - a) ** 2 + 0.04) + np.cos(3 * v + b) for v in place.values())

    flow = flow_in(dim, internal, rough, wave if seed % 2 else None)
    cov = np.repeat((0.2 + 0.3 * rng.random()) * np.eye(dim)[None], count, 0)
    march(flow, rng.normal(size=(count, dim)), cov, 0.3, mass=0.5 + rng.random(), nodes=24)


@pytest.mark.parametrize("dim", [1, 2])
def test_a_rise_within_a_step_is_recorded(dim, monkeypatch):
    """Of equations with the wrong sign: all of what the energy rises by, step by step of the integrator at the most."""
    flow = flow_in(dim, Internal("entropy", 0.4), lambda x, y=0.0: 0.5 * (x**2 + y**2))
    stepper = GaussianFlow(flow, 1.0, 1, 24)
    down = stepper.rates
    monkeypatch.setattr(stepper, "rates", lambda state: -down(state))
    state = Snapshot(0.0, 0, stepper.start(np.full((1, dim), 0.3), 0.2 * np.eye(dim)[None]))
    later = stepper.step(state, 0.05)
    rise = float((later.fields["gaussian_energy"] - state.fields["gaussian_energy"])[0])
    assert rise > 1e-3 and 0.01 * rise < later.report.more["gaussian_rise"] <= rise


# ---- cells ------------------------------------------------------------------------------------------------------


def stretch(s):
    return s + 0.05 * np.sin(2 * np.pi * s)


@pytest.mark.parametrize("mapping", [None, stretch])
def test_cell_averages_of_gaussians(mapping):
    line = Grid([-4.0], [5.0], [40], mapping=[mapping])
    mean, cov = np.array([[0.3], [-0.5]]), np.array([[[0.2]], [[0.05]]])
    exact = line.average(lambda x: sum(equations.gaussian(x, mean=m, cov=s) for m, s in ((0.3, 0.2), (-0.5, 0.05))))
    assert mixture_on_cells(line, mean, cov) == pytest.approx(exact, abs=1e-10)
    grid = Grid([-5.0, -4.0], [5.0, 4.0], [50, 36], mapping=[mapping, None])
    mean, cov = np.array([[0.3, -0.1]]), np.array([[[0.3, 0.15], [0.15, 0.2]]])
    exact = grid.average(lambda x, y: equations.gaussian(x, y, mean=mean[0], cov=cov[0]))
    found = mixture_on_cells(grid, mean, cov)
    assert found == pytest.approx(exact, abs=1e-8)
    assert np.sum(found * grid.cell_volume) == pytest.approx(1.0, abs=1e-15)


def test_gaussians_far_thinner_than_a_cell_keep_their_mass():
    grid = Grid([-1.0, -1.0], [1.0, 1.0], [5, 6])
    thin = np.array([[[1e-12, 0.0], [0.0, 1e-10]]])
    found = mixture_on_cells(grid, np.array([[0.05, 0.1]]), thin)
    assert np.sum(found * grid.cell_volume) == pytest.approx(1.0, abs=1e-15) and np.all(found >= 0)
    assert np.count_nonzero(found > 1e-12) == 1


def test_tails_are_seen_to_relative_rounding():
    grid = Grid([-9.0], [9.0], [18])
    found = mixture_on_cells(grid, np.zeros((1, 1)), np.ones((1, 1, 1)))
    assert found[1:-1] == pytest.approx(found[1:-1][::-1], rel=1e-12, abs=0) and found[-2] < 1e-11


@pytest.mark.parametrize("dim", [1, 2])
def test_the_moments_of_a_start(dim):
    grid = Grid([-5.0] * dim, [6.0] * dim, [60] * dim)
    matrix = np.array([[0.5]]) if dim == 1 else np.array([[0.5, 0.2], [0.2, 0.3]])
    at = np.stack(np.meshgrid(*[grid.x.centers] * dim), axis=-1)
    rho = multivariate_normal.pdf(at, np.full(dim, 0.4), matrix).reshape(grid.shape)
    mean, cov = moments(grid, rho, 1)
    assert mean[0] == pytest.approx(0.4, abs=1e-12) and cov[0] == pytest.approx(matrix, abs=1e-12)
    parts, spread = moments(grid, rho, 3)
    assert parts.mean(axis=0) == pytest.approx(np.full(dim, 0.4), abs=1e-12)
    between = np.einsum("ka,kb->ab", parts - mean, parts - mean) / 3
    assert np.mean(spread, axis=0) + between == pytest.approx(matrix, abs=1e-12)
    with pytest.raises(CaseError, match="too narrow for its covariance"):
        moments(grid, np.where(np.arange(grid.size).reshape(grid.shape) == 30, 1.0, 0.0), 1)


# ---- the front door ---------------------------------------------------------------------------------------------

CASE = """
title = "t"
grid = { shape = [60], lower = [-4.0], upper = [4.0] }
energy = { internal = { kind = "entropy" }, potential = "(x**2 - 1)**2", interaction = "0.2*x**2" }
initial = { density = "exp(-(x - 0.2)**2)", mass = 2.0 }
solver = { method = "gaussian", components = 2 }
time = { end = 0.4 }
output = { every = 0.1 }
"""
PLANE = CASE.replace("[60]", "[24, 20]").replace("[-4.0]", "[-4.0, -4.0]").replace("[4.0]", "[4.0, 4.0]").replace(
    "(x**2 - 1)**2", "(x**2 - 1)**2 + x*y + y**2"
).replace("(x - 0.2)**2", "(x - 0.2)**2 - y**2").replace("0.2*x**2", "0.2*(x**2 + y**2)")  # fmt: skip


STRETCHED = CASE.replace("shape", 'mapping = ["s + 0.05*sin(2*pi*s)"], shape').replace(', interaction = "0.2*x**2"', "")


@pytest.mark.parametrize(("text", "count"), [(STRETCHED, 1), (CASE, 2), (PLANE, 2)])
def test_runs_keep_their_promises_and_go_on_bit_for_bit(tmp_path, text, count):
    solver = {"components": count, "nodes": 24}
    whole = wgf.run(loads(text), tmp_path / "whole", progress=False, solver=solver)
    html = whole._repr_html_()
    assert whole.attributes["equation"] == "Gaussian variational flow" and "BROKEN" not in html and "covariance" in html
    assert not {"slack_evi", "de_bruijn"} & set(whole.diagnostics)
    half = wgf.run(loads(text), tmp_path / "half", progress=False, solver=solver, time={"end": 0.2})
    half = wgf.resume(half, until=0.4, progress=False)
    dim = whole.dim
    shape = (5, dim) if count == 1 else (5, count, dim)
    assert whole.fields["mean"].shape == shape and whole.fields["covariance"].shape == (*shape, dim)
    for name in ("mean", "covariance"):
        assert np.array_equal(half.fields[name][:], whole.fields[name][:])
    assert np.array_equal(half.rho[:], whole.rho[:])
    for name, values in whole.diagnostics.items():
        assert np.array_equal(half.diagnostics[name], values, equal_nan=True), name
    found = whole.to_xarray()["covariance"]
    assert found.dims[-2:] == ("axis", "other_axis") and ("component" in found.dims) == (count > 1)


def test_means_and_variances_of_ones_own():
    own = CASE.replace("components = 2", "means = [[0.25]], variances = [0.5]")
    start = build(loads(own)).initial.fields
    assert start["mean"].tolist() == [0.25] and start["covariance"].tolist() == [[0.5]]
    own = PLANE.replace("components = 2", "means = [[0.25, 1]], variances = [[[0.5, 0.1], [0.1, 0.3]]]")
    assert build(loads(own)).initial.fields["covariance"].tolist() == [[0.5, 0.1], [0.1, 0.3]]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("components = 2", "components = 0", "solver.components"),
        ("components = 2", "components = 2, means = [[0.0], [1.0]]", "means needs variances"),
        ("components = 2", "components = 2, means = [[0]], variances = [1]", "means: expected one entry per component"),
        ("components = 2", "means = [[0, 1]], variances = [1]", r"solver.means\[0\]: expected 1 number"),
        ("components = 2", "means = [[0]], variances = [-1]", "a positive number, or a symmetric positive definite"),
        ("components = 2", "means = [[0]], variances = [[[1, 0], [0, 1]]]", "expected a number or a 1×1 matrix"),
        ("components = 2", "means = [[3.5]], variances = [1]", "of the mass of the Gaussians lies outside the box"),
        ("components = 2", "nodes = 4", "solver.nodes"),
        ("components = 2", "components = 2000000", r"solver.components: 2000000 need .*; take fewer, or fewer nodes"),
        ('"0.2*x**2"', '"abs(x)"', "a kink or a pole"),
        ('"0.2*x**2"', '"log(abs(x))"', "a kink or a pole"),
        ("(x**2 - 1)**2", "sqrt(4.1 - x)", "V or its gradient is no number at x = "),
    ],
)
def test_bad_tables(old, new, words):
    with pytest.raises(CaseError, match=words):
        build(loads(CASE.replace(old, new)))


def test_rings_and_features_are_refused():
    ring = CASE.replace("lower", 'boundary = ["periodic"], lower').replace("(x**2 - 1)**2", "cos(pi*x/4)")
    with pytest.raises(CaseError, match='"gaussian" takes no periodic axis'):
        build(loads(ring.replace(', interaction = "0.2*x**2"', "")))
    more = ', features = [{ formula = "x**2", target = 1.0 }] }'
    with pytest.raises(CaseError, match=r'"gaussian" takes no energy\.features'):
        build(loads(CASE.replace(', interaction = "0.2*x**2" }', more)))


def test_too_few_nodes_are_told():
    stepper = GaussianFlow(flow_in(1, potential=well), 1.0, 3, 24)
    start = stepper.start(np.array([[-0.9], [0.05], [0.8]]), np.full((3, 1, 1), 0.1))
    report = stepper.step(Snapshot(0.0, 0, start), 0.5).report
    assert "raise solver.nodes" in report.note and report.number("quadrature_error") > 1e-5
    stepper = GaussianFlow(flow_in(1, potential=well), 1.0, 1, 40)
    assert (
        stepper.step(Snapshot(0.0, 0, stepper.start(np.zeros((1, 1)), np.full((1, 1, 1), 0.1))), 0.5).report.note == ""
    )


def test_slopes_that_jump_are_told(monkeypatch):
    monkeypatch.setattr("wgfpde.methods.reduced.mixtures.MOST", 200)
    with pytest.raises(SolverError, match=r"took 200 evaluations from t = 0 to .* Smooth it"):
        march(flow_in(1, potential=lambda x: np.abs(x) + np.abs(x - 0.3)), [[1.0]], [[[0.3]]], 4.0)


def test_a_potential_that_ends_is_told_where_a_node_gets_there():
    with pytest.raises(SolverError, match="V or its gradient is no number at x = "):
        march(flow_in(1, potential=lambda x: -x - 0.1 * np.log(12.1 - x)), [[0.0]], [[[0.3]]], 40.0)


def test_gaussians_that_leave_the_box_are_told():
    flow = flow_in(1, potential=lambda x: -0.5 * x**2, reach=6.0)
    stepper = GaussianFlow(flow, 1.0, 1, 24)
    start = Snapshot(0.0, 0, stepper.start(np.array([[0.5]]), np.array([[[0.2]]])))
    with pytest.raises(SolverError, match="lies outside the box, most of it of the one at x = "):
        stepper.step(start, 3.0)
