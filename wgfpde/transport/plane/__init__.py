"""Distances in the plane by potentials: dual ascent on lattices, and bounds of the distance itself from both sides."""
