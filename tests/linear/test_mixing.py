"""Anderson mixing on linear fixed points, plain and damped."""

import numpy as np
import pytest

from wgfpde.linear import mixing
from wgfpde.linear.mixing import Anderson, DampedAnderson


def test_anderson_mixing_solves_a_linear_fixed_point():
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.standard_normal((9, 9)))[0]
    matrix = basis @ np.diag([0.9, -0.8, 0.7, *np.full(6, 1e-3)]) @ basis.T
    load = rng.standard_normal(9)
    x = np.zeros((3, 3))
    mixer = Anderson()
    for _ in range(12):
        x = mixer.mix(x, (matrix @ x.ravel() + load).reshape(3, 3))
    assert x.ravel() == pytest.approx(np.linalg.solve(np.eye(9) - matrix, load), rel=1e-9, abs=0)


def test_anderson_mixing_stays_at_a_fixed_point():
    x = np.full((1, 5), 2.0)
    mixer = Anderson()
    for _ in range(5):
        x = mixer.mix(x, np.full((1, 5), 2.0))
    assert np.array_equal(x, np.full((1, 5), 2.0))


def test_residuals_whose_squares_overflow_are_a_plain_iteration():
    mixer = Anderson()
    for scale in (1e150, 1e180, 1e200):
        x, image = np.zeros((1, 5)), np.full((1, 5), scale)
        assert np.array_equal(mixer.mix(x, image), image)


@pytest.mark.parametrize("block", [2, 1 << 13])
def test_a_mixed_iterate_has_the_smallest_residual_of_all(block, monkeypatch):
    """Against least squares on whole arrays, with parts that end in the middle of a row."""
    monkeypatch.setattr(mixing, "BLOCK", block)
    rng = np.random.default_rng(2)
    places, images, mixer = rng.standard_normal((3, 2, 7)), rng.standard_normal((3, 2, 7)), Anderson()
    for x, image in zip(places, images, strict=True):
        found = mixer.mix(x, image)
    residuals = (images - places).reshape(3, -1)
    shares = np.linalg.lstsq((residuals[:2] - residuals[2]).T, -residuals[2], rcond=None)[0]
    expected = images[2] + np.tensordot(shares, images[:2] - images[2], 1)
    assert found == pytest.approx(expected, rel=1e-10, abs=0)


# ---- damped, for stacks ------------------------------------------------------------------------------------------


def least_squares(places, residuals, weights, damping):
    """Σ c_j (x_j + β r_j) with |w Σ c_j r_j| smallest, on whole arrays."""
    weighted = (weights * residuals).reshape(len(residuals), -1)
    shares = np.linalg.lstsq((weighted[:-1] - weighted[-1]).T, -weighted[-1], rcond=None)[0]
    c = np.append(shares, 1.0 - shares.sum())
    return np.tensordot(c, places + damping * residuals, 1)


@pytest.mark.parametrize("block", [3, 1 << 13])
def test_the_damped_mixture_is_that_of_weighted_least_squares(block, monkeypatch):
    """Of the last depth + 1 iterates only, weighed level by level."""
    monkeypatch.setattr(mixing, "BLOCK", block)
    rng = np.random.default_rng(3)
    places, residuals = rng.standard_normal((5, 3, 2, 4)), rng.standard_normal((5, 3, 2, 4))
    weights = rng.random((3, 2, 4)) + 0.1
    mixer, kept = DampedAnderson(2, 0.4), places.copy()
    for x, r in zip(places, residuals, strict=True):
        found = mixer.mix(x, r, lambda k: weights[k])
    assert found == pytest.approx(least_squares(places[-3:], residuals[-3:], weights, 0.4), rel=1e-10, abs=0)
    assert np.array_equal(places, kept)


def test_the_first_damped_move_is_a_damped_iteration_and_so_is_the_one_after_a_restart():
    x, r, mixer = np.ones((2, 1, 3)), np.full((2, 1, 3), 4.0), DampedAnderson(3, 0.25)
    assert np.array_equal(mixer.mix(x, r, lambda k: np.ones((1, 3))), np.full((2, 1, 3), 2.0))
    mixer.mix(2 * x, -r, lambda k: np.ones((1, 3)))
    mixer.restart(0.5)
    assert np.array_equal(mixer.mix(x, r, lambda k: np.ones((1, 3))), np.full((2, 1, 3), 3.0))


def test_damped_mixing_solves_a_linear_fixed_point_that_iteration_does_not():
    """x = A x + b with eigenvalues −3 and 0.9: β alone diverges or creeps."""
    rng = np.random.default_rng(4)
    basis = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    matrix = basis @ np.diag([-3.0, 0.9, 0.5, -0.5, *np.zeros(8)]) @ basis.T
    load, x, mixer = rng.standard_normal(12), np.zeros((2, 2, 3)), DampedAnderson(5, 0.5)
    for _ in range(25):
        x = mixer.mix(x, (matrix @ x.ravel() + load - x.ravel()).reshape(x.shape), lambda k: np.ones((2, 3)))
    assert x.ravel() == pytest.approx(np.linalg.solve(np.eye(12) - matrix, load), rel=1e-8, abs=0)


def test_where_nothing_can_be_mixed_the_damped_move_is_plain():
    ones = np.ones((1, 5))
    equal = DampedAnderson(3, 0.5)
    for _ in range(3):
        found = equal.mix(np.zeros((2, 1, 5)), np.full((2, 1, 5), 2.0), lambda k: ones)
    assert np.array_equal(found, np.ones((2, 1, 5)))
    large = DampedAnderson(3, 0.5)
    for scale in (1e150, 1e180, 1e200):
        found = large.mix(np.zeros((2, 1, 5)), np.full((2, 1, 5), scale), lambda k: ones)
        assert np.array_equal(found, np.full((2, 1, 5), 0.5 * scale))


@pytest.mark.parametrize(
    "residuals",
    [
        np.array([[2.0, 3.0], [5.0, 1.0], [2.0, 3.0]]),  # one of the older equals the newest
        np.array([[1e200, 0.0], [2.0, 3.0], [4.0, 1.0]]),  # the square of one change overflows
        np.array([[1e160 + 1e150, 0.0], [1e160, 1e140], [1e160, 0.0]]),  # one product with the newest overflows
    ],
)
def test_one_residual_that_cannot_be_mixed_makes_the_iteration_plain(residuals):
    """Of two older ones, the other of which could be: nothing is divided by 0 or infinite."""
    normal = mixing.NormalEquations(2)
    with np.errstate(over="ignore"):
        normal.add(list(residuals[:2]), residuals[2])
    assert np.array_equal(normal.solve(1e-12), np.zeros(2))
