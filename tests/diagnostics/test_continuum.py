"""The continuous density through the cell values: closed forms, and inequalities as theorems over random data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgfpde.diagnostics.certificates.constants import convexity
from wgfpde.diagnostics.certificates.continuum import continuum_of, line_distance
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid


def flow(grid, potential=None, kappa=1.0):
    return Flow(grid, Energy(Internal("entropy", kappa), potential))


def slacks(f, rho):
    """(LSI, Talagrand, HWI), each relative to the larger side."""
    mass, kappa, found = f.mass(rho), f.internal.kappa, convexity(f)
    r, w2 = continuum_of(f).read(rho, mass), continuum_of(f).w2(rho, mass)
    pairs = (
        (kappa * r.fisher / (2 * found.sobolev), r.entropy),
        (2 * kappa * r.entropy / found.sobolev, w2**2),
        (kappa * np.sqrt(r.fisher) * w2 - found.bound * w2**2 / 2, kappa * r.entropy),
    )
    return [(right - left) / max(abs(right), 1e-300) for right, left in pairs]


@pytest.mark.parametrize("mass", [1.0, 3.0])
def test_a_shifted_gaussian_is_seen_exactly(mass):
    """N(m, κ/λ) sampled at centres: H = λm²/2κ, I = (λm/κ)², W₂ = m, and all three inequalities are equalities."""
    lam, kappa, m = 1.3, 0.7, 0.8
    f = flow(Grid([-7.0], [7.0], [400]), lambda x: lam * x**2 / 2, kappa)
    rho = f.grid.sample(lambda x: mass * np.exp(-lam * (x - m) ** 2 / (2 * kappa)) / np.sqrt(2 * np.pi * kappa / lam))
    r = continuum_of(f).read(rho, f.mass(rho))
    assert r.entropy == pytest.approx(mass * lam * m**2 / (2 * kappa), rel=1e-12, abs=0)
    assert r.fisher == pytest.approx(mass * (lam * m / kappa) ** 2, rel=1e-12, abs=0)
    assert continuum_of(f).w2(rho, f.mass(rho)) == pytest.approx(np.sqrt(mass) * m, rel=1e-9, abs=0)
    assert np.all(np.array(slacks(f, rho)) > 0) and np.max(slacks(f, rho)) < 3e-9  # K is known to rounding, from below
    averaged = f.grid.average(lambda x: np.exp(-lam * (x - m) ** 2 / (2 * kappa)))
    assert np.max(np.abs(slacks(f, averaged))) < 1e-6


@pytest.mark.parametrize("cells", [4, 16, 64, 400])
@pytest.mark.parametrize("m", [1.0, 0.03, 1e-3, 1e-5])
def test_translates_saturate_on_any_grid_and_at_any_distance(cells, m):
    """A Gaussian that comes to rest: its distance is far below a cell, and Talagrand's inequality is an equality."""
    lam, kappa = 1.3, 0.7
    f = flow(Grid([-7.0], [7.0], [cells]), lambda x: lam * x**2 / 2, kappa)
    rho = f.grid.sample(lambda x: np.exp(-lam * (x - m) ** 2 / (2 * kappa)))
    found = slacks(f, rho / f.mass(rho))
    assert min(found) > -1e-9 and max(found) < 1e-7


@pytest.mark.parametrize("kappa", [1e-2, 1e-3])
def test_translates_of_narrow_gaussians(kappa):
    """π two cells wide, and less than one: the sub-cells follow its width."""
    f = flow(Grid([-4.0], [4.0], [160]), lambda x: x**2 / 2, kappa)
    for m in (0.05, 1e-2, 1e-3):
        rho = f.grid.sample(lambda x, m=m: np.maximum(np.exp(-((x - m) ** 2) / (2 * kappa)), 1e-300))
        assert min(slacks(f, rho / f.mass(rho))) > -2e-9


@given(st.floats(-5.0, 5.0), st.floats(0.3, 3.0))
def test_the_distance_of_two_exponentials(shift, slope):
    """Log-densities that are linear in a cell: e^{ax} and e^{(a+b)x} on [0, 1], against their quantile functions."""
    edges = np.linspace(0.0, 1.0, 4)
    middle = 0.5 * (edges[1:] + edges[:-1])

    def masses(a):
        z = a / 6
        return np.exp(a * middle) * (np.sinh(z) / z if abs(z) > 1e-9 else 1.0)

    def quantile(a, u):
        return np.log1p(u * np.expm1(a)) / a if abs(a) > 1e-9 else u

    a, b = shift, shift + slope
    found = line_distance(edges, masses(a), np.full(3, a / 3), masses(b), np.full(3, b / 3))
    at, weights = np.polynomial.legendre.leggauss(60)
    u = 0.5 * (at + 1)
    expected = np.sqrt(np.sum(0.5 * weights * (quantile(a, u) - quantile(b, u)) ** 2))
    assert found == pytest.approx(expected, rel=1e-3, abs=0)


