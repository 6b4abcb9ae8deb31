"""Where densities live: cells and their edges, the walls around them, cell averages of initial data.

`Grid`, `Axis` and `Array` are handed on here.
"""

from .axis import Array, Axis
from .grid import Grid

__all__ = ["Array", "Axis", "Grid"]
