"""Runs that were put together in Python: their files keep what stands for the functions, and every verb goes on."""

import h5py
import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.cli import main
from wgfpde.energy.features import Features
from wgfpde.grid.tables.kept_function import Budget, Kept
from wgfpde.output.references import exact_and_gibbs

LINE = wgf.Grid([-3.0], [3.0], [24])
STRETCHED = wgf.Grid([-3.0], [3.0], [24], mapping=[lambda s: s + 0.1 * np.sin(2 * np.pi * s)])
RING = wgf.Grid([-np.pi], [np.pi], [24], "periodic")
PLANE = wgf.Grid([-3.0, -2.0], [3.0, 2.0], [10, 8])
TORUS = wgf.Grid([-np.pi, -2.0], [np.pi, 2.0], [10, 8], ["periodic", "no-flux"])
UNEVEN = wgf.Grid([-3.0, -2.0], [3.0, 2.0], [8, 6], mapping=[lambda s: s**1.2, None])
OPEN = wgf.Grid([-3.0, -2.0], [3.0, 2.0], [8, 6], [[{"density": lambda y: 1 + y**2}, "absorbing"], "no-flux"])
NOISE = wgf.Internal("entropy", kappa=0.3)


def well(x):
    return x**4 / 4 - x**2 / 2


def bump(x):
    return np.exp(-((x - 0.2) ** 2))


def wave(x):
    return 1 + 0.5 * np.sin(x)


def basin(x, y):
    return x**4 / 4 - x**2 / 2 + y**2 / 2


def hill(x, y):
    return np.exp(-((x - 0.2) ** 2) - y**2)


def energy(internal=NOISE, **parts):
    return wgf.Energy(internal, **parts)


def table():
    pandas = pytest.importorskip("pandas")
    x = np.linspace(-4, 4, 33)
    return {"potential": pandas.Series(well(x), index=x)}


def distances():
    pandas = pytest.importorskip("pandas")
    r = np.linspace(0, 8, 33)
    return {"potential": well, "interaction": pandas.Series(0.1 * r**2, index=r)}


SINKS = [wgf.Sink("out", region=lambda x: x < -2), wgf.Sink("decay", rate=lambda x: 0.1 * (x > 0))]
CORNER = [wgf.Sink("corner", region=lambda x, y: x + y < -2)]
CASES = {
    "well": (LINE, lambda: {"potential": well}, bump, {}),
    "convex": (LINE, lambda: {"potential": lambda x: x**2 / 2}, bump, {}),
    "smooth W": (LINE, lambda: {"potential": well, "interaction": lambda x: 0.5 * x**2}, bump, {}),
    "kinked W": (STRETCHED, lambda: {"potential": well, "interaction": np.abs}, bump, {}),
    "log W": (LINE, lambda: {"potential": lambda x: x**2, "interaction": lambda x: -0.1 * np.log(np.abs(x))}, bump, {}),
    "ring": (RING, lambda: {"potential": np.cos, "interaction": lambda x: -np.cos(x)}, wave, {}),
    "force": (RING, lambda: {"potential": np.cos, "force": lambda x: 1 + np.sin(x)}, wave, {}),
    "plane": (PLANE, lambda: {"potential": basin, "interaction": lambda x, y: x**2 + y**2}, hill, {}),
    "torus": (TORUS, lambda: {"potential": lambda x, y: np.cos(x) + y**2}, lambda x, y: 1 + 0.1 * np.cos(x), {}),
    "uneven": (UNEVEN, lambda: {"potential": basin}, hill, {}),
    "ito": (LINE, lambda: {"potential": well}, bump, {"dynamics": wgf.Dynamics(lambda x: 1 / (1 + x**2), "ito")}),
    "sinks": (LINE, lambda: {"potential": well}, bump, {"sinks": SINKS}),
    "corner": (PLANE, lambda: {"potential": basin}, hill, {"sinks": CORNER}),
    "walls": (OPEN, lambda: {"potential": basin}, hill, {}),
    "table": (LINE, table, bump, {}),
    "distances": (LINE, distances, bump, {}),
    "features": (LINE, lambda: {"features": Features([np.sin, lambda x: x], [0.1, 0.2], [1.0, 2.0])}, bump, {}),
    "jko": (LINE, lambda: {"potential": well}, bump, {"solver": {"method": "jko", "tau": 0.1}}),
    "jko plane": (PLANE, lambda: {"potential": basin}, hill, {"solver": {"method": "jko", "tau": 0.1}}),
}


