"""Cases with t in their formulas, and with forces: what they say, what runs keep, what is refused."""

import json

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde import cli
from wgfpde.cases.building import build
from wgfpde.cases.loading import loads
from wgfpde.energy.energy import Energy, Internal
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.output.promises import promises_of, record_of
from wgfpde.output.report import write

BASE = """
grid = { shape = [40], lower = [-4.0], upper = [6.0] }
params = { k = 2.0 }
energy = { potential = "k/2*(x - t)**2", internal = { kind = "entropy" } }
initial = { density = "exp(-x**2)", sampling = "centre", mass = 1.0 }
solver = { method = "fv", dt = 0.05 }
time = { end = 1.0 }
output = { every = 0.25 }
"""
RING = [*["grid.boundary=['periodic']", "grid.lower=[0]", "grid.upper=[1]", "energy.potential=cos(2*pi*x)"],
        "energy.tilt=3.0"]  # fmt: skip


def case(*overrides):
    from wgfpde.cases.loading import override

    return override(loads(BASE), list(overrides))


def message(*overrides):
    with pytest.raises(CaseError) as caught:
        build(case(*overrides))
    return str(caught.value)


def kept(run):
    return {promise["name"]: promise["kept"] for promise in promises_of(run)}


def test_a_run_keeps_its_account():
    run = wgf.run(case("output.diagnostics=['jarzynski']"), progress=False)
    d = run.diagnostics
    assert d["energy"] - d["energy"][0] == pytest.approx(d["work"] - d["heat"], rel=1e-12, abs=1e-14)
    assert np.all(np.diff(d["heat"]) >= 0)
    assert d["jarzynski"] * np.exp(d["free_energy"] - d["free_energy"][0]) == pytest.approx(
        np.ones(5), rel=1e-13, abs=0
    )
    assert d["entropy_production"] == pytest.approx(d["dissipation"], rel=1e-14, abs=0)  # κ = 1
    assert d["kl_gibbs"] == pytest.approx(d["energy"] - d["free_energy"], rel=1e-9, abs=1e-12)
    assert run.steps["work"].sum() == pytest.approx(d["work"][-1], rel=1e-13, abs=0)
    assert run.steps["heat"].min() >= 0
    assert run.attributes["driven"] == "potential"
    assert kept(run) == dict.fromkeys(["mass drift", "min density", "energy rise", "first law", "Jarzynski"], True)
    assert "slack_lsi" not in d
    assert record_of(run)["certificates"] == []


def test_free_energy_of_a_mass_and_a_breathing_trap():
    run = wgf.run(case("energy.potential=(1 + 3*t)*x**2/2", "initial.mass=2.5", "initial.density=exp(-x**2/2)",
                       "grid.lower=[-9]", "grid.upper=[9]", "grid.shape=[120]"), progress=False)  # fmt: skip
    free = run.diagnostics["free_energy"]
    expected = 2.5 * (np.log(2.5) - 0.5 * np.log(2 * np.pi / (1 + 3 * run.t)) - 1)
    assert free == pytest.approx(expected, rel=1e-9, abs=0)
    assert np.all(np.diff(run.diagnostics["work"]) >= np.diff(free) - 1e-12)


def test_a_formula_that_does_not_use_t_is_as_before():
    plain = case("energy.potential=k/2*x**2", "energy.internal.kappa=1.5")
    same = case("energy.potential=k/2*x**2", "energy.internal.kappa='3/2'")
    one, two = (wgf.run(c, progress=False) for c in (plain, same))
    assert np.array_equal(one.rho[:], two.rho[:])
    assert "work" not in two.diagnostics
    assert "driven" not in two.attributes


@pytest.mark.parametrize("overrides", [
    ["energy.internal.kappa=2 - 1.5*t"],
    ["energy.interaction=(1 + t)*x**2/2"],
    ["energy.internal={kind='power', m=2, kappa='1 + t'}"],
    ["solver={method='jko', tau=0.25}"],
    ["solver={method='jko', tau=0.25, algorithm='exact'}", "energy.internal.kappa=1 + t"],
    ["solver.dt='adaptive'", "time.breakpoints=[0.5]"],
    ["dynamics={diffusion='exp(-t*x**2)', convention='ito'}", "energy.internal.kappa=1 + t"],
    RING,
    [*RING, "energy.tilt=", "energy.force=2 + sin(2*pi*x)*cos(3*t)"],
])  # fmt: skip
def test_promises_of_what_is_driven(overrides):
    run = wgf.run(case(*overrides), progress=False)
    found = kept(run)
    assert all(found.values()), found
    assert "first law" in found


