"""Displacement convexity: λ of each part, and slacks along geodesics against closed forms."""

from typing import Literal

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.base.case_table import Table
from wgfpde.cases.loading import loads
from wgfpde.cli import main
from wgfpde.diagnostics import REGISTRY, State
from wgfpde.diagnostics.certificates import CHORD, Ends, displacement_convexity, sentence
from wgfpde.energy import laws
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.equations import gaussian
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.grid import Grid
from wgfpde.output.promises import promises_of

PATH = """
title = "Along a geodesic"
grid = {{ shape = [{n}], lower = [-8.0], upper = [8.0]{more} }}
energy = {{ {energy} }}
initial = {{ density = "exp(-(x + 1)**2/0.5)", mass = 1.7, sampling = "centre" }}
target = {{ density = "exp(-(x - 1.2)**2/2.88)" }}
solver = {{ method = "geodesic" }}
time = {{ start = 2.0, end = 4.0 }}
output = {{ every = 0.25 }}
"""
MASS, SIGMA, MEAN = 1.7, (0.5, 1.2), (-1.0, 1.2)
ENTROPY = 'internal = { kind = "entropy", kappa = 0.8 }'


def along(energy, n=200, more="", **changed):
    run = wgf.run(loads(PATH.format(n=n, energy=energy, more=more)), progress=False, **changed)
    return run, (run.t - run.t[0]) / (run.t[-1] - run.t[0])


@pytest.mark.parametrize("more", ["", ', mapping = ["s + 0.02*sin(6.283185307179586*s)"]', ', boundary = ["periodic"]'])
def test_entropy_between_gaussians(more):
    """∫ρ ln ρ = −M ln σ + const: its slack is κM (ln σ_s − (1 − s) ln σ_0 − s ln σ_1), never below 0 on any cells."""
    run, s = along(ENTROPY, more=more)
    slack, wanted = run.diagnostics["slack_internal"], (1 - s) * np.log(SIGMA[0]) + s * np.log(SIGMA[1])
    wanted = 0.8 * MASS * (np.log((1 - s) * SIGMA[0] + s * SIGMA[1]) - wanted)
    np.testing.assert_allclose(slack, wanted, atol=4e-3, rtol=0)
    assert wanted.max() > 0.09 and slack.min() >= -1e-13 and slack[0] == 0
    promise = next(p for p in promises_of(run) if p["name"] == "convexity")
    assert promise["kept"] and 0 < promise["bound"] < 1e-11


@pytest.mark.parametrize(
    ("energy", "part", "bound"),
    [
        ('potential = "1.5*x**2/2"', "potential", 1.5),
        ('interaction = "0.9*x**2/2"', "interaction", 0.9),
    ],
)
def test_quadratic_parts_lie_on_their_bound(energy, part, bound):
    """λ s(1 − s)S/2 is all that a paraboloid bends: what is left is the grid's, of order 2."""
    errors = []
    for n in (100, 200, 400):
        run, _ = along(f"{ENTROPY}, {energy}", n)
        assert run.attributes[f"lambda_{part}"] == pytest.approx(bound, rel=1e-7, abs=0)
        errors.append(np.max(np.abs(run.diagnostics[f"slack_{part}"])))
    order = -np.polyfit(np.log([100, 200, 400]), np.log(errors), 1)[0]
    assert errors[-1] < 4e-4 and order == pytest.approx(2, abs=0.15)


