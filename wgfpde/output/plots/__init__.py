"""Figures and films of a run.  The only package that draws with Matplotlib; `base.own_process` may load it before.

1D: ρ at the stored times, coloured by time.   2D: ρ at the first and the last stored time and where half of the change
of the energy was made, over level lines of V, on one colour scale or each map on its own.   Below, how the energy
falls: (E − E_∞)/κ = KL(ρ | ρ_∞) on a logarithmic axis where a Gibbs state is known, else E − E_end likewise where that
spans decades, else E itself.

It knows what a file holds and no scheme: an exact solution or a steady state comes in from the caller.
"""

from .branch_diagram import branches, branches_figure
from .eigenmodes import draw_spectrum, spectrum_figure
from .error_slopes import convergence, convergence_figure, draw_order, panels
from .exit_maps import draw_exits, exits_figure
from .films.animation import movie
from .options import GROUPS, Options, References
from .run_figure import draw, draw_on, plot

__all__ = [
    "GROUPS", "Options", "References", "branches", "branches_figure", "convergence", "convergence_figure", "draw",
    "draw_exits", "draw_on", "draw_order", "draw_spectrum", "exits_figure", "movie", "panels", "plot",
    "spectrum_figure",
]  # fmt: skip
