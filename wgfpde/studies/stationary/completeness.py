"""Whether states are missing from a list: two things that all of them together must satisfy.

    passes      between s stable states there are at least s − 1 that are unstable in one direction (module `guesses`)
    signs       Σ (−1)^(unstable directions) = 1 over the states, where all are isolated: of an energy with an entropy
                every critical point lies inside the densities of one mass, a ball at whose boundary the flow points
                inwards (Poincaré and Hopf).  States that come with all their shifts on a circle make a closed curve or
                a torus of states, and count 0.

Both are necessary: a list that satisfies them may still miss states that add up to nothing, as a fold makes.
Reference: Ambrosetti, Rabinowitz (1973), DOI 10.1016/0022-1236(73)90051-7; Milnor (1965), Topology from the
differentiable viewpoint, section 6.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...energy.flow import Flow
from .guesses import missing
from .mean_field import Steady
from .shifts import free_axes


def lacking(flow: Flow, states: Sequence[Steady], limit: int) -> str:
    """Why a list of states is known not to be complete, a sentence; "" where it may be."""
    if len(states) >= limit:
        return f"the search stopped at {len(states)} states; --branches N allows more"
    if missing(states):
        stable = sum(state.stable is True for state in states)
        passes = sum(state.stability is not None and state.stability.unstable == 1 for state in states)
        return (
            f"not complete: between {stable} stable states at least {stable - 1} are unstable in one direction, found "
            f"{passes}; other starts (initial.density) may lead to them"
        )
    signs = _signs(flow, states)
    if signs is not None and signs != 1:
        return (
            f"not complete: (-1)^(unstable directions) adds up to {signs} over the states, and to 1 over all there "
            "are; other starts (initial.density) may lead to them"
        )
    return ""


def _signs(flow: Flow, states: Sequence[Steady]) -> int | None:
    """Σ (−1)^(unstable directions); None where it need not be 1, or is not known."""
    if flow.internal.empties or flow.exits or flow.push is not None:
        return None
    total = 0
    for state in states:
        found = state.stability
        if found is None or not found.counted or found.verdict == "marginal" or not len(found.rates):
            return None
        axes = free_axes(flow, state.rho)
        if any(not axis.ring for axis in flow.grid.axes if axis.name in axes):
            return None  # a state that walls will feel: not all of its shifts are states
        total += 0 if found.translations else (-1) ** found.unstable
    return total
