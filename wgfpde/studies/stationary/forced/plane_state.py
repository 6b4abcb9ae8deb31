"""The steady state under a force in the plane, with one periodic axis or two.

    Σ_j (r_ij ρ_i − r_ji ρ_j) = 0        r_ij = a, r_ji = b on the face from cell i to cell j

No balance holds face by face.  One cell is given a loss c and a source that makes up for it, and elimination without a
subtraction (module `elimination`) solves Aᵀρ = c ρ_m e_m: ρ is right in every cell relative to itself.  The current
through a line across an axis is the same for all lines; it is summed over that which the least mass crosses, forth and
back, so that a valley does not blur what passes a barrier.  That line is the seam.

The way X of a particle grows by ±L at the seam of a periodic axis and is 0 elsewhere, as far as a bounded remainder.
With what it gains in expectation afterwards, χ,

    Σ_j r_ij (χ_i − χ_j) = Σ_j r_ij X_ij − v h_i,        g_ij = X_ij + χ_j − χ_i
    D_eff = ½ Σ_faces (a ρ_i + b ρ_j) g_ij g_ijᵀ / M

one solve for each sign of the right-hand side of each axis, by the factors that gave ρ; D_eff ≥ 0 as a matrix.  Along
an axis with walls v and D_eff are 0.  V = V₁(x) + V₂(y) has v and D_eff of V₁ on its own ring (module `ring_state`).

The steady state is the only one, and every density tends to it.  Order 2 in space.
Measured: V = cos 2πx + 0.4 cos 2π(x − y) + 0.2 sin 2πy, κ = 0.2, tilt (3, 0): v errs by 1.4e-3 relative at 64² cells,
by 3.5e-4 at 128²; 256² cells take half a second.
Reference: Reimann (2002), DOI 10.1016/S0370-1573(01)00081-3; Grassmann, Taksar, Heyman (1985), DOI
10.1287/opre.33.5.1107; Koza (1999), arXiv cond-mat/9909204 (v and D_eff of periodic chains in any dimension).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ....base.amounts import memory_lacking
from ....energy.driving.force import affinity_of
from ....energy.flow import Flow
from ....energy.rates import faces_of, sg_network
from ....errors import CaseError, SolverError
from ....grid import Array
from ....linear.dissection import dissect
from ....linear.elimination import Elimination
from ...exits.killed_chain import memory_needed
from .carried import LEAVES, Transport, check_finite, check_forced

LEAST = 1e-290
"""What crosses a line, beside what crosses the busiest face, has all its digits down to this."""


@dataclass(frozen=True)
class Chain:
    """The rates of a plane as a closed chain.

    lower, upper : (faces,) cells i and j.   a, b : (faces,) r_ij and r_ji, volume/time.   volume : (cells,).
    """

    lower: Array
    upper: Array
    a: Array
    b: Array
    volume: Array

    def outward(self) -> Array:
        """Σ_j r_ij, (cells,)."""
        return self.summed(self.a, self.b)

    def summed(self, at_lower: Array, at_upper: Array) -> Array:
        """Sums over the faces of each cell, (cells,), of what they give to their lower and their upper cell."""
        n = len(self.volume)
        return np.bincount(self.lower, at_lower, n) + np.bincount(self.upper, at_upper, n)


def state_on_plane(flow: Flow, mass: float) -> tuple[Array, Transport, float]:
    """The steady density, its numbers, and max |Σ_j (r_ij ρ_i − r_ji ρ_j)| over the largest flux out of a cell.

    Raises CaseError with an interaction and for more cells than the memory holds, SolverError where the rates leave
    double precision.
    """
    check_forced(flow, mass)
    assert flow.push is not None
    grid = flow.grid
    if lacking := memory_lacking(memory_needed(grid.size, 2)):
        raise CaseError(f"the elimination of {grid.size} cells needs {lacking}; use fewer (--set grid.shape=…).")
    potential = np.zeros(grid.shape) if flow.potential is None else flow.potential
    faces = faces_of(flow)
    lower, upper = faces.lower.astype(np.int64), faces.upper.astype(np.int64)
    chain = Chain(lower, upper, *sg_network(flow, potential), np.ravel(grid.cell_volume))
    factors, start = _eliminated(flow, chain, int(np.argmin(potential)))
    rho = factors.solve_forward(start)
    check_finite(rho)
    rho *= mass / float(np.sum(rho * chain.volume))
    forth, back = chain.a * rho[lower], chain.b * rho[upper]
    currents, gains = np.zeros(2), np.zeros((2, len(lower)))
    for k, (axis, lines) in enumerate(zip(grid.axes, _lines_across(flow), strict=True)):
        if axis.ring:
            seam = _seam(forth + back, lines)
            currents[k] = math.fsum([*forth[seam], *-back[seam]])
            gains[k] = _gains(chain, factors, seam, axis.length, currents[k] * axis.length / mass)
    velocity = currents * [axis.length for axis in grid.axes] / mass
    ways = gains * np.sqrt(forth + back)
    diffusivity = 0.5 * ways @ ways.T / mass
    produced = sum(J * affinity_of(push) for J, push in zip(currents, flow.push, strict=True)) / flow.internal.kappa
    check_finite(velocity, diffusivity, produced)
    unbalanced = np.abs(chain.summed(forth - back, back - forth))
    residual = float(np.max(unbalanced) / np.max(chain.summed(forth, back)))
    return rho.reshape(grid.shape), Transport(currents, velocity, diffusivity, float(produced)), residual


def _eliminated(flow: Flow, chain: Chain, cell: int) -> tuple[Elimination, Array]:
    """The factors of A + c e eᵀ, e the unit vector of a cell, and e."""
    grid, start = flow.grid, np.zeros(flow.grid.size)
    start[cell] = 1.0
    rings = [axis.ring for axis in reversed(grid.axes)]
    order = dissect(grid.shape, rings, np.ones(grid.size, dtype=bool), chain.lower, chain.upper)
    with np.errstate(all="ignore"):
        factors = Elimination(order, chain.lower, chain.upper, chain.a, chain.b, start * chain.outward()[cell])
    if not np.all(factors.pivot > 0.0):
        raise SolverError(LEAVES)
    return factors, start


def _lines_across(flow: Flow) -> list[Array]:
    """For each axis (lines, faces): the numbers of the faces that form each line across it."""
    nx, ny = (axis.size if axis.ring else axis.size - 1 for axis in flow.grid.axes)
    along_x, along_y = flow.grid.shape[0] * nx, ny * flow.grid.shape[1]
    return [
        np.arange(along_x).reshape(flow.grid.shape[0], nx).T,
        np.arange(along_x, along_x + along_y).reshape(ny, flow.grid.shape[1]),
    ]


def _seam(crossing: Array, lines: Array) -> Array:
    """The line of faces that the least mass crosses.   crossing : (faces,) forth and back.

    Raises SolverError where that is too little for double precision.
    """
    totals = np.sum(crossing[lines], axis=1)
    if not totals.min() > LEAST * np.max(crossing):
        raise SolverError(LEAVES)
    return np.asarray(lines[np.argmin(totals)])


def _gains(chain: Chain, factors: Elimination, seam: Array, length: float, velocity: float) -> Array:
    """g along one axis, (faces,): the way that a jump across each face gains, what follows from it included."""
    up, down = (
        np.bincount(cells[seam], length * rate[seam], len(chain.volume))
        for cells, rate in ((chain.lower, chain.a), (chain.upper, chain.b))
    )
    drift = velocity * chain.volume
    later = factors.solve(up + np.maximum(-drift, 0.0)) - factors.solve(down + np.maximum(drift, 0.0))
    gains = later[chain.upper] - later[chain.lower]
    gains[seam] += length
    return gains
