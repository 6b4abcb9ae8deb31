"""Distances in the plane by potentials: dual ascent on lattices, and bounds of the distance on both sides.

`between` is what `distances` asks; `ladder` and `ascent` find a potential from coarse to fine, `dual_bound` and
`plan_bound` prove it, `sharper_bounds` closes what is left between them by exact programmes.
"""
