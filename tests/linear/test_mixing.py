"""Anderson mixing on linear fixed points."""

import numpy as np
import pytest

from wgfpde.linear.mixing import Anderson


def test_anderson_mixing_solves_a_linear_fixed_point():
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.standard_normal((9, 9)))[0]
    matrix = basis @ np.diag([0.9, -0.8, 0.7, *np.full(6, 1e-3)]) @ basis.T
    load = rng.standard_normal(9)
    x = np.zeros((3, 3))
    mixer = Anderson()
    for _ in range(12):
        x = mixer.mix(x, (matrix @ x.ravel() + load).reshape(3, 3))
    assert x.ravel() == pytest.approx(np.linalg.solve(np.eye(9) - matrix, load), rel=1e-9)


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
