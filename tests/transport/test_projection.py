"""The projection onto the continuity equation: exact, idempotent, orthogonal; K and K* are adjoint."""

import numpy as np
import pytest

from wgfpde.grid import Grid
from wgfpde.transport.benamou_brenier.operators import Staggering
from wgfpde.transport.benamou_brenier.projection import Continuity

CASES = [
    (Grid([0.0], [2.0], [9]), 1),
    (Grid([0.0], [2.0], [8], True), 4),
    (Grid([0.0, 0.0], [2.0, 1.0], [6, 5]), 1),
    (Grid([0.0, 0.0], [2.0, 1.0], [6, 7], [True, False]), 3),
    (Grid([0.0, 0.0], [2.0, 1.0], [5, 8], [False, True]), 8),
    (Grid([0.0, 0.0], [2.0, 1.0], [2, 2], True), 2),
]
IDS = [f"{grid}-{steps}" for grid, steps in CASES]


def variables(grid, continuity, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, *continuity.shape))
    faces = Staggering(grid)
    x[1] *= faces.ax > 0
    x[2] *= (faces.ay > 0)[:, None]
    return x, rng.uniform(0.5, 1.0, continuity.cosine.shape)


def defect(grid, x, rho0):
    """N(ρ_k − ρ_{k−1}) + div m_k, written out."""
    rho = np.concatenate([rho0[None], x[0]])
    out = len(x[0]) * np.diff(rho, axis=0) + (x[1] - np.roll(x[1], 1, 2)) / grid.x.widths[0]
    if grid.dim == 2:
        out += (x[2] - np.roll(x[2], 1, 1)) / grid.y.widths[0]
    return out


def metric(steps):
    return np.linspace(0.5, 2.0, steps), 0.3


@pytest.mark.parametrize(("grid", "steps"), CASES, ids=IDS)
def test_exact_and_idempotent(grid, steps):
    continuity = Continuity(grid, steps)
    continuity.factor(*metric(steps))
    x, rho0 = variables(grid, continuity, 0)
    once = continuity.onto(x, rho0)
    assert np.abs(defect(grid, once, rho0)).max() < 1e-12 * max(1.0, np.abs(defect(grid, x, rho0)).max())
    np.testing.assert_allclose(continuity.onto(once, rho0), once, atol=1e-12)
    np.testing.assert_array_equal(once[1:][x[1:] == 0], 0)  # walls stay walls


@pytest.mark.parametrize(("grid", "steps"), CASES, ids=IDS)
def test_orthogonal_in_its_metric(grid, steps):
    """⟨x − Px, T⁻¹(Px − z)⟩ = 0 for every z in the constraint set."""
    continuity = Continuity(grid, steps)
    t_rho, t_m = metric(steps)
    continuity.factor(t_rho, t_m)
    x, rho0 = variables(grid, continuity, 1)
    z = continuity.onto(variables(grid, continuity, 2)[0], rho0)
    weights = np.stack([np.broadcast_to(1 / t_rho[:, None, None], x[0].shape), *[np.full(x[0].shape, 1 / t_m)] * 2])
    near = continuity.onto(x, rho0)
    assert abs(np.sum(weights * (x - near) * (near - z))) < 1e-11 * np.sum(weights * (x - near) ** 2)


@pytest.mark.parametrize(("grid", "steps"), CASES, ids=IDS)
def test_the_operator_and_its_adjoint(grid, steps):
    """⟨Kx, y⟩ = ⟨x, K*y⟩ with K x = (θ, m; ρ): what `descend` subtracts is T K*y."""
    continuity = Continuity(grid, steps)
    continuity.factor(np.ones(steps), 1.0)
    x, rho0 = variables(grid, continuity, 3)
    faces = Staggering(grid)
    rng = np.random.default_rng(4)
    y = rng.normal(size=(5, *continuity.shape))
    y[:2] *= faces.ax > 0
    y[2:4] *= (faces.ay > 0)[:, None]
    rho = np.concatenate([np.zeros_like(rho0)[None], x[0]])  # the linear part: without ρ_0
    mid = 0.5 * (rho[1:] + rho[:-1])
    forward = np.stack([0.5 * (mid + np.roll(mid, -1, 2)), x[1], 0.5 * (mid + np.roll(mid, -1, 1)), x[2], x[0]])
    bar = np.empty_like(x)
    continuity.descend(x, y, rho0, bar)
    assert np.sum(forward * y) == pytest.approx(np.sum(x * (x - bar)), rel=1e-12, abs=0)
    np.testing.assert_allclose(continuity.phi, defect(grid, bar, rho0), atol=1e-12)


def test_threads_change_nothing():
    grid = Grid([0.0, 0.0], [2.0, 1.0], [96, 90])
    results = []
    for threads in (1, 3):
        continuity = Continuity(grid, 4, threads)
        continuity.factor(*metric(4))
        results.append(continuity.onto(*variables(grid, continuity, 5)))
    np.testing.assert_array_equal(results[0], results[1])
