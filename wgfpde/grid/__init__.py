"""Where densities live: cells and their edges, the walls around them, and what becomes of data on them.

`grid`, `axis` and `boundary` are the cells; `initial` makes cell averages of whatever a density is given by, with
`quadrature` for formulas and `smoothed_points` for clouds.   `tables` interpolates tables; `text_columns` reads them.
`public_arguments` checks what users hand to public functions.
"""

from .axis import Array, Axis
from .grid import Grid

__all__ = ["Array", "Axis", "Grid"]
