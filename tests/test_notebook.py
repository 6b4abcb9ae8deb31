"""What a notebook sees: figures, axes of the caller, tables, arrays for xarray, completion, a function that listens."""

import pickle

import numpy as np
import pytest
from matplotlib.figure import Figure

import wgfpde as wgf
from wgfpde.cli import main
from wgfpde.store import read_study

WELL = {"grid": {"shape": [48]}, "time": {"end": 2.0}, "output": {"every": 0.5}, "solver": {"dt": 0.05}}
PLANE = {"grid": {"shape": [12, 10]}, "time": {"end": 0.2}, "output": {"every": 0.05}, "solver": {"dt": 0.05}}
HEAT = {"time": {"end": 0.02}, "output": {"every": 0.01}, "solver": {"dt": 0.001}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run on a line, one in a plane, and one with an exact solution."""
    folder = tmp_path_factory.mktemp("runs")
    heat = HEAT | {"grid": {"shape": [32]}}
    return {
        "line": wgf.run("double_well_1d", folder / "line", progress=False, **WELL),
        "plane": wgf.run("double_well_2d", folder / "plane", progress=False, **PLANE),
        "heat": wgf.run("heat_1d", folder / "heat", progress=False, **heat),
    }


# ---- axes of the caller ------------------------------------------------------------------------------------


def test_densities_go_into_axes_of_the_caller(runs):
    line, plane = Figure().subplots(), Figure().subplots()
    assert runs["line"].plot(ax=line, time=1.0) is line
    drawn = line.lines[0].get_xydata()
    np.testing.assert_array_equal(drawn.T, [runs["line"].centers[0], runs["line"].rho[2]])
    assert line.get_xlabel() == "$x$" and line.get_legend() is not None
    assert runs["plane"].plot(ax=plane, time=0.1, vmax=0.5) is plane
    image, *levels = plane.collections  # the density, and level lines of V
    assert len(levels) == 1
    np.testing.assert_array_equal(image.get_array(), runs["plane"].rho[2])
    assert image.norm.vmax == 0.5
    last = Figure().subplots()
    np.testing.assert_array_equal(runs["plane"].plot(ax=last).collections[0].get_array(), runs["plane"].rho[-1])


def test_numbers_over_time_go_into_axes_of_the_caller(runs):
    for field, run in (("mass", "line"), ("iterations", "plane"), ("error", "heat")):
        axes = Figure().subplots()
        assert runs[run].plot(ax=axes, field=field) is axes and axes.lines and axes.get_xlabel() == "$t$"


@pytest.mark.parametrize(
    ("run", "options", "says"),
    [
        ("line", {"field": "energy"}, "several panels"),
        ("heat", {"error": True}, "several panels"),
        ("plane", {"times": [0.0, 0.1]}, "one map"),
        ("line", {"dpi": 100}, "belongs to yours"),
        ("line", {"ax": "left"}, "expected axes of Matplotlib, found str"),
        ("line", {"time": 1.0, "times": [1.0]}, "one option"),
    ],
)
def test_what_no_panel_can_show_is_refused(runs, run, options, says):
    with pytest.raises(wgf.CaseError, match=says):
        runs[run].plot(**{"ax": Figure().subplots()} | options)


# ---- figures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_saved_figure_is_the_file_of_the_command_line(runs, tmp_path, kind):
    run = runs["line"]
    run.plot(time=[0.0, 2.0], log=True).savefig(tmp_path / f"python.{kind}")
    shell = tmp_path / f"shell.{kind}"
    assert main(["plot", str(run.folder), "--times", "0,2", "--log", "--out", str(shell)]) == 0
    assert (tmp_path / f"python.{kind}").read_bytes() == shell.read_bytes()


def test_dots_per_inch_are_those_asked_for(runs, tmp_path):
    """Asked of plot, or of savefig, which has the last word."""
    for name, ask, late in (("a", {"dpi": 40}, {}), ("b", {}, {"dpi": 40}), ("c", {"dpi": 90}, {"dpi": 40})):
        runs["line"].plot(**ask).savefig(tmp_path / f"{name}.png", **late)
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b == c


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Results with the files that the command line writes of the same questions."""
    folder, grid = tmp_path_factory.mktemp("studies"), {"shape": [40]}
    vary, shape = "energy.internal.kappa=0.4:0.5:3", ["--set", "grid.shape=[40]"]
    heat = [f"--set={table}.{key}={value}" for table, keys in HEAT.items() for key, value in keys.items()]
    asked = {
        "spectrum": ["spectrum", "double_well_1d", *shape],
        "exits": ["exits", "double_well_1d", "--to", "x < -1", *shape],
        "states": ["stationary", "desai_zwanzig_1d", *shape],
        "diagram": ["stationary", "desai_zwanzig_1d", "--vary", vary, *shape],
        "orders": ["converge", "heat_1d", "--vary", "grid.shape=12,24", *heat],
    }
    files = {}
    for name, words in asked.items():
        files[name] = folder / name / "converge.h5" if name == "orders" else folder / f"{name}.h5"
        assert main([*words, "--out", str(folder / name if name == "orders" else files[name]), "--no-plot"]) == 0
    found = {
        "spectrum": wgf.spectrum("double_well_1d", grid=grid, progress=False),
        "exits": wgf.exits("double_well_1d", to="x < -1", grid=grid, progress=False),
        "states": wgf.stationary("desai_zwanzig_1d", grid=grid, progress=False),
        "diagram": wgf.stationary("desai_zwanzig_1d", vary, grid=grid, progress=False),
        "orders": wgf.converge("heat_1d", {"grid.shape": [12, 24]}, progress=False, **HEAT),
    }
    return {name: (found[name], read_study(files[name])) for name in found}


NAMES = ("spectrum", "exits", "states", "diagram", "orders")
OF_THE_RUNS = {"folder", "wall_seconds"}


@pytest.mark.parametrize("name", NAMES)
def test_results_of_studies_are_what_their_files_hold(studies, name):
    found, file = studies[name]
    data = found.to_xarray()
    assert set(data.variables) == set(file.variables)
    for key in set(file.variables) - OF_THE_RUNS:
        np.testing.assert_array_equal(data[key].values, file[key], err_msg=key)
        assert data[key].dims == file.variables[key].dims
        assert data[key].attrs.get("long_name", "") == file.variables[key].long_name
    assert data.attrs["title"] == file.attributes["title"] and found.as_study().kind == file.kind


@pytest.mark.parametrize("name", NAMES)
def test_results_of_studies_are_drawn_and_shown(studies, name):
    found, _ = studies[name]
    figure, page = found.plot(), found._repr_html_()
    assert isinstance(figure, Figure) and figure._repr_png_().startswith(b"\x89PNG")
    assert page.startswith("<b>") and page.count("<tr>") > 1 and "nan" not in page
    assert len(repr(found)) < 300 and "\n" not in repr(found) and "object at" not in repr(found)


@pytest.mark.parametrize("name", ["spectrum", "exits", "states"])
def test_results_of_studies_can_be_pickled(studies, name):
    again = pickle.loads(pickle.dumps(studies[name][0]))
    assert again.to_xarray().identical(studies[name][0].to_xarray())


def test_a_result_of_no_case_says_so():
    from wgfpde.studies.spectrum import spectrum

    found = spectrum(wgf.Flow(wgf.Grid([0.0], [1.0], [8]), wgf.Energy()))
    with pytest.raises(wgf.CaseError, match="not found of a case"):
        found.plot()
    assert found._repr_html_().startswith("<b>Spectrum</b>")


# ---- completion --------------------------------------------------------------------------------------------


def test_only_public_names_are_completed(runs):
    def shown(thing):
        return {name for name in dir(thing) if not name.startswith("__")}

    assert shown(wgf) == set(wgf.__all__)
    names = shown(runs["line"])
    assert {"plot", "to_xarray", "rho", "t", "diagnostics"} <= names
    assert not [name for name in names if name.startswith("_")]
    assert not [name for name in names if not hasattr(runs["line"], name)]


# ---- a function that listens -------------------------------------------------------------------------------

JKO = {"solver": {"method": "jko", "tau": 0.05}}


@pytest.mark.parametrize(
    ("name", "tables"),
    [("double_well_1d", WELL), ("double_well_2d", PLANE), ("double_well_1d", WELL | JKO), ("ratchet_1d", WELL)],
)
def test_a_listener_is_shown_what_is_written_and_changes_nothing(name, tables):
    seen = []
    run = wgf.run(name, progress=False, on_snapshot=seen.append, **tables)
    plain = wgf.run(name, progress=False, **tables)
    np.testing.assert_array_equal([s.t for s in seen], run.t)
    np.testing.assert_array_equal([s.rho for s in seen], np.asarray(plain.rho))
    assert seen[-1].step == len(run.steps["t"])
    with pytest.raises(ValueError, match="read-only"):
        seen[0].rho[:] = 0.0


@pytest.mark.parametrize(("name", "tables"), [("double_well_1d", WELL), ("double_well_2d", PLANE)])
def test_what_a_listener_raises_ends_the_run_and_it_goes_on(tmp_path, name, tables):
    def angry(snapshot):
        if snapshot.step >= 2:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        wgf.run(name, tmp_path / "a", progress=False, on_snapshot=angry, **tables)
    half = wgf.read(tmp_path / "a")
    assert half.status == "interrupted" and "on_snapshot (ZeroDivisionError: mine)" in half.message
    assert half.t[-1] < tables["time"]["end"]
    seen = []
    whole = wgf.resume(half, progress=False, on_snapshot=seen.append)
    np.testing.assert_array_equal(whole.rho, wgf.run(name, progress=False, **tables).rho)
    np.testing.assert_array_equal([s.t for s in seen], whole.t[len(half) :])


def test_a_listener_may_ask_for_an_end(tmp_path):
    """Ctrl-C while it works is one of the run."""

    def tired(snapshot):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="stopped by Ctrl-C"):
        wgf.run("double_well_1d", tmp_path / "a", progress=False, on_snapshot=tired, **WELL)
    assert wgf.resume(tmp_path / "a", progress=False).status == "finished"
