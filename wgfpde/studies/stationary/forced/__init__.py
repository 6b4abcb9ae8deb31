"""Steady states under a force, which are no equilibria."""
