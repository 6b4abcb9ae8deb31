"""The network of rates against its definition, face by face: areas, distances, order on stretched grids and rings."""

from typing import Literal

import numpy as np
import pytest

from wgfpde.base.case_table import Positive, Table
from wgfpde.energy.donor import donor_weight
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.fluxes import dissipation, max_flux
from wgfpde.energy.laws import LAWS, ArrayLaw, register
from wgfpde.energy.rates import Rates, faces_of, sg_network
from wgfpde.grid import Grid
from wgfpde.linear.lines import lines_of


class Square(Table):
    """U = κρ², as of arrays."""

    kind: Literal["square"]
    kappa: Positive = 1.0


SQUARE = ArrayLaw(
    "square", Square, lambda r, kappa: kappa * r**2, lambda r, kappa: 2 * kappa * r, lambda r, kappa: 2 * kappa + 0 * r
)
BOUNDARIES = [(False, False), (True, False), (False, True), (True, True)]
KAPPA = 0.7


def grid_of(periodic, dim=2):
    """Cells of all widths; more lines each way than a block has."""
    maps = [lambda s: s**1.5, lambda s: 0.3 * s + 0.7 * s**2][:dim]
    return Grid([0.0, -1.0][:dim], [2.0, 2.0][:dim], [11, 10][:dim], list(periodic[:dim]), maps)


def faces_by_definition(grid):
    """(axis, lower cell, upper cell, area, distance) of every face: x first, then y, row by row."""
    ny, nx = (1, grid.size) if grid.dim == 1 else grid.shape
    for along, axis in enumerate(grid.axes):
        edges = axis.edges
        centres = 0.5 * (edges[1:] + edges[:-1])
        for j in range(ny):
            for i in range(nx):
                k, n = (i, nx) if along == 0 else (j, ny)
                if k == n - 1 and not axis.ring:
                    continue
                here, there = (j, i), ((j, (i + 1) % nx) if along == 0 else ((j + 1) % ny, i))
                seam = axis.length if k == n - 1 else 0.0
                distance = centres[(k + 1) % n] + seam - centres[k]
                other = None if grid.dim == 1 else grid.axes[1 - along].edges
                m = j if along == 0 else i
                yield along, here, there, 1.0 if other is None else other[m + 1] - other[m], distance


def bernoulli(s):
    return 1.0 if s == 0 else s / np.expm1(s)


@pytest.mark.parametrize("periodic", BOUNDARIES)
@pytest.mark.parametrize("dim", [1, 2])
def test_faces_and_scharfetter_gummel_rates(periodic, dim):
    grid = grid_of(periodic, dim)
    phi = np.random.default_rng(1).normal(size=grid.shape)
    rows = phi.reshape((1, -1) if dim == 1 else grid.shape)
    wanted = []
    for _, here, there, area, distance in faces_by_definition(grid):
        s = (rows[there] - rows[here]) / KAPPA
        scale = area / distance
        places = [np.ravel_multi_index(place, rows.shape) for place in (here, there)]
        wanted.append((*places, scale, KAPPA * scale * bernoulli(s), KAPPA * scale * bernoulli(-s)))
    lower, upper, conductance, a, b = np.array(wanted).T
    flow = Flow(grid, Energy(Internal("entropy", KAPPA)))
    faces = faces_of(flow)
    np.testing.assert_array_equal(faces.lower, lower)
    np.testing.assert_array_equal(faces.upper, upper)
    np.testing.assert_allclose(faces.conductance, conductance, rtol=1e-13)
    found = sg_network(flow, phi)
    np.testing.assert_allclose(found[0], a, rtol=1e-12)
    np.testing.assert_allclose(found[1], b, rtol=1e-12)


