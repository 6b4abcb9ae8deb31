"""Spectral gap and modes of the discrete Fokker–Planck operator, and the decay of a run beside them."""

from .factor import check_memory
from .gap_and_modes import MODES, SLOW_CELLS, Spectrum, check_case, default_count, spectrum
from .generator import Generator
from .observed_decay import Observed, observed_rate
from .richardson import extrapolate, extrapolated, refinements
from .spectrum_file import KIND, spectrum_study

__all__ = [
    "KIND", "MODES", "SLOW_CELLS", "Generator", "Observed", "Spectrum", "check_case", "check_memory", "default_count",
    "extrapolate", "extrapolated", "observed_rate", "refinements", "spectrum", "spectrum_study",
]  # fmt: skip
