"""Numbers that every run records: one per snapshot and name.

A diagnostic is a function of a `State` (flow, snapshot, exact solution) that returns a float.  The decorator
names its units and says where it applies; the order of the modules below is the order in the file.  What several
diagnostics share — mass, the energies with their one W∗ρ, moments — is computed once per State.

Integrals are midpoint sums Σ h f(x_i) ρ_i over the cell averages, as in the discrete energy.
"""

from . import usual, order, certificates  # in the order of the file  # noqa: F401, I001
from .registry import REGISTRY, Diagnostic, Setting, State, chosen, compute, warm_up
from .relative import relative_entropy_density

__all__ = ["REGISTRY", "Diagnostic", "Setting", "State", "chosen", "compute", "relative_entropy_density", "warm_up"]
