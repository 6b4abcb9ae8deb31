"""Optimal transport between two densities: exact on a line, between bounds in the plane."""

from .distances import Distance, distance, w2
from .pairs import Points
from .shortest_path import geodesic

__all__ = ["Distance", "Points", "distance", "geodesic", "w2"]
