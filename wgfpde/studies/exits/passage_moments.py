"""When and where a chain leaves: moments of the time, and the probabilities of the exits.

    A T = vol,    A T₂ = 2 vol T,    A p_name = k_name,    A (p c) = vol p,        Aᵀ G = vol ρ⁰

T_i = E τ, T₂ = E τ², p the probability to leave by an exit, c = E(τ | leaves there) and G = ∫ρ dt from the start ρ⁰.
All right-hand sides are non-negative, so that each entry is right relatively (module `linear.elimination`);
⟨ρ⁰, T⟩ = ∫G and Σ p = 1 hold to rounding.  In region sinks T = 0, and p = 1 for the one that holds the cell.
Reference: Gardiner (2009), Stochastic Methods, sections 5.5 and 6.6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import CaseError, SolverError
from ...grid import Array
from ...linear.elimination import Elimination
from .killed_chain import KilledChain
from .regions import part_text


@dataclass(frozen=True, eq=False)
class Passage:
    """Of every cell, flat: inf in cells from which some mass never leaves.

    time, second : T and T₂.   exits : p by name.   weighted : p c by name.
    """

    time: Array
    second: Array
    exits: dict[str, Array]
    weighted: dict[str, Array]


def passage(chain: KilledChain, factors: Elimination) -> Passage:
    """Moments and probabilities.  Raises SolverError where the mean time exceeds double precision."""
    with np.errstate(over="ignore", invalid="ignore"):
        time = factors.solve(chain.volume)
        if not np.all(np.isfinite(time)):
            raise SolverError(
                "the mean time exceeds 1e308, what double precision holds. Raise kappa, lower the barriers, or "
                "shorten the domain"
            )
        second = factors.solve(2.0 * chain.volume * time)
        exits = {name: factors.solve(k) for name, k in chain.losses.items()}
        weighted = {name: factors.solve(chain.volume * p) for name, p in exits.items()}
    for values in (time, second):
        values[chain.endless] = np.inf
    for name, inside in owners(chain).items():
        exits[name][inside] = 1.0
    return Passage(time, second, exits, weighted)


def owners(chain: KilledChain) -> dict[str, Array]:
    """The cells of each region sink, by name, (cells,) bool."""
    from ...energy.openings.sinks import regions_of

    owner = regions_of(chain.flow.sinks, chain.grid)
    if owner is None:
        return {}
    found = {sink.name: owner.ravel() == k for k, sink in enumerate(chain.flow.sinks) if sink.region is not None}
    return {name: cells for name, cells in found.items() if name in chain.losses}


def check_start(chain: KilledChain, weight: Array, what: str) -> None:
    """Raise CaseError where mass of the start never leaves.   weight : (cells,) mass.   what : names the start."""
    stuck = chain.endless & (weight > 0)
    if not np.any(stuck):
        return
    part = chain.part_of(int(np.argmax(stuck)))
    raise CaseError(
        f"{what} has mass in a part of the domain that no exit can be reached from, or that leads to one: "
        f"{part_text(chain.grid, part)}. Give that part an exit (--to REGION), or start elsewhere (--from REGION). "
        "Where V rises by more than 700 kappa from one cell to the next nothing passes: refine the grid"
    )


def check_target(chain: KilledChain, weight: Array, name: str, found: float) -> None:
    """Raise CaseError where nothing of the start reaches a target.   name : in words.   found : the probability."""
    if found > 0.0:
        return
    part = chain.part_of(int(np.argmax(weight)))
    raise CaseError(
        f"the target {name} cannot be reached from the start, which is in this part of the domain: "
        f"{part_text(chain.grid, part)}. Choose another target, or another start"
    )
