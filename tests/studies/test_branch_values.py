"""Branches do not hang on the values that a diagram is asked for; pitchforks are no folds."""

import numpy as np
import pytest
from scipy.optimize import fsolve

from wgfpde.cases.loading import load, override
from wgfpde.cases.varying import vary
from wgfpde.cli import main
from wgfpde.energy.equations import desai_zwanzig_critical_noise
from wgfpde.output.plots import branches_figure
from wgfpde.store import read_study
from wgfpde.studies.stationary import Branch, End, Point, continuation
from wgfpde.studies.stationary.diagram.arclength import Curve, Place
from wgfpde.studies.stationary.diagram.folds import Folds
from wgfpde.studies.stationary.family import Family, near

NOISE, THETA = "energy.internal.kappa", "params.theta"
CRITICAL = desai_zwanzig_critical_noise()
CELLS = ["grid.shape=[60]"]
FIELD = {"energy": {"potential": "x**4/4 - x**2/2 + 0.05*x"}}


def diagram(key, values, changes=None):
    case = override(load("desai_zwanzig_1d", CELLS), changes or {})
    return continuation(case, vary([f"{key}={values}"], case)[0])


def field_fold():
    """(m, κ) at which two roots of m = ⟨x⟩ under e^{−(x⁴/4 − x²/2 + x/20 + (x − m)²/2)/κ} meet: 1 = Var(x)/κ there."""
    x = np.linspace(-4, 4, 2001)

    def lacks(unknown):
        m, kappa = unknown
        weight = np.exp(-(x**4 / 4 - x**2 / 2 + 0.05 * x + (x - m) ** 2 / 2) / kappa)
        mean = float(np.sum(x * weight) / np.sum(weight))
        return mean - m, float(np.sum((x - mean) ** 2 * weight) / np.sum(weight)) / kappa - 1

    return fsolve(lacks, (0.3, 0.33), xtol=1e-13)


@pytest.mark.parametrize("values", ["0.45295:1:3", "0.45295,1,100", "1,0.46,0.45295"])
def test_a_pitchfork_beside_the_first_value(values):
    """The branches that end in it have one value each; up to 100 times the critical noise the third goes on."""
    found = diagram(NOISE, values)
    assert len(found.branches) == 3 and len(found.critical) == 1
    goes_on = found.critical[0].branch
    assert found.branches[goes_on].line[-1].parameter == found.values[-1]
    assert sorted((end.kind, end.meets) for end in found.ends) == 2 * [("pitchfork", goes_on)]
    assert [end.parameter for end in found.ends] == pytest.approx([CRITICAL] * 2, abs=1e-9)
    assert [end.measure for end in found.ends] == pytest.approx([0.0, 0.0], abs=1e-6)
    for branch in found.branches:
        if branch.number != goes_on:
            assert abs(branch.line[-1].measure) < 0.05 and len(branch.line) >= 2


@pytest.mark.parametrize("values", ["0.25:0.4:4", "0.25,0.9,4", "0.4,0.25,0.31"])
def test_a_fold_is_the_same_whatever_the_values(values):
    found = diagram(NOISE, values, FIELD)
    mean, kappa = field_fold()
    assert sorted((end.kind, end.side) for end in found.ends) == 2 * [("fold", 1)]
    assert found.ends[0].meets == found.ends[1].branch and found.ends[1].meets == found.ends[0].branch
    assert [end.parameter for end in found.ends] == pytest.approx([kappa] * 2, abs=1e-9)
    assert [end.measure for end in found.ends] == pytest.approx([mean] * 2, abs=1e-5)
    assert len(found.branches) == 3 and found.critical == []


def test_lengths_on_a_curve_know_of_no_values():
    """F = w − W∗T with W = θx²/2: ‖∂F/∂θ‖ = sd(x²/2)/(κ/10) in the law of the state, δw counts as sd(δw)/(κ/10)."""
    case = load("desai_zwanzig_1d", CELLS)
    at = Family(case, THETA, "")
    setting = at.setting(1.0)
    start = at.point(1.0, setting, near(setting, setting.initial))
    x, rho = setting.flow.grid.x.centers, start.state.rho

    def spread(values):
        mean = setting.flow.integral(values * rho)
        return np.sqrt(setting.flow.integral((values - mean) ** 2 * rho)) / (0.1 * 0.3)

    curves = [Curve(at, start, gap) for gap in (0.5, 99.0)]
    assert [curve.unit for curve in curves] == pytest.approx([1 / spread(x**2 / 2)] * 2, rel=1e-6, abs=0)
    assert Curve(at, start, 1e-3).unit == 1e-3
    for curve in curves:
        assert curve.norm(np.append(np.sin(x), 0.0)) == pytest.approx(spread(np.sin(x)), rel=1e-10, abs=0)
        assert curve.norm(np.append(np.ones(60), 0.0)) < 1e-6
        way = np.append(np.sin(x), 0.01)
        assert curve.norm(way) == pytest.approx(np.hypot(spread(np.sin(x)), 0.01 / curve.unit), rel=1e-10, abs=0)
        place = curve.begin(start, -1)
        assert curve.norm(place.toward) == pytest.approx(1.0, rel=1e-12, abs=0) and place.forward < 0
        ahead = curve.step(place, 0.5)
        assert curve.dual(place.toward) @ place.way_to(ahead) == pytest.approx(0.5, rel=1e-9, abs=0)


def test_the_end_of_a_branch_is_in_one_fold():
    """A curve that runs into a branch whose end is known to be in another fold, or goes on, has lost its way."""
    at = Family(load("desai_zwanzig_1d", CELLS), NOISE, "")
    setting = at.setting(0.3)
    state = near(setting, setting.initial)
    lines = [Branch(k, {0: Point(0.3, state, 0.0)}) for k in range(4)]
    lines[3].points[1] = Point(0.4, state, 0.0)
    ends = [End(0.35, 0, 1, "fold", 1, 0.0, 0.0), End(0.35, 1, 1, "fold", 0, 0.0, 0.0)]
    folds = Folds(at, np.array([0.3, 0.4]), lines, ends)
    top = Place(Point(0.36, state, 0.1), state.rho, state.rho, state.rho)
    assert not folds._fold(lines[2], lines[1], 1, top) and not folds._fold(lines[2], lines[3], 1, top)
    assert not folds._fold(lines[2], lines[2], 1, top)
    assert [(end.branch, end.meets, end.parameter) for end in ends] == [(0, 1, 0.35), (1, 0, 0.35), (2, -1, 0.36)]
    assert folds._fold(lines[0], lines[1], 1, top)
    assert [(end.branch, end.meets, end.parameter) for end in ends] == [(0, 1, 0.36), (1, 0, 0.36), (2, -1, 0.36)]


def test_a_pitchfork_is_printed_and_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["stationary", "desai_zwanzig_1d", "--set", *CELLS, "--vary", f"{NOISE}=0.45,0.6", "--no-plot"]) == 0
    out = capsys.readouterr().out
    assert out.count("in a branch point (pitchfork) on branch 2") == 2
    assert out.count(f"ends at {NOISE} = 0.45694658") == 2
    labels = [text.get_text() for text in branches_figure(read_study("desai_zwanzig_1d-stationary.h5"))
              .axes[0].get_legend().get_texts()]  # fmt: skip
    assert "pitchfork: 0.45694658" in labels
