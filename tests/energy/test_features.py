"""Energies of features: the form, its linear part, its constant; by FV, JKO, WFR, SVGD and particles; the tables."""

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.cases.building import build
from wgfpde.cases.loading import loads
from wgfpde.cli import main
from wgfpde.diagnostics import compute
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.features import Features
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.methods.particles.feature_pull import FeaturePull

CLOSED, STEADY = 0.6008169882, 0.9547405
"""s(½) from .1 and s at rest of ṡ = −4s(s − 1) − 2λs + 2T, λ = 0.3, T = 0.2: variance of ½(M − 1)² + ½λM, M = ∫x²ρ."""
CASE = """
title = "A variance that is drawn to 1"
grid = { shape = [100], lower = [-3.0], upper = [3.0] }
initial = { density = "exp(-x**2/0.2)", mass = 1.0 }
solver = { method = "fv", dt = 0.02 }
time = { end = 0.5 }
output = { every = 0.5 }

[energy]
internal = { kind = "entropy", kappa = 0.2 }
potential = "0.15*x**2"
features = [{ formula = "x**2", target = 1.0 }]
"""


def stretch(s):
    return s + 0.08 * np.sin(2 * np.pi * s)


def variance(run):
    return run.diagnostics["second_moment"][-1]


# ---- the energy ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["entropy", "none"])
@pytest.mark.parametrize("dim", [1, 2])
def test_value_variation_and_parts(kind, dim):
    """E = ∫U + ∫Vρ + ½∬W + ½Σw(⟨φ⟩ − b)², δE by differences; the constant makes the loss a square."""
    grid = Grid([-1.0] * dim, [1.0] * dim, [9, 7][:dim], ["periodic", "no-flux"][:dim], mapping=[None, stretch][:dim])
    functions = [lambda **p: np.cos(np.pi * p["x"]), lambda **p: np.sin(2 * np.pi * p["x"]) + 0.3]
    features = Features(functions, [0.4, -0.1], [2.0, 0.5])
    interaction = (lambda **p: sum(np.cos(np.pi * v) for v in p.values())) if dim == 1 else None
    energy = Energy(Internal(kind, 0.7), lambda **p: np.cos(np.pi * p["x"]), interaction, features=features)
    flow = Flow(grid, energy)
    rng = np.random.default_rng(0)
    rho, change = rng.uniform(0.5, 2.0, grid.shape), rng.normal(size=grid.shape)
    phi = [grid.sample(f) for f in functions]
    loss = 0.5 * sum(
        w * (np.sum(grid.cell_volume * p * rho) - b) ** 2 for p, b, w in zip(phi, [0.4, -0.1], [2.0, 0.5], strict=True)
    )
    plain = Flow(grid, Energy(Internal(kind, 0.7), energy.potential, interaction))
    assert flow.parts(rho)[:3] == plain.parts(rho) and flow.parts(rho)[3] == pytest.approx(loss, rel=1e-13, abs=0)
    assert flow.value(rho) == pytest.approx(plain.value(rho) + loss, rel=1e-13, abs=0)
    h = 1e-5
    slope = (flow.value(rho + h * change) - flow.value(rho - h * change)) / (2 * h)
    assert np.sum(grid.cell_volume * flow.variation(rho) * change) == pytest.approx(slope, rel=1e-8, abs=0)
    found = compute(flow, Snapshot(0.0, 0, {"rho": rho}))
    residuals = [abs(np.sum(grid.cell_volume * p * rho) - b) for p, b in zip(phi, [0.4, -0.1], strict=True)]
    assert found["energy_features"] == pytest.approx(loss, rel=1e-9, abs=0) and found[
        "feature_residual"
    ] == pytest.approx(max(residuals), rel=1e-9, abs=0)
    assert "energy_features" not in compute(plain, Snapshot(0.0, 0, {"rho": rho})) and not flow.has_gibbs


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (([], [], []), "one at least"),
        (([np.cos], [1.0, 2.0], [1.0]), "1 functions, 2 targets"),
        (([np.cos], [np.nan], [1.0]), "targets of features must be finite"),
        (([np.cos], [1.0], [0.0]), "weights of features must be positive"),
        (([np.cos], [1.0], [np.inf]), "weights of features must be positive"),
    ],
)
def test_numbers_that_make_no_features(values, words):
    with pytest.raises(CaseError, match=words):
        Features(*values)