@pytest.mark.parametrize("cells", [8, 16, 40])
def test_coarse_cells_in_the_plane_keep_the_log_sobolev_inequality(cells):
    f = flow(Grid([-7.0, -7.0], [7.0, 7.0], [cells, cells]), lambda x, y: 0.65 * (x**2 + y**2), 0.7)
    rho = f.grid.sample(lambda x, y: np.exp(-1.3 * ((x - 1) ** 2 + y**2) / 1.4))
    r = continuum_of(f).read(rho / f.mass(rho), 1.0)
    assert 0.7 * r.fisher / (2 * convexity(f).sobolev) == pytest.approx(r.entropy, rel=1e-8, abs=0)


def test_a_shifted_gaussian_in_the_plane():
    matrix, shift, kappa = np.array([[2.0, 0.6], [0.6, 1.0]]), np.array([0.5, -0.3]), 0.5

    def form(x, y):
        return (2 * x * x + 1.2 * x * y + y * y) / 2

    f = flow(Grid([-4.0, -5.0], [4.0, 5.0], [128, 128]), form, kappa)
    rho = f.grid.sample(lambda x, y: np.exp(-form(x - shift[0], y - shift[1]) / kappa))
    rho /= f.mass(rho)
    r = continuum_of(f).read(rho, 1.0)
    assert r.entropy == pytest.approx(shift @ matrix @ shift / (2 * kappa), rel=1e-6, abs=0)
    assert r.fisher == pytest.approx(shift @ matrix @ matrix @ shift / kappa**2, rel=1e-6, abs=0)


@pytest.mark.parametrize("dim", [1, 2])
def test_nothing_at_the_gibbs_state(dim):
    grid = Grid([-3.0] * dim, [3.0] * dim, [40] * dim)
    f = flow(grid, (lambda x: (x**2 - 1) ** 2) if dim == 1 else (lambda x, y: (x**2 - 1) ** 2 + y**2))
    for size in (0.0, 1e-9, 1e-3):
        wave = size * np.sin(np.broadcast_to(grid.coordinates()["x"], grid.shape))
        rho = f.gibbs(2.0) * (1 + wave)
        r = continuum_of(f).read(rho, f.mass(rho))
        # H = ½∫π w² and I = ∫π w'² to leading order, w = size·sin x
        centred = wave - f.integral(f.gibbs() * wave)
        expected = 2.0 * 0.5 * f.integral(f.gibbs() * centred**2)
        assert r.entropy == pytest.approx(expected, rel=0.05, abs=1e-30)
        steep = f.integral(f.gibbs() * np.broadcast_to((size * np.cos(grid.coordinates()["x"])) ** 2, grid.shape))
        assert r.fisher == pytest.approx(2.0 * steep, rel=0.05, abs=1e-25)


def test_a_kink_between_steep_cells_does_not_overflow():
    """π falls by e^{-35000} from x = 3.3 to the next centres: w, linear between them, peaks at e^{35000}/π."""
    f = flow(Grid([-50.0], [50.0], [64]), lambda x: 50 * np.abs(x - 3.3), 1e-3)
    r = continuum_of(f).read(np.ones(64), 100.0)
    assert np.isfinite([r.entropy, r.fisher, r.log_mass]).all() and r.entropy >= 0
    assert continuum_of(f).w2(np.ones(64), 100.0) >= 0


def test_a_point_mass_is_a_density_too():
    """One full cell: H = ln(1/π(cell)) for π uniform, I = ∞, in any dimension."""
    for grid in (Grid([0.0], [4.0], [16]), Grid([0.0, 0.0], [4.0, 4.0], [16, 16])):
        f, rho = flow(grid), np.zeros(grid.shape)
        rho[(5,) * grid.dim] = 1.0
        r = continuum_of(f).read(rho, f.mass(rho))
        assert r.entropy == pytest.approx(f.mass(rho) * np.log(16**grid.dim), rel=1e-12, abs=0)
        assert r.fisher == np.inf


def test_a_block_on_a_circle():
    """Half of a circle of length 4: the distance to uniform is that of a block stretched to twice its length."""
    f = flow(Grid([0.0], [4.0], [64], periodic=True))
    rho = np.where((f.grid.x.centers > 1) & (f.grid.x.centers < 3), 0.5, 0.0)
    # T(x) = 2x about the middle: ∫_{−1}^{1} x²/2 dx = 1/3
    assert continuum_of(f).w2(rho, 1.0) == pytest.approx(np.sqrt(1 / 3), rel=1e-3, abs=0)


