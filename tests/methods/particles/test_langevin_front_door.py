"""method = "langevin" from case files: runs, stops, starts, bad input in sentences, pictures, numbers, promises."""

import re

import h5py
import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.cases.building import build
from wgfpde.cases.limits.memory import memory_needed
from wgfpde.cases.loading import loads
from wgfpde.cli import main
from wgfpde.energy.snapshot import Traits
from wgfpde.errors import CaseError
from wgfpde.methods import METHODS, table_of
from wgfpde.output.promises import promises_of
from wgfpde.output.references import exact_and_gibbs

LINE = """
title = "Particles on a line"
grid = { shape = [24], lower = [-3.0], upper = [3.0] }
energy = { internal = { kind = "entropy" }, potential = "x**2/2" }
initial = { density = "exp(-4*x**2)", mass = 2.0 }
solver = { method = "langevin", tau = 0.05, particles = 600, seed = 5 }
time = { end = 0.6 }
output = { every = 0.2 }
"""
PLANE = """
title = "Crowds in the plane"
grid = { shape = [16, 12], lower = [-3.0, -2.0], upper = [3.0, 2.0], boundary = ["periodic", "no-flux"] }
energy = { internal = { kind = "entropy" }, potential = "y**2/2", interaction = "-exp(-r**2)" }
initial = { density = "exp(-x**2 - y**2)", mass = 1.5 }
solver = { method = "langevin", tau = 0.05, particles = 300, replicas = 3, seed = 5 }
time = { end = 0.6 }
output = { every = 0.2 }
"""
LAW = LINE.replace(", particles = 600, seed = 5", "")
CASES = {
    "line": LINE, "plane": PLANE, "law": LAW, "adjusted": LINE.replace("tau", "adjust = true, tau"),
    "adjusted law": LAW.replace("tau", "adjust = true, tau"), "mesh": PLANE.replace("tau", 'pairs = "mesh", tau'),
    "law with W": LAW.replace('"x**2/2"', '"x**2/2", interaction = "x**2/2"'),
    "stretched": LINE.replace("upper = [3.0]", 'upper = [3.0], mapping = ["s + 0.1*sin(2*pi*s)/pi"]'),
}  # fmt: skip


def variant(text, *pairs):
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("name", CASES)
def test_a_run_that_was_stopped_is_the_run_never_stopped(name, tmp_path):
    case = loads(CASES[name])
    whole = wgf.run(case, tmp_path / "whole", progress=False)
    half = wgf.run(case, tmp_path / "half", progress=False, time={"end": 0.4})
    half = wgf.resume(half, until=0.6, progress=False)
    with h5py.File(whole.path) as a, h5py.File(half.path) as b:
        for field in ("rho", "position") if case.solver.particles else ("rho",):
            assert np.array_equal(a[field][...], b[field][...])
        for group in ("diagnostics", "steps"):
            for number in a[group]:
                np.testing.assert_array_equal(a[f"{group}/{number}"][...], b[f"{group}/{number}"][...], number)
    assert all(promise["kept"] for promise in promises_of(whole)) and whole.attributes["method"] == "langevin"
    assert np.all(
        whole.diagnostics["mass"] == pytest.approx(1.5 if name in ("plane", "mesh") else 2.0, rel=1e-13, abs=0)
    )
    again = loads(case.resolved_toml())
    assert again == case


