"""∫U(ρ) + ∫Φρ by rows of the grid, and the rounding that such a sum may have.

Of the entropy LANES cells are taken at once, with a logarithm of its own (module `linear.row_logarithm`).  No sum
depends on the number of threads: each row is summed by one of them, and the rows serially.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit
from ...linear.rows import absolute, filled, row, row_at, total
from ...linear.tridiagonal import LANES
from .by_code import internal_energy
from .entropy_cell import entropy_energies
from .law import ENTROPY


@njit(cache=True, nogil=True, error_model="numpy")
def energy_rows(first, last, rho, phi, wx, wy, code, kappa, m, energy, scale):
    """Per row j: energy[j] = Σ_x h (U + Φρ) and scale[j] = Σ_x h (|U| s + |Φρ|).  The caller sums rows serially.

    s = max(1, m/4): a change of ρ by ε changes ρ^m by m ε, which for m > 4 outweighs the rounding of the sum.
    """
    if code == ENTROPY:
        _entropy_rows(first, last, rho, phi, wx.reshape((1, wx.shape[0])), wy, kappa, energy, scale)
        return
    steep = max(1.0, 0.25 * m)
    for j in range(first, last):
        held = 0.0
        size = 0.0
        for i in range(rho.shape[1]):
            r = rho[j, i]
            u = internal_energy(r, code, kappa, m)
            work = phi[j, i] * r
            held += wx[i] * (u + work)
            size += wx[i] * (steep * abs(u) + abs(work))
        energy[j] = wy[j] * held
        scale[j] = wy[j] * size


@njit(cache=True, nogil=True, error_model="numpy")
def _entropy_rows(first, last, rho, phi, wx, wy, kappa, energy, scale):
    """`energy_rows` of the entropy, LANES cells at once and then their sums serially.   wx : (1, nx)."""
    n = rho.shape[1]
    full = n - n % LANES
    rest = np.zeros((3, LANES))
    for j in range(first, last):
        inner, size = filled(rest, 0.0), filled(rest, 0.0)
        for i in range(0, n, LANES):
            if i < full:
                r, v, h = row_at(rho, j, i), row_at(phi, j, i), row_at(wx, 0, i)
            else:
                for k in range(n - full):
                    rest[0, k], rest[1, k], rest[2, k] = rho[j, i + k], phi[j, i + k], wx[0, i + k]
                r, v, h = row(rest, 0), row(rest, 1), row(rest, 2)
            u, work = entropy_energies(r, kappa), v * r
            inner = inner + h * (u + work)
            size = size + h * (absolute(u) + absolute(work))
        energy[j] = wy[j] * total(inner)
        scale[j] = wy[j] * total(size)
