"""Times, places and rates of leaving: mean first-passage times, exits, committors, quasi-stationary densities."""

from .exit_study import SLOW_CELLS, Exits, find_exits
from .exits_file import KIND, exits_record, exits_study
from .killed_chain import KilledChain, check_exits_case, memory_needed
from .regions import region_of, target_of
from .survival import Survival

__all__ = [
    "KIND", "SLOW_CELLS", "Exits", "KilledChain", "Survival", "check_exits_case", "exits_record", "exits_study",
    "find_exits", "memory_needed", "region_of", "target_of",
]  # fmt: skip
