"""Distances in the plane between bounds that hold: against linear programmes, products and translations."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.optimize import linprog
from scipy.sparse import kron, vstack

from wgfpde.grid import Grid
from wgfpde.transport.line import Coupling
from wgfpde.transport.plane import weighted_norms
from wgfpde.transport.plane.between import squared_distance
from wgfpde.transport.plane.dual_bound import DualBound
from wgfpde.transport.plane.measures import Atoms, Cells
from wgfpde.transport.plane.weighted_norms import uncrossed

ROOT = Path(__file__).resolve().parents[3]
WALLS = (False, False)


# ---- images ------------------------------------------------------------------------------------------------


def waves(rng, n, smooth):
    return gaussian_filter(rng.standard_normal((n, n)), smooth * n, mode="wrap")


def image(kind, rng, n):
    """Like the classes of images that transport is tested on: noise, fields, tails, shapes."""
    y, x = np.mgrid[0:n, 0:n]
    if kind == "white":
        return rng.uniform(0.0, 1.0, (n, n))
    if kind == "field":
        f = waves(rng, n, 0.1)
        return f - f.min() + 1e-3 * np.ptp(f)
    if kind == "log-field":
        f = waves(rng, n, 0.08)
        return np.exp(2 * f / f.std())
    if kind == "cauchy":
        p, q, s = rng.uniform(0, n), rng.uniform(0, n), rng.uniform(0.05, 0.2) * n
        return (1 + ((x - p) ** 2 + (y - q) ** 2) / s**2) ** -1.5
    if kind == "shapes":
        p, q, r = [*rng.uniform(0.2, 0.8, 2).tolist(), rng.uniform(0.15, 0.3)]
        shape = ((x + 0.5) / n - p) ** 2 + ((y + 0.5) / n - q) ** 2 < r**2
        shape[rng.integers(n), rng.integers(n)] = True
        return shape.astype(float)
    dots = np.zeros((n, n))
    dots[rng.integers(0, n, 4), rng.integers(0, n, 4)] = rng.exponential(1.0, 4)
    return dots


KINDS = ("white", "field", "log-field", "cauchy", "shapes", "dots")


def unit_cells(*shape):
    return Grid([0.0, 0.0], [float(n) for n in shape[::-1]], list(shape[::-1]))


# ---- the judge ---------------------------------------------------------------------------------------------


def programme(a, b, x, y):
    """W₂² of point masses a, b on the lattices of x and y, exactly."""
    at = np.stack([np.ravel(p) for p in np.meshgrid(x, y)], axis=1)
    i, j = np.flatnonzero(np.ravel(a)), np.flatnonzero(np.ravel(b))
    p, q = np.ravel(a)[i], np.ravel(b)[j]
    cost = np.sum((at[i, None] - at[None, j]) ** 2, axis=2)
    rows = kron(np.eye(len(i)), np.ones((1, len(j)))), kron(np.ones((1, len(i))), np.eye(len(j)))
    found = linprog(np.ravel(cost), A_eq=vstack(rows).tocsr()[:-1], b_eq=np.append(p, q * (p.sum() / q.sum()))[:-1])
    assert found.status == 0, found.message
    return found.fun


def brackets(a, b, parts):
    """Bounds of W₂² of two densities on unit cells by two programmes.

    Above: between the centres of cells cut into parts, each moved as it is.  Below: each part spread over its corners,
    which no distance survives without growing, less what that adds to the second moments.
    """
    w = 1.0 / parts
    cut = [np.repeat(np.repeat(m / m.sum(), parts, axis=0), parts, axis=1) / parts**2 for m in (a, b)]
    ny, nx = cut[0].shape
    above = programme(*cut, (np.arange(nx) + 0.5) * w, (np.arange(ny) + 0.5) * w)
    spread = [sum(np.pad(0.25 * m, ((j, 1 - j), (i, 1 - i))) for j in (0, 1) for i in (0, 1)) for m in cut]
    below = programme(*spread, np.arange(nx + 1) * w, np.arange(ny + 1) * w) - 2 * w**2 / 3
    return below, above


def check_against_programmes(kinds, rng, n, parts):
    a, b = (image(kind, rng, n) for kind in kinds)
    grid = unit_cells(n, n)
    found = squared_distance(Cells(grid, a), Cells(grid, b), WALLS, 1e-3)
    below, above = brackets(a, b, parts)
    assert found.lower <= above * (1 + 1e-9) and found.upper >= below * (1 - 1e-9)
    assert found.lower <= found.value <= found.upper
    assert below * (1 - 2e-2) <= found.value <= above * (1 + 2e-3)
    assert found.upper - found.lower <= 0.15 * found.upper


@pytest.mark.parametrize("kind", KINDS)
def test_against_linear_programmes(kind):
    check_against_programmes((kind, kind), np.random.default_rng(KINDS.index(kind)), 4, 3)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(200))
def test_against_many_linear_programmes(seed):
    rng = np.random.default_rng(seed)
    check_against_programmes(rng.choice(KINDS, 2), rng, int(rng.integers(3, 7)), 3)


@pytest.mark.parametrize("kind", KINDS)
def test_atoms_against_a_linear_programme(kind):
    """Between the centres themselves: further apart than the densities."""
    rng = np.random.default_rng(10 + KINDS.index(kind))
    a, b = (image(kind, rng, 9) for _ in range(2))
    grid = unit_cells(9, 9)
    exact = programme(a / a.sum(), b / b.sum(), grid.x.centers, grid.y.centers)
    found = squared_distance(Atoms(grid, a), Atoms(grid, b), WALLS, 1e-3)
    assert found.lower <= exact * (1 + 1e-9) and found.upper >= exact * (1 - 1e-9)
    assert found.value == pytest.approx(exact, rel=1e-7, abs=0) and found.upper - found.lower <= 1e-7 * exact
    densities = squared_distance(Cells(grid, a), Cells(grid, b), WALLS, 1e-3)
    assert densities.upper < exact


# ---- exactly known -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stretched", [False, True])
@pytest.mark.parametrize("rings", [(False, True), (True, False), (True, True)])
def test_atoms_round_circles(rings, stretched):
    """One atom against one, and against all of a density, of which there is one plan: every atom of the lattice counts,
    those of the last row and column too."""
    mapping = [lambda s: s + 0.1 * np.sin(2 * np.pi * s), lambda s: s**1.3] if stretched else None
    grid = Grid([0.0, 0.0], [1.0, 1.5], [5, 6], periodic=list(rings), mapping=mapping)
    rng = np.random.default_rng(3)
    for row, column in ((5, 2), (5, 4), (0, 4), (3, 1)):
        a = np.zeros(grid.shape)
        a[row, column] = 1.0
        away = [np.abs(axis.centers - axis.centers[k]) for axis, k in zip(grid.axes, (column, row), strict=True)]
        away = [np.minimum(d, axis.length - d) if axis.ring else d for d, axis in zip(away, grid.axes, strict=True)]
        squares = away[0] ** 2 + away[1][:, None] ** 2
        targets = [rng.uniform(0.0, 1.0, grid.shape)] + [np.roll(a, -1, axis=k) for k in (0, 1)]
        for b in targets:
            exact = np.sum(squares * b * grid.cell_volume) / np.sum(b * grid.cell_volume)
            found = squared_distance(Atoms(grid, a), Atoms(grid, b), rings, 1e-3)
            assert exact * (1 - 1e-9) <= found.upper and found.lower <= exact * (1 + 1e-9)
            assert found.upper - found.lower <= 1e-9 * exact and found.lower <= found.value <= found.upper


def test_bounds_that_cross_are_none(monkeypatch):
    """A lower bound above the cost of a plan is wrong, and is not told: wherever it came from the bounds hold."""
    grid = Grid([0.0, 0.0], [1.0, 1.0], [6, 6])
    rng = np.random.default_rng(4)
    p, q, across = (f / f.sum() for f in rng.uniform(0.2, 1.0, (3, 6)))
    call = DualBound.__call__
    for share in (1.0, 1e-3):
        lines = p, (1 - share) * p + share * q
        exact = Coupling(grid.x.edges, lines[0], grid.x.edges, lines[1]).w2 ** 2
        mu, nu = (Cells(grid, np.outer(across, line)) for line in lines)
        for where, name, wrong in (
            (DualBound, "__call__", lambda *given: replace(call(*given), lower=1e3)),
            (weighted_norms, "_below", lambda *given: 1e3),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(where, name, wrong)
                found = squared_distance(mu, nu, WALLS, 1e-3, 36)
            assert found.lower <= exact * (1 + 1e-9) and exact * (1 - 1e-9) <= found.upper
            assert found.lower <= found.value <= found.upper
    assert uncrossed(1.0 + 1e-12, 1.0) == 1.0 and uncrossed(0.5, 1.0) == 0.5 and uncrossed(1.1, 1.0) == 0.0


@pytest.mark.parametrize(("dx", "dy"), [(1, 0), (1, 1), (0, 2), (3, 1)])
def test_pixels_that_move_by_whole_cells(dx, dy):
    """One pixel, and a block of noise: exactly as far as they move."""
    rng = np.random.default_rng(dx + 7 * dy)
    for size, n in ((1, 5), (4, 12)):
        a = np.zeros((n, n))
        a[1 : 1 + size, 1 : 1 + size] = rng.uniform(0.1, 1.0, (size, size))
        grid = unit_cells(n, n)
        found = squared_distance(Cells(grid, a), Cells(grid, np.roll(a, (dy, dx), (0, 1))), WALLS, 1e-3)
        exact = dx**2 + dy**2
        assert found.lower <= exact * (1 + 1e-12) and found.upper >= exact * (1 - 1e-12)
        assert np.sqrt(found.value / exact) == pytest.approx(1.0, abs=2e-3)
        assert found.upper - found.lower <= 0.06 * exact


def test_a_block_far_away():
    """2 × 2 cells moved by 16: 3.2 % too much when distances were those of paths on cells."""
    a = np.zeros((32, 32))
    a[4:6, 4:6] = 1.0
    grid = unit_cells(32, 32)
    found = squared_distance(Cells(grid, a), Cells(grid, np.roll(a, 16, axis=1)), WALLS, 1e-3)
    assert np.sqrt(found.value) == pytest.approx(16.0, rel=1e-4, abs=0)
    assert np.sqrt(found.lower) >= 16.0 * (1 - 1e-3) and np.sqrt(found.upper) <= 16.0 * (1 + 1e-3)


def check_products(seed):
    """Products of densities in 1D, W₂² the sum of both: rough, with gaps, on all kinds of axes; how far off, and how
    far apart in cells."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["rough", "gaps", "smooth"])
    rings = tuple(bool(rng.random() < 0.3) for _ in range(2))
    stretched, unequal = rng.random(2) < 0.3

    def grid(low, high):
        maps = [lambda s: s + 0.05 * np.sin(2 * np.pi * s), lambda s: s + 0.1 * s * (1 - s)] if stretched else None
        return Grid(low, high, rng.integers(4, 30, 2).tolist(), periodic=list(rings), mapping=maps)

    def line(axis):
        f = rng.uniform(0.0, 1.0, axis.size)
        if kind == "gaps":
            f[rng.random(axis.size) < 0.6] = 0.0
            f[rng.integers(axis.size)] += 1.0
        if kind == "smooth":
            centre, width = rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.3)
            f = np.exp(-((((axis.centers - axis.lower) / axis.length - centre) / width) ** 2))
        return f / f.sum()

    one = grid([0.0, 0.0], [2.0, 1.5])
    low = [0.0 if ring else -0.2 for ring in rings]
    other = grid(low, [2.0 if rings[0] else 1.6, 1.5 if rings[1] else 1.9]) if unequal else one
    pairs = [(line(p), line(q)) for p, q in zip(one.axes, other.axes, strict=True)]
    exact = sum(
        Coupling(p.edges, *[a, q.edges, b], periodic=ring).w2 ** 2
        for p, q, (a, b), ring in zip(one.axes, other.axes, pairs, rings, strict=True)
    )
    a, b = (np.outer(pairs[1][k], pairs[0][k]) for k in (0, 1))
    found = squared_distance(Cells(one, a / one.cell_volume), Cells(other, b / other.cell_volume), rings, 1e-3)
    assert found.lower <= exact * (1 + 1e-9) and found.upper >= exact * (1 - 1e-9)
    return abs(np.sqrt(found.value / exact) - 1), np.sqrt(exact) / max(*one.x.widths, *one.y.widths)


