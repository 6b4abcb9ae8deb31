"""Paths that are solved as a whole, from a start to a target."""
