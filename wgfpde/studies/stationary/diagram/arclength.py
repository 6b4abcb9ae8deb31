"""Curves of stationary states in (state, parameter), round folds too: pseudo-arclength with a phase condition.

Unknown are the drive w = W∗ρ and the parameter p.  From a point of the curve with the tangent t a step of the length s
leads to the solution of

    w − W∗T(V + w) = Σ_a c_a ∂_a w°,   ⟨t, (w − w°, p − p°)⟩ = s,   ⟨∂_a w°, w − w°⟩ = 0 on every axis a of free shifts,

by Newton's method; GMRES solves the bordered systems, which are regular where p turns back.  The phase condition, one
for each axis along which the state may be shifted, picks one of all its shifts; its multiplier c vanishes where there
is a state.  The derivative in p is a central difference.
Lengths do not know of the values of p that a diagram is asked for: with g = 1/U''(ρ) and G = ∫g

    ‖(δw, δp)‖² = (G/M²) ∫ g (δw − mean_g δw)² / CHANGE² + (δp/unit)²,   unit = 1 / ‖∂F/∂p‖,

where the first part is at least the square of ‖δρ‖₁/(CHANGE M) at a fixed p; both are found anew at every place.

Measured: blobs on a circle of 128 cells round the fold to the pitchfork, 15 points: 1.5 s; the fold to 1e-11.
Reference: Keller (1977), Numerical solution of bifurcation and nonlinear eigenvalue problems; Doedel, Keller, Kernevez
(1991), Numerical analysis and control of bifurcation problems (I), DOI 10.1142/S0218127491000397.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ....energy.laws.steady_density import Equilibrium
from ....errors import CaseError
from ....grid import Array
from ..drive_equation import TOLERANCE, MeanField, attainable, evaluated, jacobian, solved
from ..family import Family, Point, measured
from ..mean_field import steady_at
from ..shifts import neutral

STEPS = 12
"""Of Newton's method, at most."""
CHANGE = 0.1
"""Relative change of the density that counts as a length of 1."""
FARTHEST = 4.0
"""Change of the parameter in a step of length 1, in units, beyond which Newton's method has lost its way."""
SETTLED = 1e-8
"""Residual below which Newton's method ends once it gains nothing more."""
DIFFERENCE = 1e-4
"""Half of the central difference in p, in units."""


@dataclass(frozen=True)
class Place:
    """A point of a curve.   drive : W∗ρ.   toward : the unit tangent (δw, δp).   slope : ∂F/∂p at a fixed drive."""

    point: Point
    drive: Array
    toward: Array
    slope: Array

    @property
    def forward(self) -> float:
        """The part of the tangent along the parameter; 0 where it turns back."""
        return float(self.toward[-1])

    def way_to(self, other: Place) -> Array:
        """(δw, δp)."""
        return np.append((other.drive - self.drive).ravel(), other.point.parameter - self.point.parameter)