def test_features_are_checked_on_the_grid():
    for function, words in (
        (lambda x: np.log(x - 10), "feature 1 is not finite at x"), (lambda x: x, "periodic but feature 1 is not"),
    ):  # fmt: skip
        with pytest.raises(CaseError, match=words):
            Flow(Grid([0.0], [1.0], [8], "periodic"), Energy(Internal(), features=Features([function], [0.0], [1.0])))


# ---- by every method ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", [{}, {"mapping": ["s + 0.04*sin(2*pi*s)"]}], ids=["uniform", "stretched"])
def test_finite_volumes(tmp_path, grid):
    errors = []
    for n, k in ((100, 25), (200, 50), (400, 100)):
        run = wgf.run(
            loads(CASE), tmp_path / f"{n}", progress=False, grid={"shape": [n], **grid}, solver={"dt": 0.5 / k}
        )
        errors.append(variance(run) - CLOSED)
        assert run.diagnostics["energy"][-1] < run.diagnostics["energy"][0] and "BROKEN" not in run._repr_html_()
        assert np.mean(run.steps["outer"]) < 5
    assert abs(errors[-1]) < 1e-4
    assert np.log2(abs(errors[0] / errors[1])) > 1.8
    steady = wgf.run(
        loads(CASE),
        tmp_path / "rest",
        progress=False,
        solver={"dt": 0.5},
        time={"end": 20.0},
        grid={"lower": [-6.0], "upper": [6.0], "shape": [200]},
    )
    assert variance(steady) == pytest.approx(STEADY, abs=1e-3)


def test_jko(tmp_path):
    errors = []
    for tau in (0.02, 0.01):
        options = {"solver": {"method": "jko", "tau": tau}, "grid": {"shape": [200]}}
        run = wgf.run(loads(CASE), tmp_path / f"{tau}", progress=False, **options)
        errors.append(variance(run) - CLOSED)
        assert np.max(run.steps["gap"]) < 1e-8
    assert np.log2(errors[0] / errors[1]) == pytest.approx(1.0, abs=0.15)
    assert abs(2 * errors[1] - errors[0]) < 5e-4


def test_in_the_plane_each_axis_is_as_on_the_line(tmp_path):
    """Two features, x² and y², and no U: ∂s = −4s(s − 1) − 2λs on either axis."""
    text = CASE.replace(
        "shape = [100], lower = [-3.0], upper = [3.0]", "shape = [40, 48], lower = [-3.0, -3.0], upper = [3.0, 3.0]"
    )
    text = text.replace("0.15*x**2", "0.15*r**2").replace(
        "target = 1.0 }", 'target = 1.0 }, { formula = "y**2", target = 1.0 }'
    )
    text = text.replace("exp(-x**2/0.2)", "exp(-r**2/0.6)")
    run = wgf.run(loads(text), tmp_path / "out", progress=False)
    s, dt = 0.3, 1e-4
    for _ in range(5000):
        middle = s + 0.5 * dt * (-4 * s * (s - 1) - 0.6 * s + 0.4)
        s += dt * (-4 * middle * (middle - 1) - 0.6 * middle + 0.4)
    assert run.diagnostics["variance_x"][-1] == pytest.approx(s, abs=6e-3)
    assert run.diagnostics["variance_y"][-1] == pytest.approx(s, abs=6e-3)


@pytest.mark.parametrize("solver", [{"method": "wfr", "dt": 0.02}, {"method": "wfr", "transport": False, "dt": 0.02},
                                    {"method": "svgd", "kernel": {"kind": "gaussian", "bandwidth": 0.7}}])  # fmt: skip
def test_other_geometries_lower_the_same_energy(tmp_path, solver):
    run = wgf.run(loads(CASE), tmp_path / "out", progress=False, solver=solver)
    assert "BROKEN" not in run._repr_html_() and "energy rise" in run._repr_html_()
    assert run.diagnostics["energy_features"][-1] < 0.97 * run.diagnostics["energy_features"][0]


