"""Implicit sweeps for laws without kernels: Newton's method in NumPy, over all lines of an axis at once.

    R_i(ρ) = h_i (ρ_i − ρ^n_i) + dt (F_{i+½}(ρ) − F_{i−½}(ρ)) = 0,      F from module `array_law`

As in module `power_newton`, whose solves these are: 1ᵀR' = hᵀ, so that the Newton matrix is factorised with its column
sums; a cell falls by at most a factor of ten a time (to 0 where the law allows vacuum), and a line whose ‖R‖₁ grows is
damped; the last move solves h ρ + dt ∂(α ρ_i − β ρ_{i+1}) = h ρ^n with the rates α, β ≥ 0 of the flux that was found,
an M-matrix with column sums h: mass is exact to rounding and ρ ≥ 0 for every dt.

Where mass leaves by exits, its loss F(ρ, 0)/d + kρ per area adds to R, its derivative to the column sums, and at the
end the rate that it is of ρ.

Second order is extrapolated backward Euler, 2ρ_{dt/2,dt/2} − ρ_dt, repaired toward ρ_{dt/2,dt/2} (module `limiter`);
a guarded step is ρ_{dt/2,dt/2} itself, which dissipates.
Reference: Hairer, Wanner (1996), Solving ODEs II, sec. IV.9.

Fields are (n, lines), faces i+½ in row i, the last row being the face that closes a ring.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from ...energy.energy import Internal
from ...energy.laws.array_law import ArrayLaw, TwoPoint, two_point
from ...energy.openings.vacuum_exits import VacuumExits
from ...grid import Array
from ...linear.lines import Lines, X
from ...linear.tridiagonal import factor, solve, solve_balance
from .limiter import EPS, UNTOLD, correct_fluxes, restore_mass, restore_with
from .powers.power_newton import FAINT, MAX_NEWTON, SETTLED

NOTHING = np.zeros(0)
FALL = 0.1
"""The least that one move leaves of a cell."""
LIFT = 1e-30
"""Least density of a first guess, over the largest, where U'(0) = −∞."""
CLOSED = 1e-10
"""‖R‖₁ over the mass that is too much where iterations are spent."""


def array_sweep(
    internal: Internal,
    rho: Array,
    phi: Array,
    lines: Lines,
    dt: float,
    order: int,
    guard: bool,
    exits: VacuumExits | None = None,
) -> Array:
    """Advance rho (ny, nx) in place by dt along one axis.  Returns what `Cost.add` takes, (1, 5).

    exits : of the axis, filled, where mass leaves along it; what left goes into their `taken`.
    """
    newton = _Newton(internal, phi if lines.direction != X else phi.T, lines, exits)
    old = np.array(rho if lines.direction != X else rho.T, order="C")
    whole, flux, drain = newton.euler(old, dt)
    touched, new, gone = 0, np.ascontiguousarray(whole), dt * drain
    if order == 2:
        half, first, drain = newton.euler(old, 0.5 * dt)
        low, second, later = newton.euler(half, 0.5 * dt)
        new = np.ascontiguousarray(low if guard else 2.0 * low - whole)
        anti = 0.5 * dt * (first + second) - dt * flux
        two = 0.5 * dt * (drain + later)
        gone, beyond = (two, 0.0 * two) if guard else (2.0 * two - gone, two - gone)
        for k in np.flatnonzero(np.any(new < 0.0, axis=0) | np.any(gone < 0.0, axis=(0, 1))):
            drained, more = (np.ascontiguousarray(np.sum(part[..., k], axis=0)) for part in (two, beyond))
            spare = (more, drained) if exits is not None else (NOTHING, NOTHING)
            touched += correct_fluxes(low, anti, *spare, lines.volumes, lines.ring, UNTOLD, k, new)
            share = np.divide(drained + more, drained, out=np.zeros_like(drained), where=drained > 0)
            gone[..., k] = two[..., k] * share
    if exits is not None:
        gone = np.ascontiguousarray(gone)
        kept = restore_with(new, old, gone, lines.volumes, lines.count)
        mass = float(np.sum(lines.volumes[:, None] * old))
        exits.put(gone)
    else:
        kept, _, mass = restore_mass(new, old, lines.volumes, lines.count)
    rho[:] = new if lines.direction != X else new.T
    return np.array([[touched, newton.left_over, newton.iterations, float(newton.failed or not kept), mass]])


