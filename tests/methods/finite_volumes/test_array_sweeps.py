"""One sweep of a law without kernels: what its second order, its guard, its repair and its failures are."""

from typing import Literal

import numpy as np
import pytest

from wgfpde.base.case_table import Table
from wgfpde.energy import laws
from wgfpde.energy.energy import Internal
from wgfpde.grid import Grid
from wgfpde.linear.lines import lines_of
from wgfpde.methods.finite_volumes import array_sweeps


class Square(Table):
    kind: Literal["square"]


SQUARE = laws.ArrayLaw("square", Square, lambda r: r**2, lambda r: 2 * r, lambda r: 2 + 0 * r)
CELLS = 24


@pytest.fixture(autouse=True)
def registered():
    laws.register(SQUARE)
    yield
    del laws.LAWS["square"]


def swept(rho, dt, order=1, guard=False, direction=0):
    """The density after one sweep of a grid of two lines, and {touched, left over, iterations, failed}."""
    grid = Grid([0.0, 0.0], [1.0, 1.0], [CELLS, 2])
    out = np.array(rho)
    phi = np.broadcast_to(np.cos(np.arange(CELLS)), out.shape)
    row = array_sweeps.array_sweep(Internal("square"), out, phi, lines_of(grid)[direction], dt, order, guard)
    return out, row[0]


def hill():
    x = (np.arange(CELLS) + 0.5) / CELLS
    return np.stack([1.0 + 0.3 * np.sin(3 * x), 1.5 + 0.1 * x])


def test_second_order_extrapolates_two_half_steps_and_a_guarded_step_is_these():
    whole, _ = swept(hill(), 1e-3)
    low, _ = swept(swept(hill(), 5e-4)[0], 5e-4)
    assert np.abs(low - whole).max() > 1e-4
    np.testing.assert_allclose(swept(hill(), 1e-3, 2)[0], 2 * low - whole, rtol=1e-12)
    np.testing.assert_allclose(swept(hill(), 1e-3, 2, guard=True)[0], low, rtol=1e-12)


def test_a_repair_leaves_what_is_not_near_a_negative_cell():
    """The line with a front is repaired and says so; far from the front it is the extrapolation, limited by nothing."""
    rho = hill()
    rho[0] = np.where(np.arange(CELLS) < 3, 30.0, 0.0)
    dt = 2e-4
    whole, _ = swept(rho, dt)
    low, _ = swept(swept(rho, 0.5 * dt)[0], 0.5 * dt)
    wanted = 2 * low - whole
    negative = np.flatnonzero(wanted[0] < 0)
    assert len(negative) and negative.min() > 4
    found, row = swept(rho, dt, 2)
    assert row[0] > 0 and swept(hill(), dt, 2)[1][0] == 0
    assert found.min() >= 0
    np.testing.assert_allclose(found[0, :3], wanted[0, :3], rtol=1e-12)
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-12)


def test_a_sweep_that_is_not_solved_says_so(monkeypatch):
    assert swept(hill(), 1.0)[1][3] == 0.0
    monkeypatch.setattr(array_sweeps, "MAX_NEWTON", 1)
    assert swept(hill(), 1.0)[1][3] == 1.0


def test_a_mass_that_is_not_restored_says_so(monkeypatch):
    true = array_sweeps.restore_mass
    monkeypatch.setattr(array_sweeps, "restore_mass", lambda *a: (False, *true(*a)[1:]))
    assert swept(hill(), 1e-3)[1][3] == 1.0


def test_kernels_get_their_arrays_in_one_order(monkeypatch):
    """Along either axis, repaired or not: for another order of memory they would be compiled once more."""
    seen = []

    def watched(kernel):
        def call(*arguments):
            seen.extend(a.flags.c_contiguous for a in arguments if isinstance(a, np.ndarray) and a.ndim > 1)
            return kernel(*arguments)

        return call

    for name in ("correct_fluxes", "restore_mass"):
        monkeypatch.setattr(array_sweeps, name, watched(getattr(array_sweeps, name)))
    front = hill()
    front[0] = np.where(np.arange(CELLS) < 3, 30.0, 0.0)
    for direction in (0, 1):
        for order in (1, 2):
            swept(front, 2e-4, order, direction=direction)
    assert len(seen) > 8 and all(seen)
