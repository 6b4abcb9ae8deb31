"""Orders of convergence from runs on finer and finer grids and steps.

`orders` is the mathematics, `errors` what a run is held against, `runs` how a study goes on where it was stopped,
`study` puts them together, `record` keeps what was found.
"""

from .orders import Limit, fitted_order
from .record import record, write
from .study import SLACK, Convergence, converge

__all__ = ["SLACK", "Convergence", "Limit", "converge", "fitted_order", "record", "write"]
