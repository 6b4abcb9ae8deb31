"""How a reversible chain goes from a region A to a target B: committor, reactive current, rate and density.

    A h_B = k_B,    A h_A = k_A        on the chain that A, B and all exits of the case absorb
    J_ij = w_ij (h_A(i) h_B(j) − h_A(j) h_B(i)),        w_ij = π_i r_ij = π_j r_ji

h_B is the committor, the probability to reach B before A (and before leaving otherwise); h_A, in equilibrium, that to
have come from A last.  Without other exits h_A = 1 − h_B and J_ij = w_ij (h_B(j) − h_B(i)); both are solved for, so
that no digit is lost where one is 1 less 1e-40.  Σ_j J_ij = 0 outside A and B, with other exits too, since both are
harmonic: the rate, the mean number of reactive passages per time and equilibrium mass, is the same across every cut.
It is taken across the boundary of A; its spread over level sets of h_B/h_A, where all of J goes one way, is reported.

h_A h_B π is the density of reactive mass; the mean duration of a passage is its integral over the rate.
Reference: Metzner, Schütte, Vanden-Eijnden (2009), DOI 10.1137/070699500.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...energy.openings.losses import pair_of, through
from ...grid import Array
from ...linear.elimination import Elimination
from .killed_chain import KilledChain

CUTS = 200
"""Level sets across which the rate is compared, at most."""


@dataclass(frozen=True, eq=False)
class Paths:
    """Of an equilibrium of mass 1.

    committor : h_B, (cells,).   rate : 1/time.   spread : (largest − smallest)/rate over `cuts` cuts.
    density : π h_A h_B, (cells,).   current : by axis, (cells,), mean of both faces of a cell, mass/(time · area).
    """

    committor: Array
    rate: float
    spread: float
    cuts: int
    density: Array
    current: dict[str, Array]

    def duration(self, volume: Array) -> float:
        """The mean time that a passage takes, from the last moment in A on."""
        return float(np.sum(volume * self.density)) / self.rate if self.rate > 0 else np.nan


def transition_paths(chain: KilledChain, factors: Elimination, log_pi: Array, start: str, targets: list[str]) -> Paths:
    """Paths from A to B.

    chain : with A as a region sink.   start : its name.   targets : the exits that are B.
    log_pi : (cells,) ln of the Gibbs state that includes A and B.
    """
    from .passage_moments import owners

    k_a, k_b = chain.losses[start], np.sum([chain.losses[name] for name in targets], axis=0)
    h_a, h_b = factors.solve(k_a), factors.solve(k_b)
    pi = np.exp(log_pi)
    with np.errstate(divide="ignore"):
        weight = np.exp(log_pi[chain.lower] + np.log(chain.a))
        leave, enter = (np.exp(log_pi + np.log(k)) * h for k, h in ((k_a, h_b), (k_b, h_a)))
    i, j = chain.lower, chain.upper
    flow = weight * (h_a[i] * h_b[j] - h_a[j] * h_b[i])
    rate, spread, cuts = _across_cuts(chain, flow, leave, enter, h_a, h_b)
    committor = h_b.copy()
    for name, inside in owners(chain).items():
        if name in targets:
            committor[inside] = 1.0
    return Paths(committor, rate, spread, cuts, pi * h_a * h_b, _currents(chain, flow, pi, h_a, h_b, start, targets))


def _across_cuts(
    chain: KilledChain, flow: Array, leave: Array, enter: Array, h_a: Array, h_b: Array
) -> tuple[float, float, int]:
    """(rate out of A, relative spread over cuts, their number).   leave, enter : (cells,) current from A, and to B."""
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.log(h_b) - np.log(h_a)
    level[~chain.kept] = np.nan
    known = np.unique(level[np.isfinite(level)])
    rate = float(np.sum(leave))
    if len(known) < 2 or not rate > 0.0:
        return rate, 0.0, 1
    bounds = known[:-1] if len(known) <= CUTS else np.unique(np.quantile(known[:-1], np.linspace(0.0, 1.0, CUTS)))
    side = np.where(np.isnan(level), 0, np.searchsorted(bounds, level))  # 0 … len(bounds): beyond so many cuts
    steps = np.zeros(len(bounds) + 1)
    np.add.at(steps, side[chain.lower], flow)
    np.add.at(steps, side[chain.upper], -flow)
    np.add.at(steps, side, enter - leave)
    across = rate + np.cumsum(steps)[:-1]
    return rate, float((max(across.max(), rate) - min(across.min(), rate)) / rate), len(bounds) + 1


def _currents(
    chain: KilledChain, flow: Array, pi: Array, h_a: Array, h_b: Array, start: str, targets: list[str]
) -> dict[str, Array]:
    """The reactive current in each cell along each axis: the mean of its two faces, 0 at walls."""
    found = {axis.name: np.zeros(chain.cells) for axis in chain.grid.axes}
    for k, current in enumerate(found.values()):
        own = chain.across == k
        for cells in (chain.lower[own], chain.upper[own]):
            np.add.at(current, cells, 0.5 * (flow / chain.area)[own])
    phi = np.zeros(chain.cells) if chain.flow.potential is None else chain.flow.potential.ravel()
    for opening in chain.flow.openings:
        if opening.name == start or opening.name in targets:
            loss, (there, sign) = through(opening, pair_of(chain.flow.internal), phi, phi)[0], (h_a, 1.0)
            if opening.name == start:
                there, sign = h_b, -1.0
            out = sign * (1.0 if opening.side else -1.0) * (pi * there)[opening.cells] * loss
            np.add.at(found[chain.grid.axes[opening.axis].name], opening.cells, 0.5 * out)
    return found
