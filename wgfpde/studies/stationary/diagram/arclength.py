"""Curves of stationary states in (state, parameter), round folds too: pseudo-arclength with a phase condition.

Unknown are the drive w = W∗ρ and the parameter p.  From a point of the curve with the tangent t a step of the length s
leads to the solution of

    w − W∗T(V + w) = Σ_a c_a ∂_a w°,   ⟨t, (w − w°, p − p°)⟩ = s,   ⟨∂_a w°, w − w°⟩ = 0 on every axis a of free shifts,

by Newton's method; GMRES solves the bordered systems, which are regular where p turns back.  The phase condition, one
for each axis along which the state may be shifted, picks one of all its shifts; its multiplier c vanishes where there
is a state.  The derivative in p is a central difference.
Lengths are such that 1 is a change of p by `unit`, or of ρ by a tenth.

Measured: blobs on a circle of 128 cells round the fold to the pitchfork, 15 points: 1.5 s; the fold to 1e-11.
Reference: Keller (1977), Numerical solution of bifurcation and nonlinear eigenvalue problems; Doedel, Keller, Kernevez
(1991), Numerical analysis and control of bifurcation problems (I), DOI 10.1142/S0218127491000397.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ....energy.laws.steady_density import Equilibrium
from ....errors import CaseError
from ....grid import Array
from ..copies import apart
from ..drive_equation import TOLERANCE, MeanField, attainable, evaluated, jacobian, solved
from ..family import Family, Point
from ..mean_field import steady_at
from ..shifts import neutral

STEPS = 12
"""Of Newton's method, at most."""
CHANGE = 0.1
"""Relative change of the density that counts as a length of 1."""
FARTHEST = 4.0
"""Change of the parameter in a step of length 1, in units, beyond which Newton's method has lost its way."""
LONGEST, SHORTEST = 2.0, 1e-4
"""Lengths of a step."""
SETTLED = 1e-8
"""Residual below which Newton's method ends once it gains nothing more."""
BEND = 0.35
"""Angle by which the tangent turns in a step that is to be had; twice as much is taken back."""
MOST = 400
"""Steps along one curve."""
DIFFERENCE = 1e-4
"""Half of the central difference in p, in units."""


@dataclass(frozen=True)
class Place:
    """A point of a curve.   drive : W∗ρ.   toward : the unit tangent (δw/scale, δp/unit)."""

    point: Point
    drive: Array
    toward: Array

    @property
    def forward(self) -> float:
        """The part of the tangent along the parameter; 0 where it turns back."""
        return float(self.toward[-1])


