"""The Python interface: what `import wgfpde as wgf` offers, used as in a notebook."""

import gc
import shutil
import subprocess
import sys

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.methods.finite_volumes.method import FvTable


def well(x):
    return x**4 / 4 - x**2 / 2


def pull(x):
    return 0.5 * x**2


def bump(x):
    return np.exp(-((x - 0.2) ** 2))


GRID = wgf.Grid([-3.0], [3.0], [60])
ENERGY = wgf.Energy(wgf.Internal("entropy", kappa=0.3), potential=well, interaction=pull)
FILE = """
title = "In a file"
[grid]
shape = [60]
lower = [-3]
upper = [3]
[energy]
internal = { kind = "entropy", kappa = 0.3 }
potential = "x**4/4 - x**2/2"
interaction = "0.5*x**2"
[initial]
density = "exp(-(x - 0.2)**2)"
mass = 1
[solver]
method = "fv"
dt = 0.05
[time]
end = 1
[output]
every = 0.5
"""


@pytest.fixture
def case(tmp_path):
    path = tmp_path / "well.toml"
    path.write_text(FILE)
    return wgf.load(path)


@pytest.fixture
def coded():
    return wgf.problem(GRID, ENERGY, bump, 1.0, every=0.5, mass=1.0, solver={"dt": 0.05})


def test_importing_loads_nothing_heavy():
    program = (
        "import sys, wgfpde\n"
        "assert not {'numpy', 'numba', 'pydantic', 'h5py'} & set(sys.modules)\n"
        "assert {'run', 'load', 'march', 'problem'} <= set(dir(wgfpde))\n"
        "wgfpde.runner_of_nothing\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "module 'wgfpde' has no attribute 'runner_of_nothing'" in done.stderr


@pytest.mark.parametrize("name", wgf.__all__)
def test_every_name_is_there(name):
    assert getattr(wgf, name).__name__.rpartition(".")[2] == name  # of a room, as `graphs`, in full


def test_load_lays_tables_over_the_file(case, tmp_path):
    other = wgf.load(tmp_path / "well.toml", ["grid.shape=[40]"], solver={"dt": 0.1})
    assert other.grid.shape == [40] and other.solver == FvTable(method="fv", dt=0.1)
    assert (case.grid.shape, case.solver.dt) == ([60], 0.05)
    assert other.sources["grid.shape"] == "command line" and other.sources["solver.dt"] == "Python"
    assert other.sources["time.end"] == "file" and other.sources["solver.order"] == "default"


def test_run_into_a_temporary_folder_that_goes_with_the_run(case):
    run = wgf.run(case, solver={"dt": 0.1}, progress=False)
    assert run.status == "finished" and len(run.steps["t"]) == 10
    assert run.rho.shape == (3, 60) and np.asarray(run.rho).shape == (3, 60)
    np.testing.assert_array_equal(np.asarray(run.rho)[-1], run.rho[-1])
    np.testing.assert_array_equal(run.rho[1:], [run.rho[1], run.rho[2]])
    folder = run.folder
    assert folder.exists()
    del run
    gc.collect()
    assert not folder.exists()


def test_a_named_folder_stays(case, tmp_path):
    wgf.run(case, tmp_path / "out", progress=False)
    gc.collect()
    assert wgf.read(tmp_path / "out").t[-1] == 1.0
    with pytest.raises(wgf.CaseError, match="holds a run already"):
        wgf.run(case, tmp_path / "out", progress=False)


def test_march_gives_the_steps_of_the_run(case):
    run = wgf.run(case, progress=False)
    states = list(wgf.march(case))
    assert [s.step for s in states] == list(range(21)) and states[0].t == 0.0
    np.testing.assert_array_equal([s.t for s in states[1:]], run.steps["t"])
    np.testing.assert_array_equal(states[-1].rho, run.rho[-1])
    assert "step=20" in repr(states[-1]) and "(60,)" in repr(states[-1])


def test_functions_give_what_formulas_give(case, coded):
    """V and W as callables: the same density as from the file, to the last bit but those of the formula's own order."""
    a, b = wgf.run(case, progress=False), wgf.run(coded, progress=False)
    np.testing.assert_allclose(b.rho[-1], a.rho[-1], rtol=1e-12)
    assert b.attributes["made_in"] == "python" and "python: well at test_api.py" in b.resolved_toml
    assert b.diagnostics["energy"] == pytest.approx(a.diagnostics["energy"], rel=1e-12, abs=0)


def test_jko_in_code_with_an_exact_solution():
    """The heat flow of a cosine on no-flux walls: 1 + a e^{−π²t} cos πx."""

    def exact(x, t):
        return 1 + 0.5 * np.exp(-(np.pi**2) * t) * np.cos(np.pi * x)

    grid = wgf.Grid([0.0], [1.0], [40])
    case = wgf.problem(
        grid, wgf.Energy(), lambda x: exact(x, 0.0), 0.1, solver={"method": "jko", "tau": 0.005}, exact=exact
    )
    run = wgf.run(case, progress=False)
    assert run.diagnostics["error_l1"][-1] < 0.01 and np.all(run.steps["gap"] < 1e-8)


def test_an_array_as_start_on_a_stretched_grid():
    grid = wgf.Grid([0.0], [1.0], [20], mapping=[lambda s: s + 0.1 * np.sin(2 * np.pi * s)])
    case = wgf.problem(grid, wgf.Energy(), np.linspace(1, 2, 20), 0.1)
    run = wgf.run(case, progress=False)
    np.testing.assert_allclose(run.edges[0], grid.x.edges)
    assert np.ptp(run.rho[-1]) < np.ptp(run.rho[0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"initial": np.ones(7)}, "must have the grid's shape"),
        ({"initial": lambda x: -1 + 0 * x}, "negative|≥ 0"),
        ({"end": -1.0}, "expected a time after"),
        ({"solver": {"method": "jko"}}, "solver.*tau"),
        ({"solver": {"dtt": 1}}, "did you mean.*dt"),
    ],
)
def test_parts_that_make_no_problem_are_refused(change, says):
    parts = {"initial": bump, "end": 1.0} | change
    with pytest.raises(wgf.CaseError, match=says):
        wgf.problem(GRID, ENERGY, parts.pop("initial"), parts.pop("end"), **parts)