def by_name(function, names):
    """NumPy's functions as ones that take x by its name."""
    return (lambda x: function(x)) if isinstance(function, np.ufunc) else function


def put_together(name, end=0.2, **more):
    grid, parts, initial, options = CASES[name]
    found = {key: by_name(part, "x") for key, part in parts().items()}
    if "features" in found:
        features = found["features"]
        found["features"] = Features([by_name(f, "x") for f in features.functions], features.targets, features.weights)
    options = {"solver": {"dt": 0.1}} | options | more
    return wgf.problem(grid, energy(**found), initial, end, every=0.1, **options)


def same(run, other, but=()):
    np.testing.assert_array_equal(run.rho, other.rho)
    assert set(run.diagnostics) == set(other.diagnostics)
    for name, values in run.diagnostics.items():
        if name in but:
            np.testing.assert_allclose(values, other.diagnostics[name], rtol=1e-6, atol=1e-9)
        else:
            np.testing.assert_array_equal(values, other.diagnostics[name], err_msg=name)


@pytest.mark.parametrize("name", CASES)
def test_a_run_is_made_again_and_goes_on_from_its_file(tmp_path, name):
    """To the last bit, without the functions; but for integrals that take V between cells, by cubics."""
    made = wgf.run(put_together(name), tmp_path / "a", progress=False)
    but = [key for key in made.diagnostics if key.startswith("slack_")]
    again = wgf.run(made.path, tmp_path / "b", progress=False)
    same(made, again, but)
    whole = wgf.run(put_together(name, 0.3), progress=False)
    same(wgf.resume(tmp_path / "a", 0.3, progress=False), whole, but)
    same(wgf.resume(tmp_path / "b", 0.3, progress=False), whole, but)  # of a run of a run
    with h5py.File(made.path) as file:
        sizes = []
        file["code"].visititems(lambda _, item: sizes.append(getattr(item, "nbytes", 0)))
    assert sum(sizes) < 300_000


def test_v_is_in_the_file_and_known_to_all_that_ask(tmp_path, capsys):
    run = wgf.run(put_together("well"), tmp_path / "a", progress=False)
    np.testing.assert_array_equal(run.constants["potential"], well(LINE.x.centers))
    gibbs = exact_and_gibbs(wgf.read(run.path))[1]
    flow = wgf.Flow(LINE, energy(potential=well))
    np.testing.assert_array_equal(gibbs, flow.gibbs(flow.mass(run.rho[-1])))
    found, known = wgf.spectrum(run.path, 3, progress=False), wgf.spectrum(put_together("well"), 3, progress=False)
    np.testing.assert_array_equal(found.eigenvalues, known.eigenvalues)
    states = wgf.stationary(run, progress=False)
    assert len(states) == 1 and states[0].stable
    for verb in (["check"], ["spectrum", "--modes", "2", "--no-plot", "--out", str(tmp_path / "s.h5")], ["report"]):
        assert main([verb[0], str(run.path if verb[0] != "report" else run.folder), *verb[1:]]) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_between_the_cells_v_is_a_cubic_for_a_question_and_unknown_for_a_run(tmp_path):
    """A region that is asked for afterwards has its edge between cells; a run must not take what is nearly V."""
    grid = wgf.Grid([-3.0], [3.0], [192])
    case = wgf.problem(grid, energy(potential=well), bump, 0.1, solver={"dt": 0.1})
    run = wgf.run(case, tmp_path / "a", progress=False)
    region = "x < -1.01"
    asked, known = (wgf.exits(one, to=region, progress=False).mean_time for one in (run, case))
    assert asked == pytest.approx(known, rel=1e-6, abs=0) and asked != known
    chain = put_together("well", 0.1, solver={"method": "langevin", "tau": 0.05, "particles": 16})
    made = wgf.run(chain, tmp_path / "b", progress=False)
    with pytest.raises(wgf.CaseError, match=r"energy\.potential: a function in Python.*put the case together again"):
        wgf.run(made, progress=False)
    assert wgf.resume(made, 0.2, case=chain, progress=False).t[-1] == 0.2


