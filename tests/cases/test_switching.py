"""Output times of every method, and what `--set` makes of a case: another method, keys that go."""

import re

import numpy as np
import pytest

from wgfpde.cases.building import build
from wgfpde.cases.loading import load
from wgfpde.cases.sources.case_files import presets
from wgfpde.cases.times import nearest_steps, output_times
from wgfpde.errors import CaseError
from wgfpde.runs.runner import run
from wgfpde.store import read

LINE = """
grid = { shape = [12], lower = [-1], upper = [1] }
energy = { internal = { kind = "entropy" }, potential = "x**2" }
initial = { density = "1 + x**2", mass = 1 }
solver = { method = "fv", dt = 0.1, tolerance = 1e-3, stationary = 1e-12 }
time = { start = 1, end = 1.8 }
"""
PLANE = LINE.replace("[12]", "[6, 4]").replace("[-1]", "[-1, 0]").replace("[1]", "[1, 1]")
RING = LINE.replace("upper = [1]", 'upper = [1], boundary = ["periodic"]')
STRETCHED = LINE.replace("upper = [1]", 'upper = [1], mapping = ["(s + s**2)/2"]')
SOLVERS = {
    "fv": [],
    "adaptive": ["solver.dt=adaptive"],
    "jko": ["solver.method=jko", "solver.tau=0.04"],
    "pdhg": ["solver.method=jko", "solver.tau=0.2", "solver.algorithm=pdhg"],
    "geodesic": ["solver.method=geodesic", "target.density='2 + x'"],
    "sinkhorn": ["solver.method=sinkhorn", "solver.tau=0.1"],
    "game": ["solver.method=game", "solver.viscosity=0.2", "solver.dt=0.1"],
    "bridge": ["solver.method=bridge", "solver.dt=0.1", "target.density='2 + x'"],
}


@pytest.fixture
def write(tmp_path):
    def write(text=LINE):
        path = tmp_path / "case.toml"
        path.write_text(text)
        return path

    return write


# ---- output times ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [LINE, PLANE, RING], ids=["1D", "2D", "periodic"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_the_start_may_be_among_the_times(write, solver, text):
    for times in ("[1.0, 1.4]", "[1.4]", "[1, 1.4, 1.8]", "[1.0]", "[]"):
        case = load(write(text), [*SOLVERS[solver], f"output.times={times}"])
        expected = [1.0, 1.4, 1.8] if "1.4" in times else [1.0, 1.8]
        assert output_times(case).tolist() == expected
    assert build(case).times.tolist() == [1.0, 1.8]


@pytest.mark.parametrize("solver", ["fv", "jko", "geodesic", "bridge"])
@pytest.mark.parametrize("text", [LINE, STRETCHED], ids=["equal", "stretched"])
def test_a_run_stores_the_start_once(write, tmp_path, solver, text):
    run(load(write(text), [*SOLVERS[solver], "output.times=[1.0, 1.4]"]), tmp_path / "r")
    np.testing.assert_allclose(read(tmp_path / "r").t, [1.0, 1.4, 1.8], rtol=1e-15)


WRONG = {
    "[1.4, 1.0]": "expected increasing times, found 1.4 before 1; write them in order",
    "[1.2, 1.4, 1.0]": "expected increasing times, found 1.4 before 1; write them in order",
    "[1.4, 1.2]": "expected increasing times, found 1.4 before 1.2; write them in order",
    "[1.0, 1.0]": "expected increasing times, found 1 twice; name it once",
    "[1.2, 1.4, 1.4]": "expected increasing times, found 1.4 twice; name it once",
    "[0.9, 1.2]": "expected times within [1, 1.8], found 0.9; leave it out, or change time.start",
    "[1.2, 2]": "expected times within [1, 1.8], found 2; leave it out, or change time.end",
}


@pytest.mark.parametrize("times", WRONG)
@pytest.mark.parametrize("solver", SOLVERS)
def test_wrong_times_get_the_same_sentence_from_every_method(write, solver, times):
    with pytest.raises(CaseError) as caught:
        load(write(), [*SOLVERS[solver], f"output.times={times}"])
    assert str(caught.value).split(".toml: ")[1] == f"output.times: {WRONG[times]}"


def test_a_time_just_after_the_start_is_told_apart(write):
    words = r"1\.01 is not a multiple of tau = 0\.04 after the start 1; the nearest is 1\.04; or take tau = 0\.01$"
    with pytest.raises(CaseError, match=words):
        load(write(), [*SOLVERS["jko"], "output.times=[1.0, 1.01]"])


def test_the_nearest_steps_on_both_sides():
    """One smaller, one larger; one alone where it fits, or where no larger one divides the time."""
    assert nearest_steps([0.1, 0.0, 0.2], 0.04) == pytest.approx([0.1 / 3, 0.05], rel=1e-15, abs=0)
    assert nearest_steps([0.35, 0.7], 0.04) == pytest.approx([0.35 / 9, 0.35 / 8], rel=1e-15, abs=0)
    assert nearest_steps([0.1], 0.05) == [0.05] and nearest_steps([0.3], 0.5) == [0.3]
    assert nearest_steps([0.3141592653, 1.0], 0.1) == []


# ---- another method ----------------------------------------------------------------------------------------


def coarse(name):
    """By steps, on few cells, with equal times between snapshots."""
    case = load(name)
    equal = [] if case.output.every else ["output.times=", f"output.every={(case.time.end - case.time.start) / 10!r}"]
    return [
        "grid.shape=[12]" if case.dim == 1 else "grid.shape=[8, 8]",
        "solver.method=jko",
        "target=",
        "terminal=",
        *equal,
    ]


