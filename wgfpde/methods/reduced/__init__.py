"""Gradient flows, and flows with inertia, of what a few numbers describe: Gaussians and their mixtures, parcels.

`method` is what a case asks for; `gaussians`, `mixtures` and `inertial_parcels` move it, `cell_masses` puts it on a
grid.
"""
