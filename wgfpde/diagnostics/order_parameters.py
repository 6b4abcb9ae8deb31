"""Order parameters: how far a crowd agrees, and how far it has gathered.

On a circle of length L the n-th circular moment |∫ρ e^{2πi n x/L}|/∫ρ, 0 for a uniform state and 1 for a point
mass; n = 2 sees agreement up to the sign, as of rods.  On a line the means serve (`mean_x`).  `concentration` and
`sharpness` are those of `blowup`: what a few cells hold, and how the peak would grow if cells were split.
"""

from __future__ import annotations

from .blowup import peak
from .registry import NEVER, Condition, State, diagnostic, periodic

WITH_INTERACTION = Condition("with interaction", lambda s: s.flow.interaction is not None)
ANY = Condition("any energy, not on a radius", lambda s: s.flow.grid.radial == 1)


@diagnostic("order parameter in x", applies=periodic(0))
def order_x(s: State) -> float:
    """Modulus of the first circular moment in x: 0 for a uniform state, 1 for a point mass."""
    return s.order(0)


@diagnostic("order parameter in y", applies=periodic(1))
def order_y(s: State) -> float:
    """Modulus of the first circular moment in y: 0 for a uniform state, 1 for a point mass."""
    return s.order(1)


@diagnostic("second order parameter in x", applies=NEVER, on_request=periodic(0))
def order2_x(s: State) -> float:
    """Modulus of the second circular moment in x: 1 also for two equal point masses half a period apart."""
    return s.order(0, 2)


@diagnostic("second order parameter in y", applies=NEVER, on_request=periodic(1))
def order2_y(s: State) -> float:
    """Modulus of the second circular moment in y: 1 also for two equal point masses half a period apart."""
    return s.order(1, 2)


@diagnostic("share of the mass in the fullest cells", applies=WITH_INTERACTION, on_request=ANY)
def concentration(s: State) -> float:
    """Largest share of the mass in a block of 2 cells (1D) or 2 x 2 cells."""
    return peak(s.flow.grid, s.rho).share


@diagnostic("sharpness of the peak", applies=WITH_INTERACTION, on_request=ANY)
def sharpness(s: State) -> float:
    """q of the growth h^(-dq) of the peak as cells are split: 0 where they resolve it, 1 where it is a point mass."""
    return peak(s.flow.grid, s.rho).sharpness
