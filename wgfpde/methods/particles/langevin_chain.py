"""Langevin chains of particles: unadjusted (ULA), and adjusted by Metropolis' rule (MALA).

    Y = X − τ∇V(X) − τ(M/N) Σ_j ∇W(X − X_j) + √(2κτ) ξ,      X⁺ = fold(Y)                                    ULA

    X⁺ = fold(Y) with probability min(1, e^α), else X⁺ = X,                                                 MALA
    α = [V(X) − V(fold Y)]/κ + [|Y − T(X)|² − |F(X) − T(fold Y)|²]/4κτ,      T(x) = x − τ∇V(x)

F is the isometry that folds Y: the pair (X, Y) ↦ (fold Y, F(X)) is an involution that preserves volume, so that MALA
keeps e^{−V/κ} also at walls and on rings, where a place has many images.  ULA has an invariant law of its own, which
differs from e^{−V/κ} by O(τ); its law after each step is that of `chain_law`, and no step of JKO.  Without noise
(κ = 0) it is gradient descent.

Order 1 in τ, in law.  Preserves the number of particles; they stay in the box.

References: Roberts, Tweedie (1996), DOI 10.2307/3318418; Roberts, Rosenthal (1998), DOI 10.1111/1467-9868.00123.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from ...base.kernel_cache import njit
from ...energy.flow import Flow
from ...energy.snapshot import Report, Snapshot
from ...errors import SolverError
from ...formulas.gradients import gradient_of
from ...grid import Array
from .swarm import CHOICE, NOISE, counts_in, density_of_counts, folded, image, share_blocks, stream

CHUNK = 8192
"""Particles that go through a step together: what a formula makes of them stays in a core's cache."""


@dataclass(frozen=True)
class Rules:
    """How particles move.   tau : τ.   seed : of the noise.   adjust : MALA.   pull : places ↦ (M/N) Σ_j ∇W, or None.

    mass : of the density that the particles stand for.   threads : how many move them.   replicas : of which they are.
    """

    tau: float
    seed: int
    adjust: bool
    mass: float
    threads: int = 1
    pull: Callable[[Array], Array] | None = None
    replicas: int = 1


