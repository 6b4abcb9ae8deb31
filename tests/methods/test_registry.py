"""A method is one folder and one word: records, the union they make, and a toy that enters by them alone."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import pytest
import xarray
from pydantic import Field as Key

import wgfpde as wgf
from wgfpde.base.case_table import Positive, Table
from wgfpde.cases.loading import loads
from wgfpde.cases.table_places import json_schema
from wgfpde.cli import main
from wgfpde.diagnostics.registry import NEVER, diagnostic, with_field
from wgfpde.diagnostics.registry import unregister as unregister_diagnostic
from wgfpde.energy.snapshot import Column, Field, Report, Snapshot, Traits
from wgfpde.errors import CaseError, SolverError
from wgfpde.methods import FAMILIES, METHODS, Built, Method, register, unregister

PACKAGE = Path(wgf.__file__).parent
CASE = """
title = "Relaxation to the mean, with walkers beside it"
grid = { shape = [12, 8], lower = [0.0, 0.0], upper = [3.0, 2.0] }
energy = { internal = { kind = "entropy" } }
initial = { density = "1 + x + y**2", mass = 2.0 }
solver = { method = "mixing", dt = 0.1 }
time = { end = 1.0 }
output = { every = 0.5 }
"""


class MixingTable(Table):
    """ρ ← (1 − dt) ρ + dt ⟨ρ⟩."""

    method: Literal["mixing"]
    dt: Positive = Key(description="step, below 1")
    walkers: int = Key(default=5, description="points that wander beside the density")
    seed: int = Key(default=7, description="of the walkers")


class Mixing:
    """Keeps mass and sign for dt ≤ 1; every convex energy falls.  Walkers are drawn anew from their step's number."""

    def __init__(self, table, flow):
        self.table, self.flow = table, flow

    def warm_up(self):
        pass

    def step(self, snapshot, t_next):
        dt = min(self.table.dt, t_next - snapshot.t)
        mean = self.flow.mass(snapshot.rho) / self.flow.grid.volume
        lands = t_next - snapshot.t <= self.table.dt * (1 + 1e-9)
        walk = np.random.default_rng([self.table.seed, snapshot.step]).normal(size=snapshot.fields["position"].shape)
        fields = {"rho": (1 - dt) * snapshot.rho + dt * mean, "position": snapshot.fields["position"] + 0.01 * walk}
        t = t_next if lands else snapshot.t + dt
        return Snapshot(t, snapshot.step + 1, snapshot.fields | fields, dt, report=Report(more={"mixed": dt}))


def _build(table, asked):
    if table.dt > 1:
        raise CaseError(f"{asked.path}: solver.dt: expected at most 1, found {table.dt:g}")
    dims = (("walker", table.walkers), ("axis", asked.flow.grid.dim))
    fields = (
        Field("position", "1", "positions", "Where the walkers are.", dims),
        Field("excess", "1", "excess", "Density above the mean.", stored=False),
    )
    return Built(Mixing(table, asked.flow), COLUMNS, fields, {"position": np.full([n for _, n in dims], 0.5)})


COLUMNS = (Column("mixed", "1", "share mixed", "How much of the density went to the mean."),)
MIXING = Method(
    name="mixing",
    table=MixingTable,
    build=_build,
    traits=lambda table: Traits(wasserstein=False, tends_to_gibbs=False, random=True, step=table.dt),
    equation=lambda energy, table: "mixing",
    sampling="centre",
    diagnostics=("spread_of_walkers",),
    columns=COLUMNS,
)


@pytest.fixture
def mixing():
    @diagnostic("spread of the walkers", applies=NEVER, on_request=with_field("position"))
    def spread_of_walkers(s):
        """Standard deviation of the positions of the walkers."""
        return float(np.std(s.snapshot.fields["position"]))

    register(MIXING)
    yield MIXING
    unregister("mixing")
    unregister_diagnostic("spread_of_walkers")