class Curve:
    """A curve of states of a case over its parameter, along which it may be followed.

    at : the case.   start : a point of it.   gap : the largest unit of the parameter there may be.
    analyse : whether the points found on it come with their growth rates.
    """

    def __init__(self, at: Family, start: Point, gap: float, *, analyse: bool = True) -> None:
        self.at, self.gap, self.analyse = at, gap, analyse
        self._measure(start)

    def _measure(self, point: Point, slope: Array | None = None) -> None:
        """Lengths as the state at a point feels them.   scale : of δw, in the systems that GMRES solves."""
        field = self._field(point.parameter)
        drive = field.drive(point.state.rho)
        weight = (field.image(drive).response * field.flow.grid.cell_volume).ravel()
        total = float(weight.sum())
        self.weight = weight * total / (CHANGE * field.mass) ** 2
        self.scale = CHANGE * field.mass / total * np.sqrt(weight.size)
        self.unit = self.gap
        pull = np.append((self._slope(point.parameter, drive) if slope is None else slope).ravel(), 0.0)
        self.unit = 1.0 / max(1.0 / self.gap, self.norm(pull))

    def dual(self, way: Array) -> Array:
        """The row ⟨way, ·⟩ on (δw, δp)."""
        change = way[:-1] - float(self.weight @ way[:-1]) / float(self.weight.sum())
        return np.append(self.weight * change, way[-1] / self.unit**2)

    def norm(self, way: Array) -> float:
        return float(np.sqrt(max(self.dual(way) @ way, 0.0)))

    def begin(self, last: Point, side: int) -> Place:
        """The place of a point, looking to where the parameter rises (side 1) or falls (−1)."""
        field = self._field(last.parameter)
        drive = field.drive(last.state.rho)
        toward = np.append(np.zeros(drive.size), side * self.unit)
        slope = self._slope(last.parameter, drive)
        return Place(last, drive, self._tangent(field, field.image(drive), slope, drive, toward), slope)

    def renewed(self, place: Place) -> Place:
        """The place with its tangent, in lengths as they are felt there; from now on they are those of the curve."""
        self._measure(place.point, place.slope)
        return replace(place, toward=place.toward / self.norm(place.toward))

    def bend(self, before: Place, after: Place) -> float:
        """The angle between two tangents."""
        cosine = float(self.dual(before.toward) @ after.toward) / (self.norm(before.toward) * self.norm(after.toward))
        return float(np.arccos(min(max(cosine, -1.0), 1.0)))

    def between(self, start: Place, end: Place, share: float) -> Place | None:
        """The place so far along the way from one to another."""
        return self.step(start, share * float(self.dual(start.toward) @ start.way_to(end)) / self.norm(start.toward))

    def step(self, start: Place, length: float) -> Place | None:
        """The place a length further on; None where Newton's method does not get there, or leaves what is a case."""
        try:
            return self._stepped(replace(start, toward=start.toward / self.norm(start.toward)), length)
        except CaseError:
            return None

    def _stepped(self, start: Place, length: float) -> Place | None:
        drive = start.drive + length * start.toward[:-1].reshape(start.drive.shape)
        parameter = start.point.parameter + length * start.forward
        before, ahead, slope = np.inf, self.dual(start.toward), start.slope
        for count in range(STEPS):
            field = self._field(parameter)
            state, image, residual, back = evaluated(field, drive)
            if residual <= TOLERANCE or (before < SETTLED and residual > 0.5 * before):
                return self._place(field, image, residual, count, parameter, start)
            if not np.isfinite(residual) or abs(parameter - start.point.parameter) > FARTHEST * abs(length) * self.unit:
                return None
            phases = neutral(field.flow, start.point.state.rho, start.drive)
            way = np.append((drive - start.drive).ravel(), parameter - start.point.parameter)
            lacks = [length - float(ahead @ way), *(-float(phase @ way[:-1]) / self.scale for phase in phases)]
            load = np.concatenate([(back - drive).ravel() / self.scale, lacks])
            accuracy = min(1e-3, max(1e-12, 0.1 * residual))
            if count == 1:  # as far as it matters it is there from now on
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
        state = steady_at(field, image, residual, count, self.analyse)
        drive = field.drive(image.rho)
        point = Point(parameter, state, measured(field.flow, state.rho, self.at.measure))
        slope = self._slope(parameter, drive)
        return Place(point, drive, self._tangent(field, image, slope, drive, start.toward), slope)

    def _tangent(self, field: MeanField, state: Equilibrium, slope: Array, drive: Array, toward: Array) -> Array:
        """The unit tangent on the side of another direction."""
        phases = neutral(field.flow, state.rho, drive)
        load = np.zeros(drive.size + 1 + len(phases))
        load[drive.size] = 1.0
        found = solved(self._bordered(field, state, slope, toward, phases), load, 1e-12)[: drive.size + 1]
        way = np.append(self.scale * found[:-1], self.unit * found[-1])
        return way / self.norm(way)

    def _bordered(
        self, field: MeanField, state: Equilibrium, slope: Array, toward: Array, phases: list[Array]
    ) -> Callable[[Array], Array]:
        """The Jacobian of the three equations, on vectors (δw/scale, δp/unit, c…)."""
        inner, beside = jacobian(field, state), slope.ravel() * (self.unit / self.scale)
        row = self.dual(toward) * np.append(np.full(slope.size, self.scale), self.unit)

        def apply(move: Array) -> Array:
            change, ahead, force = move[: slope.size], move[slope.size], move[slope.size + 1 :]
            along = inner(change.reshape(slope.shape)).ravel() + beside * ahead
            for phase, size in zip(phases, force, strict=True):
                along = along + size * phase
            return np.concatenate([along, [row @ move[: slope.size + 1]], [p @ change for p in phases]])

        return apply

    def _field(self, parameter: float) -> MeanField:
        setting = self.at.setting(parameter)
        return MeanField(setting.flow, setting.mass)

    def _slope(self, parameter: float, drive: Array) -> Array:
        """∂F/∂p at a fixed drive."""
        sides = []
        for side in (-DIFFERENCE, DIFFERENCE):
            field = self._field(parameter + side * self.unit)
            sides.append(field.drive(field.image(drive).rho))
        return (sides[0] - sides[1]) / (2 * DIFFERENCE * self.unit)