def test_breakpoints_are_landed_on():
    run = wgf.run(case("time.breakpoints=[0.31, 0.6]", "energy.potential=x**2 + 5*(t > 0.31)*x"), progress=False)
    assert {0.31, 0.6} <= set(run.steps["t"].tolist())
    assert run.diagnostics["energy"][-1] - run.diagnostics["energy"][0] == pytest.approx(
        run.diagnostics["work"][-1] - run.diagnostics["heat"][-1], rel=1e-12, abs=0
    )
    times = [s.t for s in wgf.march(case("time.breakpoints=[0.31, 0.6]"))]
    assert {0.31, 0.6} <= set(times)


def test_a_driven_run_goes_on(tmp_path):
    whole = wgf.run(case("time.end=1.0", "output.diagnostics=['jarzynski']"), tmp_path / "a", progress=False)
    wgf.run(case("time.end=0.5", "output.diagnostics=['jarzynski']"), tmp_path / "b", progress=False)
    longer = wgf.resume(tmp_path / "b", until=1.0, progress=False)
    assert np.array_equal(whole.rho[:], longer.rho[:])
    for name in ("work", "heat", "jarzynski", "free_energy"):
        assert np.array_equal(whole.diagnostics[name], longer.diagnostics[name]), name


def test_functions_of_time_in_python():
    energy = Energy(Internal(kappa=1.0), potential=lambda x, t: (x - t) ** 2)
    made = wgf.problem(Grid([-4], [6], [40]), energy, lambda x: np.exp(-(x**2)), end=1.0, every=0.25, mass=1.0,
                       solver={"dt": 0.05}, breakpoints=[0.5])  # fmt: skip
    run, written = wgf.run(made, progress=False), wgf.run(case("initial.sampling='average'"), progress=False)
    assert run.diagnostics["work"] == pytest.approx(written.diagnostics["work"], rel=1e-12, abs=0)
    energy = Energy(kappa=lambda t: 1 + t, tilt=(2.0,))
    moved = wgf.problem(Grid([0], [1], [16], "periodic"), energy, np.ones(16), end=0.1)
    assert moved.energy.internal.kappa.startswith("python: ")
    assert kept(wgf.run(moved, progress=False))["first law"]


@pytest.mark.parametrize(("overrides", "words"), [
    (["initial.density=exp(-x**2 - t)"], "t is not available in this formula"),
    (["energy.internal.kappa=x"], "energy.internal.kappa: x is not available in this formula"),
    (["energy.internal.kappa=1 - t"], "at t = 1: kappa must be a positive number; found 0"),
    (["energy.internal.kappa=-1"], "energy.internal.kappa: expected a number larger than 0, found -1"),
    (["energy.internal.kappa='t - 2'"], "energy.internal.kappa: kappa must be a positive number; found -2"),
    (["energy.potential=log(4 - 4*t + x)"], "energy, at t = 1: the potential is not finite"),
    (["energy.tilt=1.0"], "energy.tilt: a force needs a periodic axis, found walls"),
    (["energy.force=x"], "energy.force: a force needs a periodic axis, found walls"),
    ([*RING, "energy.tilt=[1.0, 2.0]"], "energy.tilt: expected 1 number, one per axis, found [1.0, 2.0]"),
    ([*RING, "energy.tilt=fast"], "energy.tilt: expected a number, or a list of one number per axis, found \"fast\""),
    ([*RING, "energy.force=x"], "expected either tilt, a constant force, or force, a formula, found both"),
    ([*RING, "energy.internal={kind='power', m=2}"], "tilt: of use only with { kind = \"entropy\" }"),
    ([*RING, "solver={method='jko', tau=0.25}"], 'method = "jko" takes no force in the energy; take method = "fv"'),
    (["solver={method='geodesic'}", "target.density='exp(-x**2)'"], 'method = "geodesic" takes no formulas with t'),
    (["solver={method='jko', tau=0.25, scheme='extrapolated'}"], "takes an energy that does not depend on t"),
    (["solver.stationary=1e-6"], "solver.stationary: a flow with formulas with t never comes to rest"),
    (["time.breakpoints=[1.0]"], "time.breakpoints: expected times between start = 0 and end = 1, found 1"),
    (["time.breakpoints=[0.5, 0.25]"], "expected increasing times, found 0.5 before 0.25"),
    (["solver={method='jko', tau=0.25}", "time.breakpoints=[0.3]"], "time.breakpoints: 0.3 is not a multiple of tau"),
    (["energy.internal.kappa=1 + t", "output.diagnostics=['jarzynski']"], "it is for: finite volumes with a potential"),
    (["output.diagnostics=['slack_hwi']"], '"slack_hwi"'),
    (["output.diagnostics=['energy_balance']"], '"energy_balance"'),
])  # fmt: skip
def test_mistakes(overrides, words):
    found = message(*overrides)
    assert words in found
    assert "Traceback" not in found


