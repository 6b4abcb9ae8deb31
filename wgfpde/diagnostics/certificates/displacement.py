"""Displacement convexity: how far the parts of the energy lie below their chords along a geodesic.

Along the shortest path ρ_s from ρ_0 to ρ_1 every part of the energy that is λ-displacement convex obeys

    E(ρ_s) ≤ (1 − s)E(ρ_0) + sE(ρ_1) − (λ/2) s(1 − s) S

    ∫U(ρ)               λ = 0     where ρP' ≥ (1 − 1/d)P ≥ 0, P = ρU' − U (McCann)
    ∫Vρ                 λ ≤ Hess V,        S = W₂²
    ½∬W(x − y)ρρ        λ ≤ Hess W,        S = M W₂² − |∫x ρ_1 − ∫x ρ_0|²

W sees the displacements x − y alone, and not how the centre of mass moves: with λ > 0 it is strictly convex only
between densities of one mean, where S = M W₂².  On the line mass does not overtake, so that W counts at r > 0 only and
a concave kink at 0, as of −|x|, does no harm; in the plane W is taken at all displacements that fit into the box.  On a
periodic axis displacements are the shortest ones: W goes on as a periodic function, with its kink half a period from 0;
as no periodic function but a constant is convex, V and W with one have λ ≤ 0.  The condition on U stays the same.
V and W are differenced by module `curvature`, with what is said there of kinks.

A slack is the right side less the left, with λ⁺ = max(λ, 0): below 0 it shows a part that is not convex.  What the grid
adds, h the size of the cells:

    ∫U    in 1D nothing but rounding: cell averages of the exact path lie below the path (Jensen)
    ∫Vρ, W   O(h²) of either sign, h |∇V| times the mass in them for cells that hold most of it: mass counts at centres
    in 2D    also the gap of the path, of W₂² and relative, and O(1/inner_steps²): E is that of the path found

Reference: McCann (1997), DOI 10.1006/aima.1997.1634.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...energy.flow import Flow, once_per_flow
from ...grid import Array, Grid
from ..registry import State, diagnostic, with_field
from .constants import curvature_bound
from .curvature import smallest_curvature

CHORD = "chord"
"""Field of the snapshots of a path: (9,) numbers, s, W₂², S of W, and the three parts of the energy at either end."""
PARTS = ("internal", "potential", "interaction")
ON_A_PATH = with_field(CHORD)


@dataclass(frozen=True)
class PartConvexity:
    """λ of a part of the energy, −∞ where none is known, and why, in words."""

    bound: float
    reason: str


@once_per_flow
def displacement_convexity(flow: Flow) -> dict[str, PartConvexity]:
    """λ of each part of the energy that there is, by its name in PARTS.

    Of closed boxes of one metric: {} on a radius, with [dynamics], exits, a force, forbidden cells, features, and where
    something depends on time.
    """
    unknown = flow.driven or flow.exits or flow.push is not None or flow.forbidden is not None
    if unknown or flow.dynamics is not None or flow.features is not None or flow.grid.radial > 1:
        return {}
    found = {}
    if not flow.internal.law.vanishes:
        found["internal"] = _of_internal(flow)
    if flow.energy.potential is not None:
        bound = curvature_bound(flow)
        found["potential"] = PartConvexity(bound, _reason("Hess V", bound))
    if flow.energy.interaction is not None:
        found["interaction"] = _of_interaction(flow.grid, flow.energy.interaction)
    return found


def _of_internal(flow: Flow) -> PartConvexity:
    dim = flow.grid.dim
    share = "" if dim == 1 else "(1 − 1/d)P ≥ "
    broken = flow.internal.law.not_convex(flow.internal, dim)
    if len(broken):
        return PartConvexity(-np.inf, f"ρP′ ≥ {share}0 is broken at ρ = {broken[0]:.3g}, P = ρU′ − U")
    return PartConvexity(0.0, f"ρP′ ≥ {share}0, P = ρU′ − U")


def _of_interaction(grid: Grid, kernel: Callable[..., Array]) -> PartConvexity:
    """On displacements: half of them on the line, where order is kept, all in the plane."""
    reach = [axis.length / 2 if axis.ring else axis.length for axis in grid.axes]
    if grid.dim == 1:
        length = grid.x.length

        def onward(x: Array) -> Array:
            return np.asarray(kernel(x=np.where(x > reach[0], x - length, x)), dtype=float)

        bound = smallest_curvature(Grid([0.0], [length], [grid.x.size]), onward)
        return PartConvexity(bound, f"{_reason('W″', bound)} at r > 0")
    places = Grid([-r for r in reach], reach, grid.shape[::-1], [axis.boundary.closed for axis in grid.axes])
    bound = smallest_curvature(places, kernel)
    return PartConvexity(bound, _reason("Hess W", bound))


def _reason(what: str, bound: float) -> str:
    """A curvature below 0 may be that of a kink, which is as low as it is looked at closely."""
    return f"{what} ≥ {bound:.4g}" if bound >= 0 else f"{what} as low as {bound:.4g}"


def sentence(flow: Flow) -> str:
    """Which parts of the energy are displacement convex, and why; "" where nothing is said."""
    texts = []
    for part, found in displacement_convexity(flow).items():
        size = "" if part == "internal" or found.bound <= 0 else f", λ = {found.bound:.4g}"
        size += " at fixed mean" if size and part == "interaction" else ""
        texts.append(f"{part} {'convex' if found.bound >= 0 else 'not convex'}{size} ({found.reason})")
    return ";  ".join(texts)


# ---- along a path ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ends:
    """What the chords of a path hang between: the parts of the energy at both ends, and by how much ∫x ρ moves."""

    parts: tuple[tuple[float, ...], tuple[float, ...]]
    mass: float
    moved: float

    @classmethod
    def of(cls, flow: Flow, a: Array, b: Array) -> Ends:
        """Of the densities at the ends, of one mass."""
        moved = 0.0
        for axis in flow.grid.axes:
            if not axis.ring:  # round a circle a mean moves by more than is seen, and λ ≤ 0
                place = flow.grid.coordinates()[axis.name]
                moved += flow.integral(place * (b - a)) ** 2
        return cls((flow.parts(a)[:3], flow.parts(b)[:3]), flow.mass(a), moved)

    def chord(self, s: float, w2: float) -> Array:
        """The field of that name, at s on a path of length w2."""
        spread = self.mass * w2**2 - self.moved
        return np.array([s, w2**2, spread, *self.parts[0], *self.parts[1]])


def _slack(state: State, part: str) -> float:
    chord, k = state.snapshot.fields.get(CHORD), PARTS.index(part)
    if chord is None:  # of a run that began before there were any
        return np.nan
    s, square, spread = chord[:3]
    known = displacement_convexity(state.flow).get(part)
    bound = 0.0 if known is None else max(known.bound, 0.0)
    bent = 0.5 * s * (1 - s) * bound * (spread if part == "interaction" else square)
    return float((1 - s) * chord[3 + k] + s * chord[6 + k] - bent - state.parts[k])


@diagnostic("slack of displacement convexity of the internal energy", applies=ON_A_PATH)
def slack_internal(s: State) -> float:
    """(1-s) E_0 + s E_1 - E(s) of int U(rho) along a geodesic; below 0 where it is not displacement convex."""
    return _slack(s, "internal")


@diagnostic("slack of displacement convexity of the potential energy", applies=ON_A_PATH)
def slack_potential(s: State) -> float:
    """The same of int V rho, less lambda s(1-s) W2^2/2 where Hess V >= lambda > 0; >= 0 up to O(h^2) for convex V."""
    return _slack(s, "potential")


@diagnostic("slack of displacement convexity of the interaction energy", applies=ON_A_PATH)
def slack_interaction(s: State) -> float:
    """The same of the interaction energy, less lambda s(1-s) (M W2^2 - |moved first moment|^2)/2 where Hess W >=
    lambda > 0; >= 0 up to O(h^2) for convex W."""
    return _slack(s, "interaction")
