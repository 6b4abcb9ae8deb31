"""The diffusion D: its values on faces, what it does to rates, the conventions of the noise, and what is refused."""

import numpy as np
import pytest

from wgfpde.energy.dynamics import Dynamics
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.fluxes import dissipation, max_flux
from wgfpde.energy.rates import Rates, faces_of, sg_network
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.linear.lines import lines_of
from wgfpde.studies.spectrum.generator import Generator

PLANE = Grid([0.0, -1.0], [2.0, 2.0], [11, 10], [False, True], [lambda s: s**1.5, None])
LINE = Grid([0.0], [2.0], [12], mapping=[lambda s: s**1.5])


def rough(x, y=0.0):
    return 1.5 + np.sin(2 * x) * np.cos(2 * np.pi * y / 3)


def along_y(x, y):
    return 2.0 + np.sin(2 * np.pi * y / 3) + 0 * x


def test_values_on_faces_walls_included():
    along_x, across = Dynamics((rough, along_y)).on_faces(PLANE)
    np.testing.assert_allclose(along_x, rough(PLANE.x.edges[None, :], PLANE.y.centers[:, None]), rtol=1e-14)
    np.testing.assert_allclose(across, along_y(PLANE.x.centers[None, :], PLANE.y.edges[:, None]), rtol=1e-14)
    assert along_x.shape == (10, 12) and across.shape == (11, 11)
    (line,) = Dynamics(rough).on_faces(LINE)
    np.testing.assert_allclose(line, rough(LINE.x.edges), rtol=1e-14)


def test_harmonic_means_are_weighted_by_the_widths():
    """The flux through two half cells in series, as of D that jumps at the face."""
    (found,) = Dynamics(lambda x: np.where(x < 0.5, 1.0, 10.0), faces="harmonic").on_faces(LINE)
    d, h = np.where(LINE.x.centers < 0.5, 1.0, 10.0), LINE.x.widths
    series = (h[1:] + h[:-1]) / (h[1:] / d[1:] + h[:-1] / d[:-1])
    np.testing.assert_allclose(found, [d[0], *series, d[-1]], rtol=1e-14)
    ring = Grid([0.0], [1.0], [4], "periodic")
    (closed,) = Dynamics(lambda x: np.where(x < 0.25, 1.0, 3.0), faces="harmonic").on_faces(ring)
    np.testing.assert_allclose(closed, [1.5, 1.5, 3.0, 3.0, 1.5], rtol=1e-14)


