"""Branches round folds on a circle, copies by a shift, and lists of states that are not complete."""

import json

import numpy as np
import pytest

from wgfpde.cases.building import build
from wgfpde.cases.loading import load
from wgfpde.cases.varying import vary
from wgfpde.cli import main
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid
from wgfpde.output.plots import branches_figure
from wgfpde.store import read_study
from wgfpde.studies.stationary import branches, continuation, corrected, lacking, measured, starts
from wgfpde.studies.stationary.copies import aligned, apart, same
from wgfpde.studies.stationary.shifts import neutral

BLOBS = ["grid.lower=[0]", "grid.upper=[1]", "grid.shape=[32]", "energy.interaction=-exp(-x**2/(2*0.1**2))",
         "initial.density=1 + 0.1*cos(2*pi*x)"]  # fmt: skip
FOLD, EQUAL, LOST = 0.20707757907, 0.20677326973, 0.20576141549
"""κ of the fold, of equal energies and of the uniform state's loss of stability: the cosine series of the density, 10
terms, by quadrature (validation/stationary_states.py does so too)."""
CELLS = 1e-7
"""The kernel is kinked half a period from 0, by 4e-6: values on 32 cells err by 3e-8."""


def blobs(kappa):
    return load("kuramoto_1d", [*BLOBS, f"energy.internal.kappa={kappa}"])


def states_of(case):
    problem = build(case)
    flow = problem.flow
    return flow, branches(flow, 1.0, starts(flow, 1.0, problem.initial.rho))


@pytest.fixture(scope="module")
def diagram():
    case = blobs(0.2)
    return continuation(case, vary(["energy.internal.kappa=0.204,0.206,0.208"], case)[0])


@pytest.mark.parametrize(("kappa", "order"), [(0.20599346908, 0.1), (0.20654566574, 0.2), (0.20702616839, 0.3)])
def test_between_two_stable_states_of_a_circle_is_an_unstable_one(kappa, order):
    flow, found = states_of(blobs(kappa))
    assert sorted(state.verdict for state in found) == ["stable", "stable", "unstable"]
    unstable = next(state for state in found if not state.stable)
    assert unstable.stability.unstable == 1 and unstable.stability.translations == ("x",)
    assert measured(flow, unstable.rho, "order_x") == pytest.approx(order, abs=3e-5)  # CELLS over dκ/dr, 5e-3
    assert lacking(flow, found, 12) == ""


def test_a_branch_turns_back_in_a_fold(diagram):
    """Values so far apart that no unstable state is at one of the two between which the branch ends."""
    stable, uniform, unstable = diagram.branches
    assert {point.state.verdict for point in stable.line} == {"stable"}
    assert {point.state.verdict for point in unstable.line} == {"unstable"}
    assert len(unstable.line) >= 2
    folds = [end for end in diagram.ends if end.kind == "fold"]
    assert [(end.branch, end.meets, end.side) for end in folds] == [(0, 2, 1), (2, 0, 1)]
    assert [end.parameter for end in folds] == pytest.approx([FOLD, FOLD], abs=CELLS)
    assert folds[0].measure == pytest.approx(0.33636, abs=1e-4)
    joins = [end for end in diagram.ends if end.kind == "pitchfork"]
    assert [(end.branch, end.meets, end.side) for end in joins] == [(2, uniform.number, -1)]
    assert joins[0].parameter == pytest.approx(LOST, abs=CELLS)
    assert [one.parameter for one in diagram.critical] == pytest.approx([LOST], abs=CELLS)
    measures = [point.measure for point in unstable.line]
    assert np.all(np.diff(measures) > 0) and measures[0] > 0 and measures[-1] < folds[0].measure


def test_a_fold_between_two_values_is_passed_by_arclength():
    """No value lies between the loss of stability and the fold: the unstable branch is known by its points alone."""
    case = blobs(0.2)
    found = continuation(case, vary(["energy.internal.kappa=0.2,0.205,0.21"], case)[0])
    assert len(found.branches) == 3 and not any(float(k).is_integer() for k in found.branches[2].points)
    kinds = {(end.branch, end.side): (end.kind, end.meets) for end in found.ends}
    assert kinds == {(0, 1): ("fold", 2), (2, 1): ("fold", 0), (2, -1): ("pitchfork", 1)}
    assert [end.parameter for end in found.ends if end.kind == "pitchfork"] == pytest.approx([LOST], abs=CELLS)
    assert [one.parameter for one in found.equal] == pytest.approx([EQUAL], abs=CELLS)


def test_where_two_stable_branches_have_the_same_energy(diagram):
    (same_energy,) = diagram.equal
    assert same_energy.parameter == pytest.approx(EQUAL, abs=CELLS)
    assert (same_energy.branch, same_energy.other) == (0, 1)
    assert same_energy.measure == pytest.approx(0.4131062, abs=1e-5)
    energies = []
    for kappa in (EQUAL - 1e-5, EQUAL + 1e-5):
        _, states = states_of(blobs(kappa))
        energies.append([state.energy for state in sorted(states, key=lambda one: np.ptp(one.rho)) if state.stable])
    (uniform, blob), (uniform_after, blob_after) = energies
    assert blob < uniform and uniform_after < blob_after


def test_mirror_images_have_no_transition():
    case = load("desai_zwanzig_1d", ["grid.shape=[60]"])
    assert continuation(case, vary(["energy.internal.kappa=0.3,0.35"], case)[0]).equal == []