def test_from_a_case_file_to_a_plot(mixing, tmp_path, capsys):
    (tmp_path / "case.toml").write_text(CASE)
    out = tmp_path / "out"
    assert main(["check", str(tmp_path / "case.toml")]) == 0
    assert "about 10 steps" in capsys.readouterr().out
    assert main(["run", str(tmp_path / "case.toml"), "--out", str(out), "--plot"]) == 0
    text = capsys.readouterr().out
    assert "mixing" in text and "mass drift" in text and "energy rise" in text and "BROKEN" not in text
    assert (out / "plots").is_dir() and main(["inspect", str(out)]) == 0 and main(["report", str(out)]) == 0
    run = wgf.read(out)
    assert run.fields["position"].shape == (3, 5, 2) and run.field_dims["position"] == ("t", "walker", "axis")
    np.testing.assert_array_equal(run.fields["position"][0], 0.5)
    assert run.diagnostics["spread_of_walkers"][-1] == pytest.approx(
        np.std(run.fields["position"][-1]), rel=1e-14, abs=0
    )
    assert run.attributes["seed"] == "7" and run.attributes["sampling"] == "centre"
    assert run.attributes["equation"] == "mixing" and "excess" not in run.fields
    np.testing.assert_allclose(run.steps["mixed"], 0.1)
    expected = 1 + (run.rho[0] - 1 / 3) * 0.9**10 - 1 + 1 / 3
    np.testing.assert_allclose(run.rho[-1], expected, rtol=1e-13)
    assert not {"slack_evi", "energy_balance", "de_bruijn"} & set(run.diagnostics)  # of gradient flows in W2 only


def test_a_run_that_was_stopped_goes_on_with_its_fields(mixing, tmp_path):
    whole = wgf.run(loads(CASE), tmp_path / "whole", progress=False)
    half = wgf.run(loads(CASE), tmp_path / "half", progress=False, time={"end": 0.5})
    half = wgf.resume(half, until=1.0, progress=False)
    np.testing.assert_array_equal(half.steps["mixed"], whole.steps["mixed"])
    for name in ("rho", "position"):
        with h5py.File(whole.path) as a, h5py.File(half.path) as b:
            np.testing.assert_array_equal(a[name][...], b[name][...])


def test_particles_of_another_method_start_from_the_points_themselves(mixing, monkeypatch, tmp_path):
    """A builder gets the points of [initial] samples, says what the file tells of its run, and declares its memory."""
    (tmp_path / "points.csv").write_text("x,y,weight\n0.5,0.25,1\n-0.25,1.5,2\n2.5,1.0,3\n")
    seen = []

    def build_with_points(table, asked):
        seen.append(asked.points and asked.points())
        return replace(_build(table, asked), attributes={"replicas": 3, "remark": "of three"})

    changed = replace(
        MIXING, build=build_with_points, memory=lambda table, dim: 1000 * table.walkers,
        sampling=lambda table: "centre" if table.walkers > 5 else "average",
    )  # fmt: skip
    monkeypatch.setitem(METHODS, "mixing", changed)
    ring = {"initial": {"density": None, "samples": str(tmp_path / "points.csv")}}
    ring["grid"] = {"boundary": ["periodic", "no-flux"]}
    run = wgf.run(loads(CASE), tmp_path / "out", progress=False, **ring)
    np.testing.assert_array_equal(seen[0][0], [[0.5, 0.25], [2.75, 1.5], [2.5, 1.0]])  # the second is wrapped
    np.testing.assert_array_equal(seen[0][1], [1, 2, 3])
    assert run.attributes["replicas"] == 3 and run.attributes["remark"] == "of three"
    assert run.attributes["sampling"] == "average"
    wgf.resume(run, until=1.2, progress=False)
    assert wgf.read(tmp_path / "out").attributes["replicas"] == 3
    plain = loads(CASE.replace("dt = 0.1", "dt = 0.1, walkers = 6"))
    assert wgf.cases.building.build(plain).sampling == "centre" and seen[-1] is None
    assert wgf.cases.limits.memory.memory_needed(plain) == 8 * 20 * 96 + 6000


