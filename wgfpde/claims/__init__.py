"""What is claimed of the solvers, checked by running cases: what scripts of claims import.

from wgfpde.claims import Validation

def check(v: Validation) -> None: ...
"""

from .checking import Validation, check_script, energy_rise, find_scripts, fitted_order, mass_drift, scripts
from .claim import Claim, Table

__all__ = [
    "Claim", "Table", "Validation", "check_script", "energy_rise", "find_scripts", "fitted_order", "mass_drift",
    "scripts",
]  # fmt: skip
