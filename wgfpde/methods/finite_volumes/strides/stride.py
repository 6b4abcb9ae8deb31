"""Strides: steps of a flow taken many at a time, and the report of each."""

from __future__ import annotations

import time
from typing import Any, cast

import numpy as np

from ....base.kernel_pointer import Direct, pointer
from ....energy.flow import Flow
from ....energy.laws.law import ENTROPY, NONE, Law
from ....energy.openings.vacuum_exits import VacuumExits, exits_of
from ....energy.rates import Rates, drift_rates
from ....energy.snapshot import Report, Snapshot, Stride
from ....grid import Array
from ....linear.lines import Lines
from ....linear.threads import SERIAL_CELLS
from ..linear_sweep import sweep
from ..one_step import OneStep
from ..powers.power_sweeps import power_sweep
from ..schemes import ways
from .clock import LIMITS
from .many_steps import COLUMNS, DT, LEFT, LIMIT, NEWTON, REJECTIONS, TOUCHED, WISH, T, march

MOST_STEPS = 1024
"""In one call."""
FIRST_PACE = 1e-7
"""Seconds that a cell is taken to need until a call was timed."""
MARCH = Direct(march)
_LIMITS = dict(enumerate(LIMITS)).__getitem__  # 2.0 is found as 2 is
TIMED = 1e-3
"""Seconds of a call from which on it tells the pace."""


def strides(one: OneStep) -> bool:
    """Whether steps are taken many at a time: laws with kernels, frozen, closed, on grids for one thread."""
    flow = one.flow
    simple = flow.internal.code is not None and flow.interaction is None and flow.push is None
    alike = len({lines.resistances.ndim for lines in one.axes}) == 1
    return simple and alike and not flow.driven and not flow.exits and flow.grid.size < SERIAL_CELLS


class Strider:
    """Takes many steps of a flow in one call.

    order : 1 or 2.   dt : of fixed steps, 0 for adaptive ones.   first_dt, tolerance : of adaptive steps.
    What it remembers, how fast it is, decides how many steps a call takes and nothing else.
    """

    def __init__(self, one: OneStep, order: int, dt: float, first_dt: float | None, tolerance: float) -> None:
        flow, axes = one.flow, one.axes
        self._shape, self._phi, self._widths = one.rows, one.potential, one.widths
        self._sweeps = _sweeps(flow, axes, one.potential)
        self._law = flow.internal.code, flow.internal.kappa, flow.internal.m
        self._stages = _stages(len(axes), order)
        self._order, self._control = order, (float(dt), float(first_dt or 0.0), float(tolerance))
        stats, rows = np.zeros((2, max(lines.blocks for lines in axes), 5)), np.zeros((2, self._shape[0]))
        room = np.zeros((2, *self._shape) if flow.internal.law.vanishes else (2, 1, 1))
        self._states, self._scratch = np.zeros((4, *self._shape)), (stats, room, rows, np.zeros((2, 3)))
        self._block = float(max(lines.n * lines.lanes for lines in axes))
        self._pace = FIRST_PACE
        self._entry = MARCH.entry(*self._arguments((0.0, 1.0, 0.0), 0.0, np.empty((1, COLUMNS))))

    def _arguments(self, times: tuple[float, ...], budget: float, table: Array) -> tuple[Any, ...]:
        return (
            self._states, self._phi, self._sweeps, self._law, self._stages, self._order, self._widths, self._scratch,
            tuple(map(float, times)), self._control, (float(budget), self._block), table,
        )  # fmt: skip

    def _march(self, times: tuple[float, ...], budget: float, table: Array) -> tuple[int, int, float]:
        found = self._entry(*self._arguments(times, budget, table))
        return int(found[0]), int(found[1]), float(found[2])

    def stride(self, snapshot: Snapshot, t_next: float, seconds: float) -> Stride | None:
        """Steps from a snapshot, never past t_next, for some `seconds`; None where the first is an unusual one."""
        self._states[0] = snapshot.rho.reshape(self._shape)
        table = np.empty((MOST_STEPS, COLUMNS))
        begin = time.perf_counter()
        taken, place, spent = self._march((snapshot.t, t_next, snapshot.dt_next), seconds / self._pace, table)
        wall = time.perf_counter() - begin
        if spent > 0:  # a short call tells no pace, but that the last one was too slow, as after a stall
            self._pace = wall / spent if wall > TIMED else min(self._pace, TIMED / spent)
        if taken == 0:
            return None
        rho = self._states[place].reshape(snapshot.rho.shape).copy()
        rho.flags.writeable = False
        return _stride(snapshot, rho, table[:taken])