def test_particles_are_pulled_by_features(tmp_path):
    """Without noise ṡ = −4s(s − 1) − 2λs for the mean square of any crowd, by Euler steps of their own."""
    text = CASE.replace('kind = "entropy", kappa = 0.2', 'kind = "none"')
    run = wgf.run(
        loads(text), tmp_path / "a", progress=False, solver={"method": "langevin", "tau": 0.005, "particles": 60}
    )
    s = np.mean(run.fields["position"][0] ** 2)
    for _ in range(100):
        s *= (1 - 0.005 * (2 * (s - 1) + 0.3)) ** 2
    assert np.mean(run.fields["position"][-1] ** 2) == pytest.approx(s, rel=1e-12, abs=0)
    crowd = {"method": "svgd", "kernel": {"kind": "gaussian", "bandwidth": 0.7}, "particles": 400, "start": "quantiles"}
    crowd = wgf.run(loads(CASE), tmp_path / "b", progress=False, solver=crowd)
    field = {"method": "svgd", "kernel": {"kind": "gaussian", "bandwidth": 0.7}, "tolerance": 1e-5}
    field = wgf.run(loads(CASE), tmp_path / "c", progress=False, solver=field, grid={"shape": [200]})
    assert crowd.diagnostics["particle_variance_x"][-1] == pytest.approx(field.diagnostics["variance_x"][-1], abs=4e-3)
    for solver in ({"tau": 0.01}, {"tau": 0.01, "particles": 10, "pairs": "mesh"}):
        with pytest.raises(CaseError, match="knows features for particles"):
            build(loads(CASE.replace('"fv", dt = 0.02', '"langevin", ' + ", ".join(
                f'{k} = {v!r}'.replace("'", '"') for k, v in solver.items()))))  # fmt: skip


# ---- tables and data ----------------------------------------------------------------------------------------


def with_data(tmp_path, text, formula="tanh(s*x)"):
    (tmp_path / "points.csv").write_text(text)
    case = CASE.replace('[{ formula = "x**2", target = 1.0 }]', f'{{ formula = "{formula}", data = "points.csv" }}')
    return loads(case, folder=tmp_path)


def test_features_of_a_file(tmp_path):
    flow = build(with_data(tmp_path, "s,b,w\n1.0,0.5,2.0\n# a remark\n-2.0,0.25,1.0\n")).flow
    x = flow.grid.x.centers
    np.testing.assert_array_equal(flow.features.phi, [np.tanh(x), np.tanh(-2 * x)])
    np.testing.assert_array_equal(flow.features.targets, [0.5, 0.25])
    np.testing.assert_array_equal(flow.features.weights, [2.0, 1.0])
    plain = build(with_data(tmp_path, "1.0 0.5\n-2.0 0.25\n")).flow  # no header, no weights: half the mean of squares
    np.testing.assert_array_equal(plain.features.weights, [0.5, 0.5])
    named = build(with_data(tmp_path, "b;first;second\n1;2;3\n", "first*x + second")).flow
    np.testing.assert_array_equal(named.features.phi, [2 * x + 3])