def test_products():
    errors = [check_products(seed) for seed in range(25)]
    off = [error for error, cells in errors if cells > 1]
    assert len(off) > 12 and np.nanmax(off) <= 0.01 and np.nanmedian(off) <= 1e-3


@pytest.mark.nightly
def test_many_products():
    errors = [check_products(seed) for seed in range(100, 300)]
    assert np.nanmax([error for error, cells in errors if cells > 3]) <= 0.02


# ---- on its own --------------------------------------------------------------------------------------------


def test_symmetry_and_scaling():
    """Exchanging the two, turning both over, and lengths five times as great."""
    rng = np.random.default_rng(3)
    a, b = image("white", rng, 12), image("field", rng, 12)
    grid, large = unit_cells(12, 12), Grid([0, 0], [60, 60], [12, 12])
    there = squared_distance(Cells(grid, a), Cells(grid, b), WALLS, 1e-3)
    for found in (
        squared_distance(Cells(grid, b), Cells(grid, a), WALLS, 1e-3),
        squared_distance(Cells(grid, a[::-1]), Cells(grid, b[::-1]), WALLS, 1e-3),
        squared_distance(Cells(grid, a.T), Cells(grid, b.T), WALLS, 1e-3),
    ):
        assert found.value == pytest.approx(there.value, rel=2e-3, abs=0)
        assert found.lower <= there.upper and found.upper >= there.lower
    scaled = squared_distance(Cells(large, a), Cells(large, b), WALLS, 1e-3)
    assert scaled.value == pytest.approx(25 * there.value, rel=1e-6, abs=0)


