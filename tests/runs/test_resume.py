"""A run that was stopped and went on gives the file of a run never stopped, bit for bit."""

import shutil

import numpy as np
import pytest
from same_runs import ATTRACT, JKO, assert_same, case_of, contents, stop_at, with_events

from wgfpde.cases.building import build
from wgfpde.cases.loading import from_mapping, load
from wgfpde.errors import CaseError, SolverError, StoreError
from wgfpde.runs import time_loop
from wgfpde.runs.description import digest_of
from wgfpde.runs.runner import resume, run
from wgfpde.store import read

PDHG = JKO | {"algorithm": "pdhg", "inner_steps": 2, "tolerance": 1e-3}
ADAPTIVE = {"method": "fv", "dt": "adaptive", "tolerance": 1e-5}
SQUARE = {
    "grid": {"shape": [8, 6], "lower": [-1.0, -1.0], "upper": [1.0, 1.0], "boundary": ["periodic", "no-flux"]},
    "energy": {"potential": "y**2", "interaction": "cos(pi*x)"},
}
CASES = {
    "fv entropy": case_of(),
    "fv entropy, adaptive with W": case_of(solver=ADAPTIVE, **ATTRACT),
    "fv power": case_of("power", 2.0),
    "fv fast diffusion": case_of("power", 0.7, initial={"density": "1 + x"}),
    "fv order 1 with W": case_of(solver={"method": "fv", "order": 1, "dt": 0.03}, **ATTRACT),
    "fv none": case_of("none", **ATTRACT),
    "fv 2d": case_of(output={"every": 0.2, "diagnostics": ["w2_previous"]}, **SQUARE),
    "jko newton": case_of(solver=JKO),
    "jko newton with vacuum": case_of("power", 2.0, solver=JKO),
    "jko newton with W": case_of(solver=JKO, **ATTRACT),
    "jko newton 2d": case_of(solver=JKO | {"tau": 0.1}, **SQUARE),
    "jko extrapolated with W": case_of(solver=JKO | {"scheme": "extrapolated"}, **ATTRACT),
    "jko pdhg": case_of(solver=PDHG),
    "jko pdhg 2d, congested": case_of(solver=PDHG | {"tau": 0.1, "congestion": 4.0}, **SQUARE),
    "geodesic": case_of(solver={"method": "geodesic"}, target={"density": "exp(-4*(x + 0.4)**2)"}),
    "sinkhorn": case_of(solver={"method": "sinkhorn", "tau": 0.05}),
    "game": case_of(solver={"method": "game", "viscosity": 0.2, "dt": 0.05}),
    "bridge": case_of(solver={"method": "bridge", "dt": 0.05}, target={"density": "exp(-4*(x + 0.4)**2)"}),
}


