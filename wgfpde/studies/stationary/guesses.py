"""Guesses for the unstable states that lie between stable ones.

Between two minima of the energy there is a pass: of s stable states on one connected landscape at least s − 1 others
are unstable in one direction (the mountain pass theorem, where none is degenerate).  While fewer are known, Newton's
method is tried from convex combinations of two stable states, the nearest pairs first: from that of the highest energy,
then from even shares and, for a pass about to meet a stable state in a fold, from shares near either end.

Reference: Ambrosetti, Rabinowitz (1973), DOI 10.1016/0022-1236(73)90051-7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from ...energy.flow import Flow
from ...grid import Array
from .mean_field import Steady
from .shifts import free_axes

PAIRS = 6
"""Most pairs that are tried."""
SHARES = (0.5, 0.25, 0.75, 0.1, 0.9)
SAMPLES = 33
"""Combinations whose energies are compared."""


def missing(flow: Flow, states: Sequence[Steady]) -> bool:
    """Whether there must be states, unstable in one direction, that are not among these."""
    passes = sum(state.stability is not None and state.stability.unstable == 1 for state in states)
    return passes < len(_stable(flow, states)) - 1


def between(flow: Flow, states: Sequence[Steady]) -> Iterator[Array]:
    """Guesses of the grid's shape, from the stable ones among the states."""
    stable = _stable(flow, states)
    pairs = sorted(combinations(stable, 2), key=lambda pair: flow.integral(np.abs(pair[0].rho - pair[1].rho)))
    for a, b in pairs[:PAIRS]:
        shares = np.linspace(0.0, 1.0, SAMPLES)[1:-1]
        highest = max(shares, key=lambda share: flow.value((1 - share) * a.rho + share * b.rho))
        for share in (float(highest), *SHARES):
            yield (1 - share) * a.rho + share * b.rho


def _stable(flow: Flow, states: Sequence[Steady]) -> list[Steady]:
    """Those that are stable and held in place: a state and its own translates have no pass between them."""
    return [state for state in states if state.stable and not free_axes(flow, state.rho)]