def test_folds_and_equal_energies_are_written_and_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sets = [f"--set={item}" for item in BLOBS]
    arguments = ["stationary", "kuramoto_1d", *sets, "--vary", "energy.internal.kappa=0.206,0.208", "--no-plot"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "equal energies of branches 0 and 1" in out and "0.2067732" in out
    assert "in a fold, where it meets branch 2" in out and "0.2070775" in out
    study = read_study("kuramoto_1d-stationary.h5")
    assert study["equal_value"] == pytest.approx([EQUAL], abs=CELLS)
    labels = [text.get_text() for text in branches_figure(study).axes[0].get_legend().get_texts()]
    assert any(label.startswith("equal energies: 0.2067732") for label in labels)
    assert any(label.startswith("fold: 0.20707") for label in labels)


# ---- copies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [1.5, 2.0, 3.0, 6.0])
def test_copies_on_a_line_count_once(m):
    """Edges feel the cells: copies centred on a cell and between two differ by up to 9 % in their moduli."""
    cell = 8 / 60
    grid = Grid([-4.0], [4.0], [60])
    flow = Flow(grid, Energy(Internal("power", 0.2, m), None, lambda x: -np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)))
    begin = [np.exp(-((grid.x.centers - part * cell) ** 2)) for part in (0.0, 0.5, 0.3, 5.5)]
    assert len(branches(flow, 1.0, begin)) == 1


def test_copies_on_and_off_the_lattice():
    grid = Grid([-4.0], [4.0], [200])
    flow = Flow(grid, Energy(Internal("power", 0.2, 3.0), None, lambda x: -np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)))
    on, off = (corrected(flow, 1.0, np.exp(-((grid.x.centers - s) ** 2))) for s in (0.02, 0.0))
    assert sorted([on.energy, off.energy]) == pytest.approx([-0.13125957, -0.13125885], abs=1e-8)
    assert apart(flow, on.rho, off.rho) > 0.01 and same(flow, on, off) and same(flow, off, on)


def test_copies_in_the_plane_count_once():
    grid = Grid([-2.0, -2.0], [2.0, 2.0], [20, 20])
    flow = Flow(grid, Energy(Internal("power", 0.2, 3.0), None, lambda x, y: (x**2 + y**2) / 2))
    x, y = grid.coordinates()["x"], grid.coordinates()["y"]
    begin = [np.exp(-4 * ((x - a) ** 2 + (y - b) ** 2)) for a, b in ((0.0, 0.0), (0.1, 0.0), (0.1, 0.1), (0.3, 0.06))]
    assert len(branches(flow, 1.0, begin)) == 1


def test_states_near_a_fold_are_no_copies():
    """Just before the fold the stable and the unstable state are near each other, and two."""
    flow, found = states_of(blobs(FOLD - 4e-8))
    stable, unstable = (
        next(s for s in found if s.verdict == kind and np.ptp(s.rho) > 0.1) for kind in ("stable", "unstable")
    )
    assert apart(flow, stable.rho, unstable.rho) < 0.01 and not same(flow, stable, unstable)


def test_one_density_is_moved_onto_another():
    grid = Grid([0.0], [1.0], [32], True)
    flow = Flow(grid, Energy(Internal(), None, lambda x: -np.cos(2 * np.pi * x)))

    def hill(place):
        x = grid.x.centers - place
        return np.exp(np.cos(2 * np.pi * x) + 0.3 * np.sin(4 * np.pi * x))

    moved = aligned(flow, hill(0.3), hill(0.3 + 5.3 / 32), ("x",))
    assert np.abs(moved - hill(0.3 + 5.3 / 32)).max() < 3e-2  # the parabola finds the part of a cell to 0.02 or so
    assert aligned(flow, hill(0.3), hill(0.3 + 5 / 32), ("x",), whole=True) == pytest.approx(
        hill(0.3 + 5 / 32), abs=1e-12
    )
    mirror = hill(0.3)[::-1]
    assert aligned(flow, mirror, hill(0.3), ("x",), whole=True) == pytest.approx(hill(0.3), abs=1e-12)


def test_what_shifts_a_state_is_the_null_vector():
    flow, found = states_of(blobs(0.204))
    blob = next(state for state in found if np.ptp(state.rho) > 0.1)
    (slope,) = neutral(flow, blob.rho, flow.interaction.apply(blob.rho))
    ahead = np.roll(flow.interaction.apply(blob.rho), 1) - np.roll(flow.interaction.apply(blob.rho), -1)
    assert abs(float(slope @ ahead)) == pytest.approx(float(np.linalg.norm(ahead)), rel=1e-12, abs=0)
    uniform = next(state for state in found if np.ptp(state.rho) < 1e-9)
    assert neutral(flow, uniform.rho, flow.interaction.apply(uniform.rho)) == []


# ---- lists that are not complete ---------------------------------------------------------------------------------


def test_what_is_missing_is_said():
    flow, found = states_of(blobs(0.2064))
    without = [state for state in found if state.stable]
    assert "between 2 stable states at least 1 are unstable in one direction, found 0" in lacking(flow, without, 12)
    assert "--branches" in lacking(flow, found, 3)
    wells, states = states_of(load("desai_zwanzig_1d", ["grid.shape=[60]"]))
    assert lacking(wells, states, 12) == ""
    assert "adds up to -1" in lacking(wells, [state for state in states if not state.stable], 12)
    assert "adds up to 0" in lacking(wells, states[1:], 12)


def test_the_command_line_says_whether_a_list_is_complete(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    case = ["stationary", "desai_zwanzig_1d", "--set", "grid.shape=[40]", "--no-plot"]
    assert main([*case, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["complete"] is True and record["lacking"] == ""
    assert main([*case, "--branches", "2"]) == 0
    assert "stopped at 2 states" in capsys.readouterr().out