def test_a_force_by_a_formula_needs_one_axis():
    text = BASE.replace("[40]", "[8, 8]").replace("[-4.0]", "[0.0, 0.0]").replace("[6.0]", "[1.0, 1.0]")
    text = text.replace("k/2*(x - t)**2", "cos(2*pi*x)").replace("upper = [1.0, 1.0]", "upper = [1.0, 1.0], boundary = "
                                                                 '["periodic", "no-flux"]')  # fmt: skip
    from wgfpde.cases.loading import override

    flat = loads(text)
    with pytest.raises(CaseError, match=r"energy\.force: a force by a formula needs a grid of one axis"):
        build(override(flat, ["energy.force=x"]))
    with pytest.raises(CaseError, match=r"a list of 2 numbers, x first, one per axis, found 2"):
        build(override(flat, ["energy.tilt=2.0"]))
    with pytest.raises(CaseError, match="walls at the ends of axis y"):
        build(override(flat, ["energy.tilt=[2.0, 1.0]"]))
    run = wgf.run(override(flat, ["energy.tilt=[2.0, 0.0]"]), progress=False)
    assert kept(run)["first law"]


@pytest.mark.parametrize("study", [
    lambda c: wgf.spectrum(c, progress=False),
    lambda c: wgf.stationary(c, progress=False),
    lambda c: wgf.stationary(c, "params.k=1:2:3", progress=False),
    lambda c: wgf.exits(c, to="x > 2", progress=False),
])  # fmt: skip
def test_studies_of_states_at_rest_refuse_time(study):
    with pytest.raises(CaseError, match=r"energy\.potential: .* does not depend on time, found a formula with t"):
        study(case())
    with pytest.raises(CaseError, match=r"energy\.internal\.kappa: .* found a formula with t"):
        study(case("energy.potential=x**2", "energy.internal.kappa=1 + t"))
    with pytest.raises(CaseError, match=r"dynamics\.diffusion: .* found a formula with t"):
        study(case("energy.potential=x**2", "dynamics.diffusion=1 + t"))


@pytest.mark.parametrize("study", [
    lambda c: wgf.spectrum(c, progress=False),
    lambda c: wgf.stationary(c, "params.k=1:2:3", progress=False),
])  # fmt: skip
def test_studies_that_refuse_a_force(study):
    with pytest.raises(CaseError, match=r"energy\.tilt: .* is of a flow without a force; remove it"):
        study(case(*RING))


def test_what_is_shown_of_a_driven_run(tmp_path, capsys):
    out = tmp_path / "run"
    wgf.run(case("energy.internal.kappa=1 + t/2"), out, progress=False)
    assert cli.main(["inspect", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["question"]["energy"]["U"] == "(1 + t/2)·(ρ ln ρ − ρ)"
    assert found["diagnostics"]["energy"]["rule"] == ""  # it may rise
    for field in ("work", "energy", "rho"):
        assert cli.main(["plot", str(out), "--field", field, "--out", str(tmp_path / f"{field}.png")]) == 0
        assert (tmp_path / f"{field}.png").stat().st_size > 10_000
    write(wgf.read(out), tmp_path / "report.html")
    assert "first law" in (tmp_path / "report.html").read_text()


def test_a_broken_first_law_is_told(tmp_path):
    run = wgf.run(case(), progress=False)
    run.diagnostics["heat"][-1] += 1e-9
    assert kept(run)["first law"] is False
    run.diagnostics["work"][-1] -= 10
    assert kept(run)["energy rise"] is False
