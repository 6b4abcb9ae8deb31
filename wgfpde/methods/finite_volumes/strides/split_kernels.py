"""A step of all axes and its energy, as kernels call it: the sweeps of module `schemes` in their order.

A flow has one of three kinds of sweep, and gives None for the others, so that what is compiled holds one.  The sweeps
are given as values (module `base.kernel_pointer`).
"""

from __future__ import annotations

from ....base.kernel_cache import njit
from ....energy.laws.energy_sums import energy_rows
from ....energy.laws.law import NONE

REPAIRED, RESIDUAL, ITERATIONS = range(3)
"""Places in what a step costs."""


@njit(cache=True, nogil=True, error_model="numpy")
def split(rho, phi, linear, drift, power, law, stages, dt, order, stats, room, out, cost):
    """One step of dt from rho into out, (ny, nx) both; cost (3,) out.  Returns whether all was solved.

    linear, power : for every axis what the sweep takes along it, and the sweep; drift : likewise, and the kernel of its
    rates.  Two of the three are None.
    law : (code, kappa, m).   stages : the axis of each sweep, and its part of dt.
    stats : (axes, blocks, 5) scratch.   room : (2, ny, nx) scratch.
    """
    _, kappa, m = law
    axes, parts = stages
    for c in range(3):
        cost[c] = 0.0
    _copy(rho, out)
    for s in range(len(axes)):
        q, length = axes[s], parts[s] * dt
        if linear is not None:
            direction, blocks, a, b, h, ring, kept, span = linear[0][q]
            known = span[0] == length
            span[0], stats[q, blocks - 1, 3] = -1.0, 1.0  # until the sweep has come to its end
            linear[1](
                0, blocks, out, phi, direction, a, b, h, ring, kept, known, None, length, order, False,
                law[0], kappa, out, stats[q],
            )  # fmt: skip
            if stats[q, blocks - 1, 3] == 0.0:
                span[0] = length
        if drift is not None:
            blocks = drift[0][q][1]
            _drift_stage(drift[1], drift[2], phi, drift[0][q], length, order, stats[q], room, out)
        if power is not None:
            direction, blocks, width, across, h, ring, exits = power[0][q]
            power[1](
                0, blocks, out, phi, direction, h, across, ring, 0, exits[0], exits[1], exits[2], exits[3], length,
                order, False, kappa, m, width, stats[q],
            )  # fmt: skip
        if _spend(stats[q], blocks, cost):
            return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _copy(values, out):
    """Copy (ny, nx); as a slice it would be compiled with the text of an error."""
    for j in range(values.shape[0]):
        for i in range(values.shape[1]):
            out[j, i] = values[j, i]


@njit(cache=True, nogil=True, error_model="numpy")
def _drift_stage(sweep, rates, phi, axis, dt, order, stats, room, rho):
    """A sweep without internal energy, as `schemes.DriftScheme`: the weights of its donors, and with them the sweep."""
    direction, blocks, a, b, h, ring, none, _, closes, full, widths, distances, resistances = axis
    first, reference = room[0], room[1]
    for last in range(2 if order == 2 else 1):
        ends = last == 1 or order == 1
        if last == 0:
            _copy(rho, reference)
        else:
            for j in range(rho.shape[0]):
                for i in range(rho.shape[1]):
                    reference[j, i] = 0.5 * (rho[j, i] + first[j, i])
        rates(0, blocks, phi, reference, direction, widths, distances, resistances, closes, full[0], full[1])
        sweep(
            0, blocks, rho, phi, direction, a, b, h, ring, none, False, None, dt, order, False, NONE, 1.0,
            rho if ends else first, stats,
        )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _spend(stats, blocks, cost):
    """Add what a sweep took, as `schemes.Cost.add`.  Returns whether it failed."""
    repaired, residual, iterations, failed, mass = 0.0, 0.0, 0.0, 0.0, 0.0
    for q in range(blocks):
        repaired += stats[q, 0]
        residual += stats[q, 1]
        iterations += stats[q, 2]
        failed += stats[q, 3]
        mass += stats[q, 4]
    cost[REPAIRED] += repaired
    cost[RESIDUAL] = max(cost[RESIDUAL], residual / mass if mass > 0.0 else 0.0)
    cost[ITERATIONS] += iterations
    return failed > 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def energy_of(rho, phi, law, widths, rows):
    """∫U(ρ) + ∫Φρ and the sum of its absolute values, by rows and then serially.   rows : (2, ny) scratch."""
    code, kappa, m = law
    energy_rows(0, rho.shape[0], rho, phi, widths[0], widths[1], code, kappa, m, rows[0], rows[1])
    energy, scale = 0.0, 0.0
    for j in range(rho.shape[0]):
        energy += rows[0, j]
        scale += rows[1, j]
    return energy, scale


@njit(cache=True, nogil=True, error_model="numpy")
def error_of(rho, whole, halves, widths):
    """∫|halves − whole| over ∫rho, (ny, nx) all, by rows and then serially; 0 without mass.   widths : (nx,), (ny,)."""
    error, mass = 0.0, 0.0
    for j in range(rho.shape[0]):
        gap, held = 0.0, 0.0
        for i in range(rho.shape[1]):
            gap += widths[0][i] * abs(halves[j, i] - whole[j, i])
            held += widths[0][i] * rho[j, i]
        error += widths[1][j] * gap
        mass += widths[1][j] * held
    return error / mass if mass > 0.0 else 0.0
