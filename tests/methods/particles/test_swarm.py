"""Where particles start, what they draw, how they fold into the box, and how they count as a density."""

import numpy as np
import pytest

from wgfpde.grid import Grid
from wgfpde.grid.initial import from_samples
from wgfpde.methods.particles import swarm

STRETCHED = [lambda s: s + 0.5 / (2 * np.pi) * np.sin(2 * np.pi * s)]
GRIDS = {
    "line": Grid([-1.0], [2.0], [12]),
    "stretched": Grid([-1.0], [2.0], [12], mapping=STRETCHED),
    "ring": Grid([-1.0], [2.0], [12], True),
    "plane": Grid([-1.0, 0.0], [2.0, 1.0], [6, 5], [False, True]),
    "stretched plane": Grid([-1.0, 0.0], [2.0, 1.0], [6, 5], mapping=STRETCHED * 2),
}


def density(grid):
    rho = 1.0 + np.arange(grid.size).reshape(grid.shape) ** 2
    rho.flat[[0, 3, grid.size - 1]] = 0.0
    return rho


def test_noise_depends_on_seed_block_and_step_alone():
    first = swarm.stream(7, swarm.NOISE, 3, 11).standard_normal(5)
    np.testing.assert_array_equal(first, swarm.stream(7, swarm.NOISE, 3, 11).standard_normal(5))
    others = [(8, swarm.NOISE, 3, 11), (7, swarm.START, 3, 11), (7, swarm.NOISE, 4, 11), (7, swarm.NOISE, 3, 12)]
    for other in others:
        assert not np.any(first == swarm.stream(*other).standard_normal(5))
    pinned = [1.02028798, 0.75971319, -0.2458379]
    np.testing.assert_allclose(swarm.stream(1, swarm.NOISE, 0, 0).standard_normal(3), pinned, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", GRIDS)
def test_particles_count_as_the_histogram_of_a_file(name, tmp_path):
    """The same density as from_samples, edges and rings included; mass to rounding; no thread changes a bit."""
    grid = GRIDS[name]
    places = swarm.draw(density(grid), grid, 500, 5)
    places[0] = [axis.edges[2] for axis in grid.axes]
    places[1] = [axis.lower if axis.ring else axis.upper for axis in grid.axes]
    lines = [",".join("xy"[: grid.dim])] + [",".join(map(repr, map(float, row))) for row in places]
    (tmp_path / "points.csv").write_text("\n".join(lines))
    counts = swarm.counts_in(places, grid)
    np.testing.assert_allclose(
        swarm.density_of_counts(counts, grid, 1.0), from_samples(tmp_path / "points.csv", grid), rtol=1e-14
    )
    rho = swarm.density_of_counts(counts, grid, 2.5)
    assert float(np.sum(rho * grid.cell_volume)) == pytest.approx(2.5, rel=1e-15, abs=0) and counts.sum() == 500
    many = swarm.draw(density(grid), grid, 150_000, 5)
    np.testing.assert_array_equal(swarm.counts_in(many, grid, 1), swarm.counts_in(many, grid, 3))


@pytest.mark.parametrize("name", GRIDS)
def test_draws_are_of_the_density(name):
    """χ² of the counts, its mean the number of cells and its deviation √2n: five of them; cells are filled evenly."""
    grid, count = GRIDS[name], 200_000
    rho = density(grid)
    places = swarm.draw(rho, grid, count, 11)
    expected = count * np.ravel(rho * grid.cell_volume) / np.sum(rho * grid.cell_volume)
    found = np.ravel(swarm.counts_in(places, grid))
    assert np.all(found[expected == 0] == 0)
    full = expected > 0
    chi = float(np.sum((found - expected)[full] ** 2 / expected[full]))
    assert abs(chi - full.sum()) < 5 * np.sqrt(2 * full.sum())
    inside = (places[:, 0] - grid.x.edges[np.searchsorted(grid.x.edges, places[:, 0], side="right") - 1]) / np.interp(
        places[:, 0], grid.x.centers, grid.x.widths
    )
    assert grid.x.uniform is False or abs(inside.mean() - 0.5) < 5 / np.sqrt(12 * count)
    assert np.all((places >= [a.lower for a in grid.axes]) & (places <= [a.upper for a in grid.axes]))
    np.testing.assert_array_equal(places[:70_000], swarm.draw(rho, grid, 70_000, 11))


@pytest.mark.parametrize("name", ["line", "stretched"])
def test_quantiles_halve_what_lies_about_them(name):
    grid = GRIDS[name]
    rho = density(grid)
    places = swarm.quantiles(rho, grid, 64)[:, 0]
    masses = rho * grid.x.widths
    below = np.interp(places, grid.x.edges, np.concatenate([[0.0], np.cumsum(masses)])) / masses.sum()
    np.testing.assert_allclose(below, (np.arange(64) + 0.5) / 64, rtol=0, atol=1e-14)


def reflected(y, lower, upper):
    """By unfolding one wall after the other."""
    while not lower <= y <= upper:
        y = 2 * lower - y if y < lower else 2 * upper - y
    return y


@pytest.mark.parametrize("y", [-1.0, 2.0, 0.3, -1.2, 2.7, 5.1, -3.9, -4.2, 11.0, -25.3])
def test_folding(y):
    assert swarm.folded(y, -1.0, 2.0, 0) == pytest.approx(reflected(y, -1.0, 2.0), abs=1e-13, rel=0)
    on_ring = swarm.folded(y, -1.0, 2.0, 1)
    assert on_ring == pytest.approx(-1 + (y + 1) % 3, abs=1e-13, rel=0) and -1 <= on_ring < 2
    for ring in (0, 1):
        # what folds y takes y there, keeps distances, and undoes itself
        z = 0.77
        assert swarm.image(y, y, -1.0, 2.0, ring) == pytest.approx(swarm.folded(y, -1.0, 2.0, ring), abs=1e-13, rel=0)
        moved = swarm.image(z, y, -1.0, 2.0, ring)
        assert abs(moved - swarm.folded(y, -1.0, 2.0, ring)) == pytest.approx(abs(z - y), abs=1e-13, rel=0)


def test_no_place_falls_out_by_rounding():
    for ring in (0, 1):
        for y in (np.nextafter(-1.0, -2), np.nextafter(2.0, 3), -1.0 - 1e-300, 1e17, -1e17):
            place = swarm.folded(y, -1.0, 2.0, ring)
            assert -1 <= place <= 2 and (ring == 0 or place < 2)
