"""Figures and films of a run.  The only package that imports Matplotlib.

1D: ρ at the stored times, coloured by time.   2D: ρ at the first and the last stored time and where half of the change
of the energy was made, over level lines of V, on one colour scale or each map on its own.   Below, how the energy
falls: (E − E_∞)/κ = KL(ρ | ρ_∞) on a logarithmic axis where a Gibbs state is known, else E − E_end likewise where that
spans decades, else E itself.

It knows what a file holds and no scheme: an exact solution or a steady state comes in from the caller.
"""

from .branch_diagram import branches
from .eigenmodes import draw_spectrum
from .error_slopes import convergence, draw_order, panels
from .exit_maps import draw_exits
from .films.animation import movie
from .options import GROUPS, Options, References
from .run_figure import draw, plot

__all__ = [
    "GROUPS", "Options", "References", "branches", "convergence", "draw", "draw_exits", "draw_order", "draw_spectrum",
    "movie", "panels", "plot",
]  # fmt: skip