def choices(error):
    """What the sentences of an error offer: the overrides that each way takes."""
    ways, together = [], {}
    for line in error.lines:
        found = re.fullmatch(
            r".*\.toml: (time\.end|output\.every): \S+ is not a multiple of tau = \S+; "
            r"the nearest (?:is|are) (\S+)(?: and (\S+))?(?:; or take tau = (\S+)(?: or (\S+))?)?",
            line,
        )
        assert found, line
        key, *times = found.group(1, 2, 3)
        together[key] = [float(time.rstrip(";")) for time in times if time]
        ways += [{"solver.tau": float(tau)} for tau in found.group(4, 5) if tau]
    for end in together.get("time.end", [None]):
        for every in together.get("output.every", [None]):
            ways.append({key: v for key, v in (("time.end", end), ("output.every", every)) if v is not None})
    return ways


def for_jko(name):
    """Minimisations know no force, no exits, no radius, and no forbidden cells, of which a table may have some."""
    case = load(name)
    plain = case.energy.tilt is None and case.energy.force is None and isinstance(case.energy.potential, str | None)
    return plain and case.grid.radial is None and not case.has_exits


@pytest.mark.parametrize("name", [name for name in sorted(presets()) if for_jko(name)])
def test_every_packaged_case_is_solved_by_jko_or_says_how(name):
    """Whatever tau: either the case is accepted, or every choice that is offered is."""
    case, offered = load(name), 0
    span = case.time.end - case.time.start
    build(load(name, [*coarse(name), f"solver.tau={case.output.every or span / 10!r}"]))
    for tau in (span / 10, 0.04 * span, 0.3 * span, 0.04, 0.0137, 7 * span, 1 / 3):
        overrides = [*coarse(name), f"solver.tau={tau!r}"]
        try:
            load(name, overrides)
        except CaseError as error:
            ways = choices(error)
            assert ways
            for way in ways:
                changed = load(name, [*overrides, *(f"{key}={value!r}" for key, value in way.items())])
                times = output_times(changed)
                assert times[0] == changed.time.start and times[-1] == changed.time.end
            offered += len(ways)
    assert offered


def test_a_switch_by_set_drops_the_other_methods_keys(write):
    """Whatever stood in [solver]; of what the command line itself gives, the sentence says what to do."""
    case = load(write(), ["solver.method=jko", "solver.tau=0.2"])
    assert case.solver.stationary is None and case.solver.tolerance == 1e-8
    for key, value in (("dt", "adaptive"), ("dt", "0.1"), ("order", "2"), ("first_dt", "1e-3")):
        with pytest.raises(CaseError) as caught:
            load(write(), ["solver.method=jko", "solver.tau=0.2", f"solver.{key}={value}"])
        wanted = 'unknown key; it belongs to "fv", not "jko"; remove it, or write method = "fv". Valid keys'
        assert f"solver.{key}: {wanted}" in str(caught.value)
    with pytest.raises(CaseError, match=r'it belongs to "jko", not "fv"; remove it, or write method = "jko"'):
        load(write(), ["solver.tau=0.2"])
    with pytest.raises(CaseError, match=r'm: unknown key; it belongs to "power", not "entropy"; .* kind = "power"'):
        load(write(), ["energy.internal.m=2"])
    with pytest.raises(CaseError, match=r"solver\.tau: missing: JKO step, a positive number of which the time span"):
        load(write(), ["solver.method=jko"])


# ---- keys that go ------------------------------------------------------------------------------------------


def test_set_without_a_value_removes_a_key(write):
    path = write(LINE + 'title = "T"\noutput = { every = 0.2 }\n[exact]\ndensity = "1"\n')
    case = load(path, ["solver.dt=", "exact=", "output.every=", "initial.mass="])
    assert case.solver.dt == pytest.approx(0.8 / 200, rel=1e-14, abs=0) and case.solver.tolerance == 1e-3
    assert case.exact is None and case.initial.mass is None
    assert case.output.every == pytest.approx(0.08, rel=1e-14, abs=0)
    assert case.sources["solver.dt"] == "default" and case.sources["solver.tolerance"] == "file"
    assert load(path, ["title="]).title == "case" and load(path, ['title=""']).title == ""


def test_what_is_not_there_may_go_where_it_might_be(write):
    same = ["solver.first_dt=", "target.density=", "output.times=", "energy.internal.m=", "params="]
    assert load(write(), same) == load(write(), ["target="]) == load(write())
    case = load(write(LINE + "output = { every = 0.2 }"), ["output.times="])
    assert case.output.every == 0.2
    assert load(write(), ["solver.method=jko", "solver.tau=0.2", "solver.dt="]).solver.tau == 0.2


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("solver.dtt=", r"--set solver\.dtt=: .* which the case does not have; did you mean solver\.dt\?"),
        ("shape=", r"--set shape=: .* which the case does not have"),
        ("params.k=", r"--set params\.k=: .* which the case does not have; leave it out"),
        ("time.end=", r"time\.end: missing"),
        ("time.end.k=", r"time\.end\.k=: .* which the case does not have"),
        ("grid=", r"grid: missing"),
        ("solver.method=", r"solver\.method: missing"),
    ],
)
def test_what_cannot_go_is_named(write, override, words):
    with pytest.raises(CaseError, match=words):
        load(write(), [override])


def test_a_geodesic_becomes_a_flow():
    with pytest.raises(CaseError, match=r"remove the table \(on the command line: --set target=\)"):
        load("geodesic_2d", ["solver.method=fv"])
    assert load("geodesic_2d", ["solver.method=fv", "target="]).target is None
