"""wgfpde: solvers for Wasserstein gradient flows ∂t ρ = ∇·(ρ ∇(U'(ρ) + V + W∗ρ)) on 1D and 2D grids."""

__version__ = "0.1.0"
