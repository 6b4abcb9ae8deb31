"""The ledger of a march, entry by entry, with made-up dissipations."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from wgfpde.diagnostics.certificates import ledger
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Report, Snapshot
from wgfpde.grid import Grid

GRID = Grid([-1.0], [1.0], [8])


def entered(monkeypatch, dissipations, convexity=3.0, dt=0.1, report=None):
    """The ledger after one step for each dissipation but the first, and the snapshot that carries it."""
    flow = Flow(GRID, Energy(Internal("entropy"), lambda x: convexity * x**2 / 2))
    values = iter(dissipations)
    monkeypatch.setattr(ledger.fluxes, "dissipation", lambda flow, rho: next(values))
    state = ledger.open_ledger(flow, Snapshot(0.0, 0, {"rho": np.ones(8)}))
    for k in range(1, len(dissipations)):
        step = Snapshot(dt * k, k, {"rho": np.ones(8)}, dt, report=report or Report())
        state = ledger.enter_step(flow, step, state)
    return state.fields[ledger.LEDGER], state


def test_the_trapezoidal_rule_up_to_a_fall_by_half(monkeypatch):
    spent = entered(monkeypatch, [4.0, 2.0, 0.9, 0.8])[0][ledger.DISSIPATED]
    assert spent == pytest.approx(0.1 * (3.0 + 0.9 + 0.85), rel=1e-14, abs=0)
    assert entered(monkeypatch, [math.inf, 2.0])[0][ledger.DISSIPATED] == pytest.approx(0.2, rel=1e-14, abs=0)
    assert math.isnan(entered(monkeypatch, [math.inf, math.inf])[0][ledger.DISSIPATED])


@pytest.mark.parametrize(("convexity", "transport", "growth"), [
    (3.0, math.nan, math.log(1.3)), (3.0, 0.5, math.log(1.3)), (-3.0, math.nan, -0.3), (-3.0, 0.5, math.log(0.7)),
    (-30.0, math.nan, -3.0), (-30.0, 0.5, math.nan),
])  # fmt: skip
def test_the_growth_of_a_step(monkeypatch, convexity, transport, growth):
    """1 + K dt of an implicit step; for K < 0 e^{K dt} unless it minimises."""
    found = entered(monkeypatch, [1.0, 1.0], convexity, report=Report(transport=transport))[0][ledger.GROWTH]
    assert found == pytest.approx(growth, rel=1e-6, nan_ok=True, abs=0)


def test_what_was_recorded_is_where_the_next_one_counts_from(monkeypatch):
    before, state = entered(monkeypatch, [1.0, 1.0])
    after = ledger.enter_snapshot(state, -7.0).fields[ledger.LEDGER]
    assert after[ledger.LAST_ENERGY] == -7.0 and after[ledger.FIRST_ENERGY] == before[ledger.FIRST_ENERGY]
    assert after[ledger.LAST_DISSIPATED] == before[ledger.DISSIPATED] == after[ledger.DISSIPATED] > 0
    assert after[ledger.LAST_GROWTH] == before[ledger.GROWTH] == after[ledger.GROWTH] > 0


# ---- what is made of it ----------------------------------------------------------------------------------------


def asked(monkeypatch, fields, kappa=1.0, convexity=0.0, before=0.0, now=0.0, entropy=0.0, energy=0.0):
    """A state at t = 0.6, its snapshot before at t = 0.5, with distances ½W₂² and H that are given."""
    flow = Flow(GRID, Energy(Internal("entropy", kappa), lambda x: convexity * x**2 / 2))
    monkeypatch.setattr(ledger, "distance_to_gibbs", lambda s, rho, mass: math.sqrt(2 * before))
    monkeypatch.setattr(ledger, "w2_gibbs", lambda s: math.sqrt(2 * now))
    monkeypatch.setattr(ledger, "reading", lambda s: SimpleNamespace(entropy=entropy))
    monkeypatch.setattr(ledger, "curvature_bound", lambda flow: convexity)
    snapshot = Snapshot(0.6, 3, {"rho": np.ones(8)} | fields)
    return SimpleNamespace(flow=flow, snapshot=snapshot, previous=np.ones(8), previous_t=0.5, parts=(energy, 0.0, 0.0))


@pytest.mark.parametrize("convexity", [-2.0, -1e-3, -1e-9, 0.0, 1e-9, 1e-3, 2.0])
def test_the_evolution_variational_inequality_by_hand(monkeypatch, convexity):
    """½W₂²(before)/G − ½W₂² − κH (1 − 1/G)/K over s = 0.1, G = e^{Ks}; times G for K < 0."""
    state = asked(monkeypatch, {}, 0.7, convexity, before=0.9, now=0.4, entropy=3.0)
    kept = math.exp(-0.1 * convexity)
    time = 0.1 if convexity == 0 else -math.expm1(-0.1 * convexity) / convexity
    slack = 0.9 * kept - 0.4 - 0.7 * 3.0 * time
    assert ledger.slack_evi(state) == pytest.approx(slack / kept if convexity < 0 else slack, rel=1e-12, abs=0)


@pytest.mark.parametrize("kappa", [0.25, 1.0, 4.0])
def test_de_bruijns_identity_by_hand(monkeypatch, kappa):
    """E falls by 0.3 and 0.1 was dissipated, in 0.1: dE/dt + D = −2, and dH/dt + κI = that over κ."""
    entries = np.zeros(7)
    entries[[ledger.DISSIPATED, ledger.LAST_DISSIPATED, ledger.LAST_ENERGY]] = 0.5, 0.4, 2.0
    state = asked(monkeypatch, {ledger.LEDGER: entries}, kappa, energy=1.7)
    assert ledger.de_bruijn(state) == pytest.approx(-2.0 / kappa, rel=1e-12, abs=0)
