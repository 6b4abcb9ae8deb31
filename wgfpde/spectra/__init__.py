"""Spectral gap and modes of the discrete Fokker–Planck operator, and the decay of a run beside them."""

from .extrapolation import extrapolate, extrapolated, refinements
from .factor import check_memory
from .generator import Generator
from .observed import Observed, observed_rate
from .record import KIND, write_spectrum
from .spectrum import MODES, SLOW_CELLS, Spectrum, check_case, spectrum

__all__ = [
    "KIND", "MODES", "SLOW_CELLS", "Generator", "Observed", "Spectrum", "check_case", "check_memory", "extrapolate",
    "extrapolated", "observed_rate", "refinements", "spectrum", "write_spectrum",
]  # fmt: skip
