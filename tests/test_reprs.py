"""What a notebook shows of a result is one short line, however many numbers the result holds."""

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.cases.building import build
from wgfpde.cases.varying import vary_values
from wgfpde.formulas.compile import compile_expression
from wgfpde.output.compare.comparison import compare
from wgfpde.store import read, read_study
from wgfpde.studies.convergence import write
from wgfpde.transport.benamou_brenier.pdhg import PdhgResult

GRID = {"shape": [128]}
SHORT = {"grid": GRID, "time": {"end": 0.01}, "output": {"every": 0.001}, "solver": {"dt": 0.001}}
LONG = " + ".join(f"{k}*x**{k}" for k in range(1, 120))


def reprs(*found):
    return {type(one).__name__: one for one in found}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Public results by the names of their classes."""
    folder = tmp_path_factory.mktemp("results")
    run = wgf.run("heat_1d", folder / "a", progress=False, **SHORT)
    other = wgf.run("heat_1d", folder / "b", progress=False, **SHORT | {"grid": {"shape": [64]}})
    study = wgf.converge("heat_1d", {"grid.shape": [16, 32, 64]}, folder / "c", progress=False, **SHORT | {"grid": {}})
    spectrum = wgf.spectrum("double_well_1d", progress=False, grid=GRID)
    state = wgf.stationary("desai_zwanzig_1d", progress=False, grid=GRID)[0]
    kappa = "energy.internal.kappa=0.4:0.5:3"
    diagram = wgf.stationary("desai_zwanzig_1d", kappa, progress=False, grid={"shape": [48]})
    problem = build(wgf.load("desai_zwanzig_1d"))
    long = wgf.load("double_well_1d", energy={"potential": LONG}, title="long " * 50)
    snapshot = next(wgf.march("heat_1d", **SHORT))
    grid = wgf.Grid([0.0], [1.0], [128])
    return reprs(
        run, study, spectrum, state, diagram, problem, long, snapshot, grid, long._draft, problem.record,
        problem.flow, problem.flow.energy, grid.axes[0], compare(run, other), state.stability, diagram.branches[0],
        diagram.branches[0].line[0], diagram.critical[0], study.solved[0], snapshot.report, read_study(write(study)),
        vary_values({"time.end": np.linspace(1, 2, 400)}, long)[0], compile_expression(LONG, ["x"]),
        wgf.distance(grid, np.ones(128), 1 + 0.5 * np.cos(np.pi * grid.axes[0].centers)),
        PdhgResult(*[np.ones((8, 9, 9))] * 5, 7, *[0.0] * 6),
    )  # fmt: skip


NAMES = (
    "Run Convergence Spectrum Steady Diagram Problem Case Snapshot Grid Draft Record Flow Energy Axis Comparison "
    "Stability Branch Point Critical Solved Report Study Vary Expression Distance PdhgResult"
)


@pytest.mark.parametrize("name", NAMES.split())
def test_one_short_line(results, name):
    text = repr(results[name])
    assert text.startswith(f"{name}(") and len(text) < 500 and "\n" not in text
    assert "array(" not in text and " object at 0x" not in text


def test_every_kind_of_result_is_here(results):
    assert set(results) == set(NAMES.split())


def test_a_run_as_the_store_reads_it(results):
    run = results["Run"]
    assert repr(read(run.path)) == repr(run)
    assert repr(results["Axis"]) == "Axis(x: 128 cells on [0, 1])"
