"""Walks along a curve of stationary states: step lengths, where its parameter turns back, and states at given values.

Steps are as long as the tangent bends little.  Where a curve crosses another, as in a pitchfork, the systems are
singular: the turn there is known from places on either side.

Measured: the pitchforks of the Desai–Zwanzig model in κ and in θ, 100 cells: to 2e-11.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ....errors import CaseError
from ..copies import SAME, apart
from ..family import Family, Point, near
from ..mean_field import Steady
from .arclength import Curve, Place

LONGEST, SHORTEST = 2.0, 1e-4
"""Lengths of a step."""
BEND = 0.35
"""Angle by which the tangent turns in a step that is to be had; twice as much is taken back."""
MOST = 400
"""Steps along one curve."""
WITHIN = 1e-5
"""Of the way between two places, how well it is known where the parameter turns back; itself to the square of that."""
ASIDE = (0.03, 0.06, 0.12, 0.24)
"""Lengths beside a crossing of curves at which places are looked for."""
STRAIGHT = 0.25
"""Of the way between two places, how far from the chord the state between them may be."""


def walk(curve: Curve, start: Place) -> Iterator[Place]:
    """Places along a curve, one after the other; it ends where Newton's method fails."""
    length = 1.0
    for _ in range(MOST):
        while (found := curve.step(start, length)) is None or (bent := curve.bend(start, found)) > 2 * BEND:
            length *= 0.5
            if length < SHORTEST:
                return
        yield found
        length = min(LONGEST, 2.0 * length, length * BEND / max(bent, 1e-3))
        start = curve.renewed(found)


def turn(curve: Curve, before: Place, after: Place, halvings: int = 6) -> Place | None:
    """The place between two at which the parameter turns back, its tangent across; None where it gets lost.

    Where the curve crosses another the systems are singular, and Newton's method fails: then `crossing` tells.
    halvings : how often at most the way is cut in two, where that fails too.
    """
    from scipy.optimize import brentq

    tried, lost = {0.0: before, 1.0: after}, []

    def forward(share: float) -> float:
        if share not in tried:
            place = curve.between(before, after, share)
            if place is None:
                lost.append(share)
                raise LookupError
            tried[share] = place
        return tried[share].forward

    try:
        root = float(brentq(forward, 0.0, 1.0, xtol=WITHIN))
        forward(root)
        return tried[root]
    except LookupError:
        place = crossing(curve, before, lost[0] * curve.norm(before.way_to(after)))
    if place is not None:
        return place
    middle = curve.between(before, after, 0.5) if halvings else None
    if middle is None:
        return None
    ends = (before, middle) if before.forward * middle.forward < 0 else (middle, after)
    return turn(curve, *ends, halvings - 1)


def crossing(curve: Curve, start: Place, length: float = 0.0) -> Place | None:
    """A place at which the parameter turns back, from two beside it; None where they are not to be had.

    start, length : where it is, nearly.   It is that of the parabola, with the density on the chord: of a curve that
    crosses another as its own mirror image to the fourth order in their distance, and to the second.
    """
    for aside in ASIDE:
        one, two = (curve.step(start, length + side * aside) for side in (-1, 1))
        if one is not None and two is not None and one.forward * two.forward < 0:
            return _vertex(curve, one, two)
    return None


def _vertex(curve: Curve, one: Place, two: Place) -> Place:
    """Where the parameter turns back between two places on one curve."""
    length = curve.norm(one.way_to(two))
    first, last = (place.forward / curve.norm(place.toward) for place in (one, two))
    ahead = length * first / (first - last)
    tops = one.point.parameter + 0.5 * first * ahead, two.point.parameter - 0.5 * last * (length - ahead)
    parameter, share = 0.5 * (tops[0] + tops[1]), ahead / length
    rho = (1 - share) * one.point.state.rho + share * two.point.state.rho
    setting = curve.at.setting(parameter)
    state = replace(one.point.state, rho=rho, energy=setting.flow.value(rho))
    toward = np.append(0.5 * (one.toward + two.toward)[:-1], 0.0)
    drive = (1 - share) * one.drive + share * two.drive
    return Place(curve.at.point(parameter, setting, state), drive, toward, one.slope)


def at_value(curve: Curve, before: Place, after: Place, value: float, halvings: int = 6) -> Steady | None:
    """The state at a value of the parameter between two places, with its growth rates; None where it gets lost.

    Of several states there it is the one near the chord; the way is cut in two until there is one.
    """
    setting = curve.at.setting(value)
    first, last = before.point, after.point
    share = (value - first.parameter) / (last.parameter - first.parameter)
    guess = (1 - share) * first.state.rho + share * last.state.rho
    state = near(setting, guess)
    room = STRAIGHT * apart(setting.flow, first.state.rho, last.state.rho) + SAME
    if state is not None and apart(setting.flow, state.rho, guess) <= room:
        return state
    middle = curve.between(before, after, 0.5) if halvings else None
    if middle is None:
        return None
    beyond = (middle.point.parameter - value) * (last.parameter - first.parameter) >= 0
    return at_value(curve, *((before, middle) if beyond else (middle, after)), value, halvings - 1)


def reached(at: Family, start: Point, value: float) -> Steady | None:
    """The state at another value of the parameter on the curve through a point, with its growth rates.

    None where the curve turns back before, or gets lost.
    """
    side = 1 if value > start.parameter else -1
    try:
        curve = Curve(at, start, abs(value - start.parameter), analyse=False)
        before = curve.begin(start, side)
        for place in walk(curve, before):
            if place.forward * side > 0:
                if (place.point.parameter - value) * side >= 0:
                    return at_value(curve, before, place, value)
            else:
                top = turn(curve, before, place) if _overshoots(curve, before, place, value) else None
                if top is None or (top.point.parameter - value) * side < 0:
                    return None
                return at_value(curve, before, top, value)
            before = place
    except CaseError:  # beyond what a case may be
        return None
    return None


def _overshoots(curve: Curve, before: Place, after: Place, value: float) -> bool:
    """Whether the parameter may get as far as a value before it turns back between two places.

    By half of the way that its slope at the first one would lead there: of a parabola that is just as far.
    """
    way = curve.norm(before.way_to(after)) * before.forward / curve.norm(before.toward)
    way *= before.forward / (before.forward - after.forward)
    return abs(value - before.point.parameter) <= abs(way)
