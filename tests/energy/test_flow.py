"""Flows: ξ is the derivative of E, the Gibbs state is critical, and what makes no sense is refused."""

import numpy as np
import pytest

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError
from wgfpde.grid import Grid

GRIDS = {
    "1d": Grid([-1.0], [1.0], [9]),
    "1d periodic": Grid([0.0], [2 * np.pi], [8], periodic=True),
    "1d stretched": Grid([-1.0], [1.0], [7], mapping=[lambda s: s**1.5]),
    "2d": Grid([-1.0, -2.0], [1.0, 1.0], [5, 4]),
    "2d periodic": Grid([0.0, -1.0], [2 * np.pi, 1.0], [6, 5], periodic=[True, False]),
    "2d stretched": Grid([-1.0, -2.0], [1.0, 1.0], [5, 4], mapping=[None, lambda s: s**1.5]),
}
INTERNALS = [
    Internal(),
    Internal("entropy", kappa=0.3),
    Internal("power", m=2.0),
    Internal("power", m=3.5, kappa=0.2),
    Internal("power", m=1.5),
    Internal("power", m=0.6),
    Internal("none"),
]


def potential(x, y=0.0):
    return np.cos(x) + 0.5 * y**2


def interaction(x, y=0.0):
    return np.log(np.hypot(x, y)) * np.cos(x)


def bind(grid, internal, v=True, w=True):
    one = grid.dim == 1
    return Flow(
        grid,
        Energy(
            internal,
            ((lambda x: potential(x)) if one else (lambda x, y: potential(x, y))) if v else None,
            ((lambda x: interaction(x)) if one else (lambda x, y: interaction(x, y))) if w else None,
        ),
    )


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("internal", INTERNALS, ids=lambda u: f"{u.kind}-{u.m}-{u.kappa}")
@pytest.mark.parametrize(("v", "w"), [(False, False), (True, False), (False, True), (True, True)])
def test_variation_is_the_derivative_of_value(name, internal, v, w):
    grid = GRIDS[name]
    flow = bind(grid, internal, v, w)
    rng = np.random.default_rng(0)
    rho, direction = 0.5 + rng.random(grid.shape), rng.standard_normal(grid.shape)
    eps = 1e-5
    slope = (flow.value(rho + eps * direction) - flow.value(rho - eps * direction)) / (2 * eps)
    paired = flow.integral(flow.variation(rho) * direction)
    assert slope == pytest.approx(paired, rel=1e-7, abs=1e-8)
    assert flow.value(rho) == pytest.approx(sum(flow.parts(rho)), rel=1e-15, abs=0)


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("v", [False, True])
def test_gibbs_state_is_critical_and_least(name, v):
    flow = bind(GRIDS[name], Internal("entropy", kappa=0.7), v=v, w=False)
    gibbs = flow.gibbs(2.5)
    assert flow.mass(gibbs) == pytest.approx(2.5, rel=1e-14, abs=0)
    xi = flow.variation(gibbs)
    assert np.ptp(xi) <= 1e-14 * (1 + np.max(np.abs(xi)))
    rng = np.random.default_rng(1)
    for _ in range(5):
        other = gibbs * np.exp(0.1 * rng.standard_normal(gibbs.shape))
        assert flow.value(other * (2.5 / flow.mass(other))) > flow.value(gibbs)


def test_gibbs_state_of_a_steep_potential():
    flow = Flow(Grid([-1.0], [1.0], [50]), Energy(Internal(kappa=1e-3), lambda x: 100 * x**2))
    gibbs = flow.gibbs()
    assert np.all(np.isfinite(gibbs)) and flow.mass(gibbs) == pytest.approx(1, rel=1e-14, abs=0)


def test_gibbs_state_refused():
    grid = GRIDS["1d"]
    for flow in (bind(grid, Internal("power", m=2.0), w=False), bind(grid, Internal(), w=True)):
        assert not flow.has_gibbs
        with pytest.raises(CaseError, match="needs the entropy, no interaction and no force"):
            flow.gibbs()


def test_vacuum():
    grid = GRIDS["1d"]
    rho = np.zeros(grid.shape)
    rho[4] = 1.0
    for internal in INTERNALS:
        flow = bind(grid, internal)
        assert np.isfinite(flow.value(rho))
        with np.errstate(all="raise"):
            assert flow.parts(np.zeros(grid.shape)) == (0, 0, 0)
        xi = flow.variation(rho)
        empty = internal.kind == "entropy" or (internal.kind == "power" and internal.m < 1)
        assert np.all(np.isneginf(xi[rho == 0])) if empty else np.all(np.isfinite(xi))


