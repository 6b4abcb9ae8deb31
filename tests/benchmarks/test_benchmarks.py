"""The logic of the side-by-side benchmarks: solutions, entropic steps, equal error.  No other package is needed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from wgfpde.energy import equations
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes

FOLDER = Path(__file__).parents[2] / "validation" / "benchmarks" / "peers"


@pytest.fixture(scope="module", autouse=True)
def folder():
    """The benchmarks are scripts beside each other, no package."""
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


def problem(name):
    from problems import PROBLEMS

    return PROBLEMS[name]


@pytest.mark.parametrize("name", ["heat", "well", "barenblatt", "ou", "jko-gauss", "jko-power", "w2-1d", "w2-2d"])
def test_solutions_have_mass_one_and_values_close_to_averages(name):
    p = problem(name)
    for t in (p.start, p.end):
        averages, points = p.state(96, t, False), p.state(96, t, True)
        assert averages.sum() * p.volume(96) == pytest.approx(1, abs=2e-5)
        assert np.abs(averages - points).sum() * p.volume(96) < 0.02
        assert averages.min() >= -1e-12


def test_coarse_averages_are_averages_of_fine_ones():
    for name, t in (("heat", 0.3), ("well", 0.7), ("barenblatt", 0.05), ("ou", 0.4), ("jko-gauss", 3), ("w2-2d", 1)):
        p = problem(name)
        fine = p.state(64, t, False)
        blocks = fine.reshape(32, 2, *([32, 2] if p.dim == 2 else [])).mean(axis=(1, 3) if p.dim == 2 else 1)
        assert blocks == pytest.approx(p.state(32, t, False), abs=1e-9)


@pytest.mark.parametrize("t", [0.0, 0.4, 1.0])
def test_mean_and_variance_of_ornstein_and_uhlenbeck(t):
    """N(1, ¼) at the start, then m' = −m and v' = 2 − 2v."""
    p = problem("ou")
    n = 400
    x = 0.5 * (p.edges(n)[0][1:] + p.edges(n)[0][:-1])
    rho = p.state(n, t, False) * p.volume(n)
    mean = rho @ x
    assert mean == pytest.approx(np.exp(-t), rel=1e-6, abs=0)
    variance = rho @ (x - mean) ** 2 - p.volume(n) ** 2 / 12
    assert variance == pytest.approx(1 - 0.75 * np.exp(-2 * t), rel=1e-4, abs=0)


def test_barenblatt_is_the_packages_own():
    p = problem("barenblatt")
    grid = Grid([-1.5], [1.5], [60])
    own = grid.average(lambda x: equations.barenblatt(0.07, np.abs(x), 2.0, 1), 64)
    assert np.abs(own - p.state(60, 0.07, False)).sum() * p.volume(60) < 1e-5


@pytest.mark.parametrize("axis", ["x", "y"])
def test_the_factors_of_the_double_well_a_second_way(axis):
    """Scharfetter–Gummel rates on two grids, exponentiated by their eigenvectors, extrapolated to h = 0."""
    from problems import gaussian, well_factor
    from scipy.linalg import eigh_tridiagonal
    from scipy.special import exprel

    half = 3.0 if axis == "x" else 4.0
    coarse = []
    for n in (512, 1024):
        edges = np.linspace(-half, half, n + 1)
        x, h = 0.5 * (edges[1:] + edges[:-1]), 2 * half / n
        v = (x**2 - 1) ** 2 if axis == "x" else x**2 / 2
        jump = np.diff(v)
        right, left = 1 / exprel(jump) / h**2, 1 / exprel(-jump) / h**2
        diagonal = -np.append(right, 0.0) - np.insert(left, 0, 0.0)
        rates, modes = eigh_tridiagonal(diagonal, np.sqrt(right * left))
        start = np.exp(v / 2) * gaussian(edges, 0.0, 0.05, False)
        rho = np.exp(-v / 2) * (modes @ (np.exp(rates * 0.5) * (modes.T @ start)))
        coarse.append(rho.reshape(64, -1).mean(axis=1))
    found = well_factor(np.linspace(-half, half, 65), 0.5, axis)
    extrapolated = (4 * coarse[1] - coarse[0]) / 3
    assert np.abs(found - extrapolated).sum() * 2 * half / 64 < 1e-8
    assert np.abs(found - coarse[1]).sum() * 2 * half / 64 > 1e-7  # the extrapolation is what brings them together


def test_the_double_well_relaxes_to_the_gibbs_state():
    p = problem("well")
    x, y = (0.5 * (e[1:] + e[:-1]) for e in p.edges(128))
    gibbs = np.exp(-np.add.outer((x**2 - 1) ** 2, y**2 / 2))
    gibbs /= gibbs.sum()
    rho = p.state(128, 40.0, True)
    assert np.abs(rho / rho.sum() - gibbs).sum() < 1e-8  # eigenvectors err by eps |A|/gap = 1e-9, as LAPACK rounds


def test_finite_volumes_approach_the_double_well():
    p, errors = problem("well"), []
    for n in (32, 64):
        grid = Grid([-3.0, -4.0], [3.0, 4.0], [n, n])
        flow = Flow(grid, Energy(Internal("entropy"), lambda x, y: (x**2 - 1) ** 2 + y**2 / 2))
        stepper = FiniteVolumes(flow, dt=0.5 / n)
        state = Snapshot(0.0, 0, {"rho": np.ascontiguousarray(p.state(n, 0.0, False).T)})
        while state.t < 0.5:
            state = stepper.step(state, 0.5)
        errors.append(np.abs(state.rho.T - p.state(n, 0.5, False)).sum() * p.volume(n))
    assert errors[1] < 0.3 * errors[0] < 0.02


def test_entropic_steps_approach_the_exact_gaussian_step_in_proportion_to_the_blur():
    from entropic import entropic_step
    from problems import centres, formula

    p = problem("jko-gauss")
    axes = [centres(e) for e in p.edges(64)]
    potential = formula(p.potential, axes)
    errors = []
    for eps in (0.08, 0.04, 0.02):
        rho, _ = entropic_step(p.state(64, 0, False), axes, potential, 1.0, p.tau, eps)
        assert rho.min() >= 0
        assert rho.sum() * p.volume(64) == pytest.approx(1, abs=1e-5)
        errors.append(np.abs(rho - p.state(64, 1, False)).sum() * p.volume(64))
    assert errors[-1] < 0.025
    assert np.polyfit(np.log([0.08, 0.04, 0.02]), np.log(errors), 1)[0] == pytest.approx(1, abs=0.15)


def test_entropic_steps_in_logarithms_are_the_same():
    from entropic import entropic_step
    from problems import centres

    p = problem("jko-power")
    axes = [centres(e) for e in p.edges(24)]
    start = p.state(24, 0, False)
    plain, _ = entropic_step(start, axes, np.zeros((24, 24)), 2.0, p.tau, 4e-3)
    logarithms, _ = entropic_step(start, axes, np.zeros((24, 24)), 2.0, p.tau, 4e-3, log_domain=True)
    assert logarithms == pytest.approx(plain, abs=1e-6)


def test_an_entropic_step_that_does_not_converge_says_so():
    from entropic import entropic_step
    from problems import centres

    p = problem("jko-power")
    axes = [centres(e) for e in p.edges(16)]
    with pytest.raises(FloatingPointError, match="not converged after 2 iterations"):
        entropic_step(p.state(16, 0, False), axes, np.zeros((16, 16)), 2.0, p.tau, 1e-3, max_iterations=2)


def row(peer, way, error, seconds, **more):
    return {"peer": peer, "way": way, "error": error, "seconds": seconds} | more


def test_equal_error_takes_the_cheapest_of_ours_at_least_as_accurate():
    from equal import front, matches

    ours = [row("wgfpde", "a", 1e-2, 0.1), row("wgfpde", "a", 1e-3, 0.5), row("wgfpde", "b", 9e-4, 0.4),
            row("wgfpde", "a, 1 thread", 1e-9, 1e-9), row("wgfpde", "a", 1e-9, 1e-9, failed="stopped")]  # fmt: skip
    theirs = [row("x", "w", 1e-3, 2.0), row("x", "w", 2e-3, 3.0), row("x", "w", 2e-2, 0.05), row("x", "w", 1e-5, 9.0)]
    assert [r["error"] for r in front(theirs)] == [2e-2, 1e-3, 1e-5]
    found = matches(ours + theirs)
    assert [m.ours and (m.ours["error"], m.ours["seconds"]) for m in found] == [(1e-2, 0.1), (9e-4, 0.4), None]
    assert [m.ratio for m in found[:2]] == pytest.approx([0.5, 5.0], rel=1e-9, abs=0)
    assert np.isnan(found[2].ratio)


def test_results_of_a_ladder_replace_the_old_ones_and_the_others_stay():
    from run import merge

    def rows(way, *sizes):
        return [{"problem": "heat", "peer": "wgfpde", "way": way, "n": n} for n in sizes]

    both = merge(rows("order 2", 1, 2, 3) + rows("order 2, 1 thread", 7), rows("order 2", 5))
    assert [r["n"] for r in both] == [5, 7]


def test_a_worker_and_its_judge_end_to_end(tmp_path):
    """The entropic step through a process of its own: its row comes back; a job that fails says why."""
    from ladders import Ladder, eps
    from measure import run_ladder

    ladder = Ladder("jko-gauss", "entropic", "test", (*eps((24, 0.2)), {"n": 24, "options": {"eps": 0.2}}))
    good, bad = run_ladder(ladder, sys.executable, 1, 60.0, None, lambda line: None)
    assert good["error"] < 0.3
    assert good["lowest"] >= 0
    assert good["drift"] < 1e-5
    assert good["seconds"] > 0
    assert bad["failed"].startswith("KeyError")


def test_each_way_has_one_problem_and_explicit_steps_are_stable():
    from ladders import LADDERS, PROCESSES, SAMPLES

    keys = {(ladder.problem, ladder.peer, ladder.way): ladder for ladder in LADDERS}
    assert len(keys) == len(LADDERS)
    assert all(rung < len(keys[key].rungs) for key, rung in PROCESSES.items())
    for rung in keys["heat", "py-pde", "Euler"].rungs:
        assert rung["steps"] % SAMPLES == 0
        assert 0.4 / rung["steps"] < (8 / rung["n"]) ** 2 / 4  # dt < h²/4


def test_the_page_holds_every_row_and_says_where_others_are_better(tmp_path, monkeypatch):
    import page

    common = {"problem": "w2-1d", "settings": {}, "setup": 0.0, "first": 0.1, "steps": 1, "peak_mib": 50.0, "n": 64}
    rows = [row("wgfpde", "quantiles", 1e-3, 0.2, **common), row("pot", "emd2_1d", 1e-3, 0.1, **common),
            common | {"peer": "pot", "way": "Sinkhorn", "failed": "stopped after 1 s"}]  # fmt: skip
    machine = {"cpu": "a CPU", "cores": 2, "memory_gib": 4.0, "system": "Linux", "load_at_start": 0.1}
    data = {"about": {"date": "2026-01-01", "machine": machine, "versions": {"pot": {"pot": "0.9"}}}, "rows": rows}
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(page, "ROOT", tmp_path)
    results = tmp_path / "peers.json"
    results.write_text(json.dumps(data | {"processes": []}))
    assert page.main([str(results)]) == 0
    text = (tmp_path / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert "2× faster" in text
    assert "stopped after 1 s" in text
    assert "Provisional" not in text
    assert (tmp_path / "docs" / "images" / "benchmark_w2-1d.png").stat().st_size > 5000
    assert page.main([str(tmp_path / "missing.json")]) == 2


def test_versions_of_the_others_stand_in_one_place():
    from environments import BESIDE, BUILT, NAMES, requirements

    assert set(requirements()) == set(NAMES).difference(BUILT).union(*BESIDE.values())
    assert all("==" in line for line in requirements().values())


@pytest.mark.parametrize("name", ["heat", "ou", "barenblatt"])
def test_the_explicit_baseline_approaches_the_solution(name):
    import adapter_numpy
    from ladders import LADDERS
    from measure import judge, starts

    ladder = next(ladder for ladder in LADDERS if (ladder.problem, ladder.peer) == (name, "numpy"))
    errors, p = [], problem(name)
    for job in ladder.jobs(1, 2):
        states = adapter_numpy.prepare(job, starts(p, job["n"], False)).march([p.end])
        found = judge(p, job["n"], False, np.array(states))
        errors.append(found["error"])
        assert found["drift"] < 1e-13
    assert errors[1] < errors[0] / (
        1.7 if name == "barenblatt" else 3
    )  # half the width: of order 2 but for free boundaries


def test_one_row_of_the_tables_can_be_measured_alone():
    from environments import BUILT, NAMES
    from run import arguments, chosen

    options = arguments(["--problem", "ou", "--peer", "pyddm", "--way", "Euler, C", "--python", "/an/interpreter"])
    assert [ladder.key for ladder in chosen(options)] == ["ou / pyddm / implicit Euler, C"]
    assert options.python == dict.fromkeys(set(NAMES).difference(BUILT), "/an/interpreter")


def test_what_is_on_no_index_is_measured_where_an_interpreter_is_named():
    from environments import BUILT
    from run import arguments, chosen

    assert {ladder.peer for ladder in chosen(arguments([]))}.isdisjoint(BUILT)
    named = [f"--python={name}=/an/interpreter" for name in BUILT]
    assert {ladder.peer for ladder in chosen(arguments(named))} >= set(BUILT)


def test_every_problem_and_package_has_words_and_a_colour():
    from drawing import COLOURS, LINES, NAMES
    from ladders import LADDERS
    from page_words import PROBLEMS as WORDS
    from problems import PROBLEMS

    assert set(WORDS) == set(PROBLEMS)
    assert {ladder.peer for ladder in LADDERS} == set(COLOURS) == set(NAMES)
    ways = {}
    for ladder in LADDERS:
        ways.setdefault((ladder.problem, ladder.peer), set()).add(ladder.way)
    assert max(map(len, ways.values())) <= len(LINES)
