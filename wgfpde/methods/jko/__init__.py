"""The JKO scheme by Benamou–Brenier."""

from .columns import STEP_COLUMNS
from .stepper import Jko

__all__ = ["STEP_COLUMNS", "Jko"]
