"""The steady state under a force in the plane: density, current, velocity, diffusivity, entropy production."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure

import wgfpde as wgf
from wgfpde import cli
from wgfpde.cases.building import build
from wgfpde.cases.loading import loads, override
from wgfpde.energy import fluxes
from wgfpde.energy.currents import cell_currents, unrest
from wgfpde.energy.dynamics import Dynamics
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.rates import faces_of, sg_network
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.output.plots import maps
from wgfpde.store import read_study
from wgfpde.studies.stationary import branches, corrected, stationary

WALLS = ["periodic", "no-flux"]
EGG_BOX = """
schema = 1
grid = { shape = [16, 12], lower = [0.0, 0.0], upper = [1.0, 1.5], boundary = ["periodic", "periodic"] }
energy = { potential = "cos(2*pi*x) + 0.4*cos(2*pi*(x - y/1.5))", tilt = [3.0, 1.0], internal = { kind = "entropy", kappa = 0.3 } }
initial = { density = "1", mass = 1.0 }
solver = { method = "fv", dt = 0.02 }
time = { end = 4.0 }
output = { every = 4.0 }
"""  # noqa: E501


def bend(s):
    return s + 0.4 / (2 * np.pi) * np.sin(2 * np.pi * s)


def cosine(x):
    return np.cos(2 * np.pi * x)


def well(y):
    return 0.3 * np.sin(np.pi * y / 1.5) ** 2


def egg_box(x, y):
    return cosine(x) + 0.4 * cosine(x - y / 1.5) + 0.2 * np.sin(2 * np.pi * y / 1.5)


def uneven(x, y):
    return 1 + 0.5 * cosine(x) * cosine(y / 1.5)


def plane(shape, tilt, kappa=0.3, potential=egg_box, boundary="periodic", mapping=None, dynamics=None, **more):
    grid = Grid([0, 0], [1, 1.5], shape, boundary, mapping=[mapping, mapping])
    return Flow(grid, Energy(Internal(kappa=kappa), potential=potential, tilt=tilt, **more), dynamics=dynamics)


@pytest.mark.parametrize("boundary", ["periodic", WALLS], ids=["ring", "walls"])
@pytest.mark.parametrize(("kappa", "force"), [(0.1, 5.0), (0.05, -4.0), (0.02, 1.0), (0.01, 0.5)])
def test_a_ratchet_beside_a_well_is_that_on_its_ring(kappa, force, boundary):
    """Velocities from 0.5 down to 4e-76, right relative to themselves."""
    ring = Flow(Grid([0], [1], [24], "periodic", mapping=[bend]), Energy(Internal(kappa=kappa), cosine, tilt=(force,)))
    one = stationary(ring, 2.0)
    flow = plane([24, 10], (force, 0.0), kappa, lambda x, y: cosine(x) + well(y), boundary, bend)
    two = stationary(flow, 2.0)
    assert two.transport.current[0] == pytest.approx(one.transport.current, rel=1e-12, abs=0)
    assert two.transport.velocity[0] == pytest.approx(one.transport.velocity, rel=1e-12, abs=0)
    assert two.transport.diffusivity[0, 0] == pytest.approx(one.transport.diffusivity, rel=1e-12, abs=0)
    assert two.transport.entropy_production == pytest.approx(one.transport.entropy_production, rel=1e-12, abs=0)
    weights = flow.grid.y.widths * np.exp(-well(flow.grid.y.centers) / kappa)
    expected = np.exp(-well(flow.grid.y.centers) / kappa)[:, None] / np.sum(weights) * one.rho
    assert two.rho == pytest.approx(expected, rel=1e-12, abs=0)
    assert abs(two.transport.velocity[1]) <= 1e-15 * kappa
    if boundary == WALLS:
        assert two.transport.velocity[1] == two.transport.diffusivity[0, 1] == two.transport.diffusivity[1, 1] == 0.0
    else:  # along y it spreads as without a force
        rest = Flow(Grid([0], [1.5], [10], "periodic", mapping=[bend]), Energy(Internal(kappa=kappa),
                    potential=lambda x: well(x), tilt=(1e-300,)))  # fmt: skip
        spread = stationary(rest, 2.0).transport.diffusivity
        assert two.transport.diffusivity[1, 1] == pytest.approx(spread, rel=1e-12, abs=0)
        assert abs(two.transport.diffusivity[0, 1]) <= 1e-13 * kappa


def test_along_y_as_along_x():
    """The same plane, seen with its axes exchanged."""
    one = stationary(plane([14, 9], (3.0, -1.0), mapping=bend), 1.0)
    grid = Grid([0, 0], [1.5, 1], [9, 14], "periodic", mapping=[bend, bend])
    energy = Energy(Internal(kappa=0.3), potential=lambda x, y: egg_box(y, x), tilt=(-1.0, 3.0))
    two = stationary(Flow(grid, energy), 1.0)
    assert two.rho == pytest.approx(one.rho.T, rel=1e-12, abs=0)
    assert two.transport.velocity == pytest.approx(one.transport.velocity[::-1], rel=1e-12, abs=0)
    assert two.transport.current == pytest.approx(one.transport.current[::-1], rel=1e-12, abs=0)
    assert two.transport.diffusivity == pytest.approx(one.transport.diffusivity[::-1, ::-1], rel=1e-12, abs=0)


def test_a_force_the_other_way_is_seen_in_a_mirror():
    one = stationary(plane([14, 9], (3.0, -1.0), mapping=bend), 1.0)
    two = stationary(plane([14, 9], (-3.0, 1.0), potential=lambda x, y: egg_box(1 - x, 1.5 - y), mapping=bend), 1.0)
    assert two.rho == pytest.approx(one.rho[::-1, ::-1], rel=1e-12, abs=0)
    assert two.transport.velocity == pytest.approx(-one.transport.velocity, rel=1e-12, abs=0)
    assert two.transport.diffusivity == pytest.approx(one.transport.diffusivity, rel=1e-12, abs=0)
    assert two.transport.entropy_production == pytest.approx(one.transport.entropy_production, rel=1e-12, abs=0)


@pytest.mark.parametrize("boundary", ["periodic", WALLS], ids=["ring", "walls"])
@pytest.mark.parametrize(
    "dynamics", [None, Dynamics((lambda x, y: 1 + 0.5 * cosine(x) * cosine(y / 1.5),))], ids=["", "D"]
)
def test_nothing_piles_up(boundary, dynamics):
    flow = plane([24, 16], (3.0, 0.0), boundary=boundary, mapping=bend, dynamics=dynamics)
    state = stationary(flow, 2.0)
    assert flow.mass(state.rho) == pytest.approx(2.0, rel=1e-14, abs=0)
    assert state.residual <= 1e-14
    assert unrest(flow, state.rho) <= 1e-12 * np.max(np.hypot(*cell_currents(flow, state.rho)))
    assert fluxes.dissipation(flow, state.rho) / 0.3 == pytest.approx(
        np.sum(force_of_faces(flow, state.rho)), rel=1e-11, abs=0
    )
    assert state.transport.entropy_production == pytest.approx(
        np.sum(force_of_faces(flow, state.rho)), rel=1e-11, abs=0
    )
    assert state.transport.current == pytest.approx(2.0 * state.transport.velocity / [1.0, 1.5], rel=1e-14, abs=0)


def force_of_faces(flow, rho):
    """F ln(a ρ_i/b ρ_j) of each face."""
    faces, (a, b) = faces_of(flow), sg_network(flow, flow.potential)
    forth, back = a * rho.ravel()[faces.lower], b * rho.ravel()[faces.upper]
    return (forth - back) * np.log(forth / back)


def generator(flow, q):
    """Rates times e^{±q·d}, dense: its largest eigenvalue is λ(q)."""
    faces, (a, b), volume = faces_of(flow), sg_network(flow, flow.potential), np.ravel(flow.grid.cell_volume)
    i, j, (nx, ny) = faces.lower, faces.upper, (axis.size for axis in flow.grid.axes)
    along_x = np.arange(len(i)) < nx * ny  # both axes are rings
    step = np.where(along_x, q[0] * flow.grid.x.distances[i % nx], q[1] * flow.grid.y.distances[i // nx])
    matrix = np.zeros((nx * ny, nx * ny))
    np.add.at(matrix, (i, i), -a / volume[i])
    np.add.at(matrix, (j, j), -b / volume[j])
    np.add.at(matrix, (j, i), a / volume[i] * np.exp(step))
    np.add.at(matrix, (i, j), b / volume[j] * np.exp(-step))
    return matrix


def test_numbers_are_those_of_the_tilted_generator():
    """v = ∇λ(0) and D_eff = ½ ∇∇λ(0), by differences of dense eigenvalues; ρ its null vector."""
    flow = plane([7, 6], (2.0, -1.0), 0.4, mapping=bend, dynamics=Dynamics((lambda x, y: 1 + 0.5 * cosine(x),)))
    state = stationary(flow, 1.0)
    q = 2e-3
    top = {
        (m, n): float(np.max(np.linalg.eigvals(generator(flow, (m * q, n * q))).real))
        for m in (-1, 0, 1) for n in (-1, 0, 1)
    }  # fmt: skip
    v = np.array([top[1, 0] - top[-1, 0], top[0, 1] - top[0, -1]]) / (2 * q)
    mixed = (top[1, 1] + top[-1, -1] - top[1, -1] - top[-1, 1]) / (8 * q * q)
    d = [[(top[1, 0] + top[-1, 0]) / (2 * q * q), mixed], [mixed, (top[0, 1] + top[0, -1]) / (2 * q * q)]]
    assert state.transport.velocity == pytest.approx(v, rel=1e-4, abs=0)
    assert state.transport.diffusivity == pytest.approx(np.array(d), rel=2e-4, abs=0)
    assert abs(state.transport.diffusivity[0, 1]) > 1e-3
    vector = np.linalg.svd(generator(flow, (0, 0)))[2][-1]  # masses of cells
    mass = state.rho.ravel() * np.ravel(flow.grid.cell_volume)
    assert mass / mass.sum() == pytest.approx(vector / vector.sum(), rel=1e-10, abs=0)


def test_order_two():
    found = []
    for n in (16, 32, 64):
        carried = stationary(plane([n, n], (3.0, 1.0), boundary="periodic"), 1.0).transport
        found.append([*carried.velocity, *carried.diffusivity.ravel(), carried.entropy_production])
    steps = np.abs(np.diff(found, axis=0))
    assert np.log2(steps[0] / steps[1]) == pytest.approx(np.full(7, 2.0), abs=0.1)


def test_without_potential_all_is_drift():
    carried, rho = (lambda s: (s.transport, s.rho))(stationary(plane([16, 12], (3.0, -1.0), potential=None), 1.5))
    assert rho == pytest.approx(np.full((12, 16), 1.0), rel=1e-13, abs=0)
    assert carried.velocity == pytest.approx([3.0, -1.0], rel=1e-13, abs=0)
    s = np.array([3.0 / 16, 1.5 / 12]) / 0.3
    expected = 0.3 * (s / 2) / np.tanh(s / 2)  # the scheme's own diffusion at a cell Péclet number
    assert carried.diffusivity == pytest.approx(np.diag(expected), rel=1e-12, abs=1e-15)
    assert carried.entropy_production == pytest.approx(1.5 * 10.0 / 0.3, rel=1e-13, abs=0)


def test_the_march_tends_to_it():
    """What directional sweeps leave as their own state is off by O(dt²)."""
    case = loads(EGG_BOX)
    (state,) = wgf.stationary(case, progress=False)
    errors = []
    for dt in (0.02, 0.01):
        run = wgf.run(override(case, [f"solver.dt={dt}"]), progress=False)
        errors.append(np.max(np.abs(run.rho[-1] / state.rho - 1)))
    assert errors[1] <= 1e-2
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.05)
    assert run.diagnostics["entropy_production"][-1] == pytest.approx(
        state.transport.entropy_production, rel=1e-2, abs=0
    )
    power = np.dot([3.0, 1.0], state.transport.velocity)
    assert state.transport.entropy_production == pytest.approx(power / 0.3, rel=1e-13, abs=0)


def test_two_cells_to_an_axis():
    """Both faces of an axis join the same two cells."""
    flow = plane([2, 3], (2.0, 1.0), potential=lambda x, y: np.sin(2 * np.pi * x) + well(y))
    line = Flow(
        Grid([0], [1], [2], "periodic"), Energy(Internal(kappa=0.3), lambda x: np.sin(2 * np.pi * x), tilt=(2.0,))
    )
    found, one = stationary(flow, 1.0).transport, stationary(line, 1.0).transport
    assert found.velocity[0] == pytest.approx(one.velocity, rel=1e-12, abs=0)
    assert found.diffusivity[0, 0] == pytest.approx(one.diffusivity, rel=1e-12, abs=0)


def test_where_it_is_not_known():
    with pytest.raises(CaseError, match="found without interaction; march to it"):
        branches(plane([8, 8], (1.0, 0.0), interaction=lambda x, y: cosine(x)), 1.0)
    with pytest.raises(CaseError, match="positive mass"):
        stationary(plane([8, 8], (1.0, 0.0)), 0.0)
    with pytest.raises(CaseError, match="under a force"):
        corrected(plane([8, 8], (1.0, 0.0)), 1.0, np.ones((8, 8)))


def test_rates_that_leave_double_precision():
    with pytest.raises(SolverError, match="leaves double precision"):
        stationary(plane([8, 8], (0.5, 0.0), 1e-4), 1.0)


def test_more_cells_than_the_memory_holds(monkeypatch):
    from wgfpde.studies.stationary.forced import plane_state

    monkeypatch.setattr(plane_state, "memory_lacking", lambda size: f"{size} bytes")
    with pytest.raises(CaseError, match=r"the elimination of 64 cells needs .* use fewer"):
        stationary(plane([8, 8], (1.0, 0.0)), 1.0)


def test_the_verb(tmp_path, capsys):
    case, file = tmp_path / "egg_box.toml", tmp_path / "s.h5"
    case.write_text(EGG_BOX)
    assert cli.main(["stationary", str(case), "--out", str(file), "--json"]) == 0
    (state,) = json.loads(capsys.readouterr().out)["states"]
    (known,) = wgf.stationary(case, progress=False)
    study = read_study(file)
    for name, value in vars(known.transport).items():
        assert np.array(state[name]) == pytest.approx(value, rel=1e-12, abs=0)
        assert study[name][0] == pytest.approx(value, rel=1e-12, abs=0)
    flow = build(loads(EGG_BOX)).flow
    for name, current in zip("xy", cell_currents(flow, known.rho), strict=True):
        assert study[f"current_{name}"][0] == pytest.approx(current, rel=1e-10, abs=1e-14)
    assert list(study["axis"]) == ["x", "y"]
    assert (tmp_path / "s.png").stat().st_size > 10_000
    assert cli.main(["stationary", str(case), "--out", str(file), "--no-plot"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith("  diffusivity"))
    printed = np.array([line.split()[-2:] for line in lines[at : at + 2]], dtype=float)
    assert printed == pytest.approx(known.transport.diffusivity, rel=1e-11, abs=0)
    assert any("3 along x, 1.5 along y drives it" in line for line in lines)


def test_arrows_of_a_current():
    """They point along it, the longest where it is largest, at most ARROWS to a side, none where it is faint."""
    figure = Figure()
    axes, (x, y) = figure.subplots(), (np.arange(50.0), np.arange(30.0))
    u, v = np.full((30, 50), 3.0), np.full((30, 50), -4.0)
    u[:, 25:] *= 0.25
    v[:, 25:] *= 0.25
    u[0:12, :10] = v[0:12, :10] = 1e-5
    maps.draw_arrows(axes, x, y, u, v, "black")
    (arrows,) = axes.collections
    assert len(set(arrows.X)) <= maps.ARROWS
    faint = (arrows.X < 10) & (arrows.Y < 12)
    assert np.array_equal(arrows.Umask, faint)  # without an arrow
    left, right = ~faint & (arrows.X < 25), arrows.X >= 25
    assert arrows.U[left] == pytest.approx(0.6, rel=1e-12, abs=0)
    assert arrows.V[left] == pytest.approx(-0.8, rel=1e-12, abs=0)
    assert arrows.U[right] == pytest.approx(0.3, rel=1e-12, abs=0)