@pytest.mark.parametrize("periodic", BOUNDARIES)
def test_limited_donors(periodic):
    """The velocity times the donor plus half its minmod slope, at most twice the donor; the donor alone at a wall."""
    grid = grid_of(periodic)
    rng = np.random.default_rng(2)
    phi, rho = rng.normal(size=grid.shape), rng.exponential(size=grid.shape)
    rates = Rates(grid, lines_of(grid))
    for lines in rates.axes:
        rates.donors(phi, rho, lines)
    a, b = rates.network()
    steps = {(along, here): (there, distance) for along, here, there, _, distance in faces_by_definition(grid)}
    back = {(along, there): (here, distance) for (along, here), (there, distance) in steps.items()}
    for k, (along, here, there, area, distance) in enumerate(faces_by_definition(grid)):
        speed = (phi[here] - phi[there]) / distance
        up, down, behind = (here, there, back) if speed > 0 else (there, here, steps)
        value = rho[up]
        if (along, up) in behind:
            before, gap = behind[along, up]
            slopes = (rho[up] - rho[before]) / gap, (rho[down] - rho[up]) / distance
            if slopes[0] * slopes[1] > 0:
                width = grid.axes[along].widths[up[1 - along]]
                value += 0.5 * width * min(slopes, key=abs)
        flux = area * abs(speed) * min(max(value, 0.0), 2 * rho[up])
        rate = (a if speed > 0 else b)[k], (b if speed > 0 else a)[k]
        assert rate[0] * rho[up] == pytest.approx(flux, rel=1e-12, abs=1e-300) and rate[1] == 0.0


def test_a_wide_donor_gives_up_to_twice_its_density():
    """A cell 1.8 wide behind an empty one at distance 1: its density at the face is 1 + 1.8/2."""
    assert donor_weight(0.0, 1.0, 4.0, 1.8, 1.0, 1.2) == pytest.approx(1.9, rel=1e-15, abs=0)
    assert donor_weight(0.0, 1.0, 4.0, 3.0, 1.0, 1.2) == 2.0
    assert donor_weight(2.0, 1.0, 0.4, 1.0, 1.0, 1.2) == pytest.approx(0.75, rel=1e-15, abs=0)
    assert donor_weight(2.0, 1.0, 4.0, 1.0, 1.0, 1.2) == 1.0


@pytest.mark.parametrize("periodic", BOUNDARIES)
@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("internal", ["entropy", "power", "square", "none"])
def test_dissipation_and_the_largest_flux(internal, dim, periodic):
    """−Σ area F Δξ and max |F| over all faces; densities near 1, where no limiter wakes but that of donors."""
    register(SQUARE)
    try:
        law = Internal(internal, KAPPA, 2.0) if internal == "power" else Internal(internal, KAPPA)
        grid, rng = grid_of(periodic, dim), np.random.default_rng(3)
        flow = Flow(grid, Energy(law, lambda x, y=0.0: np.cos(np.pi * x + 1) * (1.5 + np.sin(2 * np.pi * y / 3))))
        rho, phi = 1 + 0.2 * rng.random(grid.shape), flow.potential
        found = dissipation(flow, rho), max_flux(flow, rho)
    finally:
        del LAWS["square"]
    cells = rho.reshape(1, -1) if dim == 1 else rho
    slope = {"entropy": lambda r: KAPPA * np.log(r), "none": np.zeros_like}.get(internal, lambda r: 2 * KAPPA * r)
    xi = slope(cells) + phi.reshape(cells.shape)
    rows = phi.reshape(cells.shape)
    if internal == "none":
        rates = Rates(grid, lines_of(grid))
        for lines in rates.axes:
            rates.donors(rows, cells, lines)
        a, b = rates.network()
    total = largest = 0.0
    for k, (_, here, there, area, distance) in enumerate(faces_by_definition(grid)):
        if internal == "none":
            flux = (a[k] * cells[here] - b[k] * cells[there]) / area
        elif internal == "entropy":
            s = (rows[there] - rows[here]) / KAPPA
            flux = KAPPA / distance * (bernoulli(s) * cells[here] - bernoulli(-s) * cells[there])
        else:
            flux = -0.5 * (cells[here] + cells[there]) * (xi[there] - xi[here]) / distance
        total, largest = total - area * flux * (xi[there] - xi[here]), max(largest, abs(flux))
    assert found == (pytest.approx(total, rel=1e-12, abs=0), pytest.approx(largest, rel=1e-12, abs=0))


@pytest.mark.parametrize("jump", [0.0, 0.08, -0.08])
@pytest.mark.parametrize("rho", [[1.0, 0.0], [0.0, 1.0]])
def test_beside_a_vacuum_the_dissipation_is_infinite(jump, rho):
    """Of the entropy, however small the one rate is that does not underflow: 0.08/d at ΔΦ = 800 κ."""
    flow = Flow(Grid([0.0], [2.0], [2]), Energy(Internal("entropy", 1e-4), lambda x: jump * x))
    assert dissipation(flow, np.array(rho)) == np.inf
    assert dissipation(flow, np.array([1.0, 1.0])) == pytest.approx(jump**2, rel=1e-12, abs=0)
    assert dissipation(flow, np.zeros(2)) == 0.0
