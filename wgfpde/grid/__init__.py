"""Where densities live: cells and their edges, the walls around them, cell averages of initial data.

`Grid`, `Axis` and `Array` are handed on here.
"""

from .grid import Array, Axis, Grid

__all__ = ["Array", "Axis", "Grid"]