def test_what_is_not_convex_rises_above_its_chord():
    """W = −x² bends down by 2 S s(1 − s)/2; V with Hess V ≥ K < 0 by no more than −K s(1 − s)W₂²/2."""
    energy = f'{ENTROPY}, potential = "cos(1.5*x)", interaction = "-x**2"'
    run, s = along(energy, 400, output={"fields": ["chord"]})
    spread = MASS**2 * (SIGMA[1] - SIGMA[0]) ** 2
    square = MASS * ((MEAN[1] - MEAN[0]) ** 2 + (SIGMA[1] - SIGMA[0]) ** 2)
    np.testing.assert_allclose(run.diagnostics["slack_interaction"], -s * (1 - s) * spread, rtol=6e-3, atol=1e-12)
    assert run.attributes["lambda_interaction"] == pytest.approx(-2, rel=1e-6, abs=0)
    assert run.attributes["lambda_potential"] == pytest.approx(-2.25, rel=1e-6, abs=0)
    slack = run.diagnostics["slack_potential"]
    assert slack.min() < -0.1 and np.all(slack + 0.5 * s * (1 - s) * 2.25 * square >= -1e-3)
    chord = np.asarray(run.fields["chord"])
    np.testing.assert_allclose(chord[:, 0], s, atol=1e-15)
    np.testing.assert_allclose(chord[1:, 1:3], [[square, spread]] * (len(s) - 1), rtol=5e-3)
    np.testing.assert_array_equal(chord[:, 3], run.diagnostics["energy_internal"][0])
    np.testing.assert_allclose(chord[:, 8], run.diagnostics["energy_interaction"][-1], rtol=1e-12)


def test_fields_of_a_path_go_on_after_a_stop(tmp_path):
    whole, _ = along(ENTROPY)
    half = wgf.run(loads(PATH.format(n=200, energy=ENTROPY, more="")), tmp_path / "a", progress=False, wall_limit=1e-9)
    half = wgf.resume(half, progress=False)
    np.testing.assert_array_equal(half.diagnostics["slack_internal"], whole.diagnostics["slack_internal"])


# ---- laws that are not convex -----------------------------------------------------------------------------


class ThinTable(Table):
    kind: Literal["thin"]
    m: float = 0.3


class DentTable(Table):
    kind: Literal["dent"]


class Unchecked(laws.ArrayLaw):
    """A law that nothing refuses."""

    def check_dimension(self, p, dim):
        pass


THIN = Unchecked(
    "thin", ThinTable, lambda rho, m: rho**m / (m - 1), lambda rho, m: m / (m - 1) * rho ** (m - 1),
    lambda rho, m: m * rho ** (m - 2),
)  # fmt: skip
DENT = Unchecked("dent", DentTable, lambda rho: -(rho**2), lambda rho: -2 * rho, lambda rho: -2 + 0 * rho)


@pytest.fixture
def bad_laws():
    for law in (THIN, DENT):
        laws.register(law)
    yield
    for kind in ("thin", "dent"):
        laws.unregister(kind)


def test_a_concave_law_on_a_line(bad_laws):
    run, s = along('internal = { kind = "dent" }')
    wanted = [MASS**2 / (2 * np.sqrt(np.pi) * size) for size in ((1 - s) * SIGMA[0] + s * SIGMA[1], *SIGMA)]
    wanted = wanted[0] - (1 - s) * wanted[1] - s * wanted[2]
    np.testing.assert_allclose(run.diagnostics["slack_internal"], wanted, atol=5e-3)
    assert wanted.min() < -0.1
    assert "lambda_internal" not in run.attributes and not any(p["name"] == "convexity" for p in promises_of(run))


@pytest.mark.parametrize(("kind", "m", "sign"), [("thin", 0.3, -1), ("power", 0.6, 1)])
def test_a_power_below_1_minus_1_over_d(bad_laws, kind, m, sign):
    """∫ρ^m ∝ σ^{2(1−m)} between round Gaussians in 2D: −σ^{1.4} is concave, −σ^{0.8} convex."""
    flow = Flow(
        Grid([-7.0, -7.0], [7.0, 7.0], [96, 96]), Energy(Internal.of(laws.law_named(kind).table(kind=kind, m=m)))
    )
    sizes = np.array([0.5, 0.75, 1.0])
    a, middle, b = (flow.grid.sample(lambda x, y, s=s: gaussian(x, y, cov=s**2)) for s in sizes)
    chord = Ends.of(flow, a, b).chord(0.5, np.sqrt(2) * 0.5)
    state = State(flow, Snapshot(0.5, 1, {"rho": middle, CHORD: chord}))
    energy = -((2 * np.pi * sizes**2) ** (1 - m)) / m / (1 - m)
    wanted = 0.5 * (energy[0] + energy[2]) - energy[1]
    assert REGISTRY["slack_internal"].value(state) == pytest.approx(wanted, rel=1e-2, abs=0)
    assert sign * wanted > 0.03
    convex = "convex (ρP′ ≥ (1 − 1/d)P ≥ 0, P = ρU′ − U)"
    broken = "not convex (ρP′ ≥ (1 − 1/d)P ≥ 0 is broken at ρ = 1e-08, P = ρU′ − U)"
    assert sentence(flow) == f"internal {convex if sign > 0 else broken}"