class _Newton:
    """Backward Euler steps along the lines of one axis, in the potential phi (n, lines)."""

    def __init__(self, internal: Internal, phi: Array, lines: Lines, exits: VacuumExits | None) -> None:
        self.p, self.law = internal, cast(ArrayLaw, internal.law)
        self.h, self.d = lines.volumes[:, None], lines.rows(lines.resistances)
        self.ring, self.faces = lines.ring, lines.n if lines.ring else lines.n - 1
        self.dphi = np.roll(phi, -1, axis=0)[: self.faces] - phi[: self.faces]
        self.iterations, self.left_over, self.failed = 0, 0.0, False
        self.exits = None if exits is None else exits.per_line()

    def euler(self, old: Array, dt: float) -> tuple[Array, Array, Array]:
        """The density after dt, the fluxes that made it, and what left per time by each kind of exit, (3, n, lines).

        Sets `failed` where some line is not solved.
        """
        mass = np.sum(self.h * old, axis=0)
        new = old.copy() if self.p.empties else np.maximum(old, LIFT * old.max(axis=0))
        accepted, damp = np.full(old.shape[1], np.inf), np.ones(old.shape[1])
        base, move = new, np.zeros_like(new)
        for iteration in range(MAX_NEWTON + 1):
            face = self._face(new)
            flux = self._rows(face.flux / self.d[: self.faces])
            lost, slope = self._lost(new)
            balance = self.h * (new - old) + dt * (flux - np.roll(flux, 1, axis=0)) + dt * lost.sum(axis=0)
            norm = np.sum(np.abs(balance), axis=0)
            floor = self._rounding(new, old, face, dt) + EPS * dt * np.sum(lost.sum(axis=0) + slope * new, axis=0)
            done = (norm <= floor) | ((norm <= SETTLED * mass) & (norm <= 64.0 * floor) & (norm >= 0.5 * accepted))
            if np.all(done) or iteration == MAX_NEWTON:
                break
            worse = ~(norm <= 4.0 * accepted) & (damp > 0.1) & ~done
            damp = np.where(worse, 0.5 * damp, 1.0)
            accepted = np.where(worse, accepted, norm)
            fresh = self._direction(new, old, face, flux, lost.sum(axis=0), slope, dt)
            base, move = np.where(worse, base, new), np.where(worse, move, fresh)
            least = 0.0 if self.p.empties else FALL * base
            trial = np.minimum(np.maximum(base + damp * move, least), mass / self.h)
            new = np.where(done, new, trial)
            self.iterations += 1
        with np.errstate(invalid="ignore"):
            self.failed = self.failed or not np.all(done | (norm <= CLOSED * mass))
        self.left_over += float(norm.sum())
        return self._finish(new, old, face, flux, lost, dt)

    def _lost(self, rho: Array) -> tuple[Array, Array]:
        """What leaves per time by the faces below and above and by decay, (3, n, lines), and the derivative of all."""
        if self.exits is None:
            return np.zeros((1, 1, 1)), np.zeros((1, 1))
        inverse_d, rise, decay = self.exits
        flux, slope = self.law.into_vacuum(np.broadcast_to(rho, rise.shape), rise, self.p)
        return np.concatenate([flux * inverse_d, (decay * rho)[None]]), np.sum(slope * inverse_d, axis=0) + decay

    def _face(self, rho: Array) -> TwoPoint:
        return two_point(self.law, self.p, rho[: self.faces], np.roll(rho, -1, axis=0)[: self.faces], self.dphi)

    def _rows(self, values: Array) -> Array:
        """Per face (n, lines): a last row of zeros where lines do not close."""
        return values if self.ring else np.vstack([values, np.zeros((1, values.shape[1]))])

    def _rounding(self, new: Array, old: Array, face: TwoPoint, dt: float) -> Array:
        """ε times the absolute terms of R and their sensitivity to the rounding of ρ, per line."""
        a, b = new[: self.faces], np.roll(new, -1, axis=0)[: self.faces]
        terms = np.abs(face.left) * a + np.abs(face.right) * b + np.maximum(a, b) * (np.abs(self.dphi) + face.bend)
        return EPS * (np.sum(self.h * (new + old), axis=0) + dt * np.sum(terms / self.d[: self.faces], axis=0))

    def _direction(
        self, new: Array, old: Array, face: TwoPoint, flux: Array, lost: Array, slope: Array, dt: float
    ) -> Array:
        left, right = (self._rows(side / self.d[: self.faces]) for side in (face.left, face.right))
        sums = np.array(np.broadcast_to(self.h + dt * slope, new.shape))
        move = np.array(self.h * (old - new) - dt * lost)
        parts = self._factor(left, right, dt, sums)
        solve_balance(*parts, sums, self.ring, np.ascontiguousarray(flux), dt, move)
        return move

    def _factor(self, left: Array, right: Array, dt: float, sums: Array) -> tuple[Array, ...]:
        room = np.zeros((5, *sums.shape))
        parts = room[0], room[1], room[2], room[3], room[4]
        factor(np.ascontiguousarray(left), np.ascontiguousarray(right), dt, sums, self.ring, *parts)
        return parts

    def _finish(
        self, new: Array, old: Array, face: TwoPoint, flux: Array, lost: Array, dt: float
    ) -> tuple[Array, Array, Array]:
        """The M-matrix solve with the rates of the fluxes.

        A flux that cancels must do so between two rates (module `power_newton`): the rate back holds p' where the
        limiter sleeps, and where it does not, what ΔU' and ΔΦ have in common.
        """
        a, b = new, np.roll(new, -1, axis=0)
        forth = flux >= 0.0
        donor, other = np.where(forth, a, b), np.where(forth, b, a)
        common = self._rows(np.minimum(face.rise, np.abs(self.dphi)))
        with np.errstate(divide="ignore", invalid="ignore"):
            both = np.where(self._rows(face.gate) > 0, self._rows(face.bend), 2.0 * common * (donor / other))
            back = np.where((other > FAINT * donor) & (donor > FAINT * other), both / self.d, 0.0)
            out = np.where(donor > 0.0, (np.abs(flux) + back * other) / donor, 0.0)
        left, right = np.where(forth, out, back), np.where(forth, back, out)
        rates = np.zeros((1, 1, 1))
        if self.exits is not None:
            rates = np.divide(lost, new, out=np.zeros_like(lost), where=new > 0)
        sums = np.array(np.broadcast_to(self.h + dt * rates.sum(axis=0), new.shape))
        found = np.array(self.h * old)
        solve(*self._factor(left, right, dt, sums), self.ring, found)
        return found, left * found - right * np.roll(found, -1, axis=0), rates * found
