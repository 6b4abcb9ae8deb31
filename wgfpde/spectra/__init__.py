"""Spectral gap and modes of the discrete Fokker–Planck operator, and the decay of a run beside them."""

from .extrapolation import extrapolate, extrapolated, refinements
from .factor import check_memory
from .generator import Generator
from .observed import Observed, observed_rate
from .record import check_place, write_spectrum
from .spectrum import Spectrum, check_count, spectrum

__all__ = [
    "Generator", "Observed", "Spectrum", "check_count", "check_memory", "check_place", "extrapolate", "extrapolated",
    "observed_rate", "refinements", "spectrum", "write_spectrum",
]  # fmt: skip
