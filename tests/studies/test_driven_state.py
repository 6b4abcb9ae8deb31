"""The steady state under a force: current, velocity, diffusivity, entropy production."""

import json

import numpy as np
import pytest
from scipy.special import i0

import wgfpde as wgf
from wgfpde import cli
from wgfpde.energy import fluxes
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.rates import sg_network
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.store import read_study
from wgfpde.studies.stationary import branches, corrected, stationary

NUMBERS = {  # (κ, f) : v, D_eff by quadrature; V = cos 2πx
    (0.1, 5.0): (0.5403473092228364, 0.21287628351503904),
    (0.5, 3.0): (1.0165477945480494, 0.39900483312224616),
    (0.05, 4.0): (0.0010253573284104243, 5.123939386593747e-4),
}


def bend(s):
    return s + 0.4 / (2 * np.pi) * np.sin(2 * np.pi * s)


def cosine(x):
    return np.cos(2 * np.pi * x)


def washboard(n, kappa=0.1, tilt=5.0, mapping=None, **more):
    grid = Grid([0], [1], [n], "periodic", mapping=[mapping])
    return Flow(grid, Energy(Internal(kappa=kappa), **({"potential": cosine, "tilt": (tilt,)} | more)))


@pytest.mark.parametrize(("kappa", "force"), NUMBERS)
@pytest.mark.parametrize("mapping", [None, bend], ids=["equal", "stretched"])
def test_velocity_and_diffusivity(kappa, force, mapping):
    found = np.array([
        [one.velocity, one.diffusivity]
        for one in (stationary(washboard(n, kappa, force, mapping), 1.0).transport for n in (128, 256))
    ])  # fmt: skip
    errors = np.abs(found / NUMBERS[kappa, force] - 1)
    assert np.all(errors[1] <= (3e-4 if mapping is None else 2e-3) * (1 if kappa > 0.05 else 4))
    assert np.log2(errors[0] / errors[1]) == pytest.approx([2.0, 2.0], abs=0.05)


@pytest.mark.parametrize(("kappa", "force", "bound"), [(0.1, 5.0, 1e-12), (0.5, 3.0, 1e-12), (0.05, 4.0, 1e-9)])
def test_the_flux_is_constant(kappa, force, bound):
    flow = washboard(256, kappa, force, bend)
    state = stationary(flow, 2.0)
    a, b = sg_network(flow, flow.potential)
    flux = a * state.rho - b * np.roll(state.rho, -1)
    assert np.max(np.abs(flux / state.transport.current - 1)) <= bound
    assert flow.mass(state.rho) == pytest.approx(2.0, rel=1e-14, abs=0)
    assert state.residual <= 1e-14
    assert state.transport.current == pytest.approx(2.0 * state.transport.velocity, rel=1e-14, abs=0)


def test_entropy_production_is_the_power_of_the_force():
    flow = washboard(64)
    state = stationary(flow, 1.0)
    a, b = sg_network(flow, flow.potential)
    forth, back = a * state.rho, b * np.roll(state.rho, -1)
    direct = float(np.sum((forth - back) * np.log(forth / back)))
    assert state.transport.entropy_production == pytest.approx(direct, rel=1e-12, abs=0)
    assert state.transport.entropy_production == pytest.approx(5.0 * state.transport.current / 0.1, rel=1e-13, abs=0)
    assert fluxes.dissipation(flow, state.rho) / 0.1 == pytest.approx(direct, rel=1e-12, abs=0)


def test_diffusivity_is_that_of_the_tilted_generator():
    """D_eff = ½ λ''(0), λ(q) the largest eigenvalue of rates times e^{±q d}: by differences of dense eigenvalues."""
    flow = washboard(24, 0.4, 2.0, bend)
    a, b = sg_network(flow, flow.potential)
    h, d, n = flow.grid.x.widths, flow.grid.x.distances, 24

    def top(q):
        matrix = np.zeros((n, n))
        for i in range(n):
            j = (i + 1) % n
            matrix[i, i] -= a[i] / h[i]
            matrix[j, j] -= b[i] / h[j]
            matrix[j, i] += a[i] / h[i] * np.exp(q * d[i])
            matrix[i, j] += b[i] / h[j] * np.exp(-q * d[i])
        return float(np.max(np.linalg.eigvals(matrix).real))

    q = 2e-3
    carried = stationary(flow, 1.0).transport
    assert (top(q) - top(-q)) / (2 * q) == pytest.approx(carried.velocity, rel=1e-4, abs=0)
    assert (top(q) + top(-q)) / (2 * q * q) == pytest.approx(carried.diffusivity, rel=1e-4, abs=0)


@pytest.mark.parametrize("force", [5.0, 0.5])
def test_a_force_the_other_way_is_seen_in_a_mirror(force):
    one, two = (stationary(washboard(48, mapping=bend, tilt=f), 1.0) for f in (force, -force))
    assert two.transport.velocity == pytest.approx(-one.transport.velocity, rel=1e-12, abs=0)
    assert two.transport.diffusivity == pytest.approx(one.transport.diffusivity, rel=1e-12, abs=0)
    assert two.transport.entropy_production == pytest.approx(one.transport.entropy_production, rel=1e-12, abs=0)
    assert two.rho == pytest.approx(one.rho[::-1], rel=1e-11, abs=0)


