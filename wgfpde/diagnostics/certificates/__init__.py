"""What a run proves about itself: functional inequalities along the flow, and where its energy went.

All that others need of this room is here: the constants K and λ of a flow, the convexity of the parts of its energy,
the density through its cell values, and the ledger that travels with the snapshots of a march.
"""

# isort: off
from .slacks import reads_density  # registers its diagnostics before those of the ledger: the order of the file
from .ledger import enter_snapshot, enter_step, keeps_ledger, open_ledger
from .displacement import CHORD, Ends, displacement_convexity, sentence

# isort: on
from .constants import convexity
from .continuum import continuum_of

__all__ = [
    "CHORD", "Ends", "continuum_of", "convexity", "displacement_convexity", "enter_snapshot", "enter_step",
    "keeps_ledger", "open_ledger", "reads_density", "sentence",
]  # fmt: skip