def test_what_was_given_in_python_cannot_be_overridden(coded):
    assert wgf.run(coded, progress=False, solver={"dt": 0.5}).steps["dt"][0] == 0.5
    with pytest.raises(wgf.CaseError, match=r"energy.*put together in Python"):
        wgf.run(coded, progress=False, energy={"potential": "x**2"})


def test_a_run_made_in_python_goes_on_with_its_case_or_its_file(coded, tmp_path):
    wgf.run(coded, tmp_path / "a", progress=False)
    longer = wgf.problem(GRID, ENERGY, bump, 2.0, every=0.5, mass=1.0, solver={"dt": 0.05})
    whole = wgf.run(longer, progress=False)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    np.testing.assert_array_equal(wgf.resume(tmp_path / "b", 2.0, progress=False).rho, whole.rho)
    with pytest.raises(wgf.CaseError, match=r"grid: this case was put together in Python"):
        wgf.load(tmp_path / "a" / "output.h5", grid={"shape": [30]})
    run = wgf.resume(tmp_path / "a", 2.0, case=coded, progress=False)
    assert run.attributes["resumed"] == 1
    np.testing.assert_array_equal(run.rho, whole.rho)
    np.testing.assert_array_equal(run.diagnostics["energy"], whole.diagnostics["energy"])


def test_a_failure_is_an_exception(case, tmp_path, monkeypatch):
    from wgfpde.methods.finite_volumes.stepper import FiniteVolumes

    def fail(self, snapshot, t_next):
        raise wgf.SolverError("no step could be solved")

    monkeypatch.setattr(FiniteVolumes, "step", fail)
    with pytest.raises(wgf.SolverError, match=r"no step could be solved.*out"):
        wgf.run(case, tmp_path / "out", progress=False)
    assert wgf.read(tmp_path / "out").status == "failed"
    with pytest.raises(wgf.SolverError):
        wgf.run(case, progress=False)