class Curve:
    """A curve of states of a case over its parameter, along which it may be followed.

    unit : of the parameter.   scale : of the drive: ‖δw‖₂ of a length of 1.
    """

    def __init__(self, at: Family, before: Point, last: Point, unit: float) -> None:
        self.at, self.unit = at, unit
        change = max(apart(at.setting(last.parameter).flow, last.state.rho, before.state.rho), 1e-12)
        secant = self._field(last.parameter).drive(last.state.rho) - self._field(before.parameter).drive(
            before.state.rho
        )
        self.scale = max(float(np.linalg.norm(secant)) * CHANGE / change, 1e-300)
        self._begin = np.append(secant.ravel() / self.scale, (last.parameter - before.parameter) / unit)

    def begin(self, last: Point) -> Place:
        """The place of the last point, looking away from the one before."""
        field = self._field(last.parameter)
        drive = field.drive(last.state.rho)
        toward = self._begin / np.linalg.norm(self._begin)
        return Place(last, drive, self._tangent(field, field.image(drive), last.parameter, drive, toward))

    def step(self, start: Place, length: float) -> Place | None:
        """The place a length further on; None where Newton's method does not get there, or leaves what is a case."""
        try:
            return self._stepped(start, length)
        except CaseError:
            return None

    def _stepped(self, start: Place, length: float) -> Place | None:
        drive = start.drive + length * self.scale * start.toward[:-1].reshape(start.drive.shape)
        parameter = start.point.parameter + length * self.unit * start.forward
        before = np.inf
        for count in range(STEPS):
            field = self._field(parameter)
            state, image, residual, back = evaluated(field, drive)
            if residual <= TOLERANCE or (before < SETTLED and residual > 0.5 * before):
                return self._place(field, image, residual, count, parameter, start)
            if not np.isfinite(residual) or abs(parameter - start.point.parameter) > FARTHEST * length * self.unit:
                return None
            phases = neutral(field.flow, start.point.state.rho, start.drive)
            way = np.append((drive - start.drive).ravel() / self.scale,
                            (parameter - start.point.parameter) / self.unit)  # fmt: skip
            lacks = [length - float(start.toward @ way), *(-float(phase @ way[:-1]) for phase in phases)]
            load = np.concatenate([(back - drive).ravel() / self.scale, lacks])
            accuracy = min(1e-3, max(1e-12, 0.1 * residual))
            slope = self._slope(parameter, drive)
            move = solved(self._bordered(field, state, slope, start.toward, phases), load, accuracy)
            drive = drive + self.scale * move[: drive.size].reshape(drive.shape)
            parameter, before = parameter + self.unit * float(move[drive.size]), residual
        return None

    def _place(
        self, field: MeanField, image: Equilibrium, residual: float, count: int, parameter: float, start: Place
    ) -> Place | None:
        """The place of a state that Newton's method ends at; None where it is none."""
        if residual > attainable(field, image):
            return None
        point = self.at.point(parameter, self.at.setting(parameter), steady_at(field, image, residual, count, True))
        drive = field.drive(image.rho)
        return Place(point, drive, self._tangent(field, image, parameter, drive, start.toward))

    def _tangent(self, field: MeanField, state: Equilibrium, parameter: float, drive: Array, toward: Array) -> Array:
        """The unit tangent on the side of another direction."""
        phases, slope = neutral(field.flow, state.rho, drive), self._slope(parameter, drive)
        load = np.zeros(drive.size + 1 + len(phases))
        load[drive.size] = 1.0
        found = solved(self._bordered(field, state, slope, toward, phases), load, 1e-12)[: drive.size + 1]
        return found / float(np.linalg.norm(found))

    def _bordered(
        self, field: MeanField, state: Equilibrium, slope: Array, toward: Array, phases: list[Array]
    ) -> Callable[[Array], Array]:
        """The Jacobian of the three equations, on vectors (δw/scale, δp/unit, c…)."""
        inner, beside = jacobian(field, state), slope.ravel() / self.scale

        def apply(move: Array) -> Array:
            change, ahead, force = move[: slope.size], move[slope.size], move[slope.size + 1 :]
            along = inner(change.reshape(slope.shape)).ravel() + beside * ahead
            for phase, size in zip(phases, force, strict=True):
                along = along + size * phase
            return np.concatenate([along, [toward @ move[: slope.size + 1]], [p @ change for p in phases]])

        return apply

    def _field(self, parameter: float) -> MeanField:
        setting = self.at.setting(parameter)
        return MeanField(setting.flow, setting.mass)

    def _slope(self, parameter: float, drive: Array) -> Array:
        """unit ∂F/∂p at a fixed drive."""
        sides = []
        for side in (-DIFFERENCE, DIFFERENCE):
            field = self._field(parameter + side * self.unit)
            sides.append(field.drive(field.image(drive).rho))
        return (sides[0] - sides[1]) / (2 * DIFFERENCE)


def walk(curve: Curve, start: Place) -> Iterator[Place]:
    """Places along a curve, one after the other; it ends where Newton's method fails."""
    length = 1.0
    for _ in range(MOST):
        while (found := curve.step(start, length)) is None or (bent := _bend(start, found)) > 2 * BEND:
            length *= 0.5
            if length < SHORTEST:
                return
        yield found
        length = min(LONGEST, 2.0 * length, length * BEND / max(bent, 1e-3))
        start = found


def _bend(before: Place, after: Place) -> float:
    """The angle between two tangents."""
    return float(np.arccos(np.clip(before.toward @ after.toward, -1.0, 1.0)))


def turn(curve: Curve, before: Place, after: Place, halvings: int = 6) -> Place | None:
    """The place between two at which the parameter turns back, its tangent across; None where it gets lost.

    halvings : how often at most the way is cut in two, where Newton's method fails on it.
    """
    from scipy.optimize import brentq

    tried: dict[float, Place] = {0.0: before}

    def forward(length: float) -> float:
        if length not in tried:
            place = curve.step(before, length)
            if place is None:
                raise LookupError
            tried[length] = place
        return tried[length].forward

    way = np.append((after.drive - before.drive).ravel() / curve.scale,
                    (after.point.parameter - before.point.parameter) / curve.unit)  # fmt: skip
    length = float(before.toward @ way)
    try:
        root = float(brentq(forward, 0.0, length, xtol=1e-7 * length))
        forward(root)
        return tried[root]
    except (LookupError, ValueError):  # no state on the way, or another at its end
        middle = curve.step(before, 0.5 * length) if halvings else None
    if middle is None:
        return None
    ends = (before, middle) if before.forward * middle.forward < 0 else (middle, after)
    return turn(curve, *ends, halvings - 1)
