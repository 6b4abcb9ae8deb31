"""Gradient flows, and flows with inertia, of what a few numbers describe: Gaussians and their mixtures, and parcels."""