@pytest.mark.parametrize("functions", [(rough,), (along_y, along_y), (rough, along_y)])
def test_rates_fluxes_and_dissipation_have_the_factor(functions):
    """Face by face: D times what they are without it, whether lines share their D or not."""
    energy = Energy(Internal("entropy", 0.7), lambda x, y: np.cos(x) + y * (1 - y / 3) * 0)
    plain, flow = Flow(PLANE, energy), Flow(PLANE, energy, dynamics=Dynamics(functions))
    assert flow.mobility is not None
    factor = np.concatenate([flow.mobility[0][:, 1:-1].ravel(), flow.mobility[1][1:].ravel()])
    for found, without in zip(sg_network(flow, plain.potential), sg_network(plain, plain.potential), strict=True):
        np.testing.assert_allclose(found, factor * without, rtol=1e-13)
    np.testing.assert_allclose(faces_of(flow).conductance, factor * faces_of(plain).conductance, rtol=1e-13)
    rng = np.random.default_rng(1)
    rho, phi = rng.exponential(size=PLANE.shape), rng.normal(size=PLANE.shape)
    drift = [Rates(PLANE, lines_of(PLANE, f.mobility)) for f in (flow, plain)]
    for rates in drift:
        for lines in rates.axes:
            rates.donors(phi, rho, lines)
    for found, without in zip(drift[0].network(), drift[1].network(), strict=True):
        np.testing.assert_allclose(found, factor * without, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("law", ["entropy", "power", "none"])
@pytest.mark.parametrize("functions", [(rough,), (along_y,)])
def test_dissipation_is_the_sum_over_faces(law, functions):
    """Σ area D M (Δξ)²/d, from what each axis has without D, in a state that varies along that axis alone."""
    internal = Internal(law, 0.7, 2.0) if law == "power" else Internal(law, 0.7)
    energy, rng = Energy(internal, lambda x, y: x + 0 * y), np.random.default_rng(2)
    flow = Flow(PLANE, energy, dynamics=Dynamics(functions))
    rho = 1 + 0.1 * rng.random(PLANE.shape)
    total = largest = 0.0
    for k in range(2):  # one axis after the other has D, the other next to none
        alone = Dynamics((functions[0], 1e-300) if k == 0 else (1e-300, functions[0]))
        total += dissipation(Flow(PLANE, energy, dynamics=alone), rho)
        largest = max(largest, max_flux(Flow(PLANE, energy, dynamics=alone), rho))
    assert dissipation(flow, rho) == pytest.approx(total, rel=1e-12, abs=0)
    assert max_flux(flow, rho) == pytest.approx(largest, rel=1e-12, abs=0)
    twice = Flow(PLANE, energy, dynamics=Dynamics(lambda x, y: 2 * functions[0](x, y)))
    assert dissipation(twice, rho) == pytest.approx(2 * total, rel=1e-12, abs=0)
    constant = Flow(PLANE, energy, dynamics=Dynamics(3.0))
    assert dissipation(constant, rho) == pytest.approx(3 * dissipation(Flow(PLANE, energy), rho), rel=1e-12, abs=0)


@pytest.mark.parametrize(("convention", "power"), [("kinetic", 0.0), ("stratonovich", 0.5), ("ito", 1.0)])
def test_the_steady_state_of_each_convention(convention, power):
    """e^{−V/κ} D^{−(1−α)}."""
    energy = Energy(Internal("entropy", 0.5), lambda x: x**2)
    flow = Flow(LINE, energy, dynamics=Dynamics(lambda x: 1 + x, convention))
    wanted = np.exp(-(LINE.x.centers**2) / 0.5) * (1 + LINE.x.centers) ** -power
    np.testing.assert_allclose(flow.gibbs(), wanted / flow.mass(wanted), rtol=1e-12)
    assert (flow.energy is energy) == (convention == "kinetic")


def test_the_generator_of_ito_noise_has_the_drift_of_its_formula():
    """L f = −D V' f' + κ D f'' at second order, on f = x: −D V', whatever D is."""
    errors = []
    for n in (40, 80):
        grid = Grid([0.0], [1.0], [n])
        flow = Flow(
            grid, Energy(Internal("entropy", 0.5), lambda x: x**3), dynamics=Dynamics(lambda x: np.exp(x), "ito")
        )
        x = grid.x.centers
        found = -Generator(flow).backward(x)
        errors.append(np.max(np.abs(found + np.exp(x) * 3 * x**2)[1:-1]))
    assert errors[1] < 0.28 * errors[0] < 0.28 * 1e-2


def test_each_axis_its_own_diffusion_and_a_common_potential():
    """ln D_x − ln D_y = f(x) + g(y): the drift along each axis is that of its own D."""
    grid = Grid([0.0, 0.0], [1.0, 2.0], [8, 9])
    parts = (lambda x, y: (1 + x) * (2 + x * y), lambda x, y: (1 + y**2) * (2 + x * y))
    flow = Flow(grid, Energy(Internal("entropy", 0.5)), dynamics=Dynamics(parts, "ito"))
    potential = flow.energy.potential
    assert potential is not None and flow.potential is not None
    x, y, eps = 0.4, 1.3, 1e-6
    for k, step in enumerate(((eps, 0.0), (0.0, eps))):
        ends = [potential(x=np.array(x + s * step[0]), y=np.array(y + s * step[1])) for s in (-1, 1)]
        logs = [np.log(parts[k](x + s * step[0], y + s * step[1])) for s in (-1, 1)]
        assert ends[1] - ends[0] == pytest.approx(0.5 * (logs[1] - logs[0]), rel=1e-6, abs=0)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Dynamics(1.0, "Ito"), "dynamics.convention must be one of kinetic, stratonovich, ito; found 'Ito'"),
        (lambda: Dynamics(1.0, faces="mean"), "dynamics.faces must be one of value, harmonic; found 'mean'"),
        (lambda: Flow(LINE, Energy(), dynamics=Dynamics(lambda x: x - 1)), "found -0.975944 at x = 0.0240563"),
        (lambda: Flow(LINE, Energy(), dynamics=Dynamics(lambda x: 1 / (x - 3) ** 0.5)), "must be finite and > 0"),
        (lambda: Flow(LINE, Energy(), dynamics=Dynamics(lambda x: x - 1e-3)), "found -0.001 at a wall across x"),
        (
            lambda: Flow(Grid([-1.0], [1.0], [4]), Energy(), dynamics=Dynamics(lambda x: x**2)),
            "found 0 at a face across x",
        ),
        (
            lambda: Flow(Grid([0.0], [1.0], [4], "periodic"), Energy(), dynamics=Dynamics(lambda x: 1 + x)),
            "axis x is periodic but the diffusion is not: it jumps by 1",
        ),
        (lambda: Flow(LINE, Energy(), dynamics=Dynamics((1.0, 2.0))), "one entry for all axes or one per axis: 1"),
        (
            lambda: Flow(LINE, Energy(Internal("power", 1.0, 2.0)), dynamics=Dynamics(lambda x: 1 + x, "ito")),
            'only the entropy has; found internal energy "power"',
        ),
        (
            lambda: Flow(
                Grid([0.0, 0.0], [1.0, 1.0], [4, 4]),
                Energy(),
                dynamics=Dynamics((lambda x, y: 1 + x * y, lambda x, y: 1.0 + 0 * x * y), "stratonovich"),
            ),
            "no sum f\\(x\\) \\+ g\\(y\\)",
        ),
    ],
)
def test_what_is_refused(make, sentence):
    with pytest.raises(CaseError, match=sentence):
        make()


