"""Orders of convergence from runs on finer and finer grids and steps.

`orders` is the mathematics, `errors` what a run is held against, `runs` how a study goes on where it was stopped,
`study` puts them together into what is `found`, with `notes` in words; `record` keeps it.
"""

from .found import SLACK, Convergence
from .orders import Limit, fitted_order
from .record import place_of, record, write
from .study import converge

__all__ = ["SLACK", "Convergence", "Limit", "converge", "fitted_order", "place_of", "record", "write"]
