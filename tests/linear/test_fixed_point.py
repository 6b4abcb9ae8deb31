"""Fixed points of maps that contract, expand, have kinks, noise, no values, or no fixed point."""

import numpy as np
import pytest

from wgfpde.linear.fixed_point import MIXED, FixedPointSolver, NotFound, hopeless

TOLERANCE = 1e-13


class NoValue(Exception):
    pass


def linear(spectrum, seed=1):
    """G(x) = A x + b with A symmetric of that spectrum, on arrays (1, n), and its fixed point."""
    rng = np.random.default_rng(seed)
    n = len(spectrum)
    basis = np.linalg.qr(rng.standard_normal((n, n)))[0]
    matrix, load = basis @ np.diag(spectrum) @ basis.T, rng.standard_normal(n)
    exact = np.linalg.solve(np.eye(n) - matrix, load)
    return (lambda x: (matrix @ x.ravel() + load)[None, :]), exact[None, :]


def solve(image, size, tolerance=TOLERANCE):
    return FixedPointSolver(image, tolerance, 1.0, NoValue).solve(np.zeros((1, size)))


def test_a_contraction_takes_a_few_values():
    image, exact = linear(np.linspace(-0.3, 0.3, 12))
    found = solve(image, 12)
    assert found.x == pytest.approx(exact, rel=1e-11, abs=1e-12) and found.values <= 25
    assert np.array_equal(found.image, image(found.x))


def test_newton_finds_what_mixing_cannot():
    """G' with eigenvalues from −3000 to 0: mixing is given up early, and the error is that of x, not of G(x)."""
    image, exact = linear(-np.geomspace(1e-2, 3e3, 40))
    found = solve(image, 40)
    assert np.max(np.abs(found.x - exact)) < 1e-12 * np.max(np.abs(exact))
    assert found.values > MIXED / 4


@pytest.mark.parametrize("steepest", [0.3, 3e3])
def test_the_map_was_last_evaluated_at_what_is_found(steepest):
    """Callers keep what the last value of G left behind, such as the density of the step."""
    image, _ = linear(-np.geomspace(1e-2, steepest, 12))
    places = []
    found = solve(lambda x: image(places.append(x.copy()) or x), 12)
    assert np.array_equal(places[-1], found.x) and len(places) == found.values


def test_kinks_finer_than_the_longest_difference():
    """x = −200 max(x − c, 0) − 5 min(x − c, 0) + b, whose kinks lie within 1e-9 of the solution."""
    rng = np.random.default_rng(2)
    near = 1e-9 * rng.standard_normal((1, 30))
    exact = rng.standard_normal((1, 30))
    at = exact - near

    def image(x):
        moved, there = x - at, near
        slope = lambda z: -200 * np.maximum(z, 0) - 5 * np.minimum(z, 0)  # noqa: E731
        return exact + slope(moved) - slope(there)

    assert solve(image, 30).x == pytest.approx(exact, rel=1e-12, abs=1e-12)


def test_rounding_of_the_map_does_not_keep_newton_from_ending():
    """G errs by 1e-13 times its slope; x is still found to the tolerance that its own size allows."""
    rng = np.random.default_rng(3)
    exact = rng.uniform(1.0, 2.0, (1, 20))

    def image(x):
        return exact - 1e4 * (x - exact) + 1e-12 * rng.standard_normal((1, 20))

    assert solve(image, 20).x == pytest.approx(exact, rel=1e-12, abs=0)


def test_newton_shortens_steps_to_where_there_is_no_value():
    def image(x):
        if np.any(x < 0.0):
            raise NoValue
        return 30.0 / (0.01 + x) - 5.0 * x

    x = FixedPointSolver(image, TOLERANCE, 1.0, NoValue).solve(np.array([[0.2, 1.0]])).x
    assert x == pytest.approx(image(x), rel=1e-10, abs=0)


@pytest.mark.parametrize("image", [lambda x: x + 1.0, lambda x: np.full_like(x, np.nan)])
def test_no_fixed_point(image):
    with pytest.raises(NotFound, match="change"):
        solve(image, 5)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_what_is_hopeless_follows_from_the_rate(unit, rate):
    """Changes that fall by one rate, by steps or evenly, need ln(target)/ln(rate) values in all, in every unit."""
    values = 12
    even = [unit * rate**k for k in range(values)]
    stepped = [unit * rate ** (6 * (k // 6)) for k in range(values)]
    for changes in (even, stepped):
        needed = values + np.log(1e-9 * unit / min(changes)) / np.log(rate)
        assert not hopeless(changes, 1e-9 * unit, int(needed) + 2)
        assert hopeless(changes, 1e-9 * unit, int(needed) - 2)
    assert hopeless([unit] * values, 1e-9 * unit, 10**6)  # nothing falls
    assert hopeless([*even, 2e3 * min(even)], 1e-9 * unit, 10**6)  # gone astray