COUNT_KERNELS = """
import sys
import numpy as np
from numba.core.dispatcher import Dispatcher
from wgfpde.grid import Grid
from wgfpde.transport import Points, distance
from wgfpde.transport.plane.between import warm_up

def compiled():
    kernels = {id(k): k for name, module in list(sys.modules.items()) if name.startswith("wgfpde")
               for k in vars(module).values() if isinstance(k, Dispatcher)}
    return {f"{k.py_func.__module__}.{k.py_func.__name__}": len(k.signatures) for k in kernels.values()}

warm_up()
before = compiled()
rng = np.random.default_rng(0)
walls, torus = Grid([0, 0], [1, 2], [10, 14]), Grid([0, 0], [1, 2], [12, 9], periodic=[True, False])
curved = Grid([0, 0], [1, 2], [8, 8], mapping=[lambda s: s**1.2, None])
rough = [rng.uniform(0.5, 1.0, g.shape) / g.volume for g in (walls, walls, torus, torus, curved)]
rough = [r / np.sum(r * g.cell_volume) for r, g in zip(rough, (walls, walls, torus, torus, curved))]
options = {"tolerance": 0.1, "cells": 2000}
for grid, a, b, other, atoms in (
    (walls, rough[0], rough[1], None, False), (walls, rough[0], 0.999 * rough[0] + 1e-3 * rough[1], None, False),
    (torus, rough[2], rough[3], None, False), (walls, rough[0], rough[4], curved, False),
    (walls, rough[0].astype(np.float32), np.asfortranarray(rough[1]), None, False),
    (walls, rough[0], rough[1], None, True), (torus, Points(rng.random((9, 2))), rough[2], None, False),
    (torus, Points(rng.random((9, 2))), Points(rng.random((5, 2))), None, False),
):
    distance(grid, a, b, other, atoms=atoms, **options)
more = {name: count for name, count in compiled().items() if count != before.get(name, 0)}
assert sum(before.values()) > 10 and not more, more
"""


def test_one_warm_up_compiles_all():
    """In a process of its own: after it no pair of any kind compiles a kernel, or a second form of one."""
    done = subprocess.run([sys.executable, "-c", COUNT_KERNELS], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