def test_what_the_file_holds(tmp_path):
    run = wgf.run(loads(PLANE), tmp_path / "out", progress=False)
    places = run.fields["position"]
    assert places.shape == (4, 300, 2) and run.field_dims["position"] == ("t", "particle", "axis")
    assert run.attributes["replicas"] == 3 and run.attributes["seed"] == "5"
    counts, _, _ = np.histogram2d(*places[2].T, bins=run.edges)
    np.testing.assert_allclose(run.rho[2], counts.T * 1.5 / 300 / (0.375 * 4 / 12), rtol=1e-14)
    assert run.diagnostics["particle_mean_y"][2] == pytest.approx(places[2][:, 1].mean(), rel=1e-14, abs=1e-16)
    assert run.diagnostics["particle_variance_x"][2] == pytest.approx(places[2][:, 0].var(), rel=1e-14, abs=0)
    means = places[2].reshape(3, 100, 2).mean(axis=1)
    for k, name in enumerate(("standard_error_x", "standard_error_y")):
        assert run.diagnostics[name][2] == pytest.approx(means[:, k].std(ddof=1) / np.sqrt(3), rel=1e-13, abs=0)
    assert "energy_balance" not in run.diagnostics and "slack_lsi" not in run.diagnostics
    names = [promise["name"] for promise in promises_of(run)]
    assert names == ["mass drift", "min density", "outside box"]


def test_numbers_of_particles_without_interaction(tmp_path):
    run = wgf.run(loads(LINE), tmp_path / "out", progress=False)
    x = run.fields["position"][-1][:, 0]
    assert run.diagnostics["standard_error_x"][-1] == pytest.approx(x.std(ddof=1) / np.sqrt(600), rel=1e-13, abs=0)
    grid, rho = run.grid, exact_and_gibbs(run)[1]
    assert rho is not None  # drawn beside them, though their law is another
    from wgfpde.transport import Points, w2

    assert run.diagnostics["particle_w2_gibbs"][-1] == pytest.approx(w2(grid, Points(x), rho), rel=1e-12, abs=0)
    alone = wgf.run(loads(variant(PLANE, ("replicas = 3, ", ""))), tmp_path / "one", progress=False)
    assert np.all(np.isnan(alone.diagnostics["standard_error_x"]))
    assert "kl_gibbs" in run.diagnostics and "slack_lsi" not in run.diagnostics  # V is convex, but they are a sample


def test_the_adjusted_law_promises_more(tmp_path):
    run = wgf.run(loads(CASES["adjusted law"]), tmp_path / "out", progress=False)
    found = {promise["name"]: promise for promise in promises_of(run)}
    assert list(found) == ["mass drift", "min density", "energy rise", "Gibbs moves"]
    assert 0 <= found["Gibbs moves"]["measured"] < 1e-14 and found["energy rise"]["measured"] < 0
    assert np.all((run.steps["acceptance"] > 0.8) & (run.steps["acceptance"] < 1))
    assert run.attributes["seed"].startswith("none") and run.fields == {}
    plain = wgf.run(loads(LAW), tmp_path / "plain", progress=False)
    assert [promise["name"] for promise in promises_of(plain)] == ["mass drift", "min density"]
    assert plain.attributes["sampling"] == "centre" and 0 < plain.attributes["quadrature_error"] < 1e-8


def test_points_start_as_they_are(tmp_path):
    (tmp_path / "points.csv").write_text("x,y\n0.5,0.25\n-0.25,1.5\n4.5,-1.0\n0,0\n")
    samples = ('density = "exp(-x**2 - y**2)"', f'samples = "{tmp_path / "points.csv"}"')
    text = variant(PLANE, samples, ("particles = 300, replicas = 3", "particles = 4, replicas = 2"))
    run = wgf.run(loads(text), tmp_path / "out", progress=False)
    np.testing.assert_array_equal(run.fields["position"][0], [[0.5, 0.25], [-0.25, 1.5], [-1.5, -1.0], [0, 0]])
    with pytest.raises(CaseError, match=r"solver\.particles: expected 4, as many as initial.samples has points, found"):
        build(loads(variant(text, ("particles = 4", "particles = 6"))))
    wide = (samples[1], f"{samples[1]}, bandwidth = 0.2")
    smooth = build(loads(variant(text, wide, ("particles = 4", "particles = 6"))))
    assert smooth.initial.fields["position"].shape == (6, 2)  # of a density, from which they are drawn
    (tmp_path / "points.csv").write_text("x,y,weight\n0.5,0.25,1\n-0.25,1.5,1\n0.5,-1.0,1\n0,0,2\n")
    with pytest.raises(CaseError, match="particles count alike: expected no weights, or equal ones"):
        build(loads(text))