def test_what_depends_on_time_is_not_kept(tmp_path):
    case = wgf.problem(LINE, energy(potential=lambda x, t: (1 + t) * x**2), bump, 0.1, solver={"dt": 0.1})
    run = wgf.run(case, tmp_path / "a", progress=False)
    with h5py.File(run.path) as file:
        assert "code" not in file and "potential" not in file
    with pytest.raises(wgf.CaseError, match=r"does not hold.*put the case together again.*case=case"):
        wgf.resume(run, 0.2, progress=False)
    assert wgf.resume(run, 0.2, case=case, progress=False).t[-1] == 0.2


def test_an_exact_solution_is_a_function_of_time(tmp_path):
    def exact(x, t):
        return 2 + 0.1 * np.exp(-0.3 * (np.pi / 6) ** 2 * t) * np.cos(np.pi * (x + 3) / 6)

    case = wgf.problem(LINE, energy(), lambda x: exact(x, 0), 0.1, solver={"dt": 0.1}, exact=exact)
    run = wgf.run(case, tmp_path / "a", progress=False)
    assert wgf.spectrum(run, 1, progress=False).gap == pytest.approx(0.3 * (np.pi / 6) ** 2, rel=0.01, abs=0)
    with pytest.raises(wgf.CaseError, match=r"exact\.density: a function of time in Python.*case=case"):
        wgf.resume(run, 0.2, progress=False)
    assert run.plot() is not None


def test_too_much_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("wgfpde.cases.sources.python_code.MOST_BYTES", 100)
    run = wgf.run(put_together("smooth W"), tmp_path / "a", progress=False)
    with h5py.File(run.path) as file:
        assert "code" not in file
    with pytest.raises(wgf.CaseError, match="does not hold"):
        wgf.load(run.path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("initial", np.zeros(5)),
        ("uniform", np.zeros(3)),
        ("potential/keys", np.zeros((2, 3), np.uint8)),
        ("potential/shapes", np.zeros((1, 4))),
        ("potential/values", np.zeros((2, 2))),
        ("interaction/results/operator", np.full(47, np.nan)),
    ],
)
def test_damage_is_a_sentence(tmp_path, place, value):
    run = wgf.run(put_together("smooth W"), tmp_path / "a", progress=False)
    with h5py.File(run.path, "r+") as file:
        del file[f"code/{place}"]
        file[f"code/{place}"] = value
    with pytest.raises(wgf.StoreError, match=r"code.*damaged"):
        wgf.load(run.path)
    with h5py.File(run.path, "r+") as file:
        del file[f"code/{place}"]
    with pytest.raises((wgf.StoreError, wgf.CaseError)):
        list(wgf.march(run.path))


def test_the_places_are_told_apart_by_name_shape_and_number():
    asked = []

    def function(**places):
        asked.append(places)
        return sum(np.asarray(value) for value in places.values())

    kept = Kept("f", function, budget=Budget(10**6))
    x = np.array([1.0, 2.0])
    for places in ({"x": x}, {"y": x}, {"x": x[None, :]}, {"x": x[:, None]}, {"x": x + 1e-15}, {"x": x, "y": x}):
        np.testing.assert_array_equal(kept(**places), kept(**places))
    assert len(asked) == 6
    silent = Kept("f", None, kept.values)
    np.testing.assert_array_equal(silent(x=x), x)
    with pytest.raises(wgf.CaseError, match="f: a function in Python"):
        silent(x=x + 1)


@pytest.mark.parametrize(("budget", "stored"), [(None, False), (Budget(50), False), (Budget(1000), True)], ids=str)
def test_a_result_is_recorded_while_there_is_room(budget, stored):
    """What is made of a function is found anew where the record has no room for it, and is right in any case."""
    kept = Kept("f", np.square, budget=budget)
    for _ in range(2):
        np.testing.assert_array_equal(kept.result("curvature", lambda f: f(np.arange(9.0)), (9,)), np.arange(9.0) ** 2)
    assert ("curvature" in kept.results) is stored
    silent = Kept("f", None, kept.values, kept.results)
    if stored:
        np.testing.assert_array_equal(silent.result("curvature", None, (9,)), np.arange(9.0) ** 2)
    with pytest.raises(wgf.CaseError, match="f: a function in Python"):
        silent.result("curvature", None, (8,))
