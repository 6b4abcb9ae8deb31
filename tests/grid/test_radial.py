"""Radial grids: volumes and areas of shells, averages over them, and what is refused."""

import math

import numpy as np
import pytest

from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.grid.initial import from_expression

BALL = Grid([0.0], [2.0], [10], mapping=[lambda s: s**1.5], radial=3)
RING = Grid([1.0], [3.0], [10], radial=2)


def test_volumes_and_areas():
    edges = BALL.x.edges
    np.testing.assert_allclose(BALL.cell_volume, 4 / 3 * np.pi * np.diff(edges**3), rtol=1e-13)
    np.testing.assert_allclose(BALL.x.areas, 4 * np.pi * edges**2, rtol=1e-14)
    np.testing.assert_allclose(RING.cell_volume, np.pi * np.diff(RING.x.edges**2), rtol=1e-13)
    np.testing.assert_allclose(RING.x.areas, 2 * np.pi * RING.x.edges, rtol=1e-14)
    assert BALL.volume == pytest.approx(4 / 3 * np.pi * 8, rel=1e-14, abs=0) == BALL.cell_volume.sum()
    assert RING.volume == pytest.approx(8 * np.pi, rel=1e-14, abs=0) == RING.cell_volume.sum()
    assert (BALL.radial, BALL.dim, BALL.space, BALL.uniform, RING.uniform) == (3, 1, 3, False, False)
    assert "radius in 3D" in repr(BALL) and "radius in 3D" in repr(BALL.x)
    plain = Grid([1.0], [3.0], [10])
    assert plain != RING and plain.space == plain.radial == 1 and np.all(plain.x.areas == 1)
    assert plain.x.levels is plain.x.edges and np.array_equal(RING.x.levels, RING.x.edges**2)


def test_a_thin_shell_far_out_keeps_its_digits():
    """r₊³ − r₋³ by the factor r₊ − r₋, not by a difference of cubes."""
    far = Grid([1e6], [1e6 + 1e-3], [2], radial=3)
    exact = 4 * math.pi * 1e12 * np.diff(far.x.edges)
    np.testing.assert_allclose(far.cell_volume, exact, rtol=2e-9)
    assert far.cell_volume.sum() == pytest.approx(far.volume, rel=1e-14, abs=0)


@pytest.mark.parametrize("points", [None, 6])
def test_averages_are_over_shells(points):
    """Of r²: 3/5 (r₊⁵ − r₋⁵)/(r₊³ − r₋³) in 3D, ½ (r₊⁴ − r₋⁴)/(r₊² − r₋²) in 2D."""
    for grid, wanted in (
        (BALL, 0.6 * np.diff(BALL.x.edges**5) / np.diff(BALL.x.edges**3)),
        (RING, 0.5 * np.diff(RING.x.edges**4) / np.diff(RING.x.edges**2)),
    ):
        np.testing.assert_allclose(grid.average(lambda x: x**2, points), wanted, rtol=1e-9)
    np.testing.assert_allclose(from_expression(lambda x: 1 + 0 * x, BALL), 1.0, rtol=1e-13)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Grid([-1.0], [1.0], [4], radial=3), "grid.lower ≥ 0, as a radius is; found -1"),
        (lambda: Grid([0.0], [1.0], [4], radial=4), "expected 2 or 3, found 4"),
        (lambda: Grid([0.0], [1.0], [4], "periodic", radial=2), "does not close to a ring"),
        (lambda: Grid([0.0, 0.0], [1.0, 1.0], [4, 4], radial=2), "one axis, the radius; found 2"),
    ],
)
def test_what_is_refused(make, sentence):
    with pytest.raises(CaseError, match=sentence):
        make()
