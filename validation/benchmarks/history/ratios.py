"""How much slower: a ratio of times that drift together, and what it is taken for.

Times a_k, b_k of two commits are taken one right after the other, so that a drift of the machine meets both, and

    r = median of b_k / a_k,      [r₍ₖ₎, r₍ₙ₊₁₋ₖ₎] ∋ median r   with probability 1 − 2 P(Bin(n, ½) < k)

holds whatever the distribution of the noise is (an interval of order statistics; outliers count by their rank alone).
With a slowdown of `limit` to be seen, the edge between "same" and "slower" is √(1 + limit), as far from 1 as from the
limit in logarithms: an interval above it is "slower", one below it is "same", one across it is not decided yet.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.99


@dataclass(frozen=True)
class Ratio:
    """value : the median of the ratios.   low, high : its interval.   pairs : how many."""

    value: float
    low: float
    high: float
    pairs: int


def ratio(base: Sequence[float], new: Sequence[float]) -> Ratio:
    """The ratio new/base from pairs of times.  With fewer than 8 pairs the interval is short of its level."""
    ratios = sorted(b / a for a, b in zip(base, new, strict=True))
    n, k = len(ratios), _rank(len(ratios))
    return Ratio(statistics.median(ratios), ratios[k - 1], ratios[n - k], n)


def _rank(n: int) -> int:
    """The largest k with 2 P(Bin(n, ½) < k) ≤ 1 − LEVEL, at least 1."""
    tail, k = 0.0, 0
    while True:
        tail += math.comb(n, k) * 0.5**n
        if 2 * tail > 1 - LEVEL:
            return max(k, 1)
        k += 1


def verdict(found: Ratio, limit: float) -> str:
    """ "slower", "faster", "same", or "" where the interval does not decide."""
    edge = math.sqrt(1 + limit)
    if found.low > edge:
        return "slower"
    if found.high < 1 / edge:
        return "faster"
    return "same" if 1 / edge < found.low and found.high < edge else ""