@pytest.mark.parametrize(("m", "dim", "kept"), [(0.5, 2, True), (0.499, 2, False), (0.6, 2, True), (0.1, 1, True)])
def test_mccanns_condition_of_powers(m, dim, kept):
    """ρP' = mP ≥ (1 − 1/d)P: also where ρP' < P."""
    internal = Internal("power", m=m)
    assert (len(internal.law.not_convex(internal, dim)) == 0) == kept


# ---- λ of V and W -----------------------------------------------------------------------------------------


def bounds(energy, dim=1, periodic=False):
    grid = Grid([-2.0] * dim, [2.0] * dim, [32] * dim, periodic=[periodic] * dim)
    return displacement_convexity(Flow(grid, energy))


def test_order_is_kept_on_a_line_alone():
    """−|x| and −ln|x| are convex at r > 0; in the plane they have a concave kink at 0, or bend down across r."""
    for kernel in (lambda x: -np.abs(x), lambda x: -np.log(np.abs(x))):
        assert bounds(Energy(Internal("none"), interaction=kernel))["interaction"].bound >= 0
    for kernel in (lambda x, y: -np.hypot(x, y), lambda x, y: -np.log(np.hypot(x, y))):
        found = bounds(Energy(Internal("none"), interaction=kernel), 2)["interaction"]
        assert found.bound < -10 and "as low as" in found.reason
    kept = bounds(Energy(Internal("none"), interaction=lambda x, y: x**2 + 0.5 * x * y + 0.5 * y**2), 2)
    assert kept["interaction"].bound == pytest.approx(1.5 - np.sqrt(0.5), rel=1e-6, abs=0)
    assert "internal" not in kept


def test_nothing_bends_up_all_round_a_circle():
    """A cosine keeps its curvature; x²/2 has a kink half a period from 0 that W has on the line at no displacement."""
    wave = bounds(
        Energy(potential=lambda x: np.cos(np.pi * x), interaction=lambda x: -np.cos(np.pi * x)), periodic=True
    )
    assert wave["potential"].bound == pytest.approx(-(np.pi**2), rel=1e-6, abs=0)
    assert wave["interaction"].bound == pytest.approx(-(np.pi**2), rel=1e-6, abs=0)
    square = Energy(interaction=lambda x: x**2 / 2)
    assert bounds(square, periodic=True)["interaction"].bound < -10
    assert bounds(square)["interaction"].bound == pytest.approx(1, rel=1e-6, abs=0)


@pytest.mark.parametrize("radial", [2, 3])
def test_nothing_is_said_of_a_radius(radial):
    """Balls of the space, not intervals of r, are what mass moves in."""
    grid = Grid([0.0], [3.0], [20], radial=radial)
    assert displacement_convexity(Flow(grid, Energy(Internal("entropy", 1.0), lambda x: x**2 / 2))) == {}


def test_check_says_which_parts_are_convex(capsys):
    assert main(["check", "desai_zwanzig_1d"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("convexity"))
    assert "internal convex (ρP′ ≥ 0, P = ρU′ − U)" in line and "potential not convex (Hess V as low as -1)" in line
    assert "interaction convex, λ = 1 at fixed mean (W″ ≥ 1 at r > 0)" in line
    assert main(["check", "ornstein_uhlenbeck_multiplicative_1d"]) == 0
    assert "convexity" not in capsys.readouterr().out  # a metric of its own
