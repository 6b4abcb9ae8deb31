"""Optimal transport between two densities: exact on a line, by Benamou and Brenier in the plane."""

from .distances import Distance, distance, geodesic, w2

__all__ = ["Distance", "distance", "geodesic", "w2"]
