"""Stationary states without marching: branches, their energies and their stability."""

from .continuation import continuation
from .family import Branch, Critical, Diagram, End, Point, check_case, default_measures, measured
from .rates import Stability, stability, unstable_directions
from .record import KINDS, diagram_record, states_record, write_diagram, write_states
from .search import branches, starts
from .solve import Steady, corrected, stationary

__all__ = [
    "KINDS", "Branch", "Critical", "Diagram", "End", "Point", "Stability", "Steady", "branches", "check_case",
    "continuation", "corrected", "default_measures", "diagram_record", "measured", "stability", "starts",
    "states_record", "stationary", "unstable_directions", "write_diagram", "write_states",
]  # fmt: skip