def test_what_check_says():
    entropy, power = Internal("entropy", 0.5), Internal("power", 1.0, 2.0)
    said = Dynamics(lambda x: 1 + x, "ito", texts=("1 + x",)).sentence(entropy)
    assert "D = 1 + x, a factor of the flux" in said and "unit of time" in said and "sense of Itô" in said
    assert "V + κ ln D" in said
    assert "dX" not in Dynamics(2.0).sentence(power)
    two = Dynamics((1.0, 2.0), texts=("1", "2")).sentence(entropy)
    assert "D_x = 1, D_y = 2" in two and "potential V" in two and "ln D" not in two


SPIKED = {
    "a line": Grid([0.0], [1.0], [8]), "stretched": Grid([0.0], [1.0], [8], mapping=[lambda s: s**1.5]),
    "a circle": Grid([0.0], [1.0], [8], ["periodic"]), "a plane": Grid([0.0, 0.0], [1.0, 1.0], [8, 6]),
}  # fmt: skip


@pytest.mark.parametrize("name", SPIKED)
@pytest.mark.parametrize("faces", ["value", "harmonic"])
def test_what_is_too_large_at_one_centre_is_refused(name, faces):
    """Faces do not see it, and a harmonic mean hides it."""
    grid = SPIKED[name]
    at = float(grid.x.centers[3])
    with pytest.raises(CaseError, match=r"at most 1e\+100; found 2e\+100|at most 1e\+100.* 2e\+100"):
        Dynamics(lambda x, y=0.0: np.where(np.abs(x - at) < 1e-3, 2e100, 1.0) + 0 * y, faces=faces).on_faces(grid)
    Dynamics(lambda x, y=0.0: np.where(np.abs(x - at) < 1e-3, 1e100, 1.0) + 0 * y, faces=faces).on_faces(grid)
