"""How much is left over time, and at which rate it leaves by each exit: survival and first-passage density.

    S(t) = ∫ρ(t)/∫ρ⁰,      f(t) = −dS/dt = Σ_exits Σ k ρ(t)/∫ρ⁰

Backward Euler, (vol + dt Aᵀ) ρ' = vol ρ, unsplit and by elimination, is positive for every step and loses what the
exits gain.  Between two output times it makes 1, 2, 4, … steps, and what is extrapolated to dt → 0 (Romberg's table)
is, per interval and at its end,

    the share that survives, S_{k+1}/S_k,     the shares of the exits in what is lost,     the hazards k ρ/S

of which each lies in its bounds for every number of steps.  An extrapolated one that does not is replaced by the one of
the smallest steps.  So, with p levels, S, f and the exits are of order p; S never rises and stays positive,
S + exits = 1, f ≥ 0, and S is right relatively at late times.  The largest change that the last level made is the error
estimate.
Reference: Hairer, Wanner (1996), Solving Ordinary Differential Equations II, IV.9, DOI 10.1007/978-3-642-05221-7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import CaseError
from ...grid import Array
from ...linear.elimination import Elimination
from .killed_chain import KilledChain, Progress

MOST_TIMES = 100_000
"""That may be asked for."""
LEVELS = 8
"""Most levels: 128 steps from one output time to the next."""
ENOUGH = 1e-7
"""Change of every share by the last level that needs no further one."""


@dataclass(frozen=True, eq=False)
class Survival:
    """t : (n,) from 0 on.   survival : S, (n,).   left : by exit, cumulative, (n,).   rates : f by exit, (n,), 1/time.

    error : estimate of the largest relative error of S.   levels : p.
    """

    t: Array
    survival: Array
    left: dict[str, Array]
    rates: dict[str, Array]
    error: float
    levels: int

    @property
    def density(self) -> Array:
        """f, (n,), 1/time."""
        return np.asarray(np.sum(list(self.rates.values()), axis=0))


def times_of(given: str | float | list[float] | Array, mean: float) -> Array:
    """Output times, 0 first.   given : "" for COUNT times up to 4 mean times, "a,b,c" or "from:to:count", or numbers.

    Raises CaseError for what are no times, ascending and ≥ 0.
    """
    example = "give times as 0:50:101 (from, to, how many) or 1,10,100"
    if isinstance(given, str) and not given.strip():
        return np.linspace(0.0, 4.0 * mean, 41)
    try:
        if isinstance(given, str) and ":" in given:
            first, last, count = given.split(":")
            low, high = float(first), float(last)
            if int(count) > MOST_TIMES:
                raise CaseError(f"--times {given}: expected at most {MOST_TIMES} times, found {count}; take fewer")
            found = np.linspace(low, high, int(count)) if np.isfinite(high - low) else np.array([low, high])
        elif isinstance(given, str):
            found = np.array([float(part) for part in given.split(",")])
        else:
            found = np.atleast_1d(np.array(given, dtype=float))
    except ValueError:
        raise CaseError(f"--times {given}: expected numbers; {example}") from None
    if found.ndim != 1 or not np.all(np.isfinite(found)) or not np.all(np.diff(found) > 0) or not len(found):
        raise CaseError(f"--times: expected finite times that ascend; {example}")
    if found[0] < 0 or found[-1] == 0:
        raise CaseError(f"--times: expected times from the start, 0, on; found {found[0]:g}; {example}")
    return found if found[0] == 0 else np.append(0.0, found)


def survive(chain: KilledChain, factors: Elimination, rho: Array, t: Array, progress: Progress) -> Survival:
    """Survival from a density at times t, 0 first.   rho : (cells,) of any mass; none of it in region sinks counts.

    factors : an elimination of the chain, whose order is used again.
    """
    rho = np.where(chain.kept, rho, 0.0)
    rho = rho / float(np.sum(chain.volume * rho))
    names, table = chain.names, _Romberg(3)
    for level in range(LEVELS):
        progress(f"survival, {2**level} steps from time to time")
        shares, parts, hazards = _march(chain, factors, rho, t, 2**level)
        change = table.add(shares, parts, hazards)
        if change <= ENOUGH:
            break
    shares, parts, hazards = table.best(((0.0, 1.0), (0.0, 1.0), (0.0, np.inf)))
    parts = parts / np.maximum(parts.sum(axis=0), np.finfo(float).tiny)
    s = np.append(1.0, np.cumprod(shares))
    left = {name: np.append(0.0, np.cumsum(parts[k] * -np.diff(s))) for k, name in enumerate(names)}
    first = [float(np.sum(chain.losses[name] * rho)) for name in names]
    rates = {name: np.append(first[k], hazards[k] * s[1:]) for k, name in enumerate(names)}
    return Survival(t, s, left, rates, float(change), level + 1)


def _march(chain: KilledChain, factors: Elimination, rho: Array, t: Array, steps: int) -> tuple[Array, Array, Array]:
    """(S_{k+1}/S_k (n−1,), shares of the exits (names, n−1), hazards (names, n−1)) with so many steps an interval."""
    losses = np.array(list(chain.losses.values()))
    shares, parts, hazards = (
        np.ones(len(t) - 1),
        np.zeros((len(losses), len(t) - 1)),
        np.zeros((len(losses), len(t) - 1)),
    )
    dt, held = np.nan, factors
    for k, span in enumerate(np.diff(t)):
        if not abs(span / steps - dt) <= 1e-9 * dt:
            dt = span / steps
            held = chain.eliminated(lambda words: None, chain.volume / dt, factors.order)
        gone = np.zeros(len(losses))
        for _ in range(steps):
            rho = held.solve_forward(chain.volume * rho / dt)
            gone += dt * (losses @ rho)
        mass = float(np.sum(chain.volume * rho))
        shares[k] = mass / (mass + gone.sum())
        parts[:, k] = gone / gone.sum() if gone.sum() > 0 else 1.0 / len(gone)
        hazards[:, k] = losses @ rho / mass
        rho = rho / mass
    return shares, parts, hazards


class _Romberg:
    """Tables of several quantities whose errors are c₁dt + c₂dt² + …, each level with half the steps before."""

    def __init__(self, count: int) -> None:
        self._rows: list[list[list[Array]]] = [[] for _ in range(count)]

    def add(self, *values: Array) -> float:
        """Append a level; returns how much the best shares of the first quantity changed, inf for the first level."""
        change = np.inf
        for rows, value in zip(self._rows, values, strict=True):
            row = [value]
            for k, before in enumerate(rows[-1] if rows else []):
                row.append(row[-1] + (row[-1] - before) / (2.0 ** (k + 1) - 1.0))
            rows.append(row)
        first = self._rows[0]
        if len(first) > 1:
            change = float(np.max(np.abs(first[-1][-1] - first[-2][-1]) / first[-1][0]))
        return change

    def best(self, bounds: tuple[tuple[float, float], ...]) -> list[Array]:
        """The last entry of each table where it lies in its bounds, (low, high), else that of the smallest steps."""
        found = []
        for rows, (low, high) in zip(self._rows, bounds, strict=True):
            last = rows[-1][-1]
            found.append(np.where((last > low) & (last <= high), last, rows[-1][0]))
        return found
