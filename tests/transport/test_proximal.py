"""Proximal maps: each against a scalar minimiser, and Moreau's identity, for huge and tiny steps."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from wgfpde.energy.energy import Internal
from wgfpde.energy.laws.by_code import prox_cell
from wgfpde.energy.laws.entropy_cell import wright
from wgfpde.energy.laws.law import ENTROPY, NONE
from wgfpde.transport.benamou_brenier.operators import PLAIN
from wgfpde.transport.benamou_brenier.proximal import (
    FIXED,
    kinetic_update,
    paraboloid,
    terminal_update,
)

INTERNALS = [
    Internal("entropy", 0.7),
    Internal("power", 2.0, 0.5),
    Internal("power", 0.3, 0.95),
    Internal("power", 1.3, 1.05),
    Internal("power", 1.0, 1.5),
    Internal("power", 0.4, 2.0),
    Internal("power", 1.0, 4.0),
    Internal("none"),
]


def root(c, e):
    t = np.empty(len(c))
    paraboloid(c, e, len(c), t)
    return t


def test_paraboloid_roots_to_rounding():
    rng = np.random.default_rng(0)
    c = rng.normal(size=20_000) * 10.0 ** rng.uniform(-4, 9, 20_000)
    e = 10.0 ** rng.uniform(-14, 16, 20_000)
    t = root(c, e)
    inside = 1.0 - c >= e
    assert np.all(t[inside & (1.0 - c > e * (1 + 1e-12))] == 1.0)
    moved = t > 1.0
    residual = t * t * (t - c) - e
    slope = t * (3 * t - 2 * c)
    assert moved.sum() > 5000
    assert np.max(np.abs(residual / slope / t)[moved]) < 1e-14
    assert np.all(t[~inside & (e > (1.0 - c) * (1 + 1e-9) + 1e-9)] > 1.0)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_kinetic_prox_minimises(scale):
    """(θ, m) = prox of m²/2θ minimises J + s_θ/2 (θ − A/s_θ)² + s_m/2 (m − B/s_m)²."""
    rng = np.random.default_rng(1)
    for _ in range(60):
        s_theta, s_m = scale * 10.0 ** rng.uniform(-2, 2, 2)
        big_a, big_b = rng.normal(size=2) * 10.0 ** rng.uniform(-2, 2, 2) * scale
        ratio = s_m / s_theta
        t = root(np.array([1.0 + big_a * ratio]), np.array([0.5 * big_b**2 * ratio]))[0]
        b = big_b / t
        a = min(big_a, -0.5 * b * b)
        assert a == pytest.approx(big_a - (t - 1.0) / ratio, rel=1e-9, abs=1e-14 * (abs(big_a) + 1.0 / ratio))
        theta, mom = (big_a - a) / s_theta, (big_b - b) / s_m
        assert theta >= 0.0
        assert mom == pytest.approx(theta * b, rel=1e-9, abs=1e-13 * abs(b) * (abs(big_a) + 1 / ratio) / s_theta)

        def objective(theta, s_theta=s_theta, s_m=s_m, big_a=big_a, big_b=big_b):
            best = big_b * theta / (1.0 + s_m * theta)  # the minimiser in m for this θ
            kinetic = 0.5 * best**2 / theta if theta > 0 else 0.0
            return kinetic + 0.5 * s_theta * (theta - big_a / s_theta) ** 2 + 0.5 * s_m * (best - big_b / s_m) ** 2

        upper = abs(big_a) / s_theta + math.sqrt(big_b**2 / s_theta + 1.0) * 10 + 1.0 / s_m
        found = minimize_scalar(objective, bounds=(0.0, upper), method="bounded", options={"xatol": 1e-10 * upper})
        assert objective(theta) <= min(found.fun, objective(0.0)) * (1 + 1e-10) + 1e-14


def test_kinetic_update_is_moreau_on_faces_and_leaves_walls():
    rng = np.random.default_rng(2)
    steps, ny, nx = 3, 4, 5
    bar, rho0 = rng.normal(size=(3, steps, ny, nx)), rng.uniform(0.5, 1.0, (ny, nx))
    y = rng.normal(size=(5, steps, ny, nx))
    old = y.copy()
    s_theta, s_m, s_rho = 0.7, 1.9, 0.4
    kinetic_update(0, ny, bar, rho0, PLAIN, PLAIN, False, True, s_theta, s_m, s_rho, 1.0, y)
    rho = np.concatenate([rho0[None], bar[0]])
    mid = 0.5 * (rho[1:] + rho[:-1])
    for part, axis in ((0, 2), (1, 1)):
        theta_in = 0.5 * (mid + np.roll(mid, -1, axis))
        theta = theta_in + (old[2 * part] - y[2 * part]) / s_theta
        mom = bar[1 + part] + (old[2 * part + 1] - y[2 * part + 1]) / s_m
        faces = np.s_[:, :, :-1] if part == 0 else np.s_[:]
        np.testing.assert_allclose(mom[faces], (theta * y[2 * part + 1])[faces], atol=1e-12)
        assert np.all(theta[faces] >= -1e-14)
        assert np.all((y[2 * part] + 0.5 * y[2 * part + 1] ** 2)[faces] <= 1e-12)
    np.testing.assert_array_equal(y[:2, :, :, -1], old[:2, :, :, -1])  # walls in x
    positive = bar[0, :-1] + (old[4, :-1] - y[4, :-1]) / s_rho
    assert np.all(positive >= -1e-15) and np.all(y[4, :-1] <= 0)
    np.testing.assert_allclose(positive * y[4, :-1], 0, atol=1e-14)
    np.testing.assert_array_equal(y[4, -1], old[4, -1])


def test_wright_function():
    w = np.concatenate([np.linspace(-60, 60, 5001), [-700.0, 1e3, 1e8]])
    y = np.array([wright(value) for value in w])
    assert np.all(y > 0)
    assert np.max(np.abs(y + np.log(y) - w) / (1.0 + np.abs(w))) < 1e-15
    assert wright(-800.0) == 0.0


@pytest.mark.parametrize("internal", INTERNALS, ids=lambda u: f"{u.kind}-{u.m:g}")
def test_energy_prox_solves_its_equation(internal):
    """c U'(r) + s r = target, or r = 0 where the left side already exceeds it there."""
    code, m = internal.code, internal.m
    rng = np.random.default_rng(3)
    for _ in range(300):
        c, s = internal.kappa * 10.0 ** rng.uniform(-6, 6), 10.0 ** rng.uniform(-6, 6)
        target = rng.normal() * 10.0 ** rng.uniform(-6, 6)
        r = prox_cell(target, code, c, m, s)
        slope = c / internal.kappa * float(internal.derivative(np.array(r))) if r > 0 and code != NONE else 0.0
        if r == 0.0:
            assert (internal.empties and target <= 0) or (code == ENTROPY and target / c + math.log(s / c) < -700)
        else:
            assert abs(slope + s * r - target) <= 1e-12 * (abs(slope) + s * r + abs(target)) + 1e-14 * c * (
                1 + abs(target / c)
            )


