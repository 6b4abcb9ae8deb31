"""Stationary states without marching: branches, their energies and their stability."""

from .solve import Steady, stationary
from .stability import Stability

__all__ = ["Stability", "Steady", "stationary"]
