"""Cases with [dynamics] and with grid.radial: what they say, what they refuse, and what runs of them record."""

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.cases.building import build
from wgfpde.cases.loading import load, loads
from wgfpde.cli import main
from wgfpde.errors import CaseError
from wgfpde.output.compare.densities import Fields

MULTIPLICATIVE = """
schema = 1
title = "noise"
params = { c = 0.5 }
[grid]
shape = [40]
lower = [-4.0]
upper = [4.0]
[energy]
internal = { kind = "entropy", kappa = 0.5 }
potential = "x**2"
[dynamics]
diffusion = "1/(1 + c*x**2)"
[initial]
density = "exp(-(x - 1)**2)"
mass = 1.0
[time]
end = 0.2
"""
BALL = """
schema = 1
title = "ball"
[grid]
shape = [40]
lower = [0.0]
upper = [4.0]
radial = 3
[energy]
internal = { kind = "entropy", kappa = 1.0 }
potential = "r**2/2"
[initial]
density = "exp(-r**2)"
mass = 1.0
[time]
end = 0.2
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="case.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("text", [MULTIPLICATIVE, BALL])
def test_a_case_says_itself_again(text):
    case = loads(text)
    assert loads(case.resolved_toml()) == case
    assert ("dynamics" in case.summary) == (text is MULTIPLICATIVE)
    assert ("radius in 3D" in case.summary["grid"]) == (text is BALL)


def test_diffusion_of_each_axis():
    text = MULTIPLICATIVE.replace('"1/(1 + c*x**2)"', '["1 + y**2", "2"]').replace("[40]", "[8, 6]")
    text = text.replace("[-4.0]", "[-4.0, 0.0]").replace("[4.0]", "[4.0, 1.0]")
    flow = build(loads(text)).flow
    along_x, along_y = flow.mobility
    np.testing.assert_allclose(along_x, np.broadcast_to(1 + flow.grid.y.centers[:, None] ** 2, (6, 9)))
    assert along_y.shape == (7, 8) and np.all(along_y == 2)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("diffusion =", "difusion ="), 'dynamics.difusion: unknown key; did you mean "diffusion"?'),
        (('"1/(1 + c*x**2)"', "2.0"), "dynamics.diffusion: expected a formula such as"),
        (('"1/(1 + c*x**2)"', '["1", "2"]'), "dynamics.diffusion: expected one formula for all axes .* 1, found 2"),
        (('"1/(1 + c*x**2)"', '"1 + y"'), "dynamics.diffusion: "),
        (
            ('"1/(1 + c*x**2)"', '"x - 5"'),
            'dynamics.diffusion "x - 5" must be finite and > 0 .* at x = -3.9',
        ),
        (("[initial]", 'convention = "itô"\n[initial]'), 'dynamics.convention: expected .* did you mean "ito"'),
        (("[initial]", 'faces = "mean"\n[initial]'), 'dynamics.faces: expected "value" or "harmonic", found "mean"'),
        (("[time]", '[solver]\nmethod = "jko"\ntau = 0.1\nalgorithm = "exact"\n[time]'), r"expected no \[dynamics\]"),
        (
            ("[time]", '[target]\ndensity = "1"\n[solver]\nmethod = "geodesic"\n[time]'),
            'dynamics: only method = "fv" or "jko" or "bridge" takes it, found method = "geodesic"',
        ),
        (
            ('kind = "entropy", kappa = 0.5 }', 'kind = "power", m = 2.0 }'),
            None,
        ),
    ],
)
def test_mistakes_of_dynamics(write, change, sentence):
    path = write(MULTIPLICATIVE.replace(*change))
    if sentence is None:
        build(load(path))
        sentence, path = (
            'convention = "ito" .* only the entropy has',
            write(MULTIPLICATIVE.replace(*change).replace("[initial]", 'convention = "ito"\n[initial]')),
        )
        sentence = 'dynamics.convention = "ito" says what noise means'
    with pytest.raises(CaseError, match=sentence):
        build(load(path))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("radial = 3", "radial = 4"), "grid.radial: expected 2 or 3, found 4"),
        (("lower = [0.0]", "lower = [-1.0]"), "grid: a radial grid needs grid.lower ≥ 0"),
        (("radial = 3", 'radial = 3\nboundary = ["periodic"]'), "grid: a radius does not close"),
        (('potential = "r**2/2"', 'interaction = "r**2/2"'), "energy.interaction: a radial grid takes no interaction"),
        (("[time]", '[solver]\nmethod = "jko"\ntau = 0.1\n[time]'), 'grid.radial: only method = "fv" takes it'),
    ],
)
def test_mistakes_of_a_radius(write, change, sentence):
    with pytest.raises(CaseError, match=sentence):
        build(load(write(BALL.replace(*change))))


def test_check_prints_the_sentence(write, capsys):
    assert main(["check", str(write(MULTIPLICATIVE)), "--set", 'dynamics.convention="stratonovich"']) == 0
    said = capsys.readouterr().out
    assert "D = 1/(1 + c*x**2), a factor of the flux, which makes the unit of time" in said
    assert "sense of Stratonovich, a gradient flow in the potential V + ½κ ln D" in said
    assert main(["check", str(write(BALL))]) == 0
    said = capsys.readouterr().out
    assert "dynamics" not in said and "40 cells on [0, 4], no-flux, radius in 3D" in said


def test_a_run_on_a_radius_is_read_back(write, tmp_path):
    run = wgf.run(load(write(BALL)), out=tmp_path / "ball")
    again = wgf.read(tmp_path / "ball")
    assert again.radial == 3 and again.grid == build(load(write(BALL))).flow.grid
    assert again.diagnostics["mass"] == pytest.approx(np.ones(len(run)), rel=1e-13, abs=0)
    second = np.sum(again.grid.cell_volume * again.grid.x.centers**2 * again.rho[-1])
    assert again.diagnostics["second_moment"][-1] == pytest.approx(second, rel=1e-13, abs=0)
    assert not {"slack_lsi", "sobolev"} & (again.diagnostics.keys() | again.attributes.keys())
    coarse = wgf.run(load(write(BALL), ["grid.shape=[20]"]), out=tmp_path / "coarse")
    moments = [Fields(run, coarse, w2=True).moment(k, k) for k in (0, -1)]
    assert moments[0].differences[0] < 1e-12 < 1e-3 < moments[1].differences[0] < 5e-3  # averages over shells, at first
    assert moments[1].norms[0] == pytest.approx(1.0, rel=1e-9, abs=0) and 0 < moments[1].w2 < 0.02
    start = write(BALL.replace('density = "exp(-r**2)"', f'file = "{run.folder}"').replace("[40]", "[25]"), "next.toml")
    assert build(load(start)).flow.mass(build(load(start)).initial.rho) == pytest.approx(1.0, rel=1e-13, abs=0)
    flat = write(MULTIPLICATIVE.replace('density = "exp(-(x - 1)**2)"', f'file = "{run.folder}"'), "flat.toml")
    with pytest.raises(CaseError, match="on the radius in 3D, and this grid is one on plain axes"):
        build(load(flat))


def test_what_needs_the_metric_is_left_out(write, tmp_path):
    """Log-Sobolev is of the density alone; what is measured in W₂ is not that of the flow."""
    run = wgf.run(load(write(MULTIPLICATIVE)), out=tmp_path / "run")
    assert "slack_lsi" in run.diagnostics and np.all(run.diagnostics["slack_lsi"] >= -1e-9)
    assert not {"slack_talagrand", "slack_hwi", "slack_evi"} & run.diagnostics.keys()
    assert run.attributes["diffusion_least"] == pytest.approx(1 / 9, rel=1e-9, abs=0)
    h, t = run.diagnostics["kl_gibbs"], run.t  # dH/dt ≤ −2 λ D_min H
    assert np.all(h[1:] <= h[:-1] * np.exp(-2 * 2.0 / 9 * np.diff(t)) * (1 + 1e-9))
    for name in ("w2_previous", "slack_hwi", "w2_gibbs"):
        with pytest.raises(CaseError, match=rf'"{name}" .* has no meaning for this case; it is for: .*\[dynamics\]'):
            build(load(write(MULTIPLICATIVE), [f'output.diagnostics=["{name}"]']))
    asked = wgf.run(
        load(write(MULTIPLICATIVE), ['output.diagnostics=["de_bruijn", "energy_balance"]']), out=tmp_path / "b"
    )
    assert np.max(np.abs(asked.diagnostics["energy_balance"])) < 1e-3 * np.ptp(asked.diagnostics["energy"])
    assert np.max(np.abs(asked.diagnostics["de_bruijn"])) < 0.02 * np.max(asked.diagnostics["dissipation"])


def test_put_together_in_python(tmp_path):
    grid = wgf.Grid([-1.0], [1.0], [20])
    made = [
        wgf.problem(grid, wgf.Energy(), lambda x: 1 + x / 2, 0.1, dynamics=wgf.Dynamics(lambda x, n=n: 1 - x**n))
        for n in (2, 4)
    ]
    assert "dynamics" in made[0].summary
    run = wgf.run(made[0], out=tmp_path / "run")
    assert run.rho[-1][0] - 0.5 == pytest.approx(0.5 - 0.475 * np.exp(-0.2), abs=2e-3)
    with pytest.raises(CaseError):
        wgf.resume(tmp_path / "run", until=0.2, case=made[1])
    with pytest.raises(CaseError, match="expected a function of arrays"):
        wgf.problem(grid, wgf.Energy(), lambda x: 1 + 0 * x, 0.1, dynamics=wgf.Dynamics(lambda y: y))
    shells = wgf.problem(wgf.Grid([0.0], [1.0], [20], radial=2), wgf.Energy(), lambda x: 1 - x**2, 0.1)
    assert shells.grid.radial == 2 and wgf.run(shells, out=tmp_path / "shells").radial == 2


def test_spectra_and_growth_rates():
    """Legendre: n(n + 1); the harmonic well of 3D on the radius: 2n; both as growth rates too."""
    legendre = MULTIPLICATIVE.replace('potential = "x**2"\n', "").replace('"1/(1 + c*x**2)"', '"1 - x**2"')
    legendre = legendre.replace("-4.0", "-1.0").replace("4.0", "1.0").replace("kappa = 0.5", "kappa = 1.0")
    ball = BALL.replace("[40]", "[160]").replace("[4.0]", "[8.0]")
    for text, wanted in ((legendre.replace("[40]", "[160]"), [2, 6, 12]), (ball, [2, 4, 6])):
        case = loads(text)
        found = wgf.spectrum(case)
        np.testing.assert_allclose(found.eigenvalues[1:4], wanted, rtol=4e-3)
        states = wgf.stationary(case)
        assert states[0].stability.leading == pytest.approx(-found.eigenvalues[1], rel=1e-8, abs=0)


def test_distance_on_a_radius():
    """Balls: r ↦ 3r/2, W₂² = M (3/2 − 1)² ∫r²ρ = M/4 · 3/5."""
    grid = wgf.Grid([0.0], [2.0], [400], radial=3)
    r = grid.x.edges[1:]
    a, b = (np.where(r <= radius + 1e-9, 3 / (4 * np.pi * radius**3), 0.0) for radius in (1.0, 1.5))
    assert wgf.w2(grid, a, b) ** 2 == pytest.approx(0.25 * 0.6, rel=2e-4, abs=0)
    with pytest.raises(CaseError, match="no common space"):
        wgf.distance(grid, a, b, wgf.Grid([0.0], [2.0], [400]))
    with pytest.raises(CaseError, match="a shortest path is found on plain axes"):
        wgf.geodesic(grid, a, b, [0.5])
