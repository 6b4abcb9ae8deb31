"""Which stored numbers a picture can show.

A file may hold any number, also 1e305 where a byte of it was damaged: a line that leaves its picture so far takes
Matplotlib gigabytes, and a colour scale overflows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import StoreError
from ..grid import Array
from ..store import Run

LARGEST = 1e100
"""Beyond this nothing is drawn."""
HIDDEN = 0.3
"""Below this share of the end of their scale a density would be all but black: then each map has its own scale."""
QUIETLY = np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore")
"""For what computes with stored numbers: what comes of those without measure is shown as inf or nan."""


def density_of(run: Run, k: int) -> Array:
    """Snapshot k.  Raises StoreError where no picture can show it."""
    rho = run.rho[k]
    if not np.all(np.abs(rho) <= LARGEST):
        odd = float(rho.flat[np.argmax(~(np.abs(rho) <= LARGEST))])
        raise StoreError(f"{run.path}: snapshot {k} holds {odd:.3g}, which cannot be drawn. The file may be damaged.")
    return rho


def hidden(peaks: Sequence[float], high: float) -> bool:
    """Whether one scale, up to `high`, would hide a map, of which these are the largest densities."""
    return 0 < min(peaks) < HIDDEN * high


def drawable(values: Array) -> Array:
    """A series without what cannot be drawn: NaN there."""
    return np.where(np.abs(values) <= LARGEST, values, np.nan)
