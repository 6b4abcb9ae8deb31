"""What a run proves about itself: functional inequalities along the flow, and where its energy went.

All that others need of this room is here: the constants K and λ of a flow, the density through its cell values, and the
ledger that travels with the snapshots of a march.
"""

# isort: off
from .slacks import reads_density  # registers its diagnostics before those of the ledger: the order of the file
from .ledger import enter_snapshot, enter_step, keeps_ledger, open_ledger

# isort: on
from .constants import convexity
from .continuum import continuum_of

__all__ = [
    "continuum_of", "convexity", "enter_snapshot", "enter_step", "keeps_ledger", "open_ledger", "reads_density",
]  # fmt: skip
