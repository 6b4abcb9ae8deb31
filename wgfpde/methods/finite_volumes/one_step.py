"""One time step of the finite-volume scheme at a given size: the interaction and the energy law.

The step solves ρ' = S_dt(ρ; Φ) with Φ = V + W∗½(ρ + ρ').  Then

    E(ρ') − E(ρ) = ∫U(ρ') − ∫U(ρ) + ⟨Φ, ρ' − ρ⟩ ≤ 0,

because ½⟨ρ', Wρ'⟩ − ½⟨ρ, Wρ⟩ = ⟨W½(ρ + ρ'), ρ' − ρ⟩ for symmetric W of any sign, and S lowers ∫U + ∫Φρ for frozen Φ.
Φ is frozen over all sweeps of the step, so that one convolution an outer iteration is enough; being the mean of both
ends it keeps order 2.  The fixed point of drive ↦ W∗S(ρ; V + ½(W∗ρ + drive)) is found from W∗ρ carried on as it went
over the last steps (module `drive_trend`): by Anderson mixing where dt is short, else by Newton's method (module
`fixed_point`).  A repulsion like |x|^-½ makes the step stiff, the map expand by dt/h^1.5, and mixing alone would hold
dt to h^1.5.  Where neither converges the step is too long.  It ends at 1e-13, or where what is left cannot matter to
the energy law.

A second-order step that raises the energy is redone with every line guarded (module `limiter`), and if that is not
enough, at first order, where the law holds for every dt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ...energy.flow import Flow
from ...energy.laws.energy_sums import energy_rows
from ...grid import Array
from ...linear.fixed_point import FixedPointSolver, NotFound
from ...linear.lines import lines_of
from ...linear.threads import share
from .drive_trend import NO_TREND, DriveTrend
from .limiter import EPS
from .schemes import Cost, make_scheme, split_step

OUTER_TOLERANCE = 1e-13
"""Of the drive, relative to its largest value; with an energy law it may end earlier:"""
NEARLY, SHARE = 1e-10, 1e-9
"""At so small a change of the drive, where that counts for so small a share of the energy that the step frees; what a
run gives then changes by 4e-10 of itself at most (the packaged cases), a tenth of that with most kernels."""


class StepFailure(Exception):
    """A step of this size cannot be solved; a shorter one may."""


@dataclass(frozen=True)
class Attempt:
    """A solved step: the density (ny, nx), read-only, its cost, convolutions, remarks, and how W∗ρ goes after it.

    mismatch : ½⟨W∗ρ' − drive, ρ' − ρ⟩, what the energy differs by from the one in which the step was solved.
    order : in which it was taken.   work, heat : of a driven step, see `energy.driving.work`.
    """

    rho: Array
    cost: Cost
    outer: int = 0
    notes: tuple[str, ...] = ()
    trend: DriveTrend = NO_TREND
    mismatch: float = 0.0
    order: int = 0
    work: float = 0.0
    heat: float = 0.0


class OneStep:
    """Solves single steps.  What it remembers of a density only saves work; results depend on the arguments alone.

    axes : the sweeps.   widths : of the cells, (nx,) and (ny,).   potential : V (ny, nx).
    order : 1 or 2.   Preserves mass, ρ ≥ 0, E never up, the Gibbs state, for every dt it solves.
    """

    def __init__(self, flow: Flow, order: int, threads: int) -> None:
        grid = flow.grid
        self.flow = flow
        self.order = order
        self.threads = threads
        self.rows = (1, grid.size) if grid.dim == 1 else grid.shape
        self.axes = lines_of(flow.grid, flow.mobility)
        self._scheme = make_scheme(flow, self.axes, threads)
        widths_y = np.ones(1) if grid.dim == 1 else np.ascontiguousarray(grid.y.widths)
        self.widths = np.ascontiguousarray(grid.x.volumes), widths_y
        self._volume = self.widths[1][:, None] * self.widths[0]
        self.potential = self._rows_of(flow)
        self._prepared = False
        self._known_energy: tuple[Array, tuple[float, float]] | None = None
        self._known_drive: tuple[Array, Array] | None = None
        self._known_energies: tuple[Array, Array, Array, tuple[tuple[float, float], tuple[float, float]]] | None = None

    def compile_first(self) -> None:
        """Compile what the sweeps and their parts share: before the sweeps, by the process that compiles them."""
        first = getattr(self._scheme, "compile_first", None)
        if first is not None:
            first(self.axes[0])

    def compile_parts(self) -> None:
        """Compile parts of the sweeps and the energy, for another process that compiles the sweeps."""
        parts = getattr(self._scheme, "compile_parts", None)
        if parts is not None:
            parts(self.axes[0])
        self._phi = self.potential
        self._energy(np.ones(self.rows))

    def freeze(self, flow: Flow) -> None:
        """Take the same flow at another time for the steps to come."""
        if flow is self.flow:
            return
        if flow.mobility is not self.flow.mobility:
            self.axes = lines_of(flow.grid, flow.mobility)
        same = (
            flow.internal == self.flow.internal and flow.push is self.flow.push and flow.mobility is self.flow.mobility
        )
        if not same:
            self._scheme = make_scheme(flow, self.axes, self.threads)
        if flow.interaction is not self.flow.interaction:
            self._known_drive = None
        self.flow, self.potential = flow, self._rows_of(flow)
        self._prepared, self._known_energy = False, None

    def carry(self, field: Array, dt: float, order: int) -> Array:
        """The linear step of the given order on another field ≥ 0, (ny, nx), without interaction.  Raises StepFailure.

        Keeps the Gibbs state.
        """
        return self._prepare_and_split(field, dt, order, False)[0]

    def _rows_of(self, flow: Flow) -> Array:
        base = np.zeros(flow.grid.shape) if flow.potential is None else flow.potential
        return np.ascontiguousarray(base).reshape(self.rows)

    def solve(self, rho: Array, dt: float, trend: DriveTrend) -> Attempt:
        """One step of the wanted order that keeps the energy law.  trend : of W∗ρ over the last steps.

        Raises StepFailure.
        """
        modes = [(self.order, False, "")]
        if self.order == 2 and not self.flow.exits:
            modes = [
                (2, False, ""),
                (2, True, "energy law enforced line by line"),
                (1, False, "step taken at first order to keep the energy law"),
            ]
        if self.flow.push is not None:  # its energy may rise by the work of the force, and no line tells that alone
            modes = [mode for mode in modes if not mode[1]]
        for order, guard, note in modes:
            attempt = self._advance(rho, dt, order, guard, trend)
            if self._dissipates(rho, attempt):
                return replace(attempt, notes=(note,) if note else (), order=order)
        raise StepFailure("the energy rose")

    def _advance(self, rho: Array, dt: float, order: int, guard: bool, trend: DriveTrend) -> Attempt:
        """One step in the converged potential V + W∗½(ρ + ρ')."""
        if self.flow.interaction is None:
            return Attempt(*self._prepare_and_split(rho, dt, order, guard))
        before = self._drive(rho)
        last: tuple[Array, Cost] = (rho, Cost())
        iterations = 0

        def image(drive: Array) -> Array:
            nonlocal last, iterations
            self._phi = self.potential + 0.5 * (before + drive)
            self._scheme.prepare(self._phi)
            last = self._split(rho, dt, order, guard)
            iterations += last[1].iterations
            return self._interact(last[0])

        def enough(residual: Array) -> bool:
            return not self.flow.exits and self._hardly_counts(residual, rho, *last)

        solver = FixedPointSolver(
            image, OUTER_TOLERANCE, float(np.max(np.abs(before))), StepFailure, enough=(NEARLY, enough)
        )
        try:
            found = solver.solve(trend.carried(before, dt))
        except NotFound as failure:
            raise StepFailure(f"the iteration on W∗ρ did not converge ({failure})") from failure
        out, cost = last
        self._known_drive = (out, found.image)
        mismatch = 0.5 * float(np.sum(self._volume * ((found.image - found.x) * (out - rho))))
        cost = replace(cost, iterations=iterations)
        after = trend.after((found.image - before) / dt, dt)
        return Attempt(out, cost, found.values, trend=after, mismatch=mismatch)

    def _hardly_counts(self, residual: Array, rho: Array, out: Array, cost: Cost) -> bool:
        """Whether what the drive is off by matters to what moves no more than SHARE of the energy that the step frees.

            ½ Σ h |W∗ρ' − drive| |ρ' − ρ| ≤ SHARE (E_Φ(ρ) − E_Φ(ρ'))

        The left side bounds the mismatch of the energies, so that E falls; both fall with the square of the velocity,
        so that the drive is the better known the slower the density moves, and at the steady state to rounding.
        """
        off = np.abs(out - rho)
        off *= np.abs(residual)
        off *= self._volume
        before, after = self._energies(rho, out)
        return 0.5 * float(np.sum(off)) <= SHARE * (before[0] - after[0] + cost.pushed)

    def _prepare_and_split(self, rho: Array, dt: float, order: int, guard: bool) -> tuple[Array, Cost]:
        if not self._prepared:
            self._phi = self.potential
            self._scheme.prepare(self._phi)
            self._prepared = True
        return self._split(rho, dt, order, guard)

    def _split(self, rho: Array, dt: float, order: int, guard: bool) -> tuple[Array, Cost]:
        out, cost = split_step(self._scheme, self.axes, rho, dt, order, guard)
        if cost.failed:
            raise StepFailure("the implicit solve did not converge")
        out.flags.writeable = False  # a step is a record; what is remembered of it stays true
        return out, cost

    def _drive(self, rho: Array) -> Array:
        """W∗ρ, remembered from the step that made ρ."""
        if self._known_drive is not None and _same(self._known_drive[0], rho):
            return self._known_drive[1]
        drive = self._interact(rho)
        if not rho.flags.writeable:
            self._known_drive = (rho, drive)
        return drive

    def _interact(self, rho: Array) -> Array:
        assert self.flow.interaction is not None
        return self.flow.interaction.apply(rho.reshape(self.flow.grid.shape)).reshape(self.rows)

    def _dissipates(self, old: Array, attempt: Attempt) -> bool:
        """Whether E has not risen, up to the rounding of the two sums; raises StepFailure if it is infinite.

        Where mass may leave there is no such law.
        E(ρ') − E(ρ) is the difference of ∫U + ∫Φρ, and ½⟨W∗ρ' − drive, ρ' − ρ⟩ where Φ holds another drive than W∗ρ'.
        With a force it may rise by the work of that.
        """
        new = attempt.rho
        if self.flow.exits:  # mass takes its energy with it
            if not np.isfinite(np.sum(new)):
                raise StepFailure("the density became infinite or undefined")
            return True
        before, after = self._energies(old, new)
        if not math.isfinite(after[0]):
            raise StepFailure("the density became infinite or undefined")
        self._known_energy = (new, after)
        pushed = attempt.cost.pushed
        rounding = 16 * EPS * (after[1] + before[1] + abs(pushed))
        return after[0] - before[0] + attempt.mismatch - pushed <= rounding

    def _energies(self, old: Array, new: Array) -> tuple[tuple[float, float], tuple[float, float]]:
        """Of the density before and after a step, in the present Φ; summed once for each step and Φ."""
        known = self._known_energies
        if known is not None and known[0] is self._phi and known[1] is old and known[2] is new:
            return known[3]
        if self.flow.interaction is None and self._known_energy is not None and _same(self._known_energy[0], old):
            before = self._known_energy[1]
        else:
            before = self._energy(old)
        found = before, self._energy(new)
        if self.flow.interaction is not None:
            self._known_energies = (self._phi, old, new, found)
        return found

    def _energy(self, rho: Array) -> tuple[float, float]:
        """∫U(ρ) + ∫Φρ in the present Φ, and the sum of absolute values that bounds its rounding."""
        rho = rho.view()
        rho.flags.writeable = False  # as all but the first density are: for others the kernel would be compiled anew
        rows = rho.shape[0]
        energy, scale = np.empty(rows), np.empty(rows)
        internal = self.flow.internal
        if internal.code is None:
            inner, outer = internal.density(rho), self._phi * rho
            volume = self._volume
            energy, scale = np.sum(volume * (inner + outer), 1), np.sum(volume * (np.abs(inner) + np.abs(outer)), 1)
            return float(energy.sum()), float(scale.sum())
        share(
            energy_rows, rows, rho.size, self.threads,
            rho, self._phi, *self.widths, internal.code, internal.kappa, internal.m, energy, scale,
        )  # fmt: skip
        return float(energy.cumsum()[-1]), float(scale.cumsum()[-1])  # serially, as compiled steps sum


def _same(a: Array, b: Array) -> bool:
    """Whether two read-only arrays are the same memory."""
    return a.ctypes.data == b.ctypes.data and not b.flags.writeable
