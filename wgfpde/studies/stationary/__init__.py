"""Stationary states without marching: branches, their energies and their stability."""

from .completeness import lacking
from .diagram.parameter_branches import continuation
from .family import Branch, Critical, Diagram, End, EqualEnergy, Point, check_case, default_measures, measured
from .growth_rates import Stability, stability, unstable_directions
from .mean_field import Steady, corrected, stationary
from .search import branches, starts
from .stationary_file import KINDS, diagram_record, diagram_study, states_record, states_study

__all__ = [
    "KINDS", "Branch", "Critical", "Diagram", "End", "EqualEnergy", "Point", "Stability", "Steady", "branches",
    "check_case", "continuation", "corrected", "default_measures", "diagram_record", "diagram_study", "lacking",
    "measured", "stability", "starts", "states_record", "states_study", "stationary", "unstable_directions",
]  # fmt: skip
