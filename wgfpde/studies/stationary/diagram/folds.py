"""Branches round their folds: where they turn back, and what comes after.

From every fold in which a branch ends, and from every end for a reason unknown, the curve is followed by arclength
(module `arclength`): to where its parameter turns back, which is the fold, and on, as a new branch, until it meets a
branch that is known, turns back on one in a pitchfork, or leaves the values.

Measured: blobs on a circle (entropy, W = −exp(−r²/(2·0.1²)), 128 cells): the fold, from both sides, to 1e-13.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np

from ....errors import CaseError, SolverError
from ....grid import Array
from ..copies import apart
from ..family import Branch, End, Family, Point, near
from .arclength import Curve, Place, turn, walk
from .branch_ends import among

MEETS = 1e-3
"""Distance of two states at a turning point below which their branches meet there."""
CURVES = 24
"""Ends from which curves are followed, at most."""
NEARBY = 2.0
"""Steps between values within which a fold is looked for beyond the end of a branch."""

Told = Callable[[str], object]
Visit = Callable[[Place, Place, bool], bool]


class Trace:
    """A curve that is being followed from a branch's end.   last : the place reached.   met : a branch it ran into."""

    def __init__(self, curve: Curve, start: Place) -> None:
        self.curve, self.last = curve, start
        self.places: Iterator[Place] = walk(curve, start)
        self.met: Branch | None = None

    def to_turn(self, visit: Visit) -> Place | None:
        """The next place at which the parameter turns back; None where the curve ends, or `visit` does not go on.

        visit : called with each two places on the way, and with whether the second is no turn.
        """
        for place in self.places:
            before, self.last = self.last, place
            if before.forward * place.forward < 0:
                top = turn(self.curve, before, place)
                return top if top is not None and visit(before, top, False) else None
            if not visit(before, place, True):
                return None
        return None


