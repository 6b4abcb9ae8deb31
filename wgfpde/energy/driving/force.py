"""A force on periodic axes: what it adds along the way from one cell to the next.

    s = (ΔV − f d)/κ on a face,      f d = ∫ f dx between the two centres

A constant force f ("tilt") adds f d; of a formula the integral is taken by Gauss–Legendre with three points, so that on
cells of any size the sum over a ring is ∮ f to order 6.  Between walls a force is the gradient of a potential, and
belongs into V.

Reference: Reimann (2002), DOI 10.1016/S0370-1573(01)00081-3.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import CaseError
from ...grid import Array, Grid
from ...grid.checked_values import check_closes
from ..energy import Energy

POINTS = 3


def push_of(grid: Grid, energy: Energy) -> tuple[Array, ...] | None:
    """Per axis (n,) f d of the faces i+½, the last the one that closes a ring; None without a force.

    Raises CaseError for a force across walls, for a formula in 2D, and for one that is not finite or not periodic.
    """
    if not energy.tilted:
        return None
    if not energy.internal.law.linear_diffusion:
        raise CaseError(
            f"a force needs the entropy, whose fluxes stay rates with it; found the internal energy "
            f'"{energy.internal.kind}". Take kind = "entropy".'
        )
    if energy.force is not None:
        return (_along(grid, energy),)
    if len(energy.tilt) != grid.dim:
        raise CaseError(f"expected a tilt for each of {grid.dim} axes, found {len(energy.tilt)}.")
    for axis, tilt in zip(grid.axes, energy.tilt, strict=True):
        if tilt and not axis.ring:
            raise CaseError(_walls(axis.name, f"{-tilt:g}*{axis.name}"))
    return tuple(f * _finite(axis.distances) for axis, f in zip(grid.axes, energy.tilt, strict=True))


def check_closed(exits: Sequence[str], driven: bool, pushed: bool) -> None:
    """Refuse exits of what is driven: the account of work and heat knows no energy that leaves with the mass."""
    if exits and (driven or pushed):
        what = "formulas with t" if driven else "a force"
        raise CaseError(
            f"{what} in the energy need{'' if driven else 's'} a closed box, found {', '.join(exits)}, by "
            "which mass leaves or comes in: work and heat would not add up. Close the walls and remove the sinks"
            f"{', or put numbers in place of t' if driven else ''}."
        )


def affinity_of(push: Array) -> float:
    """∮ f dx once around a ring, energy."""
    return float(np.sum(push))


def _along(grid: Grid, energy: Energy) -> Array:
    if grid.dim != 1:
        raise CaseError("a force by a formula needs a grid of one axis; in 2D give a constant tilt for each axis.")
    axis = grid.x
    if not axis.ring:
        raise CaseError(_walls(axis.name, "the integral of −force"))
    assert energy.force is not None
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    distances = _finite(axis.distances)
    total = np.zeros(axis.size)
    for node, weight in zip(nodes, weights, strict=True):
        place = axis.centers + 0.5 * (1.0 + node) * distances
        place = np.where(place > axis.upper, place - axis.length, place)
        with np.errstate(all="ignore"):
            total += 0.5 * weight * np.broadcast_to(np.asarray(energy.force(x=place), dtype=float), place.shape)
    if not np.all(np.isfinite(total)):
        bad = float(axis.centers[int(np.argmax(~np.isfinite(total)))])
        raise CaseError(f"the force is not finite near x = {bad:.6g}. Change the formula or move the grid.")
    with np.errstate(all="ignore"):
        ends = np.broadcast_to(np.asarray(energy.force(x=np.array([axis.lower, axis.upper])), dtype=float), (2,))
    check_closes(axis, float(ends[1] - ends[0]), 1.0 + float(np.max(np.abs(total))), "the force")
    return total * distances


def _finite(distances: Array) -> Array:
    return np.where(np.isfinite(distances), distances, 0.0)


def _walls(axis: str, potential: str) -> str:
    return (
        f"a force needs a periodic axis, found walls at the ends of axis {axis}: between walls it is the gradient of a "
        f"potential. Add {potential} to energy.potential, or make the axis periodic."
    )
