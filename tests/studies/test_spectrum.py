"""Spectra: closed forms, exponentially small gaps, what the generator must be, and how a run decays beside its gap."""

import json
from dataclasses import replace
from decimal import Decimal, localcontext
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import block_diag
from scipy.sparse import csc_array

from wgfpde.cases.building import build_flow, build_grid
from wgfpde.cases.loading import load, override
from wgfpde.cli import main
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
from wgfpde.runs.runner import run as run_case
from wgfpde.store import read, read_study
from wgfpde.studies.spectrum import (
    Generator,
    check_memory,
    extrapolate,
    extrapolated,
    observed_rate,
    refinements,
    shift_invert,
    spectrum,
    write_spectrum,
)
from wgfpde.studies.spectrum.factor import Factor
from wgfpde.studies.spectrum.observed_decay import _fitted
from wgfpde.studies.spectrum.ritz import graded_eigh, rayleigh_ritz
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


# ---- exponentially small gaps ------------------------------------------------------------------------------


def high_precision_gap(flow):
    """The gap of a chain by bisection in 60 digits, from the potential as it is in double precision."""
    with localcontext() as context:
        context.prec = 60
        kappa, h = Decimal(flow.internal.kappa), Decimal(float(flow.grid.x.widths[0]))
        v = [Decimal(float(value)) for value in flow.potential]
        steps = [(b - a) / kappa for a, b in pairwise(v)]
        rates = [[kappa / h**2 * (t / (t.exp() - 1) if t else Decimal(1)) for t in (s, -s)] for s in steps]

        def below(x):
            s, count = -x, 0
            for q, e in rates:
                d = q + s
                count += d < 0
                s = e * s / d - x
            return count + (s < 0)

        low, high = Decimal("1e-30"), Decimal(1)
        while high / low > 1 + Decimal("1e-18"):
            middle = (low * high).sqrt()
            low, high = (low, middle) if below(middle) > 1 else (middle, high)
        return float(low)


@pytest.mark.parametrize("kappa", [0.02, 0.01])
def test_metastable_gap(kappa):
    flow = flow_1d(quartic, kappa, 1.7, 48)
    expected = high_precision_gap(flow)
    found = spectrum(flow, 3)
    assert found.gap == pytest.approx(expected, rel=1e-13, abs=0)
    assert expected < {0.02: 2e-6, 0.01: 1e-11}[kappa]
    assert found.modes[1] * np.sign(flow.grid.x.centers) == pytest.approx(
        np.abs(found.modes[1]), rel=1e-9, abs=0
    )  # one sign a well
    # the Dirichlet form of the mode is the eigenvalue once more
    generator = Generator(flow)
    form = np.sum((generator.root_weight * generator.differences(found.modes[1])) ** 2)
    assert form == pytest.approx(expected, rel=1e-10, abs=0)


@pytest.mark.parametrize("kappa", [0.02, 0.01])
def test_metastable_gap_in_2d(kappa):
    """Lanczos, and Rayleigh quotients of differences: the gap lies far below eps‖S‖."""

    def v(x, y=0.0):
        return quartic(x) + y**2 / 2

    flat = Flow(Grid([-1.7, -0.6], [1.7, 0.6], [60, 20]), Energy(Internal("entropy", kappa), v))
    found = spectrum(flat, 4)
    line = spectrum(flow_1d(quartic, kappa, 1.7, 60), 1)
    assert found.gap == pytest.approx(line.gap, rel=1e-9, abs=0)
    assert found.modes[1] == pytest.approx(np.broadcast_to(line.modes[1], (20, 60)), abs=1e-6)


