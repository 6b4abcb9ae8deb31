"""Gaps that are exponentially small, against high precision and closed forms."""

from decimal import Decimal, localcontext
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import block_diag

from tests.studies.test_spectrum import flow_1d, quartic
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.studies.spectrum import (
    Generator,
    spectrum,
)
from wgfpde.studies.spectrum.ritz import graded_eigh, rayleigh_ritz


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
