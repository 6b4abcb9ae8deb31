"""W∗ρ of polynomials by moments: the same sum as over all pairs, on every grid, and only where it is that sum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgfpde.energy.averages.polynomial_moments import MomentInteraction
from wgfpde.energy.driving.in_time import frozen
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.interaction import DENSE_LIMIT, DenseInteraction, FourierInteraction, make_interaction
from wgfpde.errors import CaseError
from wgfpde.formulas.compile import compile_expression
from wgfpde.grid import Grid

STRETCHED = [lambda s: s + 0.1 * np.sin(2 * np.pi * s)]


def formula(text, dim, **params):
    return compile_expression(text, ("x", "y", "r", "t") if dim == 2 else ("x", "r", "t"), params)


def grid_of(shape, periodic=False, mapping=None):
    dim = len(shape)
    return Grid([-1.0, 2.0][:dim], [1.5, 6.0][:dim], list(shape), periodic, mapping)


def pairs(kernel, grid):
    """Σ_j W(x_i − x_j) h_j as a matrix, without wrapping."""
    names = [axis.name for axis in grid.axes]
    points = np.meshgrid(*[axis.centers for axis in reversed(grid.axes)], indexing="ij")
    places = [p.ravel() for p in reversed(points)]
    values = kernel(**{name: p[:, None] - p[None, :] for name, p in zip(names, places, strict=True)})
    return np.broadcast_to(values, (grid.size, grid.size)) * np.ravel(grid.cell_volume)


def gap(operator, kernel, grid, rho):
    matrix = pairs(kernel, grid)
    expected = (matrix @ rho.ravel()).reshape(grid.shape)
    return np.max(np.abs(operator.apply(rho) - expected)) / np.max(np.abs(matrix) @ np.abs(rho).ravel())


@pytest.mark.parametrize("mapping", [None, STRETCHED])
@pytest.mark.parametrize("text", ["x**2/2", "r**4/4 - r**2/2", "3", "abs(x)**2 - x*x/3 + 1", "(1 - x**2)**3", "r**8"])
def test_on_the_line(text, mapping):
    grid, kernel = grid_of((17,), mapping=mapping), formula(text, 1)
    operator = make_interaction(kernel, grid)
    assert isinstance(operator, MomentInteraction)
    for rho in np.random.default_rng(1).random((3, 17)) ** 4:
        assert gap(operator, kernel, grid, rho) < 1e-14


@pytest.mark.parametrize("mapping", [None, [*STRETCHED, None], [lambda s: s**1.5, *STRETCHED]])
@pytest.mark.parametrize(
    "text",
    ["r**2/2", "r**4/4 - r**2/2", "x*y", "(x - y)**2 + x**3*y", "x**2*y**2 + 2", "hypot(x, y)**6 - x**4", "y**2"],
)
def test_in_the_plane(text, mapping):
    grid, kernel = grid_of((12, 9), mapping=mapping), formula(text, 2)
    operator = make_interaction(kernel, grid)
    assert isinstance(operator, MomentInteraction)
    assert gap(operator, kernel, grid, np.random.default_rng(2).random(grid.shape) ** 4) < 1e-14


@given(st.integers(1, 2), st.booleans(), st.data())
@settings(max_examples=30, deadline=None)
def test_of_every_even_polynomial_of_every_density(dim, stretched, data):
    """Signed densities too, and those without mass, of which Newton's method asks."""
    powers = [(i, j) for i in range(7) for j in range(7 if dim == 2 else 1) if (i + j) % 2 == 0 and i + j <= 6]
    chosen = data.draw(st.lists(st.sampled_from(powers), min_size=1, max_size=4, unique=True))
    terms = {power: data.draw(st.floats(-3, 3).filter(lambda c: abs(c) > 1e-3)) for power in chosen}
    grid = grid_of((11, 8)[:dim], mapping=STRETCHED * dim if stretched else None)

    def kernel(x, y=0.0):
        return sum(c * x**i * y**j for (i, j), c in terms.items())

    rho = np.random.default_rng(data.draw(st.integers(0, 9))).standard_normal(grid.shape)
    rho -= data.draw(st.sampled_from([0.0, np.sum(rho * grid.cell_volume) / grid.volume]))
    sizes = pairs(lambda x, y=0.0: sum(abs(c * x**i * y**j) for (i, j), c in terms.items()), grid)
    bound = np.max(sizes @ np.abs(rho).ravel())
    expected = (pairs(kernel, grid) @ rho.ravel()).reshape(grid.shape)
    assert np.max(np.abs(MomentInteraction(terms, grid).apply(rho) - expected)) <= 1e-13 * bound


@pytest.mark.parametrize(("shape", "mapping"), [((40,), STRETCHED), ((9, 7), [*STRETCHED, None])])
def test_it_is_symmetric(shape, mapping):
    grid = grid_of(shape, mapping=mapping)
    operator = make_interaction(formula("r**4/4 - r**2/2", len(shape)), grid)
    a, b = np.random.default_rng(3).standard_normal((2, *grid.shape))
    left, right = np.sum(grid.cell_volume * a * operator.apply(b)), np.sum(grid.cell_volume * b * operator.apply(a))
    assert abs(left - right) <= 1e-13 * np.sum(grid.cell_volume * np.abs(a)) * np.max(np.abs(operator.apply(np.abs(b))))


