"""Guesses for the unstable states that lie between stable ones.

Between two minima of the energy there is a pass: of s stable states on one connected landscape at least s − 1 others
are unstable in one direction (the mountain pass theorem, where none is degenerate).  While fewer are known, Newton's
method is tried from convex combinations of two stable states, the nearest pairs first: from that of the highest energy,
then from even shares and, for a pass about to meet a stable state in a fold, from shares near either end.  Where states
may be shifted one of the two is moved onto the other first: a state and its shifts are one, with no pass between.

Reference: Ambrosetti, Rabinowitz (1973), DOI 10.1016/0022-1236(73)90051-7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from ...energy.flow import Flow
from ...grid import Array
from .copies import aligned, common_axes
from .mean_field import Steady

PAIRS = 6
"""Most pairs that are tried."""
SHARES = (0.5, 0.25, 0.75, 0.1, 0.9)
SAMPLES = 33
"""Combinations whose energies are compared."""


def missing(states: Sequence[Steady]) -> bool:
    """Whether there must be states, unstable in one direction, that are not among these."""
    passes = sum(state.stability is not None and state.stability.unstable == 1 for state in states)
    return passes < len(_stable(states)) - 1


def between(flow: Flow, states: Sequence[Steady]) -> Iterator[Array]:
    """Guesses of the grid's shape, from the stable ones among the states."""
    pairs = [_together(flow, a.rho, b.rho) for a, b in combinations(_stable(states), 2)]
    for a, b in sorted(pairs, key=lambda pair: flow.integral(np.abs(pair[0] - pair[1])))[:PAIRS]:
        shares = np.linspace(0.0, 1.0, SAMPLES)[1:-1]
        highest = max(shares, key=lambda share: flow.value((1 - share) * a + share * b))
        for share in (float(highest), *SHARES):
            yield (1 - share) * a + share * b


def _together(flow: Flow, a: Array, b: Array) -> tuple[Array, Array]:
    """Two densities, the first moved onto the second by whole cells along the axes on which both may be shifted."""
    names = common_axes(flow, a, b)
    return (aligned(flow, a, b, names, whole=True), b) if names else (a, b)


def _stable(states: Sequence[Steady]) -> list[Steady]:
    return [state for state in states if state.stable]