@pytest.mark.parametrize("internal", INTERNALS, ids=lambda u: f"{u.kind}-{u.m:g}")
@pytest.mark.parametrize("cap", [math.inf, 0.8])
def test_terminal_update_against_a_scalar_minimiser(internal, cap):
    code, m = internal.code, internal.m
    rng = np.random.default_rng(4)
    rho, z, v = rng.normal(size=(3, 3, 4))
    s, tau = 1.7, 0.6
    old = z.copy()
    terminal_update(0, 3, rho, code, tau * internal.kappa, m, v, cap, s, 1.0, z)
    r = rho + (old - z) / s  # Moreau: the proximal point of f
    assert np.all(r >= -1e-15) and np.all(r <= cap * (1 + 1e-14))
    for index in np.ndindex(r.shape):
        centre = rho[index] + old[index] / s

        def slope(q, centre=centre, index=index):
            return tau * float(internal.derivative(np.array(q))) + v[index] + s * (q - centre)

        low, high = 1e-30, 50.0
        expected = 0.0 if slope(low) >= 0 else brentq(slope, low, high, xtol=1e-14, rtol=1e-14)
        assert r[index] == pytest.approx(min(expected, cap), abs=1e-10)


def test_a_prescribed_density_is_its_own_proximal_point():
    rng = np.random.default_rng(5)
    rho, z, target = rng.normal(size=(3, 3, 4))
    old = z.copy()
    terminal_update(0, 3, rho, FIXED, 0.0, 1.0, target, math.inf, 2.0, 1.0, z)
    np.testing.assert_allclose(rho + (old - z) / 2.0, target, atol=1e-14)