@pytest.mark.parametrize("name", GRIDS)
def test_integral(name):
    grid = GRIDS[name]
    flow = Flow(grid, Energy())
    assert flow.mass(np.ones(grid.shape)) == pytest.approx(grid.volume, rel=1e-14, abs=0)
    values = np.random.default_rng(2).random(grid.shape)
    assert flow.integral(values) == pytest.approx(np.sum(values * grid.cell_volume), rel=1e-14, abs=0)


def test_energies_known_in_closed_form():
    grid = Grid([0.0], [2.0], [10])
    rho = np.full(10, 3.0)
    assert Flow(grid, Energy()).value(rho) == pytest.approx(2 * (3 * np.log(3) - 3), rel=1e-9, abs=0)
    assert Flow(grid, Energy(Internal("power", kappa=0.5, m=2.0))).value(rho) == pytest.approx(
        0.5 * 9 * 2, rel=1e-9, abs=0
    )
    assert Flow(grid, Energy(Internal("power", m=0.5))).value(rho) == pytest.approx(-2 * 3**0.5 * 2, rel=1e-9, abs=0)
    assert Flow(grid, Energy(Internal("none"), lambda x: x)).value(rho) == pytest.approx(6.0, rel=1e-9, abs=0)
    attracted = Flow(grid, Energy(Internal("none"), None, lambda x: 1 + 0 * x))
    assert attracted.value(rho) == pytest.approx(0.5 * 6**2, rel=1e-9, abs=0)


def test_constant_potential_and_kernel_may_be_scalars():
    for grid in GRIDS.values():
        names = {"x": 0, "y": 0} if grid.dim == 2 else {"x": 0}
        constant = (lambda x, y: 2.0) if len(names) == 2 else (lambda x: 2.0)
        flow = Flow(grid, Energy(Internal("none"), constant, constant))
        rho = np.ones(grid.shape)
        np.testing.assert_allclose(flow.variation(rho), 2 + 2 * flow.mass(rho))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "entropie"}, '"entropy", "power" or "none"; found \'entropie\''),
        ({"kappa": 0.0}, "kappa must be a positive number; found 0"),
        ({"kappa": -1.0}, "kappa must be a positive"),
        ({"kappa": np.nan}, "kappa must be a positive"),
        ({"kind": "power", "m": 0.0}, "m must be positive"),
        ({"kind": "power", "m": np.inf}, "m must be positive"),
        ({"kind": "power", "m": 1.0}, 'm = 1 is the entropy: write kind = "entropy"'),
    ],
)
def test_internal_refused(arguments, words):
    with pytest.raises(CaseError, match=words):
        Internal(**arguments)


def test_exponent_must_suit_the_dimension():
    internal = Internal("power", m=0.4)
    Flow(GRIDS["1d"], Energy(internal))
    with pytest.raises(CaseError, match=r"at least 1 − 1/d = 0\.5 in 2D; found 0\.4"):
        Flow(GRIDS["2d"], Energy(internal))


def test_potential_refused():
    with pytest.raises(CaseError, match=r"not finite at x = 0: found -inf"):
        Flow(GRIDS["1d"], Energy(potential=lambda x: np.log(np.abs(x))))
    with pytest.raises(CaseError, match=r"not finite at x = -0.8, y = -1.625: found nan"):
        Flow(GRIDS["2d"], Energy(potential=lambda x, y: np.sqrt(x + y)))
    with pytest.raises(CaseError, match=r"axis x is periodic but the potential is not: it jumps by 6.28319"):
        Flow(GRIDS["1d periodic"], Energy(potential=lambda x: x))
    with pytest.raises(CaseError, match="axis x is periodic but the potential is not"):
        Flow(GRIDS["2d periodic"], Energy(potential=lambda x, y: x * y))
    Flow(GRIDS["2d periodic"], Energy(potential=lambda x, y: y))


def test_odd_interaction_refused():
    with pytest.raises(CaseError, match="must be even"):
        Flow(GRIDS["1d"], Energy(interaction=lambda x: x))


def test_snapshot():
    rho = np.ones(3)
    snapshot = Snapshot(0.0, 0, {"rho": rho})
    assert snapshot.rho is rho and snapshot.dt == 0 and np.isnan(snapshot.report.gap)