def _stride(before: Snapshot, rho: Array, table: Array) -> Stride:
    """What a call has given.   table : (steps, 8), see module `many_steps`."""
    last = table[-1].tolist()
    report = Report(
        iterations=int(last[NEWTON]),
        residual=last[LEFT],
        repaired=int(last[TOUCHED]),
        rejected=int(last[REJECTIONS]),
        limit=LIMITS[int(last[LIMIT])],
    )
    after = Snapshot(last[T], before.step + len(table), before.fields | {"rho": rho}, last[DT], last[WISH], report)
    columns = {
        "t": table[:, T], "dt": table[:, DT], "iterations": table[:, NEWTON], "residual": table[:, LEFT],
        "repaired": table[:, TOUCHED], "rejected": table[:, REJECTIONS],
    }  # fmt: skip
    return Stride(after, columns, tuple(map(_LIMITS, table[:, LIMIT].tolist())))


def _stages(dim: int, order: int) -> tuple[Array, Array]:
    """The axis of each sweep of a step and its part of dt, as `schemes.split_step` has them."""
    axes = [0] if dim == 1 else [0, 1] if order == 1 else [0, 1, 0]
    parts = [0.5, 1.0, 0.5] if len(axes) == 3 else [1.0] * len(axes)
    return np.array(axes), np.array(parts)


def _sweeps(flow: Flow, axes: list[Lines], phi: Array) -> tuple[object, object, object]:
    """(linear, drift, power) as `split` takes them: what kernels need of each of two axes, in 1D the same."""
    internal = flow.internal
    both, held = (axes[0], axes[-1]), np.zeros((max(lines.blocks for lines in axes), 5))
    if not internal.law.linear_diffusion and not internal.law.vanishes:
        exits = exits_of(flow, axes)
        found = tuple(_power_axis(lines, cast(VacuumExits, exits[lines.direction])) for lines in both)
        direction, _, width, across, h, ring, shut = found[0]
        kernel = pointer(
            power_sweep, 0, 1, phi.copy(), phi, direction, h, across, ring, 0, *shut, 1.0, 1, False, internal.kappa,
            internal.m, width, held,
        )  # fmt: skip
        return None, None, (found, kernel)
    rates = Rates(flow.grid, axes)
    found = tuple((lines.direction, lines.blocks, *_kept(ways(rates, axes, lines), internal.law)) for lines in both)
    direction, _, a, b, h, ring, kept, _ = found[0]
    code, kappa = (ENTROPY, internal.kappa) if internal.law.linear_diffusion else (NONE, 1.0)
    rho = phi.copy()
    kernel = pointer(
        sweep, 0, 1, rho, phi, direction, a, b, h, ring, kept, False, None, 1.0, 1, False, code, kappa, rho, held
    )
    if internal.law.linear_diffusion:
        rates.scharfetter_gummel(phi, internal.kappa)
        return (found, kernel), None, None
    of_rates = tuple(
        (lines.ring, rates.along(lines), lines.widths, lines.distances, lines.resistances) for lines in both
    )
    closes, full, *across = of_rates[0]
    donors = pointer(drift_rates, 0, 1, phi, rho, direction, *across, closes, *full)
    return None, (tuple((*axis, *more) for axis, more in zip(found, of_rates, strict=True)), kernel, donors), None


def _kept(along: tuple[Any, ...], law: Law) -> tuple[Any, ...]:
    """With the pivots of a sweep, to be kept while it is by rates that stay, and the dt that they are for."""
    rates = along[0]
    return *along, np.empty_like(rates) if law.linear_diffusion else rates[:0], np.full(1, np.nan)


def _power_axis(lines: Lines, none: VacuumExits) -> tuple[Any, ...]:
    shut = none.inverse_d, none.rise, none.decay, none.taken
    return lines.direction, lines.blocks, lines.width, lines.conductances, lines.volumes, lines.ring, shut
