"""Accelerated flow on a line: parcels of mass that have inertia and friction, and push and pull by the same energy.

    ẍ + αẋ = −∂ξ/∂x  along trajectories        H = ½∫ρ|v|² + E(ρ),   dH/dt = −α∫ρ|v|²

The cells of the grid at the start are parcels of constant mass μ_j; their edges X_i move.  With the gaps between them,
g_j = X_{j+1} − X_j, and half the mass of both neighbours at each edge, M_i,

    E = Σ_j g_j U(μ_j/g_j) + Σ_i M_i V(X_i),     κμ(ln(μ/g) − 1)  or  κ μ^m g^{1−m}/(m−1)  a parcel

A step (X, v) → (X', v') of length τ, with v̄ = (X' − X)/τ and v' = 2v̄ − v, solves

    M (v' − v)/τ + αM v̄ + ∇̄E(X, X') = 0

where ∇̄E is the discrete gradient by gaps and by V at the edges, ∇̄E·(X' − X) = E(X') − E(X).  Hence H' − H = −ατ Σ M v̄²
for every τ.  Newton's method on a tridiagonal system; no gap closes, since a parcel's energy or its mass forbids it.

Preserves: mass, order of the edges, the account of H to rounding.  Order: 2 in τ and in the cells.
Reference: Wang, Li (2022), Accelerated information gradient flow, DOI 10.1007/s10915-021-01709-3; Gonzalez (1996),
DOI 10.1007/BF02440162.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...energy.flow import Flow
from ...energy.snapshot import Report, Snapshot
from ...errors import CaseError, SolverError
from ...formulas.gradients import gradient_of
from ...grid import Array

NEWTON, HALVINGS = 40, 40
LEAST_MASS = 1e-290
"""Cells with a smaller part of the mass than this are empty: sums of it would not keep their digits."""
CLOSE = 1e-6
"""Of the box: edges that move by less have ∂V/∂x in the middle for the quotient of differences, right to 1e-18."""
LEAST_GAP = 1e-13
"""Of the box: between edges that are closer rounding leaves no digits of the gap."""
WALL = 1e-12
"""Of the box: how far beyond it rounding may put an edge."""
ENERGIES = "parcel_energies"
"""Field of a snapshot with the kinetic energy and E of the parcels, (2,)."""


@dataclass(frozen=True)
class Parcels:
    """Where mass is at the start.   edges : (n+1,).   mass : (n,) > 0 of each parcel.   at_edges : (n+1,) M_i."""

    edges: Array
    mass: Array

    @property
    def at_edges(self) -> Array:
        return 0.5 * (np.append(self.mass, 0.0) + np.append(0.0, self.mass))


def parcels_of(flow: Flow, rho: Array) -> Parcels:
    """The cells that hold mass.  Raises CaseError where there are fewer than two, or empty ones between them."""
    mass = rho * flow.grid.x.widths
    held = np.flatnonzero(mass > LEAST_MASS * np.sum(mass))
    first, last = int(held[0]), int(held[-1])
    if len(held) < last - first + 1:
        gap = first + int(np.argmax(mass[first : last + 1] <= LEAST_MASS * np.sum(mass)))
        raise CaseError(
            'solver.method: "accelerated" moves parcels side by side: expected a density that is positive between its '
            f"first and its last cell, found none at {flow.grid.describe((gap,))}; fill it, or run the parts alone"
        )
    if len(held) < 2:
        raise CaseError('solver.method: "accelerated" needs mass in two cells at least; take finer cells')
    return Parcels(flow.grid.x.edges[first : last + 2].copy(), mass[first : last + 1].copy())


class AcceleratedParcels:
    """The march: fields `edge_position` and `edge_velocity`, (n+1,), of a snapshot.

    friction : α ≥ 0, 1/time.   dt : τ > 0.
    """

    def __init__(self, flow: Flow, parcels: Parcels, friction: float, dt: float) -> None:
        self.flow, self.friction, self.dt, self.box = flow, friction, dt, flow.grid.x.length
        self.mass, self.weight = parcels.mass, parcels.at_edges
        energy = flow.energy
        self._potential = energy.potential
        self._slope = None if energy.potential is None else gradient_of(energy.potential, flow.grid)[0]
        p = flow.internal
        self.kappa, self.m = (0.0, 1.0) if p.law.vanishes else (p.kappa, p.m)

    def warm_up(self) -> None:
        """There is nothing to compile."""

    def start(self, x: Array) -> dict[str, Array]:
        """The fields of a snapshot at rest."""
        return self._fields(x, np.zeros_like(x))

    def step(self, snapshot: Snapshot, t_next: float) -> Snapshot:
        """One step of dt, or less where equal steps fill the way to t_next; halved where it cannot be solved."""
        x, v = snapshot.fields["edge_position"], snapshot.fields["edge_velocity"]
        remaining = t_next - snapshot.t
        if not remaining > 0:
            raise SolverError(f"the next time {t_next} must lie after the present one {snapshot.t}.")
        count = max(1, math.ceil(remaining / self.dt * (1 - 1e-9)))
        tau, halved, found = remaining / count, 0, None
        while found is None:
            found = self._solved(x, v, tau)
            if found is None:
                tau, halved, count = 0.5 * tau, halved + 1, 2 * count
            if halved > HALVINGS:
                raise SolverError(f"no step of the parcels could be solved, however short; the last was {tau:.3g}.")
        new, iterations = found
        self._check_inside(new, snapshot.t + tau)
        mean = (new - x) / tau
        fields = self._fields(new, 2 * mean - v)
        loss = self.friction * tau * float(np.sum(self.weight * mean**2))
        change = float(np.sum(fields[ENERGIES]) - np.sum(snapshot.fields[ENERGIES]))
        note = f"step halved {halved} times, to {tau:.3g}" if halved else ""
        report = Report(
            iterations=iterations, rejected=halved, note=note,
            more={"friction_loss": loss, "energy_account": change + loss},
        )  # fmt: skip
        t = t_next if count == 1 else snapshot.t + tau
        return Snapshot(t, snapshot.step + 1, snapshot.fields | fields, tau, report=report)

    # ---- a step ------------------------------------------------------------------------------------------------------

    def _solved(self, x: Array, v: Array, tau: float) -> tuple[Array, int] | None:
        """X' and how many iterations it took; None where Newton's method does not converge."""
        from scipy.linalg import solve_banded

        new, last = x.copy(), np.inf
        for k in range(1, NEWTON + 1):
            force, diagonal, couple = self._force(x, new)
            residual = 2 * (new - x - tau * v) / tau**2 + self.friction * (new - x) / tau + force
            bands = np.zeros((3, len(x)))
            bands[1] = 2 / tau**2 + self.friction / tau + diagonal
            bands[0, 1:], bands[2, :-1] = couple / self.weight[:-1], couple / self.weight[1:]
            if not (np.all(np.isfinite(residual)) and np.all(np.isfinite(bands))):
                return None
            change = -solve_banded((1, 1), bands, residual)
            gap, closing = np.diff(new), -np.diff(change)
            part = min(1.0, 0.9 / max(float(np.max(closing / gap)), 1e-300))
            new = new + part * change
            if np.any(np.diff(new) <= LEAST_GAP * self.box):
                return None
            size = float(np.max(np.abs(change))) / self.box
            if part < 1:
                last = np.inf
            elif size <= 1e-15 or (size <= 1e-12 and size >= 0.5 * last):
                return new, k
            else:
                last = size
        return None

    def _force(self, x: Array, new: Array) -> tuple[Array, Array, Array]:
        """∇̄E/M at the edges, what its derivative in X' has on the diagonal, and, times M, beside it."""
        push, slope = self._pressures(np.diff(x), np.diff(new))
        force, diagonal = self._pull(x, new)
        force[:-1] -= push / self.weight[:-1]
        force[1:] += push / self.weight[1:]
        diagonal[:-1] += slope / self.weight[:-1]
        diagonal[1:] += slope / self.weight[1:]
        return force, diagonal, -slope

    def _pressures(self, g: Array, new: Array) -> tuple[Array, Array]:
        """(e(g') − e(g))/(g' − g) of the parcels, which is ≤ 0, and its derivative in g', ≥ 0; e(g) = g U(μ/g)."""
        d, m = new - g, self.m
        log = np.log1p(d / g)
        size = self.kappa * self.mass**m * g ** (1 - m)
        rise = -size * log if m == 1 else size * np.expm1((1 - m) * log) / (m - 1)
        still, near = d == 0, np.abs(d) < 1e-4 * g
        middle = g + 0.5 * d
        at_middle = -self.kappa * (self.mass / middle) ** m
        quotient = np.where(still, at_middle, rise / np.where(still, 1.0, d))
        bend = -0.5 * m * at_middle / middle
        ends = -self.kappa * (self.mass / new) ** m
        return quotient, np.where(near, bend, (ends - quotient) / np.where(near, 1.0, d))

    def _pull(self, x: Array, new: Array) -> tuple[Array, Array]:
        """(V(X') − V(X))/(X' − X) at the edges, and its derivative in X'."""
        if self._potential is None or self._slope is None:
            return np.zeros_like(x), np.zeros_like(x)
        d, step = new - x, CLOSE * self.box
        near = np.abs(d) < step
        with np.errstate(all="ignore"):
            middle = np.broadcast_to(self._slope(x=x + 0.5 * d), x.shape)
            rise = self._value(new) - self._value(x)
            quotient = np.where(near, middle, rise / np.where(near, 1.0, d))
            around = [np.broadcast_to(self._slope(x=new + s), x.shape) for s in (-step, step)]
            bend = 0.25 * (around[1] - around[0]) / step
            slope = np.where(
                near, bend, (np.broadcast_to(self._slope(x=new), x.shape) - quotient) / np.where(near, 1, d)
            )
        return np.array(quotient), np.array(slope)

    def _value(self, x: Array) -> Array:
        assert self._potential is not None
        return np.asarray(np.broadcast_to(self._potential(x=x), x.shape), dtype=float)

    # ---- what a snapshot holds ---------------------------------------------------------------------------------------

    def energies(self, x: Array, v: Array) -> Array:
        """½Σ M v² and E of the parcels, (2,)."""
        g, m = np.diff(x), self.m
        density = self.mass / g
        internal = self.mass * self.kappa * (np.log(density) - 1 if m == 1 else density ** (m - 1) / (m - 1))
        outer = 0.0 if self._potential is None else float(np.sum(self.weight * self._value(x)))
        return np.array([0.5 * float(np.sum(self.weight * v**2)), float(np.sum(internal)) + outer])

    def _fields(self, x: Array, v: Array) -> dict[str, Array]:
        fields = {"rho": self.on_cells(x), "edge_position": x, "edge_velocity": v, ENERGIES: self.energies(x, v)}
        return {name: np.asarray(values) for name, values in fields.items()}

    def on_cells(self, x: Array) -> Array:
        """Cell averages of the density that is constant on parcels."""
        below = np.append(0.0, np.cumsum(self.mass))
        edges = self.flow.grid.x.edges
        held = np.interp(edges, x, below)
        held[0], held[-1] = 0.0, below[-1]
        return np.asarray(np.diff(held) / self.flow.grid.x.widths)

    def _check_inside(self, x: Array, t: float) -> None:
        """Raise SolverError where an edge has left the box."""
        axis = self.flow.grid.x
        over = max(axis.lower - float(x[0]), float(x[-1]) - axis.upper)
        if over > WALL * self.box:
            which = "first" if axis.lower - float(x[0]) >= over else "last"
            place = float(x[0] if which == "first" else x[-1])
            raise SolverError(
                f"the {which} parcel leaves the box: its edge would be at x = {place:.6g} at t = {t:.6g}, and there "
                "are no walls for what has inertia. Widen the grid, or let the density at the start vanish near the "
                "walls, as by a factor (abs(x) < …)."
            )