@st.composite
def convex_potentials(draw):
    """λx²/2 + b|x|^p + a ln cosh(x − c), convex, of modest range on [−3, 3]."""
    lam, b = draw(st.floats(0.05, 4.0)), draw(st.floats(0.0, 0.5))
    p, a, c = draw(st.floats(2.0, 4.0)), draw(st.floats(0.0, 3.0)), draw(st.floats(-2.0, 2.0))
    return lambda x: lam * x**2 / 2 + b * np.abs(x) ** p + a * np.log(np.cosh(x - c))


@st.composite
def logarithms(draw, n):
    """Random walks with jumps, and smooth tilts: from nearly equilibrium to wild."""
    seed, size = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([1e-4, 0.1, 1.0, 20.0]))
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=n)) / np.sqrt(n) if draw(st.booleans()) else rng.normal(size=n)
    return size * walk


@settings(max_examples=150, deadline=None)
@given(convex_potentials(), st.integers(8, 120), st.floats(0.2, 3.0), st.booleans(), st.data())
def test_inequalities_hold_on_the_line(potential, n, kappa, stretched, data):
    mapping = [lambda s: s + 0.1 * np.sin(2 * np.pi * s)] if stretched else None
    f = flow(Grid([-3.0], [3.0], [n], mapping=mapping), potential, kappa)
    assert convexity(f).sobolev > 0
    rho = f.gibbs(1.7) * np.exp(data.draw(logarithms(n)))
    assert min(slacks(f, rho)) >= -1e-8


@settings(max_examples=60, deadline=None)
@given(st.floats(0.1, 3.0), st.floats(-0.9, 0.9), st.floats(0.3, 2.0), st.data())
def test_log_sobolev_holds_in_the_plane(lam, mix, kappa, data):
    grid = Grid([-3.0, -2.0], [3.0, 2.0], [24, 20])
    f = flow(grid, lambda x, y: lam * (x * x + 2 * mix * x * y + y * y) / 2 + 0.1 * x**4, kappa)
    rho = f.gibbs() * np.exp(data.draw(logarithms(480)).reshape(grid.shape))
    r = continuum_of(f).read(rho, f.mass(rho))
    assert kappa * r.fisher / (2 * convexity(f).sobolev) >= r.entropy * (1 - 1e-8)


@settings(max_examples=60, deadline=None)
@given(st.integers(8, 120), st.data())
def test_hwi_holds_on_a_circle(n, data):
    f = flow(Grid([0.0], [2 * np.pi], [n], periodic=True), lambda x: 0.4 * np.cos(x) + 0.2 * np.sin(2 * x))
    rho = f.gibbs() * np.exp(data.draw(logarithms(n)))
    assert min(slacks(f, rho)) >= -1e-8


def test_the_same_array_is_not_transported_twice(monkeypatch):
    from wgfpde.diagnostics.certificates import continuum as module

    f = flow(Grid([-3.0], [3.0], [32]), lambda x: x**2)
    calls = []
    real = module.line_distance
    monkeypatch.setattr(module, "line_distance", lambda *args: calls.append(1) or real(*args))
    rho = f.gibbs() * 2
    assert continuum_of(f).w2(rho, 2.0) == continuum_of(f).w2(rho, 2.0)
    other = rho * (1 + 0.1 * f.grid.x.centers)
    assert continuum_of(f).w2(other, f.mass(other)) > 0
    assert continuum_of(f).w2(rho, 2.0) > 0 and continuum_of(f).w2(other, f.mass(other)) > 0  # now and before, in turn
    assert len(calls) == 2


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("kappa", [0.02, 0.001])
def test_it_is_normalised_where_it_under_or_overflows(dim, kappa):
    """∫π e^w is far below eps, or above the largest number, before ρ̃ is normalised."""
    grid = Grid([-4.0] * dim, [4.0] * dim, [32] * dim)
    for well in (lambda x: 10 * np.abs(x), lambda x: 20 * x**2):
        f = flow(grid, well if dim == 1 else lambda x, y, well=well: well(x) + well(y), kappa)
        rho = grid.sample(lambda x, y=1.0: np.exp(-((x - 2) ** 2 + (y - 1) ** 2) / 0.02) + 1e-200)
        r = continuum_of(f).read(rho, f.mass(rho))
        assert np.isfinite(r.entropy) and r.entropy > 0 and np.isfinite(r.fisher) and np.isfinite(r.log_mass)


def test_what_the_cells_do_not_tell_is_said():
    grid = Grid([-4.0], [4.0], [64])
    rho = grid.sample(lambda x: np.exp(-((x - 2) ** 2) / 0.02))
    for kappa, told in ((1.0, True), (0.001, False)):
        f = flow(grid, lambda x: 10 * np.abs(x), kappa)
        assert continuum_of(f).read(rho, f.mass(rho)).resolved is told