def test_a_run_remembers_its_data(tmp_path):
    run = wgf.run(
        with_data(tmp_path, "1.0,0.5\n"), tmp_path / "out", progress=False, time={"end": 0.1}, output={"every": 0.1}
    )
    again = wgf.run(wgf.load(tmp_path / "out" / "output.h5"), tmp_path / "again", progress=False)
    np.testing.assert_array_equal(again.rho, run.rho)
    assert "tanh(s*x)" in (tmp_path / "out" / "resolved.toml").read_text()
    assert (
        main(["report", str(tmp_path / "out")]) == 0 and main(["check", str(tmp_path / "out" / "resolved.toml")]) == 0
    )
    assert "tanh" in (tmp_path / "out" / "report.html").read_text()
    (tmp_path / "points.csv").write_text("1.0,0.75\n")
    with pytest.raises(CaseError, match=r"points\.csv"):
        wgf.resume(run, until=0.2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no data"),
        ("s,b\n", "a header line but no data"),
        ("1.0,nan\n", "finite numbers; found '1.0,nan' in data row 1"),
        ("1.0,inf\n", "finite numbers"),
        ("1.0,a\n2.0,b\n", "header|names|finite|numbers"),
        ("1.0\n2.0\n", 'a column "b"'),
        ("s,c\n1,2\n", 'a column "b" of targets'),
        ("b,w\n1,2\n", "at least one of data"),
        ("x,b\n1,2\n", 'cannot be called "x"'),
        ("s,s,b\n1,2,3\n", "each once"),
        ("s,b\n1,2,3\n", "names its 3 columns"),
        ("s,b\n1,2\n3\n", "as many in every row: data row 2 has 1, the first has 2."),
        ("s,b\n1,2\n3,x\n", 'found "x" in data row 2.'),
        ("s,b,w\n1,2,-1\n", "weights of features must be positive"),
        ("1,2,3,4\n", "names its 4 columns"),
        ("s s,b\n1,2\n", "expected a name for each column"),
    ],
)
def test_bad_data(tmp_path, text, words):
    with pytest.raises(CaseError, match=words):
        build(with_data(tmp_path, text))


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ('{ formula = "x" }', r"energy\.features\.data: missing"),
        ('{ data = "points.csv" }', r"energy\.features\.formula: missing"),
        ('{ formula = "x", data = "nowhere.csv" }', r"energy\.features\.data: .*nowhere\.csv does not exist"),
        ("[]", r"energy\.features: expected at least 1 of them, found none"),
        ('[{ formula = "x" }]', r"energy\.features\[0\]\.target: missing: b, a number"),
        ('[{ formula = "x", target = 1.0, weight = 0.0 }]', r"energy\.features\[0\]\.weight"),
        ('[{ formula = "x +", target = 1.0 }]', r"energy\.features\[0\]\.formula"),
        ('[{ formula = "x", target = nan }]', r"energy\.features\[0\]\.target: expected a finite number"),
        ('[{ formula = "x", target = 1.0, date = 1.0 }]', r"energy\.features\[0\]\.date: unknown key"),
        ('{ formula = "x", data = "a.csv", target = 1.0 }', r"energy\.features\.target: unknown key"),
        ('"x"', r"energy\.features"),
    ],
)  # fmt: skip
def test_bad_tables(features, words):
    with pytest.raises(CaseError, match=words):
        build(loads(CASE.replace('[{ formula = "x**2", target = 1.0 }]', features)))


def test_features_in_code(tmp_path):
    grid = Grid([-3.0], [3.0], [100])
    features = Features([lambda x: x**2], [1.0], [1.0])
    energy = Energy(Internal("entropy", 0.2), lambda x: 0.15 * x**2, features=features)
    case = wgf.problem(
        grid, energy, lambda x: np.exp(-(x**2) / 0.2), 0.5, every=0.5, solver={"method": "fv", "dt": 0.02}, mass=1.0
    )
    coded = wgf.run(case, tmp_path / "code", progress=False)
    text = wgf.run(loads(CASE), tmp_path / "text", progress=False)
    np.testing.assert_allclose(coded.rho[-1], text.rho[-1], rtol=1e-12)
    assert "1 features" in repr(energy)
    with pytest.raises(CaseError, match=r"energy\.features\[0\]: expected a function"):
        wgf.problem(grid, Energy(Internal(), features=Features([lambda y: y], [1.0], [1.0])), lambda x: 1 + 0 * x, 1.0)


def test_no_spectrum_and_no_lambda_with_features():
    with pytest.raises(CaseError, match="found features"):
        wgf.spectrum(loads(CASE), progress=False)
    with pytest.raises(CaseError, match="neither interaction nor features"):
        loads(CASE.replace("features = [", "lambda = 1.0\nfeatures = ["))


def test_each_crowd_is_pulled_by_what_it_says_itself():
    """Replicas do not see each other: w(M⟨x²⟩ − b) 2x, with the mean of the particle's own crowd."""
    features = Features([lambda x: x**2], [1.0], [2.0])
    flow = Flow(Grid([-3.0], [3.0], [20]), Energy(Internal("none"), features=features))
    places = np.array([[0.5], [1.0], [2.0], [1.0]])
    said = np.repeat([0.625, 2.5], 2)[:, None]
    for replicas, mean in ((2, said), (1, said.mean())):
        found = FeaturePull(flow, 1.5, replicas)(places)
        np.testing.assert_allclose(found, 2.0 * (1.5 * mean - 1.0) * 2 * places, rtol=1e-7)
