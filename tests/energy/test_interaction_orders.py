"""W∗ρ against closed forms of Gaussians, circles and moments: orders on uniform and on stretched grids."""

import numpy as np
import pytest
from scipy import special

from wgfpde.energy.interaction import make_interaction
from wgfpde.grid import Grid

# Order: W∗ρ of a Gaussian.  For W = r^a it is (2s)^(a/2) Γ((d+a)/2)/Γ(d/2) ₁F₁(−a/2; d/2; −r²/2s).

S = 0.2


def power_of_gaussian(a, r2, dim):
    front = (2 * S) ** (a / 2) * special.gamma((dim + a) / 2) / special.gamma(dim / 2)
    return front * special.hyp1f1(-a / 2, dim / 2, -r2 / (2 * S))


def log_of_gaussian(r2, dim):
    if dim == 2:
        return 0.5 * (np.log(r2) + special.exp1(r2 / (2 * S)))
    nodes, weights = np.polynomial.legendre.leggauss(200)  # u = t³ on [0, 10]
    t = 0.5 * 10 ** (1 / 3) * (1 + nodes[:, None])
    weights = 0.5 * 10 ** (1 / 3) * weights[:, None] * 3 * t**2 * 3 * np.log(t)
    x = np.sqrt(r2)
    density = [np.exp(-((x + sign * t**3) ** 2) / (2 * S)) / np.sqrt(2 * np.pi * S) for sign in (-1, 1)]
    return np.sum(weights * (density[0] + density[1]), axis=0)


POWERS = {f"r^{a:g}": a for a in (-0.9, -0.5, 0.5, 1.0, -1.0, -1.5)}
CLOSED_FORMS = {
    "log": (np.log, log_of_gaussian),
    "r²/2 − log": (lambda r: r**2 / 2 - np.log(r), lambda r2, dim: (r2 + dim * S) / 2 - log_of_gaussian(r2, dim)),
    **{
        name: ((lambda r, a=a: r**a), (lambda r2, dim, a=a: power_of_gaussian(a, r2, dim)))
        for name, a in POWERS.items()
    },
}


def fitted_order(kernel, closed_form, dim, sizes, mapping=None):
    """Slope of the largest error of W∗ρ within three deviations over refinements."""
    errors = []
    full = (lambda x: kernel(np.abs(x))) if dim == 1 else (lambda x, y: kernel(np.hypot(x, y)))
    for n in sizes:
        grid = Grid([-3.0] * dim, [3.0] * dim, [n] * dim, mapping=mapping)
        squares = grid.sample(lambda x, y=0.0: (x - 0.1) ** 2 + (y - 0.2 * (dim - 1)) ** 2)
        rho = grid.average(lambda x, y=0.0: np.exp(-((x - 0.1) ** 2 + (y - 0.2 * (dim - 1)) ** 2) / (2 * S)))
        found = make_interaction(full, grid).apply(rho / (2 * np.pi * S) ** (dim / 2))
        gap = np.abs(found - closed_form(squares.ravel(), dim).reshape(grid.shape))
        errors.append(np.max(gap[squares < 9 * S]))
    return np.polyfit(np.log(sizes), -np.log(errors), 1)[0]


@pytest.mark.parametrize("name", [n for n in CLOSED_FORMS if n not in ("r^-1", "r^-1.5")])
def test_order_1d(name):
    assert fitted_order(*CLOSED_FORMS[name], 1, (50, 100, 200)) > 1.9


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_order_2d(name):
    assert fitted_order(*CLOSED_FORMS[name], 2, (40, 80, 160)) > (1.85 if name == "r^-1.5" else 1.9)


@pytest.mark.parametrize("name", ["log", "r^-0.5", "r^1"])
def test_order_on_stretched_grids(name):
    def stretch(s):
        return s + 0.08 * np.sin(2 * np.pi * s)

    assert fitted_order(*CLOSED_FORMS[name], 1, (50, 100, 200), [stretch]) > 1.9
    assert fitted_order(*CLOSED_FORMS[name], 2, (16, 24, 32), [stretch, None]) > 1.85


@pytest.mark.parametrize(
    ("kernel", "mean", "first"),
    [
        (lambda x: -np.abs(x), -(1.5**2), 9 / np.pi**2),
        (lambda x: np.log(np.abs(np.sin(np.pi * x / 3))), -3 * np.log(2), -1.5),
    ],
)
@pytest.mark.parametrize("sizes", [(20, 40, 80), (21, 41, 81)])
def test_order_on_a_circle(kernel, mean, first, sizes):
    """W∗(1 + ½cos(2πx/3)) = Ŵ₀ + ½Ŵ₁ cos(2πx/3), of period 3; −|x| has a second kink half a period from the first."""
    errors = []
    for n in sizes:
        grid = Grid([0.0], [3.0], [n], True)
        wave = grid.sample(lambda x: np.cos(2 * np.pi * x / 3))
        errors.append(np.max(np.abs(make_interaction(kernel, grid).apply(1 + 0.5 * wave) - mean - 0.5 * first * wave)))
    assert np.polyfit(np.log(sizes), -np.log(errors), 1)[0] > 1.9


def test_moment_law_of_the_logarithm():
    """∫xρ ∂(W∗ρ) = M²/2 for W = ln|x| and every density."""
    errors, sizes = [], (60, 120, 240)
    for n in sizes:
        grid = Grid([-8.0], [8.0], [n])
        rho = 2 * grid.average(lambda x: np.exp(-((x - 0.3) ** 2)) / np.sqrt(np.pi))
        phi = make_interaction(lambda x: np.log(np.abs(x)), grid).apply(rho)
        force = np.gradient(phi, grid.x.centers)
        errors.append(abs(np.sum(grid.cell_volume * grid.x.centers * rho * force) - 2))
    assert np.polyfit(np.log(sizes), -np.log(errors), 1)[0] > 1.9
