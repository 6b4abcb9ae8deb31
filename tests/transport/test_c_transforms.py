"""c-transforms by envelopes against all pairs, and what holds of them for any potential."""

import numpy as np
import pytest

from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.transport.c_transforms import CTransform, at_points, between_centres, from_points

RNG = np.random.default_rng(4)


def places(n, low=-1.0, high=1.0):
    """Unequal, increasing, with the ends of the box left free."""
    steps = RNG.uniform(0.1, 1.0, n + 1)
    return low + (high - low) * np.cumsum(steps)[:-1] / steps.sum()


def all_pairs(phi, sources, targets, periods):
    """The definition, with distances round circles; also which source is least."""
    cost = np.zeros((1, 1))
    for y, x, period in list(zip(sources, targets, periods, strict=True))[::-1]:
        lag = np.abs(x[:, None] - y)
        lag = lag if period is None else np.minimum(lag % period, period - lag % period)
        cost = (cost[:, None, :, None] + 0.5 * lag[None, :, None, :] ** 2).reshape(
            len(cost) * len(x), cost.shape[1] * len(y)
        )
    values = cost - np.ravel(phi)
    shape = [len(x) for x in targets[::-1]]
    return values.min(axis=1).reshape(shape), values.argmin(axis=1).reshape(shape)


CASES = [
    ([places(17)], [places(23)], [None]),
    ([places(17)], [places(23, -4.0, 5.0)], [None]),
    ([places(9)], [places(12)], [2.0]),
    ([places(9)], [places(12, 5.3, 7.2)], [2.0]),
    ([places(7), places(9)], [places(11), places(6)], [None, None]),
    ([places(7), places(9)], [places(11), places(6)], [2.0, None]),
    ([places(7), places(9, 0.0, 3.0)], [places(7), places(8, 0.0, 3.0)], [2.0, 3.0]),
]


@pytest.mark.parametrize(("sources", "targets", "periods"), CASES)
@pytest.mark.parametrize("size", [0.0, 0.03, 1.0, 30.0])
def test_against_all_pairs(sources, targets, periods, size):
    transform = CTransform(sources, targets, periods)
    phi = size * RNG.standard_normal(transform.shape)
    expected, least = all_pairs(phi, sources, targets, periods)
    np.testing.assert_allclose(transform(phi), expected, rtol=0, atol=1e-13 * (10 + size))
    found, numbers = transform.with_minimisers(phi)
    np.testing.assert_array_equal(found, transform(phi))
    flat = numbers[0] if len(numbers) == 1 else numbers[1] * len(sources[0]) + numbers[0]
    np.testing.assert_array_equal(flat, least)
    np.testing.assert_allclose(transform.hopf_lax(-phi / 0.3, 0.3), expected / 0.3, rtol=0, atol=1e-12 * (10 + size))


@pytest.mark.parametrize(("sources", "targets", "periods"), CASES)
def test_sources_that_take_no_part(sources, targets, periods):
    transform = CTransform(sources, targets, periods)
    phi = np.where(RNG.random(transform.shape) < 0.5, -np.inf, RNG.standard_normal(transform.shape))
    np.testing.assert_allclose(transform(phi), all_pairs(phi, sources, targets, periods)[0], rtol=0, atol=1e-12)
    nothing, numbers = transform.with_minimisers(np.full(transform.shape, -np.inf))
    assert np.all(nothing == np.inf) and all(np.all(n[nothing == np.inf] == -1) for n in numbers[-1:])


@pytest.mark.parametrize(("sources", "targets", "periods"), CASES)
def test_three_are_one(sources, targets, periods):
    there, back = CTransform(sources, targets, periods), CTransform(targets, sources, periods)
    phi = RNG.standard_normal(there.shape)
    once = there(phi)
    twice = back(once)
    assert np.all(twice >= phi - 1e-12)
    np.testing.assert_allclose(there(twice), once, rtol=0, atol=1e-12)
    np.testing.assert_allclose(there(phi + 3.0), once - 3.0, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("sources", "targets", "periods"), CASES[4:])
def test_from_and_at_points(sources, targets, periods):
    """Points that are a lattice, taken in any order; each place twice."""
    phi = RNG.standard_normal([len(y) for y in sources[::-1]])
    expected = all_pairs(phi, sources, targets, periods)[0]
    x, y = (np.ravel(p) for p in np.meshgrid(*targets))
    order = np.tile(RNG.permutation(len(x)), 2)
    found = at_points(phi, sources, np.stack([x, y], axis=1)[order], periods)
    np.testing.assert_allclose(found, np.ravel(expected)[order], rtol=0, atol=1e-12)
    x, y = (np.ravel(p) for p in np.meshgrid(*sources))
    order = RNG.permutation(len(x))
    found = from_points(np.ravel(phi)[order], np.stack([x, y], axis=1)[order], targets, periods)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_far_from_the_origin_as_near_it():
    y, x = places(30), places(30)
    phi = 1e-6 * RNG.standard_normal(30)
    near, far = (CTransform([y + c], [x + c])(phi) for c in (0.0, 1e6))
    np.testing.assert_allclose(far, near, rtol=0, atol=1e-9)


def test_quadratics_on_centres():
    """φ = ½a|y|² has φ^c = −½|x|² a/(1 − a) where the minimiser is a point of the lattice."""
    grid = Grid([-4.0, -4.0], [4.0, 4.0], [8, 16])
    square = grid.sample(lambda x, y: x**2 + y**2)
    transform = between_centres(Grid([-8.0, -8.0], [8.0, 8.0], [32, 64]), grid)
    fine = Grid([-8.0, -8.0], [8.0, 8.0], [32, 64]).sample(lambda x, y: x**2 + y**2)
    on_lattice = between_centres(grid, grid)(0.0 * square)
    np.testing.assert_array_equal(on_lattice, 0.0)
    assert np.max(np.abs(transform(0.25 * fine) + 0.5 * square)) <= 0.5 * 0.5 * 2 * 0.25**2


def test_what_is_refused():
    with pytest.raises(CaseError, match="increase along each axis"):
        CTransform([np.array([0.0, 0.0])])
    with pytest.raises(CaseError, match="within one turn"):
        CTransform([np.array([0.0, 3.0])], periods=[2.0])
    with pytest.raises(CaseError, match=r"shape \(2, 3\); found \(3, 2\)"):
        CTransform([np.arange(3.0), np.arange(2.0)])(np.zeros((3, 2)))