def test_quantiles(tmp_path):
    text = variant(LINE, ("seed = 5", 'start = "quantiles"'))
    start = build(loads(text)).initial
    below = np.cumsum(np.append(0, build(loads(LAW)).initial.rho * 0.25))
    assert np.max(np.abs(np.interp(start.fields["position"][:, 0], np.linspace(-3, 3, 25), below) / below[-1]
                         - (np.arange(600) + 0.5) / 600)) < 0.02  # fmt: skip
    for wrong in (
        variant(PLANE, ("replicas = 3, seed = 5", 'start = "quantiles"')),
        variant(text, ('"x**2/2"', '"x**2/2", interaction = "x**2"')),
    ):
        with pytest.raises(CaseError, match=r'solver.start: "quantiles" are of a line, for particles without W'):
            build(loads(wrong))


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([('kind = "entropy"', 'kind = "power", m = 2.0')], r'solver.method: "langevin" has noise .*found "power"'),
        ([("tau = 0.05", "tau = 0.0001"), ("particles = 600, seed = 5", "adjust = false")],
         r"solver.tau: expected noise √\(2κτ\) of at least 0.7 cells for a law on the grid, found 0.0566 along x"),
        ([("particles = 600", "particles = 900_000_000_000")], "solver.particles: 900000000000 need about .* memory"),
        ([("seed = 5", "seed = -1")], r"solver.seed: expected an integer from 0 to 2\^63 − 1, found -1"),
        ([("seed = 5", "seed = 1.5")], "solver.seed: expected an integer.*, found 1.5"),
        ([("seed = 5", 'seed = "x"')], 'solver.seed: expected an integer.*, found "x"'),
        ([("seed = 5", "seed = 9_223_372_036_854_775_808")], "solver.seed: expected .*, found 9223372036854775808"),
        ([("seed = 5", "replicas = 7")], "600 particles do not divide into 7 replicas; take 602"),
        ([("seed = 5", "replicas = 900")], "600 particles do not divide into 900 replicas; take 900"),
        ([("particles = 600", "particles = 0")], "solver.particles: expected .*, found 0"),
        ([("seed = 5", 'replicas = 2, start = "quantiles"')], "gives each replica the same start"),
        ([("particles = 600, seed = 5", "seed = 5")], "seed belongs to particles: give their number, or leave"),
        ([("seed = 5", 'pairs = "mush"')], 'expected "direct" or "mesh", found "mush"'),
        ([("tau = 0.05", "tau = 0.07")], "is not a multiple of tau = 0.07"),
        ([("tau = 0.05", "adjust = true, tau = 0.05"), ('"x**2/2"', '"x**2/2", interaction = "x**2"')],
         "solver.adjust: Metropolis' rule needs the density"),
        ([("tau = 0.05", "adjust = true, tau = 0.05"), ('kind = "entropy"', 'kind = "none"')],
         "solver.adjust: Metropolis' rule needs the density"),
        ([("particles = 600, seed = 5", "adjust = false"), ('kind = "entropy"', 'kind = "none"')],
         "a chain without noise .* has no density: give solver.particles"),
        ([("particles = 600, seed = 5", "adjust = false"),
          ("upper = [3.0]", 'upper = [3.0], mapping = ["s + 0.1*sin(2*pi*s)/pi"]')],
         "the law of a chain needs cells of one size: axis x is stretched"),
        ([('"x**2/2"', '"gammaln(abs(x)) + x"')], None),
    ],
)  # fmt: skip
def test_bad_input_in_sentences(pairs, words, tmp_path, capsys):
    (tmp_path / "case.toml").write_text(variant(LINE, *pairs))
    code = main(["run", str(tmp_path / "case.toml"), "--out", str(tmp_path / "out"), "--quiet"])
    text = capsys.readouterr().err
    assert "Traceback" not in text
    if words is None:
        assert code == 0
        return
    assert code == 2 and not (tmp_path / "out").exists()
    assert re.search(words, text), text


