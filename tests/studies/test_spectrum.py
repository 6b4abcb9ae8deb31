"""Spectra: closed forms, and what the generator must be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csc_array

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
from wgfpde.studies.spectrum import (
    Generator,
    check_memory,
    extrapolate,
    extrapolated,
    refinements,
    shift_invert,
    spectrum,
)
from wgfpde.studies.spectrum.factor import Factor
from wgfpde.studies.spectrum.shift_invert import DENSE


def quartic(x):
    return x**4 / 4 - x**2 / 2


def flow_1d(potential, kappa, half, cells, periodic=False, mapping=None):
    grid = Grid([-half], [half], [cells], periodic, None if mapping is None else [mapping])
    return Flow(grid, Energy(Internal("entropy", kappa), potential))


def stretch(s):
    return s + 0.12 * np.sin(2 * np.pi * s) / (2 * np.pi) - 0.08 * np.sin(4 * np.pi * s) / (2 * np.pi)


# ---- closed forms ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cells", "gap"), [(50, 0.987035), (100, 0.996740), (200, 0.999184)])
def test_ornstein_uhlenbeck(cells, gap):
    found = spectrum(flow_1d(lambda x: x**2 / 2, 1.0, 7.0, cells), 3)
    assert found.gap == pytest.approx(gap, abs=5e-7)
    assert found.eigenvalues[0] == 0.0
    assert found.relaxation_time == 1 / found.gap


def test_order_ornstein_uhlenbeck():
    errors = [abs(spectrum(flow_1d(lambda x: x**2 / 2, 1.0, 8.0, n), 2).eigenvalues[1:] - [1, 2]) for n in (100, 400)]
    assert np.log(errors[0] / errors[1]) / np.log(4) == pytest.approx([2, 2], abs=0.02)


def test_richardson_ornstein_uhlenbeck():
    def make(shape):
        return flow_1d(lambda x: 1.5 * x**2 / 2, 0.5, 6.0, shape[0])

    values, errors, spectra = extrapolated(make, [800], 3)
    assert values == pytest.approx(1.5 * np.arange(4), abs=1e-8)
    assert values[1] == pytest.approx(1.5, abs=2e-10)
    assert np.all(np.abs(values - 1.5 * np.arange(4)) <= errors + 1e-13)
    assert [one.grid.size for one in spectra] == [200, 400, 800]


@pytest.mark.parametrize(
    ("cells", "gap"), [(50, 3.37357829e-2), (100, 3.35930276e-2), (200, 3.35572295e-2), (400, 3.35482733e-2)]
)
def test_double_well(cells, gap):
    assert spectrum(flow_1d(quartic, 0.1, 2.6, cells), 1).gap == pytest.approx(gap, rel=2e-9, abs=0)


@pytest.mark.parametrize(
    ("kappa", "half", "first", "second"),
    [
        (1.0, 4.0, 0.79208842659, 3.54888918),
        (0.5, 3.4, 0.42294464540, 2.31491325),
        (0.25, 3.0, 0.18717041809, 1.50102842),
        (0.1, 2.6, 0.033545287308, 0.927372103),
        (0.05, 2.3, 0.0027761406353, 0.822247125),
    ],
)
def test_richardson_double_well(kappa, half, first, second):
    values, _, _ = extrapolated(lambda shape: flow_1d(quartic, kappa, half, shape[0]), [1600], 2)
    assert values[1] == pytest.approx(first, rel=1e-9, abs=0)
    assert values[2] == pytest.approx(second, rel=3e-9, abs=0)  # as many digits as are known


def test_neumann_cosines():
    n, kappa = 37, 0.7
    flow = flow_1d(None, kappa, 1.5, n)
    found = spectrum(flow, n - 1)
    h = 3.0 / n
    k = np.arange(n)
    assert found.eigenvalues == pytest.approx(4 * kappa / h**2 * np.sin(0.5 * np.pi * k / n) ** 2, rel=1e-13, abs=0)
    cosines = np.cos(np.pi * np.outer(k, np.arange(n) + 0.5) / n) * np.where(k > 0, np.sqrt(2), 1)[:, None]
    assert np.abs(np.sum(found.modes * cosines, axis=1)) == pytest.approx(np.full(n, n), rel=1e-12, abs=0)


@pytest.mark.parametrize("n", [41, 2 * DENSE])
def test_circle(n):
    flow = flow_1d(None, 0.3, np.pi, n, periodic=True)
    found = spectrum(flow, 6)
    wave = (np.arange(7) + 1) // 2
    exact = 4 * 0.3 / (2 * np.pi / n) ** 2 * np.sin(np.pi * wave / n) ** 2
    assert found.eigenvalues == pytest.approx(exact, rel=1e-12, abs=0)


def product(nx, ny, kappa=0.4, mapping=None, periodic=False):
    """A separable flow in 2D and its two factors."""
    energy = Internal("entropy", kappa)

    def vx(x):
        return x**4 / 4 - x**2 / 2

    def vy(y):
        return 0.7 * np.cos(np.pi * y) if periodic else y**2 + 0.3 * y

    both = Flow(
        Grid([-2.5, -1.0], [2.5, 1.0], [nx, ny], [False, periodic], [mapping, None]),
        Energy(energy, lambda x, y: vx(x) + vy(y)),
    )
    first = Flow(Grid([-2.5], [2.5], [nx], mapping=[mapping]), Energy(energy, vx))
    second = Flow(Grid([-1.0], [1.0], [ny], periodic), Energy(energy, lambda x: vy(x)))
    return both, first, second


@pytest.mark.parametrize(
    ("nx", "ny", "mapping", "periodic"),
    [(40, 32, None, False), (16, 12, stretch, False), (48, 20, stretch, True), (40, 30, None, True)],
)
def test_product(nx, ny, mapping, periodic):
    both, first, second = product(nx, ny, mapping=mapping, periodic=periodic)
    sums = np.add.outer(spectrum(first, 9).eigenvalues, spectrum(second, 9).eigenvalues)
    found = spectrum(both, 9)
    assert found.eigenvalues == pytest.approx(np.sort(sums.ravel())[:10], rel=1e-12, abs=0)
    assert found.residuals.max() < 1e-8


def test_degenerate_square():
    """Equal eigenvalues: all copies are found, and their modes are orthonormal."""
    flow = Flow(Grid([0.0, 0.0], [1.0, 1.0], [24, 24]), Energy(Internal("entropy", 1.0)))
    one = (2 * 24 * np.sin(0.5 * np.pi * np.arange(6) / 24)) ** 2
    found = spectrum(flow, 9)
    assert found.eigenvalues == pytest.approx(np.sort(np.add.outer(one, one).ravel())[:10], rel=1e-12, abs=0)
    flat = found.modes.reshape(10, -1)
    assert flat @ (flow.gibbs().ravel() * flow.grid.volume / flow.grid.size * flat).T == pytest.approx(
        np.eye(10), abs=1e-12
    )


def test_a_missed_copy_is_noticed(monkeypatch):
    """Lanczos alone may miss copies of an eigenvalue; the count finds that out, and it goes on."""
    calls = []

    def forgetful(*args):
        values, u = found(*args)
        calls.append(len(values))
        return (np.delete(values, 1), np.delete(u, 1, axis=1)) if len(calls) == 1 else (values, u)

    found = shift_invert._iterate
    monkeypatch.setattr(shift_invert, "_iterate", forgetful)
    flow = Flow(Grid([0.0, 0.0], [1.0, 1.0], [24, 24]), Energy(Internal("entropy", 1.0)))
    values = spectrum(flow, 3).eigenvalues
    assert values[1] == pytest.approx(values[2], rel=1e-12, abs=0)
    assert len(calls) == 2


def test_what_stays_missed_is_an_error(monkeypatch):
    found = shift_invert._iterate

    def forgetful(*args):
        values, u = found(*args)
        return np.delete(values, 1), np.delete(u, 1, axis=1)

    monkeypatch.setattr(shift_invert, "_iterate", forgetful)
    flow = Flow(Grid([0.0, 0.0], [1.0, 1.0], [32, 32]), Energy(Internal("entropy", 1.0)))
    with pytest.raises(SolverError, match="there are"):
        spectrum(flow, 3)


@pytest.mark.parametrize("missing", [0, 2, 5])
def test_nearly_all_modes_of_a_plane(missing):
    """More cells than are treated densely, and nearly as many modes: Lanczos has no space left."""
    flow = Flow(Grid([0.0, 0.0], [1.0, 1.0], [18, 18]), Energy(Internal("entropy", 1.0)))
    one = (2 * 18 * np.sin(0.5 * np.pi * np.arange(18) / 18)) ** 2
    found = spectrum(flow, 323 - missing)
    every = np.sort(np.add.outer(one, one).ravel())
    assert flow.grid.size > DENSE and found.eigenvalues == pytest.approx(every[: 324 - missing], rel=1e-10, abs=0)


def test_negative_pivots_count_negative_eigenvalues():
    values = np.array([[3.0, 1.0, 0.0], [1.0, -2.0, 0.5], [0.0, 0.5, -1.0]])
    assert Factor(csc_array(values)).negative_pivots() == np.sum(np.linalg.eigvalsh(values) < 0) == 2


def test_a_zero_pivot_is_no_count():
    """One eigenvalue of either sign, and rows that change places: the pivots of U say nothing of them."""
    with pytest.raises(SolverError, match="pivot is zero"):
        Factor(csc_array(np.array([[0.0, 2.0], [2.0, 0.0]]))).negative_pivots()


def test_a_singular_matrix_has_no_factors():
    with pytest.raises(SolverError, match="singular"):
        Factor(csc_array(np.array([[1.0, 1.0], [1.0, 1.0]])))


# ---- what the generator must be ----------------------------------------------------------------------------


@st.composite
def flows(draw):
    """Small flows on uneven axes, with rough potentials."""
    dim = draw(st.integers(1, 2))
    shape = [draw(st.integers(3, 9)) for _ in range(dim)]
    periodic = [draw(st.booleans()) for _ in range(dim)]
    edges = [np.cumsum([0.0, *draw(st.lists(st.floats(0.2, 2.0), min_size=n, max_size=n))]) for n in shape]
    kappa = draw(st.floats(0.12, 3.0))  # barriers of 33 kappa at most: gaps above rounding
    numbers = draw(st.lists(st.floats(-2.0, 2.0), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))

    def mapping(axis):
        return lambda s: np.interp(s, np.linspace(0, 1, len(axis)), (axis - axis[0]) / (axis[-1] - axis[0]))

    lower, upper = [0.0] * dim, [float(axis[-1]) for axis in edges]
    grid = Grid(lower, upper, shape, periodic, [mapping(axis) for axis in edges])
    flow = Flow(grid, Energy(Internal("entropy", kappa), lambda x, y=None: 0 * x + (0 if y is None else 0 * y)))
    flow.potential = np.array(numbers).reshape(grid.shape)  # any values in the cells
    return flow


@given(flows(), st.integers(1, 2))
def test_generator(flow, k):
    generator = Generator(flow)
    s, rows = generator.symmetric().toarray(), generator.rows().toarray()
    size = generator.outgoing.max()
    assert np.array_equal(s, s.T)
    assert s @ generator.root == pytest.approx(np.zeros(flow.grid.size), abs=1e-13 * size)
    assert rows.sum(axis=1) == pytest.approx(np.zeros(flow.grid.size), abs=1e-14 * size)
    forward = (generator.volume[:, None] * rows).T  # of masses per cell volume: columns sum to zero
    assert (forward @ flow.gibbs().ravel()) == pytest.approx(np.zeros(flow.grid.size), abs=1e-12 * forward.max())
    found = spectrum(flow, k)
    assert np.all(np.diff(found.eigenvalues) >= 0)
    flat = found.modes.reshape(k + 1, -1)
    weight = flow.gibbs().ravel() * generator.volume
    assert flat @ (weight * flat).T == pytest.approx(np.eye(k + 1), abs=1e-9)
    dense = np.sort(np.linalg.eigvals(rows).real)[: k + 1]
    assert found.eigenvalues == pytest.approx(dense, abs=1e-9 * size)
    assert found.residuals.max() <= 1e-7 * size


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("mapping", [None, stretch])
def test_an_implicit_step_damps_a_mode(k, mapping):
    """The operator is that of the scheme: backward Euler takes φ_k π to φ_k π/(1 + dt λ_k)."""
    flow, dt = flow_1d(quartic, 0.3, 2.4, 60, mapping=mapping), 0.2
    found = spectrum(flow, k)
    rho = found.pi * (1 + 1e-2 * found.modes[k])
    after = FiniteVolumes(flow, order=1, dt=dt).step(Snapshot(t=0.0, step=0, fields={"rho": rho}), dt).rho
    expected = found.pi * (1 + 1e-2 * found.modes[k] / (1 + dt * found.eigenvalues[k]))
    assert after == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_modes_where_the_gibbs_state_underflows():
    """φ_1 of a Gaussian is linear, also where π = e^{−2000}."""
    line = spectrum(flow_1d(lambda x: x**2 / 2, 0.02, 9.0, 400), 1)
    slope = np.diff(line.modes[1])
    assert np.all(slope > 0) and slope.max() < 30 * slope.min()  # cells of many κ are not resolved at the ends
    both = Flow(
        Grid([-9.0, -0.1], [9.0, 0.1], [400, 4]), Energy(Internal("entropy", 0.02), lambda x, y: x**2 / 2 + 0 * y)
    )
    assert spectrum(both, 1).modes[1] == pytest.approx(np.broadcast_to(line.modes[1], (4, 400)), rel=1e-5, abs=0)


def test_signs_are_definite():
    found = spectrum(flow_1d(quartic, 0.2, 2.5, 80), 6)
    for mode in found.modes:
        size = np.abs(mode) * np.sqrt(found.pi)
        assert mode[np.flatnonzero(size >= (1 - 1e-6) * size.max())[-1]] > 0


def test_as_many_modes_as_there_are():
    """More than there are is no mistake: all are given, and the note says so."""
    flow = flow_1d(quartic, 0.2, 2.5, 10)
    every = spectrum(flow, 9)
    assert not every.note
    for k in (10, 400):
        found = spectrum(flow, k)
        np.testing.assert_array_equal(found.eigenvalues, every.eigenvalues)
        assert found.note == "10 cells have 9 modes beside the steady state: all are given"
    plane = Grid([-1.0, -1.0], [1.0, 1.0], [3, 2])
    found = spectrum(Flow(plane, Energy(Internal("entropy"), lambda x, y: x**2 + 0 * y)), 50)
    assert len(found.eigenvalues) == 6 and "6 cells have 5 modes" in found.note
    with pytest.raises(CaseError, match="a whole one, 1 or more; found 0"):
        spectrum(flow, 0)


def test_only_linear_equations():
    grid = Grid([-1.0], [1.0], [16])
    with pytest.raises(CaseError, match=r"power.*wgfpde stationary"):
        spectrum(Flow(grid, Energy(Internal("power", m=2.0))))
    with pytest.raises(CaseError, match="an interaction"):
        spectrum(Flow(grid, Energy(Internal(), None, lambda x: x**2)))


def test_memory_that_does_not_suffice():
    with pytest.raises(CaseError, match="fewer cells"):
        check_memory(10**10, 2, 8)
    check_memory(256**2, 2, 8)


@pytest.mark.parametrize(
    ("shape", "grids"),
    [([400], ([100], [200], [400])), ([64, 128], ([16, 32], [32, 64], [64, 128])),
     ([50], ([25], [50], [100])), ([33], ([33], [66], [132])), ([24], ([24], [48], [96]))],
)  # fmt: skip
def test_refinements(shape, grids):
    assert refinements(shape) == grids


@pytest.mark.parametrize("sixth", [0.0, 3.0])
def test_the_error_of_an_extrapolation_is_that_of_the_last_step(sixth):
    """λ = 2 + h² + 5h⁴ + c h⁶ at h = 1, ½, ¼: (4 λ_{h/2} − λ_h)/3 is off by −5h⁴/4, on the finest pair by 5/64."""
    coarse, middle, fine = (np.array([2 + h**2 + 5 * h**4 + sixth * h**6]) for h in (1.0, 0.5, 0.25))
    values, errors = extrapolate(coarse, middle, fine)
    assert values[0] == pytest.approx(2 + sixth / 64, rel=1e-14, abs=0)
    assert errors[0] == pytest.approx(abs(5 / 64 + sixth * (1 / 64 + 5 / 1024)), rel=1e-12, abs=0)
