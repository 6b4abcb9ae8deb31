"""Orders of convergence from runs on finer and finer grids and steps.

`orders` is the mathematics, `run_errors` what a run is held against, `solved_runs` how a study goes on where it was
stopped, `refinement` puts them together into a `result`, with `notes` in words; `convergence_file` keeps it.
"""

from .convergence_file import place_of, record, write
from .orders import Limit, fitted_order
from .refinement import converge
from .result import SLACK, Convergence

__all__ = ["SLACK", "Convergence", "Limit", "converge", "fitted_order", "place_of", "record", "write"]
