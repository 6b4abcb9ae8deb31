"""Figures and films of a run.  The only package that draws with Matplotlib; `base.own_process` may load it before.

1D: ρ at the stored times, coloured by time.   2D: ρ at the first and the last stored time and where half of the change
of the energy was made, over level lines of V, on one colour scale or each map on its own.   Below, how the energy
falls: (E − E_∞)/κ = KL(ρ | ρ_∞) on a logarithmic axis where a Gibbs state is known, else E − E_end likewise where that
spans decades, else E itself.

It knows what a file holds and no scheme: an exact solution or a steady state comes in from the caller.
"""

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from ...store import Study, read_study
from . import style
from .branch_diagram import branches_figure
from .eigenmodes import spectrum_figure
from .error_slopes import convergence_figure, draw_order, panels
from .exit_maps import exits_figure
from .films.animation import movie
from .options import GROUPS, Options, References
from .run_figure import draw, draw_on, plot

__all__ = [
    "GROUPS", "OF_STUDIES", "Options", "References", "branches_figure", "convergence_figure", "draw", "draw_on",
    "draw_order", "draw_study", "exits_figure", "movie", "panels", "plot", "spectrum_figure",
]  # fmt: skip

OF_STUDIES: dict[str, Callable[[Study], Figure]] = {
    "spectrum": spectrum_figure, "exits": exits_figure, "convergence": convergence_figure,
    "stationary states": branches_figure, "bifurcation diagram": branches_figure,
}  # fmt: skip
"""The figure of a study, by its kind."""


def draw_study(file: Path, path: Path) -> Path:
    """Draw the study of a file and save it; returns the path.  Raises StoreError where `path` cannot be written."""
    study = read_study(file)
    return style.save(OF_STUDIES[study.kind](study), path)