def stopped(monkeypatch, case, place, *moments):
    """A run stopped in these steps, one after another."""
    for count, at in enumerate(moments):
        stop_at(monkeypatch, at)
        result = resume(place) if count else run(case, place)
        assert (result.status, result.exit_code, result.steps) == ("interrupted", 130, at - 1)
    stop_at(monkeypatch, None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run of a named case, never stopped."""
    folder = tmp_path_factory.mktemp("whole")

    def never_stopped(name):
        if not (folder / name).exists():
            assert run(CASES[name], folder / name).status == "finished"
        return folder / name

    return never_stopped


MANY = ["fv entropy, adaptive with W", "jko newton with W"]
LONGER = ["fv fast diffusion", "fv order 1 with W", "fv none", "jko newton", "jko newton 2d", "jko pdhg", *MANY]
MARKED = [pytest.param(name, marks=pytest.mark.nightly if name in LONGER else ()) for name in CASES]


@pytest.mark.parametrize("name", MARKED)
def test_stopped_once(name, whole, tmp_path, monkeypatch):
    """In the second step after a snapshot."""
    steps, parts = read(whole(name)).steps["t"], tmp_path / "parts"
    at = min(int(np.searchsorted(steps, read(whole(name)).t[1])) + 3, len(steps))
    stopped(monkeypatch, CASES[name], parts, at)
    assert (read(parts).status, read(parts).t[-1]) == ("interrupted", steps[at - 2])
    assert resume(parts).status == "finished"
    assert read(parts).attributes["resumed"] == 1
    assert_same(parts, whole(name))


@pytest.mark.parametrize("name", MANY)
def test_stopped_many_times(name, whole, tmp_path, monkeypatch):
    """In the first step, twice in the one that lands on a snapshot, in the next, and in the last."""
    steps, parts = read(whole(name)).steps["t"], tmp_path / "parts"
    landing = int(np.searchsorted(steps, read(whole(name)).t[1])) + 1
    moments = [1, landing, landing, landing + 1, len(steps)]
    stopped(monkeypatch, CASES[name], parts, *moments)
    resume(parts)
    assert read(parts).attributes["resumed"] == len(moments)
    assert_same(parts, whole(name))


def test_stopped_before_the_first_step_leaves_the_start(tmp_path, monkeypatch):
    stopped(monkeypatch, CASES["fv entropy"], tmp_path / "parts", 1)
    assert list(read(tmp_path / "parts").t) == [0.0] and len(read(tmp_path / "parts").steps["t"]) == 0


def test_however_it_is_stored(tmp_path, monkeypatch):
    """The seam is not of single precision, and a file that will be compressed is continued."""
    case = case_of(output={"every": 0.1, "precision": "float32", "compression": "gzip"})
    run(case, tmp_path / "whole")
    stopped(monkeypatch, case, tmp_path / "parts", 2, 20)
    resume(tmp_path / "parts")
    assert_same(tmp_path / "parts", tmp_path / "whole")


def test_without_planned_room(tmp_path, monkeypatch):
    """The state at the stop is a row beyond the planned ones; it goes, and the step table grows on the way."""
    monkeypatch.setattr("wgfpde.store.writer.STEP_BUFFER", 3)
    case = case_of(output={"times": [0.2, 0.3]})
    run(case, tmp_path / "whole")
    stopped(monkeypatch, case, tmp_path / "parts", 28)
    assert len(read(tmp_path / "parts")) == 4
    resume(tmp_path / "parts")
    assert_same(tmp_path / "parts", tmp_path / "whole")


def test_the_shortened_steps_are_the_same(tmp_path, monkeypatch):
    """Rejected attempts, the step sizes after them and their notes, on both sides of the seam."""
    case = case_of(
        "power", 3.0, solver={"method": "fv", "dt": "adaptive", "tolerance": 1e-6, "first_dt": 0.05}, **ATTRACT
    )
    run(case, tmp_path / "whole")
    rejected = np.flatnonzero(read(tmp_path / "whole").steps["rejected"])
    assert len(rejected) >= 1
    stopped(monkeypatch, case, tmp_path / "parts", int(rejected[0]) + 1, int(rejected[0]) + 2)
    resume(tmp_path / "parts")
    assert_same(tmp_path / "parts", tmp_path / "whole")


@pytest.mark.parametrize(
    "solver",
    [
        pytest.param({"method": "fv", "dt": 0.01}, id="fv"),
        pytest.param(JKO | {"tau": 0.02}, id="jko", marks=pytest.mark.nightly),
    ],
)
def test_with_another_number_of_threads(solver, tmp_path, monkeypatch):
    """On a grid large enough to be shared."""
    grid = {"shape": [144, 128], "lower": [-1.0, -1.0], "upper": [1.0, 1.0]}
    case = case_of(
        grid=grid, energy={"potential": "x**2 + y", "interaction": "x**2 + y**2"}, solver=solver,
        time={"end": 0.04}, output={"every": 0.02},
    )  # fmt: skip
    monkeypatch.setenv("WGFPDE_NUM_THREADS", "1")
    run(case, tmp_path / "whole")
    stopped(monkeypatch, case, tmp_path / "parts", 2)
    monkeypatch.setenv("WGFPDE_NUM_THREADS", "2")
    resume(tmp_path / "parts")
    assert read(tmp_path / "parts").attributes["threads"] == 2
    assert_same(tmp_path / "parts", tmp_path / "whole")


# ---- a later end -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "fv entropy, adaptive with W",
        *(pytest.param(n, marks=pytest.mark.nightly) for n in ("jko newton with W", "fv 2d")),
    ],
)
def test_until(name, whole, tmp_path, monkeypatch):
    """N and then to 2N is 2N; also where the second part is stopped.  The texts beside tell the two apart."""
    case = CASES[name]
    longer = from_mapping(case.model_dump(by_alias=True, exclude_none=True) | {"time": {"end": 0.8}}, "stopped.toml")
    run(longer, tmp_path / "whole")
    shutil.copytree(whole(name), tmp_path / "parts")
    stop_at(monkeypatch, len(read(tmp_path / "parts").steps["t"]) + 3)
    assert resume(tmp_path / "parts", until=0.8).status == "interrupted"
    stop_at(monkeypatch, None)
    assert resume(tmp_path / "parts").status == "finished"
    assert_same(tmp_path / "parts", tmp_path / "whole", but=("case_toml", "sources_json"))
    assert (tmp_path / "parts" / "resolved.toml").read_text() == read(tmp_path / "whole").resolved_toml


def test_until_is_remembered_by_a_file_that_has_room(tmp_path, monkeypatch):
    """As many snapshots are planned as before, so that the file could be continued as it is, but for its texts."""
    run(case_of(output={"times": [0.2]}), tmp_path / "parts")
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(time_loop.March, "_warm_up", lambda self: 1 / 0)
        patch.setattr("wgfpde.runs.runner._secure", lambda loop: "")
        resume(tmp_path / "parts", until=0.8)
    assert resume(tmp_path / "parts").message == "reached t = 0.8."


def test_a_finished_run_stays_as_it_is(whole):
    place = whole("fv entropy")
    before = (place / "output.h5").read_bytes()
    result = resume(place)
    assert (result.status, result.exit_code, result.steps) == ("finished", 0, 28)
    assert "finished already" in result.message and "--until" in result.message
    for until in (0.4, 0.1, float("nan")):
        with pytest.raises(CaseError, match=r"must lie after the end of the run, t = 0.4"):
            resume(place, until=until)
    assert (place / "output.h5").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "says"), [("geodesic", "geodesic"), ("bridge", "bridge"), ("jko newton with W", "not a multiple of tau")]
)
def test_ends_that_cannot_be(name, says, whole):
    before = contents(whole(name) / "output.h5")
    with pytest.raises(CaseError, match=says):
        resume(whole(name), until=0.81)
    assert contents(whole(name) / "output.h5") == before


# ---- other ends --------------------------------------------------------------------------------------------

RESTING = case_of(solver={"method": "fv", "dt": 0.015, "stationary": 0.3}, output={"every": 0.1, "checkpoint": 1e-9})


def test_a_steady_state_is_seen_again(tmp_path, monkeypatch):
    """Killed when the checkpoint of the steady state was on disk, the run stops where it would have stopped."""
    steps = run(RESTING, tmp_path / "whole").steps
    assert steps == 24
    passing = time_loop.March._checkpoint_in_passing

    def die(loop):
        passing(loop)
        if loop.snapshot.step == steps:
            raise StoreError("killed")

    with monkeypatch.context() as patch, pytest.raises(StoreError):
        patch.setattr(time_loop.March, "_checkpoint_in_passing", die)
        run(RESTING, tmp_path / "parts")
    assert resume(tmp_path / "parts").steps == steps
    assert_same(tmp_path / "parts", tmp_path / "whole")


def test_a_failed_run_goes_on(whole, tmp_path, monkeypatch):
    """From its last good state, should the failure not come again."""
    case, parts = CASES["jko newton with W"], tmp_path / "parts"

    def fail(snapshot):
        raise SolverError("no.")

    with_events(monkeypatch, {7: fail})
    for result in (run(case, parts), resume(parts)):
        assert (result.status, result.exit_code, result.steps) == ("failed", 1, 6)
    stop_at(monkeypatch, None)
    resume(parts)
    assert_same(parts, whole("jko newton with W"))


def test_an_unforeseen_error_leaves_a_run_that_goes_on(whole, tmp_path, monkeypatch):
    with_events(monkeypatch, {15: lambda snapshot: 1 / 0})
    with pytest.raises(ZeroDivisionError):
        run(CASES["fv entropy"], tmp_path / "parts")
    stop_at(monkeypatch, None)
    resume(tmp_path / "parts")
    assert_same(tmp_path / "parts", whole("fv entropy"))


# ---- what is no run, or another ----------------------------------------------------------------------------


def test_another_case_does_not_replace_the_run(tmp_path, monkeypatch):
    stopped(monkeypatch, CASES["fv entropy"], tmp_path / "parts", 20)
    before = contents(tmp_path / "parts" / "output.h5")
    with pytest.raises(CaseError, match="case"):
        resume(tmp_path / "parts", case=CASES["fv power"])
    assert contents(tmp_path / "parts" / "output.h5") == before


def test_a_stored_run_is_a_case(whole, tmp_path, monkeypatch):
    """`wgfpde run output.h5` solves what the file says, and again gives a file to run."""
    name = "fv entropy, adaptive with W"
    run(load(whole(name) / "output.h5"), tmp_path / "b")
    stopped(monkeypatch, load(tmp_path / "b" / "output.h5"), tmp_path / "c", 9)
    resume(tmp_path / "c")
    for again in ("b", "c"):
        assert_same(tmp_path / again, whole(name))
    run(load(tmp_path / "c" / "output.h5", ["grid.shape=[12]"]), tmp_path / "c", overwrite=True)
    assert read(tmp_path / "c").rho.shape == (5, 12)


DIGESTS = {
    "barenblatt_1d_m2": "66cc0fecc60b3c4be6b763b42b274c6d9eef07b910fa03108324faec3f514c1e",
    "geodesic_2d": "a6fdff91550b757ae4447642be0fc33e2511b758351d1bcf54973f6038d3570c",
    "heat_1d": "185473ecf76984b933d00373960ee72d2cc6ae1688cf58c8df16cd0db0c4a5f6",
    "jko_gaussian_1d": "a5b3c2edb01898ae91674c65346260e864f530c0080c6711504ce8d576603563",
    "mckean_vlasov_quadratic_1d": "774a698ef9c860e340b69775551c395d7a99e3acd3edca58e490e1b0ae128881",
}
"""Of checkpoints of the format 1, as its first version wrote them."""


@pytest.mark.parametrize("name", DIGESTS)
def test_runs_of_earlier_versions_go_on(name):
    """A new key must not change what a checkpoint of a case without it is called."""
    case = load(name, ["grid.shape=[16, 16]"] if name == "geodesic_2d" else [])
    assert digest_of(case, build(case)) == DIGESTS[name], "old runs of this case could not be resumed"
