"""Structure-preserving finite volumes: implicit variational two-point fluxes on tensor grids."""

from .blocks import default_threads
from .dissipation import dissipation, max_flux
from .stepper import FiniteVolumes

__all__ = ["FiniteVolumes", "default_threads", "dissipation", "max_flux"]
