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

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ...base.kernel_cache import njit
from ...errors import CaseError
from ...grid import Array
from ..scharfetter_gummel import bernoulli
from .faces import Opening

if TYPE_CHECKING:
    from ..energy import Internal
    from ..flow import Flow

Pair = Callable[[Array, Array], tuple[Array, Array]]
"""(ΔΦ, d) ↦ (a, b) of faces, length/time."""


def pair_of(internal: Internal) -> Pair:
    """The rates over a face to the outside, of the internal energies for which they do not depend on ρ.

    Raises CaseError for the others.
    """
    if internal.law.linear_diffusion:
        return entropy_pair(internal.kappa)
    if internal.law.vanishes:
        return donor_pair
    raise CaseError(f'losses are no rates for internal energy "{internal.kind}": they depend on the density.')


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


def exchange(flow: Flow, drive: Array | None = None) -> tuple[dict[str, Array], dict[str, Array]]:
    """(losses, gains) by name, arrays of the grid's shape, in volume/time and mass/time.

    Mass leaves cell i by an exit at the rate losses[name][i] ρ_i, and comes in at gains[name][i]: only by walls that
    let it in.   drive : W∗ρ, where there is an interaction.   Raises CaseError as `pair_of` does.
    """
    grid = flow.grid
    phi, base = (np.zeros(grid.size) if v is None else v.ravel() for v in (flow.potential, flow.external))
    phi = phi if drive is None else phi + drive.ravel()
    losses = {name: np.zeros(grid.size) for name in flow.exits}
    gains: dict[str, Array] = {}
    for opening in flow.openings:
        loss, gain = through(opening, pair_of(flow.internal), phi, base)
        np.add.at(losses[opening.name], opening.cells, loss * opening.area)
        if opening.wall.lets_in:
            np.add.at(gains.setdefault(opening.name, np.zeros(grid.size)), opening.cells, gain * opening.area)
    losses |= {name: (rate * grid.cell_volume).ravel() for name, rate in flow.decay.items()}
    shaped = [{name: values.reshape(grid.shape) for name, values in found.items()} for found in (losses, gains)]
    return shaped[0], shaped[1]


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