def test_a_narrow_density_in_a_wide_box_is_convolved_where_it_is():
    """From the middle of the box x⁴ and its moments are 1e12 of what the two masses see of each other."""
    grid = Grid([0.0], [1.0], [40], mapping=[lambda s: s**4])
    rho = np.zeros(40)
    rho[4:6] = 1.0
    found = make_interaction(formula("x**4", 1), grid).apply(rho)[4:6]
    masses, places = (rho * grid.cell_volume)[4:6], grid.x.centers[4:6]
    assert found == pytest.approx(masses[::-1] * (places[1] - places[0]) ** 4, rel=1e-9, abs=0.0)


@pytest.mark.parametrize(
    ("text", "dim"),
    [("r**3", 2), ("abs(x)", 1), ("log(r)", 2), ("r**10", 2), ("exp(-x**2)", 1), ("x**2.5", 1), ("sqrt(r)", 1),
     ("1/x**2*x**4", 1), ("where(x > 0, x**2, x**2)", 1), ("abs(x)*hypot(x, y)", 2), ("x**-2", 1)],
)  # fmt: skip
def test_what_is_no_polynomial_of_low_degree(text, dim):
    assert formula(text, dim).polynomial() is None


def test_how_polynomials_expand():
    assert formula("(x - y)**2/2", 2).polynomial() == {(2, 0): 0.5, (1, 1): -1.0, (0, 2): 0.5}
    assert formula("r*r**3", 2).polynomial() == {(4, 0): 1.0, (2, 2): 2.0, (0, 4): 1.0}
    assert formula("-a*r**2 + 0*x", 1, a=3.0).polynomial() == {(2, 0): -3.0}
    assert formula("(1 + t)*x**2", 1).polynomial(t=0.5) == {(2, 0): 1.5}
    assert formula("(1 + t)*x**2", 1).polynomial() is None
    assert formula("x**2/0", 1).polynomial() is None


def test_a_kernel_in_time_is_taken_at_its_time():
    grid, rho = grid_of((9,)), np.linspace(1.0, 2.0, 9)
    late = make_interaction(frozen(formula("(1 + t)*x**2", 1), 1.0), grid)
    assert isinstance(late, MomentInteraction)
    assert late.apply(rho) == pytest.approx(2 * make_interaction(formula("x**2", 1), grid).apply(rho), rel=1e-14, abs=0)
    assert isinstance(make_interaction(frozen(formula("exp(t*x**2)", 1), 1.0), grid), FourierInteraction)


@pytest.mark.parametrize(
    ("text", "shape", "periodic", "moments"),
    [
        ("x**2", (9,), True, False),
        ("3 + 0*x", (9,), True, True),
        ("r**2", (6, 5), [True, False], False),
        ("y**2", (6, 5), [True, False], True),
        ("y**2", (6, 5), [False, True], False),
        ("x**4 - x**2", (6, 5), [False, True], True),
    ],
)
def test_a_periodic_axis_wraps_displacements(text, shape, periodic, moments):
    """A polynomial of the shortest displacement is none of the places."""
    grid, kernel = grid_of(shape, periodic), formula(text, len(shape))
    operator, rho = make_interaction(kernel, grid), np.random.default_rng(4).random(grid.shape)
    assert isinstance(operator, MomentInteraction) is moments
    plain = FourierInteraction(kernel, grid).apply(rho)
    np.testing.assert_allclose(operator.apply(rho), plain, rtol=0, atol=1e-14 * np.max(np.abs(plain)))


def test_refusals_stay_those_of_the_general_sum():
    with pytest.raises(CaseError, match="must be even"):
        make_interaction(formula("x + x**2", 1), grid_of((8,)))
    with pytest.raises(CaseError, match="not finite at displacement"):
        make_interaction(formula("x**8", 1), Grid([0.0], [1e60], [8]))


def test_a_large_stretched_grid_needs_no_matrix():
    side = 90
    grid = grid_of((side, side), mapping=[*STRETCHED, None])
    assert grid.size > DENSE_LIMIT
    rho = np.random.default_rng(5).random(grid.shape)
    found = make_interaction(formula("r**2", 2), grid).apply(rho)
    x, y = np.meshgrid(grid.x.centers, grid.y.centers)
    h = grid.cell_volume * rho
    expected = np.sum(h * ((x[3, 7] - x) ** 2 + (y[3, 7] - y) ** 2))
    assert found[3, 7] == pytest.approx(expected, rel=1e-13, abs=0)
    with pytest.raises(CaseError, match="all pairs of cells"):
        make_interaction(formula("r", 2), grid)
    flow = Flow(grid, Energy(Internal("entropy"), None, formula("r**2/2", 2)))
    assert flow.parts(rho)[2] == pytest.approx(0.25 * np.sum(grid.cell_volume * rho * found), rel=1e-13, abs=0)


@pytest.mark.parametrize("mapping", [None, STRETCHED])
def test_functions_in_python_go_the_general_way(mapping):
    grid = grid_of((8,), mapping=mapping)
    general = DenseInteraction if mapping else FourierInteraction
    assert isinstance(make_interaction(lambda x: x**2, grid), general)