class Chain:
    """Steps of τ of every particle, as a stepper.  The field `position` is (n, dim), in the box."""

    def __init__(self, flow: Flow, rules: Rules) -> None:
        self.flow, self.rules = flow, rules
        self.kappa = flow.internal.kappa if flow.internal.law.linear_diffusion else 0.0
        self._value = flow.energy.potential
        self._slopes = None if self._value is None else gradient_of(self._value, flow.grid)

    def warm_up(self) -> None:
        """Compile, or load, the kernels: one step of two particles a replica near the middle of the box."""
        middle = [axis.lower + 0.51 * axis.length for axis in self.flow.grid.axes]
        places = np.array([middle] * (2 * self.rules.replicas))
        start = Snapshot(t=0.0, step=0, fields={"rho": np.ones(self.flow.grid.shape), "position": places})
        with suppress(SolverError):  # where V is not smooth there
            self.step(start, self.rules.tau)

    def step(self, snapshot: Snapshot, t_next: float) -> Snapshot:
        """One step of all particles.  Raises SolverError where the drift is not a number where one stands."""
        rules, grid = self.rules, self.flow.grid
        before = snapshot.fields["position"]
        pull = None if rules.pull is None else rules.pull(before)
        after, accepted = np.empty_like(before), np.zeros(-(-len(before) // CHUNK), dtype=np.int64)

        def work(block: int, where: slice) -> None:
            noise = stream(rules.seed, NOISE, block, snapshot.step)
            choice = stream(rules.seed, CHOICE, block, snapshot.step) if rules.adjust else noise
            for first in range(where.start, where.stop, CHUNK):
                part = slice(first, min(first + CHUNK, where.stop))
                normal = noise.standard_normal((part.stop - first, grid.dim))
                if rules.adjust:
                    level = choice.random(part.stop - first)
                    accepted[first // CHUNK] = self._adjusted(normal.T, level, before[part], after[part])
                else:
                    accepted[first // CHUNK] = part.stop - first
                    self._unadjusted(normal, before[part], None if pull is None else pull[part], after[part])

        share_blocks(work, len(before), rules.threads)
        rho = density_of_counts(counts_in(after, grid, rules.threads), grid, rules.mass)
        t = next_time(snapshot.t, rules.tau, t_next)
        report = Report(more={"acceptance": float(accepted.sum()) / len(before)})
        fields = snapshot.fields | {"rho": rho, "position": after}
        return Snapshot(t, snapshot.step + 1, fields, t - snapshot.t, report=report)

    def _unadjusted(self, noise: Array, x: Array, pull: Array | None, out: Array) -> None:
        """ULA.   noise, x : (n, dim)."""
        columns = _columns(x)
        slopes = self._slope(columns, pull)
        for k, axis in enumerate(self.flow.grid.axes):
            strange = _advance(
                columns[k], slopes[k], noise[:, k], self.rules.tau, self._strength, axis.lower, axis.upper, axis.ring,
                out[:, k],
            )  # fmt: skip
            if strange:
                self._refuse(x, out)

    def _adjusted(self, noise: Array, level: Array, x: Array, out: Array) -> int:
        """MALA; returns how many moves were accepted.   noise : (dim, n).   level : (n,) in [0, 1).   x : (n, dim)."""
        assert self.rules.pull is None and self.kappa > 0  # else the case was refused
        tau, grid = self.rules.tau, self.flow.grid
        columns, places = _columns(x), np.empty((x.shape[1], len(x)))
        slopes = self._slope(columns, None)
        jumps = [c - tau * s + self._strength * n for c, s, n in zip(columns, slopes, noise, strict=True)]
        for k, axis in enumerate(grid.axes):
            if _advance(columns[k], slopes[k], noise[k], tau, self._strength, axis.lower, axis.upper, axis.ring,
                        places[k]):  # fmt: skip
                self._refuse(x, places.T)
        back, returns = self._slope(places, None), np.zeros(len(x))
        for k, axis in enumerate(grid.axes):
            _return_distance(
                columns[k], jumps[k], places[k], back[k], tau, axis.lower, axis.upper, axis.ring, returns
            )  # fmt: skip
        with np.errstate(all="ignore"):
            ratio = 0.5 * np.sum(noise**2, axis=0) - returns / (2 * self._strength**2)
            if self._value is not None:
                ratio += (self._potential(columns) - self._potential(places)) / self.kappa
            taken = np.log(level) < ratio  # not where it is not a number: where V is infinite nobody goes
        out[...] = np.where(taken, places, np.stack(columns)).T
        return int(np.count_nonzero(taken))

    @property
    def _strength(self) -> float:
        """√(2κτ), the standard deviation of the noise of a step."""
        return math.sqrt(2 * self.kappa * self.rules.tau)

    def _slope(self, columns: list[Array] | Array, pull: Array | None) -> list[Array]:
        """∇V + pull at places given as one array per axis."""
        named = {axis.name: column for axis, column in zip(self.flow.grid.axes, columns, strict=True)}
        slopes = [np.zeros(len(column)) for column in columns]
        if self._slopes is not None:
            with np.errstate(all="ignore"):
                slopes = [_full(slope(**named), zero) for slope, zero in zip(self._slopes, slopes, strict=True)]
        return slopes if pull is None else [slope + pull[:, k] for k, slope in enumerate(slopes)]

    def _potential(self, columns: list[Array] | Array) -> Array:
        assert self._value is not None
        named = {axis.name: column for axis, column in zip(self.flow.grid.axes, columns, strict=True)}
        return np.asarray(self._value(**named), dtype=float)

    def _refuse(self, x: Array, out: Array) -> None:
        """Raises SolverError with a place from which a step leads nowhere."""
        bad = int(np.argmax(~np.isfinite(out).all(axis=1)))
        where = ", ".join(f"{a.name} = {v:.6g}" for a, v in zip(self.flow.grid.axes, x[bad], strict=True))
        raise SolverError(
            f"the drift of a particle is not a number at {where}. Change potential and interaction so that they have "
            "a finite gradient there, or take a smaller tau."
        )


def next_time(t: float, tau: float, t_next: float) -> float:
    """Where a step of τ from t ends: on t_next where that is the nearest whole number of steps from t."""
    if not t_next > t:
        raise SolverError(f"the next time {t_next} must lie after the present one {t}.")
    return t_next if t_next - t < 1.5 * tau else t + tau


def _columns(x: Array) -> list[Array]:
    return [np.ascontiguousarray(x[:, k]) for k in range(x.shape[1])]


def _full(values: Array, like: Array) -> Array:
    values = np.asarray(values, dtype=float)
    return values if values.shape == like.shape else np.broadcast_to(values, like.shape).copy()


@njit(cache=True, nogil=True)
def _advance(x, slope, noise, tau, strength, lower, upper, ring, out):
    """fold(x − τ slope + strength noise); returns how many are no numbers."""
    strange = 0
    for i in range(len(x)):
        y = x[i] - tau * slope[i] + strength * noise[i]
        if lower < y < upper:
            out[i] = y
        elif abs(y) < np.inf:
            out[i] = folded(y, lower, upper, ring)
        else:
            out[i] = np.nan
            strange += 1
    return strange


@njit(cache=True, nogil=True)
def _return_distance(x, jump, place, slope, tau, lower, upper, ring, squares):
    """Adds |F(x) − T(place)|², F being what folds the jump to the place."""
    for i in range(len(x)):
        away = image(x[i], jump[i], lower, upper, ring) - (place[i] - tau * slope[i])
        squares[i] += away * away