def test_metastable_ring():
    """Two equal wells on a circle: two ways across, so twice the rate of the half circle with walls in the wells."""
    n, kappa = 400, 0.05
    ring = flow_1d(lambda x: np.cos(2 * x), kappa, np.pi, n, periodic=True)
    half = Flow(
        Grid([-0.5 * np.pi], [0.5 * np.pi], [n // 2]), Energy(Internal("entropy", kappa), lambda x: np.cos(2 * x))
    )
    assert spectrum(ring, 2).gap == pytest.approx(spectrum(half, 1).gap, rel=1e-9, abs=0)
    assert spectrum(ring, 2).gap < 1e-14


def test_three_wells_have_two_small_eigenvalues():
    flow = flow_1d(lambda x: x**2 * (x**2 - 1) ** 2 * 4 + 0.03 * x, 0.02, 1.4, 300)
    found = spectrum(flow, 3)
    assert 0 < found.eigenvalues[1] < found.eigenvalues[2] < 1e-6 * found.eigenvalues[3]
    for k in (1, 2):
        generator = Generator(flow)
        form = np.sum((generator.root_weight * generator.differences(found.modes[k])) ** 2)
        assert form == pytest.approx(found.eigenvalues[k], rel=1e-9, abs=0)


def test_gap_beyond_double_precision():
    with pytest.raises(CaseError, match="cut off from each other"):
        spectrum(flow_1d(quartic, 3e-4, 2.0, 100), 1)

    def plane(shape):
        law = Internal("entropy", 0.003)
        return Flow(Grid([-1.7, -0.6], [1.7, 0.6], shape), Energy(law, lambda x, y: quartic(x) + y**2))

    with pytest.raises(SolverError, match="what rounding leaves"):
        spectrum(plane([40, 26]), 2)
    line = Flow(Grid([-1.7], [1.7], [40]), Energy(Internal("entropy", 0.003), quartic))
    assert spectrum(plane([40, 12]), 2).gap == pytest.approx(spectrum(line, 1).gap, rel=1e-11, abs=0.0)


def test_nearly_equal_neighbours():
    """Two deep wells: what lives in one and in the other decays at rates that agree to many digits."""
    found = spectrum(flow_1d(lambda x: 4 * (x**2 - 1) ** 2, 0.1, 1.8, 240), 8)
    assert np.min(np.diff(found.eigenvalues) / found.eigenvalues[1:]) < 1e-6
    weight = found.pi * (3.6 / 240)
    assert found.modes @ (weight * found.modes).T == pytest.approx(np.eye(9), abs=1e-9)
    assert found.residuals.max() < 1e-8


def test_graded_matrix():
    """Jacobi rotations keep the small eigenvalue, of which a dense solver leaves nothing."""
    scale = np.diag([1e-12, 1e-4, 1.0])
    matrix = scale @ np.array([[1.0, 0.2, -0.1], [0.2, 1.0, 0.3], [-0.1, 0.3, 1.0]]) @ scale
    values, vectors = graded_eigh(matrix)
    core = np.array([[1.0, 0.2, -0.1], [0.2, 1.0, 0.3], [-0.1, 0.3, 1.0]])
    assert values.prod() == pytest.approx(np.linalg.det(core) * 1e-32, rel=1e-13, abs=0)
    assert values[0] == pytest.approx(1e-24 * np.linalg.det(core) / np.linalg.det(core[1:, 1:]), rel=1e-13, abs=0)
    assert vectors.T @ vectors == pytest.approx(np.eye(3), abs=1e-14)
    assert matrix @ vectors == pytest.approx(vectors * values, abs=1e-15)
    assert graded_eigh(np.array([[2.0]]))[0] == pytest.approx([2.0], rel=1e-15, abs=0)


@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_graded_matrices_keep_every_eigenvalue(n, seed):
    """A = D Q diag(λ) Qᵀ D with blocks of one scale each: the eigenvalues of each block, relatively."""
    rng = np.random.default_rng(seed)
    parts, exact = [], []
    for scale in 10.0 ** rng.uniform(-24.0, 2.0, n):
        angle, (low, high) = rng.uniform(0, np.pi), np.sort(rng.uniform(1.0, 9.0, 2))
        c, s = np.cos(angle), np.sin(angle)
        turn = np.array([[c, -s], [s, c]])
        parts.append(scale * turn @ np.diag([low, high]) @ turn.T)
        exact += [scale * low, scale * high]
    matrix = block_diag(*parts)
    values, _ = graded_eigh(0.5 * (matrix + matrix.T))
    assert values == pytest.approx(np.sort(exact), rel=2e-14, abs=0)


def test_what_is_found_is_orthogonal_to_a_constant_however_large():
    """A constant of 1e8 added to modes leaves 1e-8 of itself after one projection."""
    generator = Generator(flow_1d(quartic, 0.5, 2.5, 40))
    f = np.cos(np.pi * np.arange(1, 4) * (np.arange(40)[:, None] + 0.5) / 40)
    values, found = rayleigh_ritz(generator, f + 1e8)
    assert np.abs(generator.root**2 @ found).max() < 1e-14
    assert values == pytest.approx(rayleigh_ritz(generator, f)[0], rel=1e-6, abs=0) and np.all(np.diff(values) > 0)


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


# ---- the decay of a run ------------------------------------------------------------------------------------


def flow_of(name, *overrides):
    case = load(name, overrides)
    return build_flow(case, build_grid(case))


def observe(tmp_path, name, *overrides, k=8):
    case = load(name, overrides)
    result = run_case(case, tmp_path / "run")
    assert result.status == "finished"
    return observed_rate(read(tmp_path / "run"), spectrum(build_flow(case, build_grid(case)), k))


def test_observed_rate(tmp_path):
    found = observe(
        tmp_path, "double_well_1d", "grid.shape=[60]", "solver={method='fv', dt=0.1, order=1}", "time.end=20",
        "output.every=1",
    )  # fmt: skip
    assert found.mode == 1 and found.reason == ""
    assert found.rate == pytest.approx(found.stepped, rel=1e-4, abs=0)
    assert found.stepped == pytest.approx(np.log1p(0.1 * found.expected) / 0.1, rel=1e-10, abs=0)
    assert found.chi[-1] == pytest.approx(abs(found.amplitudes[-1, 1]), rel=1e-6, abs=0)


def test_what_the_modes_do_not_explain_decays_faster(tmp_path):
    """One mode is known: rows in which others hold a part of χ are not of the line."""
    found = observe(
        tmp_path, "double_well_1d", "grid.shape=[60]", "solver={method='fv', dt=0.1, order=1}", "time.end=20",
        "output.every=1", k=1,
    )  # fmt: skip
    assert found.rate == pytest.approx(found.stepped, rel=1e-4, abs=0)
    assert 0 < found.window[0] < found.window[1] == 20


@pytest.mark.parametrize("dt", ["0.05", "'adaptive'"])
def test_rate_of_a_run_that_ends_early_is_that_of_the_mode(tmp_path, dt):
    found = observe(
        tmp_path, "double_well_1d", "grid.shape=[60]", f"solver={{method='fv', dt={dt}}}", "time.end=1",
        "output.every=0.1",
    )  # fmt: skip
    assert found.rate == pytest.approx(found.stepped, rel=1e-9, abs=0)
    assert "a_1" in found.note


def test_symmetry_kills_the_first_mode(tmp_path):
    found = observe(tmp_path, "double_well_1d", "grid.shape=[60]", "initial.density=exp(-x**2)", "time.end=8",
                    "solver={method='fv', dt=0.02}", "output.every=0.5")  # fmt: skip
    assert found.mode == 2 and "nothing of mode 1" in found.note
    assert found.rate == pytest.approx(found.expected, rel=1e-3, abs=0)


def test_no_rate_without_a_distance(tmp_path):
    found = observe(tmp_path, "heat_1d", "grid.shape=[20]", 'initial.density="1"', "time.end=1")
    assert np.isnan(found.rate) and "starts at equilibrium" in found.reason


def test_no_rate_of_two_snapshots(tmp_path):
    found = observe(tmp_path, "heat_1d", "grid.shape=[20]", "time.end=0.1", "output.every=0.1")
    assert np.isnan(found.rate) and "2" in found.reason


def test_no_rate_at_equilibrium_at_once(tmp_path):
    found = observe(tmp_path, "heat_1d", "grid.shape=[20]", "time.end=40", "output.every=10", "solver.dt=0.01")
    assert np.isnan(found.rate) and "at equilibrium after 1 snapshots" in found.reason


def test_no_rate_of_modes_that_are_not_there(tmp_path):
    """A start of one cosine."""
    start = "initial.density=1 + 0.5*cos(4*pi*x)"
    found = observe(tmp_path, "heat_1d", "grid.shape=[32]", start, "time.end=0.02", "output.every=0.002", k=2)
    assert np.isnan(found.rate) and "nothing of modes 1 to 2" in found.reason
    with_mode = observed_rate(read(tmp_path / "run"), spectrum(flow_of("heat_1d", "grid.shape=[32]"), 4))
    assert with_mode.mode == 4
    assert with_mode.rate == pytest.approx(with_mode.stepped, rel=1e-9, abs=0)


def test_a_mode_that_comes_and_goes_has_no_rate(tmp_path):
    """It is there in rows 1, 3 and 5 only: a line needs neighbours."""
    run_case(case := load("heat_1d", ["grid.shape=[20]", "time.end=0.6", "output.every=0.1"]), tmp_path / "run")
    run, modes = read(tmp_path / "run"), spectrum(build_flow(case, build_grid(case)), 2)
    found, present = observed_rate(run, modes), np.zeros((7, 3), dtype=bool)
    present[[1, 3, 5], 1] = True
    seldom = _fitted(run, replace(found, chi=2 * found.chi), modes, present, {})
    assert "mode 1 is not seen in 3 snapshots one after the other" in seldom.reason


def test_another_grid_is_refused(tmp_path):
    case = load("heat_1d", ["grid.shape=[20]", "time.end=0.1"])
    run_case(case, tmp_path / "run")
    other = override(case, {"grid": {"shape": [24]}})
    with pytest.raises(CaseError, match="another grid"):
        observed_rate(read(tmp_path / "run"), spectrum(build_flow(other, build_grid(other)), 2))


# ---- command line, file, picture ---------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


SMALL = ("--set", "grid.shape=[48]")


def test_table(here, capsys):
    assert main(["spectrum", "double_well_1d", *SMALL, "--modes", "3"]) == 0
    out = capsys.readouterr().out
    found = spectrum(build_flow(c := load("double_well_1d", SMALL[1:]), build_grid(c)), 3)
    assert f"gap         {found.gap:.10g}" in out
    assert out.count("\n") > 9 and "double_well_1d-spectrum.h5" in out
    study = read_study(here / "double_well_1d-spectrum.h5")
    assert study.kind == "spectrum"
    assert study["eigenvalue"] == pytest.approx(found.eigenvalues, rel=1e-9, abs=0)
    assert study["phi"].shape == (4, 48) and study.variables["phi"].dims == ("mode", "x")
    assert study.attributes["gap"] == found.gap
    assert "shape = [48]" in study.texts["resolved_toml"].replace("shape = [ 48 ]", "shape = [48]")
    assert (here / "double_well_1d-spectrum.png").stat().st_size > 10_000


def test_2d_as_json(here, capsys):
    assert main(["spectrum", "double_well_2d", "--set", "grid.shape=[16,12]", "--json", "--plot", "a.svg"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert len(record["eigenvalues"]) == 9 and record["gap"] == record["eigenvalues"][1]
    assert record["figure"] == "a.svg" and (here / "a.svg").read_text().startswith("<?xml")
    assert read_study(here / record["file"])["phi"].shape == (9, 12, 16)


def test_run_and_richardson(here, capsys):
    options = ["--run", "--richardson", "--json", "--out", "b.h5"]
    overrides = ["--set", "time.end=20", "--set", "output.every=1", "--set", "grid.shape=[128]"]
    assert main(["spectrum", "double_well_1d", *overrides, *options]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["extrapolated"][1] == pytest.approx(0.18717041809, rel=1e-7, abs=0)
    assert record["observed"]["mode"] == 1
    assert record["observed"]["rate"] == pytest.approx(record["observed"]["stepped"], rel=1e-4, abs=0)
    study = read_study(here / "b.h5")
    assert study["amplitude"].shape == (21, 9) and study.attributes["observed_mode"] == 1
    assert not list(here.glob("runs*"))


def test_the_least_curvature_bounds_the_gap(here, capsys):
    """Of a convex well it is near λ, on a line and in the plane; the text, --json and the file say the same."""
    for flow, low in (
        (Flow(Grid([-3.0], [3.0], [40]), Energy(Internal(), lambda x: 0.65 * x**2)), 1.26),
        (Flow(Grid([-3.0] * 2, [3.0] * 2, [12, 14]), Energy(Internal(), lambda x, y: 0.65 * x**2 + 0.8 * y**2)), 1.0),
        (Flow(Grid([0.0], [1.0], [16], "periodic"), Energy()), -1e-9),
    ):
        found = spectrum(flow, 1)
        assert low < found.curvature <= found.gap * (1 + 1e-10)
    overrides = ["ou_1d", "--set", "grid.shape=[40]", "--modes", "2"]
    assert main(["spectrum", *overrides, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert 0.5 < record["curvature"] <= record["gap"]
    assert read_study(here / record["file"]).attributes["curvature"] == record["curvature"]
    assert main(["spectrum", *overrides]) == 0
    assert f"curvature   {record['curvature']:.6g} <= gap, by Bakry and Emery" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["runs/a", "runs/a/output.h5"])
def test_of_a_run(here, capsys, place):
    run_case(load("heat_1d", ["grid.shape=[24]", "time.end=0.5", "output.every=0.05"]), here / "runs" / "a")
    assert main(["spectrum", place, "--modes", "4"]) == 0
    out = capsys.readouterr().out
    assert "<- observed" in out and "eigenvalue 1" in out and "24 cells" in out
    assert "chi" in read_study(here / "a-spectrum.h5").variables


def test_xarray_opens_it(here, capsys):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    assert main(["spectrum", "double_well_2d", "--set", "grid.shape=[12,8]", "--no-plot", "--modes", "2"]) == 0
    with xarray.open_dataset("double_well_2d-spectrum.h5", engine="h5netcdf") as data:
        assert data.phi.dims == ("mode", "y", "x")
        assert float(data.eigenvalue.sel(mode=1)) == data.attrs["gap"]
        assert float((data.pi * (6 / 12) * (8 / 8)).sum()) == pytest.approx(1.0, rel=1e-9, abs=0)


def test_an_older_spectrum_is_replaced_and_nothing_else(here, capsys):
    arguments = ["spectrum", "heat_1d", *SMALL, "--modes", "2", "--no-plot"]
    assert main(arguments) == 0 and main(arguments) == 0
    (here / "note.h5").write_text("mine")
    assert main([*arguments, "--out", "note.h5"]) == 2
    assert "is kept" in capsys.readouterr().err
    assert (here / "note.h5").read_text() == "mine"
    (here / "other.png").write_text("mine")
    assert main(["spectrum", "heat_1d", *SMALL, "--modes", "2", "--out", "other.h5"]) == 2
    assert (here / "other.png").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["desai_zwanzig_1d"], "wgfpde stationary"),
        (["barenblatt_1d_m2"], '"power"'),
        (["heat_1d", *SMALL, "--modes", "0"], "a whole one, 1 or more; found 0"),
        (["double_well_2d", "--set", "grid.shape=[100000,100000]"], "fewer cells"),
        (["heat_1d", *SMALL, "--plot", "a.gif"], "png, pdf, svg"),
        (["heat_1d", *SMALL, "--out", "a.txt"], "a.txt: expected a file ending in .h5, .hdf5, .nc"),
        (["heat_1d", *SMALL, "--out", "a"], "a: expected a file ending in .h5, .hdf5, .nc"),
        (["geodesic_2d"], "a geodesic"),
    ],
)
def test_mistakes(here, capsys, arguments, words):
    assert main(["spectrum", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not list(here.iterdir())


def test_a_spectrum_that_cannot_be_written(here):
    flow = flow_1d(quartic, 0.2, 2.5, 12)
    (here / "file").write_text("")
    from wgfpde.errors import StoreError

    with pytest.raises(StoreError, match="cannot write"):
        write_spectrum(here / "file" / "a.h5", flow, spectrum(flow, 2), {"title": "a"}, {})
