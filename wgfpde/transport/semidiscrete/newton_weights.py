"""Weights whose power cells hold given masses, by damped Newton steps, from an easy density to that which is meant.

    K(w) = Σ_i ∫_{Lag_i(w)} (½|x − y_i|² − w_i) ρ + Σ_i w_i ν_i  →  max,      ∂K/∂w_i = ν_i − m_i(w)

is concave, and its maximum is ½W₂².  The steps of Kitagawa, Mérigot and Thibert (2019): the longest of 1, ½, ¼, … that
leaves no cell empty and takes off half of what it promises.  They need cells that hold mass from the start, which those
of a density with a vacuum do not.  So ρ is mixed with a smooth one of the same mean and spread,

    ρ_ε = (1 − ε) ρ + ε ρ',      m_i = (1 − ε) m_i(ρ) + ε m_i(ρ'),

first with ε such that every cell has its share, and from what is reached there with the least ε that leaves it: the
same power cells serve every ε.  Where ρ' is far from ρ there are others between (module `easier_densities`).  Both
bounds are those of ρ, whatever ε is (module `beside_density`).

Reference: Kitagawa, Mérigot, Thibert (2019), Convergence of a Newton algorithm for semi-discrete optimal transport,
J. Eur. Math. Soc. 21, arXiv 1603.05579.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu

from ...grid import Array
from .power_cells import PowerCells, PowerDiagram

FIRST, FEW = 0.1, 0.05
"""Share of its mass that each cell has at the start, or of that which it has of the smooth density; and the ε up to
which this is done by mixing a little: beyond, the start is the smooth density alone."""
READY, KEPT, ENOUGH = 0.9, 0.7, 0.3
"""Share of their masses that all cells have before ε is made less, that which is left them, and the share of the
density that is meant with which ε is 0."""
LEAST = 0.01
"""Share of what it has, or should have, that a step leaves to each cell."""
SHORTEST = 1e-6
NEAR = 0.3
"""Σ|m_i − ν_i| from which on the next density is taken."""
CONNECTED = 1e-12
"""Least ε in the matrix: what lies in two parts with a vacuum between is of one piece there."""


def ascent(diagram: PowerDiagram, nu: Array, weights: Array, most: int) -> Iterator[tuple[Array, PowerCells, int]]:
    """Weights (n,) and their power cells, one step after another, and how many cells were cut so far.

    nu : (n,) > 0, of sum 1, as both densities have.   weights : (n,), with which no cell is empty.   most : cells that
    are cut at most.   Ends where no step is taken.
    """
    cells, epsilon, count = diagram(weights), 1.0, 1
    first = True
    while True:
        yield weights, cells, count
        epsilon = mixture(cells, nu, epsilon, first)
        first = False
        mass = mixed(cells, epsilon)
        direction = newton_step(cells, nu - mass, max(epsilon, CONNECTED))
        if direction is None:
            return
        least, missing, step = LEAST * np.minimum(mass, nu), float(np.sum(np.abs(nu - mass))), 1.0
        while True:
            if count >= most or step < SHORTEST:
                return
            trial = diagram(weights + step * direction)
            count += 1
            found = mixed(trial, epsilon)
            if np.all(found >= least) and np.sum(np.abs(nu - found)) <= (1 - step / 2) * missing:
                break
            step /= 2
        weights, cells = weights + step * direction, trial
        weights = weights - np.sum(weights * nu)


def mixed(cells: PowerCells, epsilon: float) -> Array:
    """Masses (n,) of ρ_ε."""
    return (1 - epsilon) * cells.mass + epsilon * cells.other


def near_enough(cells: PowerCells, nu: Array) -> bool:
    """Whether a density on the way has done what it is for."""
    return bool(np.all(cells.mass >= ENOUGH * nu) and np.sum(np.abs(cells.mass - nu)) <= NEAR)


def mixture(cells: PowerCells, nu: Array, epsilon: float, first: bool) -> float:
    """The least ε, up to that which there is, with which every cell has its share.   first : of all weights."""
    if np.all(cells.mass >= ENOUGH * nu):
        return 0.0
    mass = mixed(cells, epsilon)
    if first:
        share = FIRST * np.minimum(nu, mass)
    elif np.all(mass >= READY * nu):
        share = KEPT * nu
    else:
        return epsilon
    short = cells.mass < share
    if not np.any(short):
        return 0.0
    rest, more = (share - cells.mass)[short], (cells.other - cells.mass)[short]
    needed = float(np.max(np.where(more > rest, rest / np.where(more > rest, more, 1.0), 1.0)))
    return epsilon if needed > epsilon or (first and needed > FEW) else needed


def newton_step(cells: PowerCells, missing: Array, epsilon: float) -> Array | None:
    """δ (n,) with −D²K δ = `missing`, (n,) of sum 0, for ρ_ε.  None where a cell has no sides."""
    n = len(missing)
    if n == 1:
        return np.zeros(1)
    i, j = cells.pairs
    value = (1 - epsilon) * cells.weight[0] + epsilon * cells.weight[1]
    rows, columns = np.concatenate([i, j, i, j]), np.concatenate([j, i, i, j])
    matrix = coo_matrix((np.concatenate([-value, -value, value, value]), (rows, columns)), shape=(n, n)).tocsc()
    free = np.arange(n) != int(np.argmax(cells.mass))
    step = np.zeros(n)
    try:
        factors = splu(matrix[free][:, free].tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0,
                       options={"SymmetricMode": True})  # fmt: skip
    except RuntimeError:  # exactly singular
        return None
    step[free] = factors.solve(missing[free])
    return step if np.all(np.isfinite(step)) else None
