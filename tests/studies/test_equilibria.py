"""Densities in equilibrium with a potential, and the Newton moves that find one with its own drive."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.laws.steady_density import equilibrium
from wgfpde.grid import Grid
from wgfpde.studies.stationary.drive_equation import solved


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([0.4, 0.75, 1.2, 2.0, 5.0]), st.floats(-6, 6), st.integers(0, 2**32 - 1))
def test_equilibria_have_their_mass_and_their_constant(m, decades, seed):
    rng = np.random.default_rng(seed)
    flow = Flow(Grid([0.0], [1.0], [17]), Energy(Internal("power", 0.3, m)))
    phi, mass = rng.standard_normal(17) * 10.0 ** rng.uniform(-3, 2), 10.0**decades
    found = equilibrium(flow, phi, mass)
    assert flow.mass(found.rho) == pytest.approx(mass, rel=1e-14, abs=0)
    inside = found.rho > 0
    xi = flow.internal.derivative(found.rho[inside]) + phi[inside]
    size = np.abs(phi).max() + np.abs(flow.internal.derivative(found.rho[inside])).max()
    assert xi == pytest.approx(found.constant, abs=1e-12 * size)
    assert np.all(phi[~inside] >= found.constant - 1e-12 * size)


def test_newton_moves_are_solved_for_also_where_the_jacobian_is_singular():
    rng = np.random.default_rng(3)
    matrix = np.eye(30) + 0.3 * rng.standard_normal((30, 30)) / 6
    load = rng.standard_normal((5, 6))
    exact = np.linalg.solve(matrix, load.ravel()).reshape(5, 6)
    assert solved(_product(matrix), load, 1e-13) == pytest.approx(exact, abs=1e-11)
    flat = _product(np.eye(30) - np.ones((30, 30)) / 30)
    assert flat(solved(flat, flat(load), 1e-13)) == pytest.approx(flat(load), abs=1e-12)
    assert np.all(solved(lambda v: v, np.zeros(3), 1e-13) == 0)


def test_a_newton_move_takes_a_handful_of_convolutions():
    """The Jacobian is the identity plus something smooth: as many on any grid."""
    counts = []
    for n in (100, 400):
        calls = []
        x = np.linspace(-1.0, 1.0, n)

        def apply(v, x=x, calls=calls):
            calls.append(v)
            return v + x * float(x @ v) / len(x) + x**2 * float(x**2 @ v) / len(x)

        move = solved(apply, np.cos(3 * x), 1e-12)
        assert apply(move) == pytest.approx(np.cos(3 * x), abs=1e-11)
        counts.append(len(calls))
    assert max(counts) <= 6


def _product(matrix):
    return lambda v: (matrix @ v.ravel()).reshape(v.shape)