class Folds:
    """The branches of a diagram and their ends, to be completed.   found, ends : lists, changed in place."""

    def __init__(self, at: Family, values: Array, found: list[Branch], ends: list[End]) -> None:
        self.at, self.values, self.found, self.ends = at, values, found, ends
        self.gaps = np.diff(values)

    def complete(self, told: Told | None = None) -> None:
        """Follow every branch round the fold it ends in, and what comes after."""
        tried: set[tuple[int, int]] = set()
        while len(self.gaps) and len(tried) < CURVES:
            left = [end for end in self.ends if end.kind != "joins" and (end.branch, end.side) not in tried]
            if not left:
                return
            if told is not None:
                told(f"{self.at.key}: round the end of branch {left[0].branch}")
            tried.add((left[0].branch, left[0].side))
            with suppress(CaseError, SolverError):  # beyond what a case may be: the end stays as it is
                self._round(self.found[left[0].branch], left[0].side)
            tried |= {(end.meets, end.side) for end in self.ends if (end.branch, end.side) in tried}

    def _round(self, branch: Branch, side: int) -> None:
        """Follow a branch beyond its end."""
        trace = self._from_end(branch, side)
        if trace is None:
            return
        begin = trace.last.point.parameter

        def near_by(_: Place, place: Place, keep: bool) -> bool:
            if abs(place.point.parameter - begin) <= NEARBY * trace.curve.unit and self._inside(place):
                self._add(branch, place.point, keep)
                return True
            return False

        top = trace.to_turn(near_by)
        while top is not None and not self._joins(branch, side, top):
            partner = next((end.meets for end in self.ends if (end.branch, end.side) == (branch.number, side)), -1)
            if partner >= 0:
                self._fold(branch, self.found[partner], side, top)
                return
            new = Branch(len(self.found))
            self.found.append(new)
            beyond = self._follow(trace, new, top)
            if trace.met is not None:
                trace.met.points.update(new.points)
                self.found.pop()
                self._fold(branch, trace.met, side, top)
                return
            self._fold(branch, new, side, top)
            if beyond is None and self._inside(trace.last):
                last = trace.last.point
                self._set(End(last.parameter, new.number, -side, "end", -1, last.measure, last.state.energy))
            branch, side, top = new, -side, beyond

    def _from_end(self, branch: Branch, side: int) -> Trace | None:
        """A curve through the last two states of a branch, or through its only one."""
        line = branch.line if side > 0 else branch.line[::-1]
        last = line[-1]
        before, unit = line[-2] if len(line) > 1 else None, self._unit(last.parameter)
        if before is None:
            parameter = last.parameter - side * 1e-2 * unit
            setting = self.at.setting(parameter)
            state = near(setting, last.state.rho, analyse=False)
            if state is None:
                return None
            before = self.at.point(parameter, setting, state)
        curve = Curve(self.at, before, last, unit)
        return Trace(curve, curve.begin(last))

    def _unit(self, parameter: float) -> float:
        """The smaller of the gaps between values beside a parameter."""
        after = int(np.searchsorted(self.values, parameter))
        return float(self.gaps[max(after - 1, 0) : after + 1].min())

    def _follow(self, trace: Trace, new: Branch, top: Place) -> Place | None:
        """Put the places after a turn on a new branch; the next turn, or None."""

        def taken(before: Place, place: Place, keep: bool) -> bool:
            for k in self._crossed(before.point, place.point):
                point = self._at_value(k, before.point, place.point)
                if point is not None:
                    trace.met = self._known(new, k, point)
                    if trace.met is not None:
                        return False
                    new.points[k] = point
            if self._inside(place):
                self._add(new, place.point, keep)
                return True
            return False

        return trace.to_turn(taken) if taken(top, trace.last, True) else None

    def _crossed(self, before: Point, after: Point) -> list[int]:
        """Numbers of the values between two points, in their order."""
        low, high = sorted((before.parameter, after.parameter))
        numbers = [k for k, value in enumerate(self.values) if low < value <= high]
        return numbers if after.parameter > before.parameter else numbers[::-1]

    def _at_value(self, k: int, before: Point, after: Point) -> Point | None:
        """The state at a value, between two points."""
        value = float(self.values[k])
        share = (value - before.parameter) / (after.parameter - before.parameter)
        setting = self.at.setting(value)
        state = near(setting, (1 - share) * before.state.rho + share * after.state.rho)
        return None if state is None else self.at.point(value, setting, state)

    def _known(self, new: Branch, k: int, point: Point) -> Branch | None:
        """The branch that has this state at value k already."""
        setting = self.at.setting(point.parameter)
        others = (other for other in self.found if other is not new and k in other.points)
        return next((other for other in others if among(setting, point.state, [other.points[k].state])), None)

    def _joins(self, branch: Branch, side: int, top: Place) -> bool:
        """Whether a branch turns back on another one that goes on to both sides; then that is its end."""
        parameter = top.point.parameter
        setting = self.at.setting(parameter)
        for other in self.found:
            reach = [point.parameter for point in other.line]
            if other is branch or not min(reach) < parameter < max(reach):
                continue
            nearest = min(other.line, key=lambda point: abs(point.parameter - parameter))
            state = near(setting, nearest.state.rho, analyse=False)
            if state is not None and apart(setting.flow, state.rho, top.point.state.rho) <= MEETS:
                energy = top.point.state.energy
                self._set(End(parameter, branch.number, side, "joins", other.number, top.point.measure, energy))
                return True
        return False

    def _fold(self, one: Branch, two: Branch, side: int, top: Place) -> None:
        """Two branches end in one fold."""
        where = top.point
        for branch, other in ((one, two), (two, one)):
            self._set(
                End(where.parameter, branch.number, side, "fold", other.number, where.measure, where.state.energy)
            )

    def _set(self, end: End) -> None:
        """Put an end in place of what was known of it."""
        others = [other for other in self.ends if (other.branch, other.side) != (end.branch, end.side)]
        self.ends[:] = sorted([*others, end], key=lambda one: (one.branch, one.side))

    def _inside(self, place: Place) -> bool:
        return bool(self.values[0] <= place.point.parameter <= self.values[-1])

    def _add(self, branch: Branch, point: Point, keep: bool) -> None:
        """Put a point between two values on a branch, unless it is a turn, which belongs to two branches."""
        if keep:
            branch.points[float(np.interp(point.parameter, self.values, np.arange(len(self.values))))] = point
