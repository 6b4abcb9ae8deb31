"""What open walls and sinks add to the rates of a flow: losses and gains.

    vol_i dρ_i/dt + Σ_faces F + (Σ_exits k) ρ_i = Σ_walls g        k ≥ 0 in volume/time, g ≥ 0 in mass/time

Over a face to the outside, with the rates a (outwards) and b of the flux F = a ρ_i − b ρ_b at the distance d (half a
cell at a wall; `scharfetter_gummel` and `donor` say what they are),

    absorbing, region   ρ_b = 0      k = a                     density = g   ρ_b = g      k = a,  gain b g
    robin = K           F = K ρ_b    k = a K/(b + K)           inflow = j                 k = 0,  gain j

D at the face multiplies a and b.  All of it is formed without a subtraction.
With g = c e^{−V/κ} at all walls the state c e^{−V/κ} has F = 0 at each face: a π_i = b π_b.
Order 2 in space.  Reference: Scharfetter, Gummel (1969), DOI 10.1109/T-ED.1969.16566.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array
from ..scharfetter_gummel import bernoulli
from .faces import Opening

Pair = Callable[[Array, Array], tuple[Array, Array]]
"""(ΔΦ, d) ↦ (a, b) of faces, length/time."""


def entropy_pair(kappa: float) -> Pair:
    """The rates of Scharfetter and Gummel."""

    def rates(rise: Array, distance: Array) -> tuple[Array, Array]:
        a, b = np.empty(len(rise)), np.empty(len(rise))
        _pairs(np.ascontiguousarray(rise), np.ascontiguousarray(distance), kappa, a, b)
        return a, b

    return rates


def donor_pair(rise: Array, distance: Array) -> tuple[Array, Array]:
    """Of a flux without internal energy: what moves outwards takes ρ_i with it, what moves inwards ρ_b."""
    velocity = -rise / distance
    return np.maximum(velocity, 0.0), np.maximum(-velocity, 0.0)


def through(opening: Opening, pair: Pair, phi: Array, base: Array) -> tuple[Array, Array]:
    """k and the gain per area of the faces of an opening, (k,) each, in the flat potential phi; base : the part V."""
    with np.errstate(divide="ignore"):  # D = 0: no way out
        a, b = pair(opening.rise(phi, base), opening.distance / opening.mobility)
    kind, zero = opening.wall.name, np.zeros(len(a))
    if kind == "inflow":
        return zero, opening.values
    if kind == "density":
        return a, b * opening.values
    if kind == "robin":
        return a * (opening.values / (b + opening.values)), zero
    return a, zero


def gathered(
    openings: Iterable[Opening], pair: Pair, phi: Array, base: Array, size: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Losses and gains by name, volume/time and mass/time, (size,) each; gains only of walls that let mass in."""
    losses: dict[str, Array] = {}
    gains: dict[str, Array] = {}
    for opening in openings:
        loss, gain = through(opening, pair, phi, base)
        into = losses.setdefault(opening.name, np.zeros(size))
        np.add.at(into, opening.cells, loss * opening.area)
        if opening.wall.lets_in:
            np.add.at(gains.setdefault(opening.name, np.zeros(size)), opening.cells, gain * opening.area)
    return losses, gains


@njit(cache=True, nogil=True, error_model="numpy")
def _pairs(rise, distance, kappa, a, b):
    """a, b (k,) of faces with ΔΦ = rise over a distance."""
    for i in range(rise.shape[0]):
        s = rise[i] / kappa
        low = bernoulli(abs(s))
        high = low + abs(s)
        scale = kappa / distance[i]
        a[i] = scale * (low if s > 0.0 else high)
        b[i] = scale * (high if s > 0.0 else low)