def test_a_force_that_is_a_gradient_leaves_equilibrium():
    """force = sin 2πx is −∂ of cos 2πx/2π: the Gibbs state, and the diffusivity of Lifson and Jackson."""
    flow = washboard(256, 0.5, 0.0, potential=None, force=lambda x: 2 * np.pi * np.sin(2 * np.pi * x))
    state = stationary(flow, 1.0)
    assert abs(state.transport.velocity) <= 1e-12
    assert state.transport.diffusivity == pytest.approx(0.5 / i0(2.0) ** 2, rel=1e-3, abs=0)
    gibbs = np.exp(-cosine(flow.grid.x.centers) / 0.5)
    assert state.rho == pytest.approx(gibbs / np.mean(gibbs), rel=1e-5, abs=0)


@pytest.mark.parametrize("force", [0.0, 1e-320, 1e-300, 1e-17, 1e-9])
def test_a_force_that_tends_to_nothing(force):
    """v/f tends to D_eff/κ (Einstein), and D_eff to that without a force."""
    flow = washboard(64, 0.5, 0.0, bend, potential=None, force=lambda x: 2 * np.pi * np.sin(2 * np.pi * x) + force)
    rest = stationary(flow, 1.0).transport
    assert rest.diffusivity == pytest.approx(0.5 / i0(2.0) ** 2, rel=5e-3, abs=0)
    carried = stationary(washboard(64, 0.5, force, bend), 1.0).transport if force else rest
    assert carried.diffusivity == pytest.approx(stationary(washboard(64, 0.5, 1e-9, bend), 1.0).transport.diffusivity,
                                                rel=1e-4, abs=0)  # fmt: skip
    if force > 1e-305:
        assert carried.velocity / force == pytest.approx(carried.diffusivity / 0.5, rel=1e-8, abs=0)


def test_without_potential_all_is_drift():
    carried = stationary(washboard(16, 0.3, 2.0, bend, potential=None), 1.0).transport
    assert carried.velocity == pytest.approx(2.0, rel=1e-12, abs=0)
    grid = washboard(16).grid
    s = 2.0 * grid.x.widths[0] / 0.3
    expected = 0.3 * (s / 2) / np.tanh(s / 2)  # the scheme's own diffusion at a cell Péclet number
    uniform = stationary(washboard(16, 0.3, 2.0, potential=None), 1.0).transport
    assert uniform.diffusivity == pytest.approx(expected, rel=1e-12, abs=0)


def test_barriers_of_hundreds_of_kT():
    """Rates of 1e-170, accurate relative to themselves: v e^{barrier/κ} tends to a constant (Kramers)."""
    found = [stationary(washboard(400, kappa, 0.5), 1.0).transport.velocity for kappa in (0.01, 0.005)]
    barrier = {}
    for kappa in (0.01, 0.005):
        theta = np.arcsin(0.5 / (2 * np.pi))
        barrier[kappa] = 2 * np.cos(theta) - 0.5 * (np.pi - 2 * theta) / (2 * np.pi)
    logs = np.log(found) + np.array([barrier[0.01] / 0.01, barrier[0.005] / 0.005])
    assert np.exp(logs) == pytest.approx([2 * np.pi * np.cos(theta)] * 2, rel=0.1, abs=0)
    assert found[1] < 1e-140


def test_rates_that_leave_double_precision():
    with pytest.raises(SolverError, match="leaves double precision"):
        stationary(washboard(8, 1e-4, 0.5), 1.0)


def test_where_it_is_not_known():
    with pytest.raises(CaseError, match="found without interaction; march to it"):
        branches(washboard(16, interaction=lambda x: np.cos(2 * np.pi * x)), 1.0)
    with pytest.raises(CaseError, match="positive mass"):
        stationary(washboard(16), 0.0)


def test_the_march_tends_to_it():
    run = wgf.run("ratchet_1d", grid={"shape": [32]}, solver={"stationary": 1e-9, "dt": 0.1}, time={"end": 50.0},
                  output={"every": 50.0}, progress=False)  # fmt: skip
    (state,) = wgf.stationary("ratchet_1d", grid={"shape": [32]}, progress=False)
    assert run.attributes["verdict"] == "stationary"
    assert run.rho[-1] == pytest.approx(state.rho, rel=1e-7, abs=0)
    made = run.diagnostics["entropy_production"][-1]
    assert made == pytest.approx(state.transport.entropy_production, rel=1e-7, abs=0)
    assert state.verdict == "stable"
    assert state.stable is True
    assert np.isnan(state.eigenvalue)


def test_the_verb(tmp_path, capsys):
    file = tmp_path / "s.h5"
    assert cli.main(["stationary", "ratchet_1d", "--set", "grid.shape=[64]", "--out", str(file), "--json"]) == 0
    (state,) = json.loads(capsys.readouterr().out)["states"]
    carried = stationary(washboard(64), 1.0).transport
    for name, value in vars(carried).items():
        assert state[name] == pytest.approx(value, rel=1e-12, abs=0)
        assert read_study(file)[name][0] == pytest.approx(value, rel=1e-12, abs=0)
    assert cli.main(["stationary", "ratchet_1d", "--out", str(file), "--no-plot"]) == 0
    out = capsys.readouterr().out
    assert "velocity            0.540468682" in out
    assert "the only steady state" in out
    case = ["double_well_1d", "--set", "grid.shape=[32]"]
    assert cli.main(["stationary", *case, "--out", str(tmp_path / "w.h5"), "--json", "--no-plot"]) == 0
    states = json.loads(capsys.readouterr().out)["states"]
    assert states[0]["velocity"] is None


def test_no_guess_is_corrected_under_a_force():
    with pytest.raises(CaseError, match="under a force"):
        corrected(washboard(16), 1.0, np.ones(16))
