"""Directional splitting: one time step of the finite-volume scheme in a frozen potential Φ.

A scheme advances ρ by dt with every sweep seeing the full ξ = U'(ρ) + Φ, so that each sweep alone keeps mass, sign and
the Gibbs state and lowers ∫U(ρ) + ∫Φρ; the composition does too (three lines: each sweep does).

    second order: x(dt/2) y(dt) x(dt/2), each sweep of second order
    first order:  x(dt) y(dt), each sweep backward Euler

In 1D there is one sweep.
Reference: Strang (1968), DOI 10.1137/0705041; Bailo, Carrillo, Hu (2020), DOI 10.4310/CMS.2020.v18.n5.a5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np

from ...energy.flow import Flow
from ...energy.laws.law import ENTROPY, NONE
from ...energy.openings.line_exits import LineExits
from ...energy.openings.vacuum_exits import VacuumExits, exits_of
from ...energy.rates import Rates, across_widths, push_along
from ...grid import Array
from ...linear.lines import Lines
from ...linear.threads import share
from .array_sweeps import array_sweep
from .forced_sweep import tilted_sweep
from .linear_sweep import compile_account, compile_repair, sweep
from .powers.power_sweeps import power_sweep


@dataclass
class Cost:
    """What a step took: summed over its sweeps, except the residual, which is the largest.

    pushed : the work of a force along the fluxes, energy.
    gone : (exits,) net mass that left by each; None where none could.   came : what came in, gross.
    """

    iterations: int = 0
    residual: float = 0.0
    repaired: int = 0
    failed: bool = False
    pushed: float = 0.0
    gone: Array | None = None
    came: float = 0.0

    def let_go(self, exits: LineExits, dt: float) -> None:
        """Add what the last sweep over dt let go by each exit."""
        if exits.opened:
            self.gone = exits.gone(dt) if self.gone is None else self.gone + exits.gone(dt)
            self.came += exits.came(dt)

    def add(self, stats: Array) -> None:
        """stats : (blocks, 5): repaired cells, residual, Newton iterations, failed, mass."""
        repaired, residual, iterations, failed, mass = stats.sum(axis=0).tolist()
        self.repaired += int(repaired)
        self.residual = max(self.residual, residual / mass if mass > 0 else 0.0)
        self.iterations += int(iterations)
        self.failed = self.failed or failed > 0


class Scheme(Protocol):
    """Space discretisation and splitting for one kind of internal energy."""

    def prepare(self, phi: Array) -> None:
        """Take the potential Φ, (ny, nx), for the steps to come."""

    def sweep(self, rho: Array, lines: Lines, dt: float, order: int, guard: bool, cost: Cost) -> None:
        """Advance rho in place along one axis."""


def split_step(scheme: Scheme, axes: list[Lines], rho: Array, dt: float, order: int, guard: bool) -> tuple[Array, Cost]:
    """One step of all axes.  rho : (ny, nx), kept.  Returns the new density and the cost; order 1 or 2 in dt."""
    cost = Cost()
    out = rho.copy()
    if len(axes) == 1:
        stages = [(axes[0], dt)]
    elif order == 1:
        stages = [(axes[0], dt), (axes[1], dt)]
    else:
        stages = [(axes[0], 0.5 * dt), (axes[1], dt), (axes[0], 0.5 * dt)]
    for lines, length in stages:
        scheme.sweep(out, lines, length, order, guard, cost)
        if cost.failed:
            break
    return out, cost


def ways(rates: Rates, axes: list[Lines], lines: Lines) -> tuple[Any, ...]:
    """(a, b, h, ring) along one axis as sweeps take them: what is alike for all axes of a flow is seen in their types,
    and decides what is compiled."""
    a, b = rates.along(lines)
    if lines.lanes == 1:
        a, b = a.reshape(1, lines.n), b.reshape(1, lines.n)
    return a, b, lines.volumes, lines.ring if any(axis.ring for axis in axes) else None


class ExitScheme:
    """What the schemes share: the potential of the steps, and what it asks of the exits."""

    def __init__(self, flow: Flow, axes: list[Lines], threads: int) -> None:
        self._internal, self._threads = flow.internal, threads
        self._exits = exits_of(flow, axes)

    def prepare(self, phi: Array) -> None:
        self._phi = phi
        for exits in self._exits.values():
            exits.fill(phi)


class LinearScheme(ExitScheme):
    """Linear sweeps, by rates.   code, kappa : of the law, as its kernels take them."""

    def __init__(self, flow: Flow, axes: list[Lines], threads: int, code: int, kappa: float) -> None:
        super().__init__(flow, axes, threads)
        self._code, self._kappa = code, kappa
        self._rates = Rates(flow.grid, axes, threads, flow.push)
        self._ways = {lines.direction: ways(self._rates, axes, lines) for lines in axes}

    def _pass(self, rho: Array, lines: Lines, dt: float, order: int, guard: bool, out: Array, cost: Cost) -> None:
        stats, exits, along = np.zeros((lines.blocks, 5)), self._exits[lines.direction], self._ways[lines.direction]
        share(
            sweep, lines.blocks, rho.size, self._threads,
            rho, self._phi, lines.direction, *along, along[0][:0], False, exits.passing,
            dt, order, guard, self._code, self._kappa, out, stats,
        )  # fmt: skip
        cost.add(stats)
        cost.let_go(exits, dt)

    def compile_first(self, lines: Lines) -> None:
        """Compile what a sweep and its parts share, with the types that it has there."""
        compile_account(self._exits[lines.direction].passing, self._ways[lines.direction][2], lines.lanes)

    def compile_parts(self, lines: Lines) -> None:
        """Compile some of what a sweep calls, with the types that it has there, for its first block."""
        a, b, h, ring = self._ways[lines.direction]
        compile_repair(a[0], b[0], self._exits[lines.direction].passing, h, ring, self._kappa, lines.lanes)


class EntropyScheme(LinearScheme):
    """Scharfetter–Gummel sweeps (entropy).  Rates are computed once per potential."""

    def __init__(self, flow: Flow, axes: list[Lines], threads: int) -> None:
        super().__init__(flow, axes, threads, ENTROPY, flow.internal.kappa)

    def prepare(self, phi: Array) -> None:
        super().prepare(phi)
        self._rates.scharfetter_gummel(phi, self._kappa)

    def sweep(self, rho: Array, lines: Lines, dt: float, order: int, guard: bool, cost: Cost) -> None:
        self._pass(rho, lines, dt, order, guard, rho, cost)


class TiltedScheme(EntropyScheme):
    """The same with a force, whose work along the fluxes is summed up."""

    def __init__(self, flow: Flow, axes: list[Lines], threads: int) -> None:
        super().__init__(flow, axes, threads)
        assert flow.push is not None
        self._push = push_along(axes, flow.push)
        self._across = {lines.direction: across_widths(flow.grid, lines) for lines in axes}

    def sweep(self, rho: Array, lines: Lines, dt: float, order: int, guard: bool, cost: Cost) -> None:
        """No line is guarded: along one with a force the energy may rise, by the work that is summed up."""
        stats, work = np.zeros((lines.blocks, 5)), np.zeros(lines.blocks)
        share(
            tilted_sweep, lines.blocks, rho.size, self._threads,
            rho, lines.direction, self._push[lines.direction], self._across[lines.direction],
            *self._ways[lines.direction], dt, order, stats, work,
        )  # fmt: skip
        cost.add(stats)
        cost.pushed += float(work.sum())

    def compile_first(self, lines: Lines) -> None:
        """Nothing: lines under a force are not repaired, and have an end of their own."""

    compile_parts = compile_first


class DriftScheme(LinearScheme):
    """Limited donor sweeps (no internal energy).

    At second order the donor weights come from the mean of the sweep's input and a first pass, at first order from its
    input; any reference state keeps the promises.
    """

    def __init__(self, flow: Flow, axes: list[Lines], threads: int) -> None:
        super().__init__(flow, axes, threads, NONE, 1.0)

    def sweep(self, rho: Array, lines: Lines, dt: float, order: int, guard: bool, cost: Cost) -> None:
        self._rates.donors(self._phi, rho, lines)
        if order == 2:
            first = np.empty_like(rho)
            self._pass(rho, lines, dt, order, False, first, Cost())
            self._rates.donors(self._phi, 0.5 * (rho + first), lines)
        self._pass(rho, lines, dt, order, guard, rho, cost)


class PowerScheme(ExitScheme):
    """Newton sweeps (power-law energies)."""

    def sweep(self, rho: Array, lines: Lines, dt: float, order: int, guard: bool, cost: Cost) -> None:
        stats, exits = np.zeros((lines.blocks, 5)), cast(VacuumExits, self._exits[lines.direction])
        share(
            power_sweep, lines.blocks, rho.size, self._threads,
            rho, self._phi, lines.direction, lines.volumes, lines.conductances, lines.ring,
            exits.opened, exits.inverse_d, exits.rise, exits.decay, exits.taken, dt, order, guard,
            self._internal.kappa, self._internal.m, lines.width, stats,
        )  # fmt: skip
        cost.add(stats)
        cost.let_go(exits, dt)


class ArrayScheme(ExitScheme):
    """Newton sweeps over all lines at once (laws without kernels)."""

    def sweep(self, rho: Array, lines: Lines, dt: float, order: int, guard: bool, cost: Cost) -> None:
        exits = cast(VacuumExits, self._exits[lines.direction])
        taken = exits if exits.opened else None
        cost.add(array_sweep(self._internal, rho, self._phi, lines, dt, order, guard, taken))
        cost.let_go(exits, dt)


def make_scheme(flow: Flow, axes: list[Lines], threads: int) -> Scheme:
    """The scheme for the flow's internal energy."""
    law = flow.internal.law
    if law.linear_diffusion:
        return EntropyScheme(flow, axes, threads) if flow.push is None else TiltedScheme(flow, axes, threads)
    if law.vanishes:
        return DriftScheme(flow, axes, threads)
    return ArrayScheme(flow, axes, threads) if law.code is None else PowerScheme(flow, axes, threads)
