"""Where branches turn back, in folds and in pitchforks, and what comes after.

From where a branch ends between two values the curve is followed by arclength (module `arclength`) to where its
parameter turns back.  Beyond that

    fold       there is no state near by
    pitchfork  there is one, of a branch that goes on: the curve meets its own mirror image, or a shift of itself, there

Beyond a fold the curve is followed on, as a new branch, until it meets a branch that is known, turns back again, or
leaves the values.  A fold has two branches, and a branch ends in one fold: a curve that runs into a branch which does
not end there, or ends in another fold already, was lost on the way, and its partner is not known.

Measured: blobs on a circle (entropy, W = −exp(−r²/(2·0.1²)), 128 cells): the fold, from both sides, to 1e-13.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np

from ....errors import CaseError, SolverError
from ....grid import Array
from ..copies import apart
from ..family import Branch, End, Family, Point, among, near
from .arclength import Curve, Place
from .curve_walks import at_value, crossing, turn, walk
from .equal_energies import point_at

MEETS = 1e-3
"""Distance of two states at a turning point below which their branches meet there."""
SIDEWAYS = 2e-3
"""Distance to the turning point that the branch has on this side as far from it as states are looked for beyond."""
SHORT = 0.05
"""Of the way to a turning point, what is left of it at the last state of a branch."""
CURVES = 24
"""Ends from which curves are followed, at most."""

Told = Callable[[str], object]
Visit = Callable[[Place, Place, bool], bool]


def beyond_values(values: Array, branch: Branch, side: int) -> End | None:
    """The end of a branch on one side, for a reason not known yet; None where it is beyond the values."""
    k = max(branch.points) if side > 0 else min(branch.points)
    if not 0 <= k + side < len(values):
        return None
    last = branch.points[k]
    return End(last.parameter, branch.number, side, "end", -1, last.measure, last.state.energy)


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
                short = None if top is None else self.curve.between(before, top, 1 - SHORT)
                if short is not None and visit(before, short, True):
                    before = short
                return top if top is not None and visit(before, top, False) else None
            if not visit(before, place, True):
                return None
        return None


class Folds:
    """The branches of a diagram and their ends, to be completed.   found, ends : lists, changed in place."""

    def __init__(self, at: Family, values: Array, found: list[Branch], ends: list[End]) -> None:
        self.at, self.values, self.found, self.ends = at, values, found, ends
        self.gaps = np.diff(values)
        self.beyond: dict[tuple[int, int], Point] = {}
        """By branch and side of what ends in a pitchfork, the state beyond it."""

    def complete(self, told: Told | None = None) -> None:
        """Follow every branch to where it turns back, and round a fold what comes after."""
        self._turns(told)
        for end in [end for end in self.ends if end.kind == "pitchfork"]:  # once all branches are there
            self._set(replace(end, meets=self._through(self.beyond[end.branch, end.side], end.branch)))

    def _turns(self, told: Told | None) -> None:
        tried: set[tuple[int, int]] = set()
        while len(self.gaps) and len(tried) < CURVES:
            left = [end for end in self.ends if end.kind == "end" and (end.branch, end.side) not in tried]
            if not left:
                return
            if told is not None:
                told(f"{self.at.key}: where branch {left[0].branch} of {len(self.found)} begins or ends")
            tried.add((left[0].branch, left[0].side))
            with suppress(CaseError, SolverError):  # beyond what a case may be: the end stays as it is
                self._round(self.found[left[0].branch], left[0].side)

    def _round(self, branch: Branch, side: int) -> None:
        """Follow a branch beyond its last point."""
        last = branch.line[-1 if side > 0 else 0]
        curve = Curve(self.at, last, self._gap(last.parameter))
        trace = Trace(curve, curve.begin(last, side))
        following = self.values[self.values * side > last.parameter * side]
        bound = float(following.min() if side > 0 else following.max())

        def short_of(_: Place, place: Place, keep: bool) -> bool:
            if (place.point.parameter - bound) * side >= 0:
                return False
            self._add(branch, place.point, keep)
            return True

        top = trace.to_turn(short_of)
        while top is not None and not self._pitchfork(trace, branch, side, top):
            new = Branch(len(self.found))
            self.found.append(new)
            beyond = self._follow(trace, new, top)
            if trace.met is not None:
                self.found.pop()
                if self._fold(branch, trace.met, side, top):
                    trace.met.points.update(new.points)
                return
            self._fold(branch, new, side, top)
            if beyond is None and self._inside(trace.last):
                last = trace.last.point
                self._set(End(last.parameter, new.number, -side, "end", -1, last.measure, last.state.energy))
            branch, side, top = new, -side, beyond

    def _gap(self, parameter: float) -> float:
        """The smaller of the gaps between values beside a parameter."""
        after = int(np.searchsorted(self.values, parameter))
        return float(self.gaps[max(after - 1, 0) : after + 1].min())

    def _follow(self, trace: Trace, new: Branch, top: Place) -> Place | None:
        """Put the places after a turn on a new branch; the next turn, or None."""

        def taken(before: Place, place: Place, keep: bool) -> bool:
            for k in self._crossed(before.point, place.point):
                point = self._at_value(trace.curve, k, before, place)
                if point is not None:
                    trace.met = self._known(new, k, point)
                    if trace.met is not None:
                        return False
                    new.points[k] = point
            if self._inside(place):
                self._add(new, place.point, keep)
                return True
            return False

        beside = trace.curve.between(top, trace.last, SHORT)
        if beside is not None:
            self._add(new, beside.point, self._inside(beside))
        return trace.to_turn(taken) if taken(top, trace.last, True) else None

    def _crossed(self, before: Point, after: Point) -> list[int]:
        """Numbers of the values between two points, in their order."""
        low, high = sorted((before.parameter, after.parameter))
        numbers = [k for k, value in enumerate(self.values) if low < value <= high]
        return numbers if after.parameter > before.parameter else numbers[::-1]

    def _at_value(self, curve: Curve, k: int, before: Place, after: Place) -> Point | None:
        """The state at a value, between two places."""
        value = float(self.values[k])
        state = at_value(curve, before, after, value)
        return None if state is None else self.at.point(value, self.at.setting(value), state)

    def _known(self, new: Branch, k: int, point: Point) -> Branch | None:
        """The branch that has this state at value k already."""
        setting = self.at.setting(point.parameter)
        others = (other for other in self.found if other is not new and k in other.points)
        return next((other for other in others if among(setting, point.state, [other.points[k].state])), None)

    def _pitchfork(self, trace: Trace, branch: Branch, side: int, top: Place) -> bool:
        """Whether a branch turns back on another one, which goes on; then that is its end."""
        beside = trace.last  # behind the turn
        where, flow = top.point, self.at.setting(top.point.parameter).flow
        way = apart(flow, beside.point.state.rho, where.state.rho)
        ahead = abs(beside.point.parameter - where.parameter) * min(1.0, (SIDEWAYS / max(way, 1e-300)) ** 2)
        parameter = where.parameter + side * ahead
        setting = self.at.setting(parameter)
        state = near(setting, where.state.rho, analyse=False)
        if state is None or apart(setting.flow, state.rho, where.state.rho) > MEETS:
            return False
        there = (crossing(trace.curve, top) or top).point.parameter
        beyond = self.beyond[branch.number, side] = self.at.point(parameter, setting, state)
        self._set(End(there, branch.number, side, "pitchfork", -1, beyond.measure, state.energy))
        return True

    def _through(self, point: Point, number: int) -> int:
        """The number of the branch that a state is on, other than a given one; −1 for none known."""
        flow = self.at.setting(point.parameter).flow
        for branch in self.found:
            there = None if branch.number == number else point_at(self.at, branch, point.parameter)
            if there is not None and apart(flow, there.state.rho, point.state.rho) <= MEETS:
                return branch.number
        return -1

    def _fold(self, one: Branch, two: Branch, side: int, top: Place) -> bool:
        """Two branches end in one fold; False, and only the first does, where the second ends elsewhere, or not."""
        where = top.point
        end = End(where.parameter, one.number, side, "fold", -1, where.measure, where.state.energy)
        known = [other for other in self.ends if (other.branch, other.side) == (two.number, side)]
        elsewhere = any(other.kind != "end" and other.meets != one.number for other in known)
        goes_on = any((point.parameter - where.parameter) * side > 0 for point in two.points.values())
        if one is two or elsewhere or goes_on:
            self._set(end)
            return False
        self._set(replace(end, meets=two.number))
        self._set(replace(end, branch=two.number, meets=one.number))
        return True

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
