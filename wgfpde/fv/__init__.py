"""Structure-preserving finite volumes: implicit variational two-point fluxes on tensor grids."""

from .dissipation import dissipation, max_flux
from .stepper import FiniteVolumes

__all__ = ["FiniteVolumes", "dissipation", "max_flux"]