def test_positions_too_large_to_be_stored_unasked(tmp_path):
    many = variant(LINE, ("particles = 600", "particles = 30_000_000"), ("every = 0.2", "every = 0.05"))
    case = loads(many)
    assert memory_needed(case) == 8 * 10 * 24 + 6 * 8 * 30_000_000
    small = loads(variant(LINE, ("every = 0.2", "every = 0.2, fields = []")))
    run = wgf.run(small, tmp_path / "out", progress=False)
    assert run.fields == {} and run.diagnostics["particle_mean_x"].shape == (4,)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([("upper = [3.0]", 'upper = [3.0], boundary = ["absorbing"]')], "langevin"),
        ([('"x**2/2"', '"x**2/2*(1 + t)"')], 'method = "langevin" takes no formulas with t'),
        ([("upper = [3.0]", 'upper = [3.0], boundary = ["periodic"]'), ('"x**2/2"', '"cos(pi*x/3)", tilt = [1.0]')],
         'method = "langevin" takes no force'),
        ([("lower = [-3.0], upper = [3.0]", "lower = [0.0], upper = [3.0], radial = 3")], "langevin"),
        ([("time = {", 'dynamics = { diffusion = "1 + x**2" }\ntime = {')], "langevin"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("text", [LINE, LAW], ids=["particles", "law"])
def test_what_finite_volumes_take_and_chains_do_not(text, pairs, words, tmp_path):
    """Open walls, time, forces, radii, a diffusion of place: refused by what the record says."""
    with pytest.raises(CaseError, match=words):
        build(loads(variant(text, *pairs)))


def test_traits():
    base = {"method": "langevin", "tau": 0.1}
    traits = METHODS["langevin"].traits
    assert traits(table_of(base)) == Traits(False, False, tends_to_gibbs=False, near_gibbs=True, step=0.1)
    assert traits(table_of(base | {"adjust": True})).lowers_energy
    sample = traits(table_of(base | {"adjust": True, "particles": 5}))
    assert sample.random and not sample.lowers_energy and sample.keeps_mass
    assert METHODS["langevin"].coarse(table_of(base), 3.0, 16) == ["solver.tau=0.09375"]
    assert METHODS["langevin"].coarse(table_of(base), 1.6, 16) == ["solver.tau=0.1"]


@pytest.mark.parametrize(("name", "verbs"), [("line", ["movie"]), ("plane", ["report", "compare"]), ("law", ["plot"])])
def test_verbs(name, verbs, tmp_path, capsys):
    out = tmp_path / "out"
    wgf.run(loads(CASES[name]), out, progress=False)
    for verb in (*verbs, "inspect"):
        assert main([verb, str(out), *([str(out)] if verb == "compare" else [])]) == 0, verb
    if name == "line":
        assert main(["plot", str(out), "--log", "--out", str(tmp_path / "log.png")]) == 0


def test_particles_are_in_the_picture_and_in_the_film(tmp_path):
    """Ticks below each line, dots on each map, as many as are shown; and pixels of a film where they are."""
    from wgfpde.output.plots import Options
    from wgfpde.output.plots.films.movie_frames import LEVELS, SHADES, MapFrames

    line = wgf.run(loads(LINE), tmp_path / "line", progress=False)
    ticks = [artist for artist in line.plot().axes[0].lines if artist.get_marker() == "|"]
    assert [len(artist.get_xdata()) for artist in ticks] == [300] * 4
    np.testing.assert_array_equal(ticks[0].get_xdata(), line.fields["position"][3][::2, 0])
    plane = wgf.run(loads(PLANE), tmp_path / "plane", progress=False)
    dots = [artist for axes in plane.plot().axes for artist in axes.lines if artist.get_marker() == "."]
    assert dots and all(len(artist.get_xdata()) == 300 for artist in dots)
    frames = MapFrames(plane, range(4), Options())
    white = frames(2) == LEVELS + SHADES
    box = np.zeros_like(white)
    box[frames._box] = True
    assert 300 < np.count_nonzero(white & box) <= 4 * 300
