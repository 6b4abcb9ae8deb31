"""Optimal transport between two densities: exact on a line, between bounds in the plane.

`distances` is what other rooms ask, `line` the exact answer in 1D, `plane` the one by potentials in 2D, `semidiscrete`
that between points and a density.   `benamou_brenier` solves space–time problems, for JKO steps and geodesics;
`graphs` holds reversible chains, `barycentres` means of densities.
"""

from .distances import Distance, distance, w2
from .pairs import Points
from .shortest_path import geodesic

__all__ = ["Distance", "Points", "distance", "geodesic", "w2"]