def test_to_xarray(case):
    xarray = pytest.importorskip("xarray")
    run = wgf.run(case, progress=False)
    data = run.to_xarray()
    assert isinstance(data, xarray.Dataset) and data.rho.dims == ("t", "x")
    np.testing.assert_array_equal(data.rho.values, np.asarray(run.rho))
    np.testing.assert_allclose(data.rho.sum("x") * 0.1, 1.0)
    np.testing.assert_array_equal(data.energy, run.diagnostics["energy"])
    assert data.energy.attrs["long_name"] and data.x.size == 60


def test_plot_returns_a_figure(case, tmp_path):
    run = wgf.run(case, progress=False)
    figure = run.plot(times=[0.0, 1.0], log=True)
    figure.savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
    with pytest.raises(wgf.CaseError, match="holds no field"):
        run.plot(field="enerrgy")


def test_notebook_words(case, coded):
    assert "McKean-Vlasov" in repr(case) and "x**4/4" in case._repr_html_()
    assert "well at test_api.py" in repr(coded)
    run = wgf.run(case, progress=False)
    assert "In a file" in repr(run) and "3 snapshots" in repr(run)
    assert "kept" in run._repr_html_() and "BROKEN" not in run._repr_html_()
    assert "60 cells" in repr(GRID)


def test_numbers_of_numpy_and_tuples_are_plain_numbers(coded):
    case = wgf.problem(GRID, ENERGY, bump, np.float64(1.0), solver={"dt": np.float64(0.1)}, times=(0.5,))
    assert case.solver.dt == 0.1 and case.output.times == [0.5]
    assert wgf.run(coded, progress=False, solver={"dt": np.float32(0.5)}, output={"times": (0.5,)}).t.tolist() == [
        0,
        0.5,
        1,
    ]


def test_a_later_end_keeps_the_steps_of_a_case_in_code(tmp_path):
    """The default step, and the default distance of snapshots, follow from the end; going on does not change them."""
    case = wgf.problem(GRID, ENERGY, bump, 1.0)
    first = wgf.run(case, tmp_path / "a", progress=False)
    later = wgf.resume(tmp_path / "a", 1.5, case=case, progress=False)
    assert np.ptp(later.steps["dt"]) < 1e-12 and len(later.t) == 16
    np.testing.assert_array_equal(later.rho[:11], first.rho[:])


def test_a_time_that_is_no_number_is_refused(case):
    run = wgf.run(case, progress=False)
    for time in (np.nan, np.inf, -np.inf):
        with pytest.raises(wgf.StoreError, match="holds no snapshot"):
            run.find(time)
    assert run == run and len({run}) == 1


def test_a_name_does_for_a_case_and_a_run_for_its_folder(tmp_path):
    run = wgf.run("heat_1d", tmp_path / "a", progress=False, grid={"shape": [16]}, time={"end": 0.02})
    assert next(wgf.march("heat_1d")).t == 0.0
    assert wgf.resume(run, 0.04, progress=False).t[-1] == 0.04


@pytest.mark.parametrize("function", [lambda a: a, lambda x, y: x, np.ones(60), "x**2"])
def test_functions_that_do_not_take_the_coordinates_are_refused(function):
    with pytest.raises(
        wgf.CaseError, match=r"potential: expected a function(.*called as f\(x=…\)| or None, found (ndarray|str 'x))"
    ):
        wgf.problem(GRID, wgf.Energy(potential=function), bump, 1.0)


def test_values_given_in_python_say_so(coded):
    assert coded.sources["grid.shape"] == "Python" and coded.sources["solver.order"] == "default"
    with pytest.raises(wgf.CaseError, match="shape: expected a list, each of it a whole number"):
        wgf.Grid([0.0], [1.0], [40.5])