def test_only_what_is_named_is_stored(mixing, tmp_path):
    named = wgf.run(loads(CASE), tmp_path / "a", progress=False, output={"fields": ["excess"]})
    assert list(named.fields) == ["excess"] and named.fields["excess"].shape == (3, 8, 12)
    assert np.all(np.isnan(named.fields["excess"]))  # this method offers it and never makes it
    none = wgf.run(loads(CASE), tmp_path / "b", progress=False, output={"fields": []})
    assert none.fields == {} and none.attributes["fields"] == ""
    with pytest.raises(CaseError, match=r'output\.fields: method = "mixing" has no field "postion"; did you mean "pos'):
        wgf.run(loads(CASE), tmp_path / "c", output={"fields": ["postion"]})
    with pytest.raises(CaseError, match='method = "fv" has no field "phi"'):
        wgf.run("heat_1d", tmp_path / "d", output={"fields": ["phi"]})


def test_fields_too_large_to_be_stored_unasked_are_refused(mixing, tmp_path):
    with pytest.raises(CaseError, match=r"position would take 2\.\d+ GiB in 3 snapshots; .*fields = \[\]"):
        wgf.run(loads(CASE), tmp_path / "a", solver={"walkers": 60_000_000})
    assert not (tmp_path / "a").exists()


def test_mistakes_name_the_new_method(mixing):
    with pytest.raises(CaseError, match=r'expected "fv", "jko", .* or "mixing", found "mixng"; did you mean "m'):
        loads(CASE.replace('"mixing"', '"mixng"'))
    with pytest.raises(CaseError, match='unknown key; did you mean "walkers"'):
        loads(CASE.replace("dt = 0.1", "dt = 0.1, walker = 3"))
    with pytest.raises(CaseError, match=r"^case: solver\.dt: expected at most 1, found 2$"):
        wgf.run(loads(CASE), solver={"dt": 2.0}, time={"end": 2.0}, output={"every": 2.0})
    with pytest.raises(CaseError, match=r"is not a multiple of dt = 0.1"):
        loads(CASE.replace("every = 0.5", "every = 0.25"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"position": np.zeros(7)}, r"a field position of shape \(7,\); expected \(5, 2\)"),
        ({"position": [[0.5, 0.5]] * 5}, "a field position that is no array of real numbers"),
        ({"position": np.zeros((5, 2), complex)}, "a field position that is no array of real numbers"),
        ({"rho": np.ones((12, 8))}, r"a field rho of shape \(12, 8\); expected \(8, 12\)"),
        ({"t": 0.7}, r"went to t = 0\.7, past t = 0\.5"),
    ],
    ids=["shape", "list", "complex", "rho", "too far"],
)
def test_a_step_that_breaks_its_word_ends_the_run(mixing, monkeypatch, tmp_path, wrong, words):
    right = Mixing.step

    def step(self, snapshot, t_next):
        found = right(self, snapshot, t_next)
        arrays = {name: values for name, values in wrong.items() if name != "t"}
        return replace(found, t=wrong.get("t", found.t), fields=found.fields | arrays)

    monkeypatch.setattr(Mixing, "step", step)
    with pytest.raises(wgf.SolverError, match=words):
        wgf.run(loads(CASE), tmp_path / "out", progress=False)
    run = wgf.read(tmp_path / "out")
    assert run.status == "failed" and len(run) == len(run.fields["position"]) == 1


