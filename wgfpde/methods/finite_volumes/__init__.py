"""Structure-preserving finite volumes: implicit variational two-point fluxes on tensor grids."""

from .stepper import FiniteVolumes

__all__ = ["FiniteVolumes"]