def test_a_start_that_breaks_its_word_is_refused(mixing, monkeypatch, tmp_path):
    start = replace(MIXING, build=lambda table, asked: replace(_build(table, asked), initial={"position": np.zeros(3)}))
    monkeypatch.setitem(METHODS, "mixing", start)
    with pytest.raises(CaseError, match=r"mixing starts with a field position of shape \(3,\); expected \(5, 2\)"):
        wgf.run(loads(CASE), tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_a_table_of_another_name_is_no_methods():
    with pytest.raises(CaseError, match='needs the line method: Literal\\["other"\\]'):
        register(replace(MIXING, name="other"))
    assert "other" not in METHODS


def test_a_method_that_left_leaves_its_runs_readable(tmp_path, mixing):
    run = wgf.run(loads(CASE), tmp_path / "out", progress=False)
    unregister("mixing")
    try:
        with pytest.raises(CaseError, match=r'expected "fv", "jko", .*, found "mixing"'):
            loads(CASE)
        assert [p for p in run._repr_html_().split("<") if "energy rise" in p] == []  # nobody knows whether it falls
        assert main(["inspect", str(run.folder)]) == 0 and main(["plot", str(run.folder)]) == 0
    finally:
        register(mixing)


def test_names_are_the_methods_own(mixing):
    assert register(mixing) is mixing  # the same once more, as where a script is run again
    with pytest.raises(CaseError, match='there is a method "mixing" already'):
        register(replace(mixing, sampling="average"))
    with pytest.raises(CaseError, match=r'method: Literal\["jko"\]'):
        register(replace(mixing, name="jko"))
    with pytest.raises(CaseError, match='there is no method "mixng"'):
        unregister("mixng")


def test_no_method_is_named_outside_its_family():
    """The word in `solver.method` and the class of its table decide nothing elsewhere."""
    families = {PACKAGE / "methods" / name for name in FAMILIES}
    words, tables = "|".join(METHODS), "Fv|Jko|Geodesic|Bridge|Game|Sinkhorn|Langevin|Svgd|Wfr|Gaussian|Accelerated"
    named = re.compile(rf"""method("\))? [!=]= |isinstance\([^)]*Table\)|== "({words})"|\b({tables})Table\b""")
    for path in PACKAGE.rglob("*.py"):
        if not families & set(path.parents):
            found = named.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{path.relative_to(PACKAGE)}: {found[0]}"


CASE_OF = {
    "fv": "heat_1d", "jko": "jko_gaussian_1d", "geodesic": "geodesic_2d", "bridge": "bridge_2d",
    "game": "game_crowd_2d",
    "langevin": "ula_bias_1d", "sinkhorn": "sinkhorn_double_well_1d", "svgd": "svgd_gaussian_1d", "wfr": "wfr_2d",
    "gaussian": "gaussian_mixture_1d", "accelerated": "accelerated_1d",
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_records(name):
    """What a record says of all that its builder may give is what it gives; its table is in the schema."""
    method = METHODS[name]
    assert method.table.__doc__ and method.name == name
    definitions = json_schema()["$defs"]
    assert definitions[method.table.__name__]["properties"]["method"]["const"] == name
    case = wgf.load(CASE_OF[name])
    problem = wgf.cases.building.build(case)
    known = {field.name: replace(field, dims=()) for field in method.fields}  # of a size that the case says
    assert set(problem.columns) <= set(method.columns)
    assert all(replace(field, dims=()) == known[field.name] for field in problem.fields)
    assert problem.traits == method.traits(case.solver) and method.arrays(case.solver, 2, 1.0) > 0
    span = case.time.end - case.time.start
    coarse = [f"output.every={span / 4!r}", *method.coarse(case.solver, span, 16)]
    assert wgf.load(case.name, coarse).solver.method == name


@pytest.mark.parametrize("step", [0.0, -1.0, np.inf, np.nan])
def test_a_step_is_positive(step):
    with pytest.raises(CaseError, match="a positive number, or None"):
        Traits(step=step)


def test_needs():
    with pytest.raises(CaseError, match=r'target: only method = "geodesic" or "bridge".* has one, found method = "fv"'):
        wgf.load("heat_1d", ['target={density="1"}'])
    with pytest.raises(CaseError, match='target: missing: method = "geodesic" needs a table with one of density'):
        wgf.load("heat_1d", ['solver={method="geodesic"}'])


# ---- the dual potential of JKO steps ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("solver", "bound"), [({}, 1e-7), ({"algorithm": "pdhg", "inner_steps": 4, "tolerance": 1e-6}, 5e-3)]
)
def test_phi_of_jko_steps_is_stored_on_request(tmp_path, solver, bound):
    """τ δE/δρ + φ − |∇φ|²/4N is constant where there is mass; the mean moves by the mean of ∇φ, to order τ²."""
    tau, steps = 0.05, solver.get("inner_steps", 1)
    asked = {"grid": {"shape": [128]}, "solver": {"method": "jko", "scheme": "jko", "tau": tau, **solver}}
    asked |= {"time": {"end": 2 * tau}, "output": {"fields": ["phi"], "every": tau}}
    run = wgf.run("jko_gaussian_1d", tmp_path / "out", progress=False, **asked)
    assert run.fields["phi"].shape == (3, 128) and np.all(np.isnan(run.fields["phi"][0]))
    phi, rho, x = run.fields["phi"][2], run.rho[2], run.centers[0]
    flow = wgf.cases.building.build(wgf.load("jko_gaussian_1d", grid={"shape": [128]})).flow
    slope = np.diff(phi) / np.diff(x)
    square = 0.5 * (np.append(0, slope**2) + np.append(slope**2, 0))
    inside = rho > 1e-3 * rho.max()
    level = (tau * flow.variation(rho) + phi - square / (4 * steps))[inside]
    size = np.ptp(phi[inside])
    assert np.ptp(level) < bound * size
    moved = flow.integral(0.5 * (run.rho[1] + rho) * np.gradient(phi, x))
    mean = [flow.integral(run.rho[k] * x) for k in (1, 2)]
    assert moved == pytest.approx(mean[1] - mean[0], rel=1e-4 if steps == 1 else 0.05, abs=0)
    with xarray.open_dataset(run.path, engine="h5netcdf") as data:
        assert data["phi"].dims == ("t", "x") and data["phi"].attrs["long_name"] == "dual potential"
    assert run.to_xarray()["phi"].shape == (3, 128)
    with pytest.raises(CaseError, match=r'phi is stored beside the density .* run\.fields\["phi"\]'):
        run.plot(field="phi")


def test_a_jko_run_stores_no_field_unasked(tmp_path):
    run = wgf.run("jko_gaussian_1d", tmp_path / "out", progress=False, time={"end": 0.1}, output={"every": 0.1})
    assert run.fields == {}


def test_a_path_is_solved_before_its_start_is_written(mixing, monkeypatch, tmp_path):
    """A stepper may have `begin`: what it finds of the start is in the first snapshot, by either way to march."""

    class Knowing(Mixing):
        def begin(self, snapshot):
            assert snapshot.step == 0
            return replace(snapshot, fields=snapshot.fields | {"excess": snapshot.rho - 1.0})

    def build_knowing(table, asked):
        built = _build(table, asked)
        return replace(built, stepper=Knowing(table, asked.flow))

    monkeypatch.setitem(METHODS, "mixing", replace(MIXING, build=build_knowing))
    run = wgf.run(loads(CASE), tmp_path / "out", progress=False, output={"fields": ["excess"]})
    np.testing.assert_allclose(run.fields["excess"][0], run.rho[0] - 1.0)
    first = next(wgf.runs.runner.march(wgf.cases.building.build(loads(CASE))))
    np.testing.assert_allclose(first.fields["excess"], first.rho - 1.0)
    monkeypatch.setattr(Knowing, "begin", lambda self, s: replace(s, fields=s.fields | {"excess": np.zeros(3)}))
    with pytest.raises(SolverError, match=r"at t = 0: the start has a field excess of shape \(3,\)"):
        wgf.run(loads(CASE), tmp_path / "wrong", progress=False, output={"fields": ["excess"]})
