"""Numbers that a run records: one per snapshot and name.

A diagnostic is a function of a `State` (flow, snapshot, exact solution) that returns a float.  The decorator
names its units and says where it is recorded unasked, and where on request; the order of the modules below is the order
in the file.  What several diagnostics share — mass, the energies with their one W∗ρ, moments — is computed once per
State.

Integrals are midpoint sums Σ h f(x_i) ρ_i over the cell averages, as in the discrete energy.
"""

# isort: off
# fmt: off
from . import (  # noqa: F401  (in the order of the file)
    usual, order_parameters, certificates, exit_numbers, driven, particle_moments, reduced_energies,
)
# fmt: on

# isort: on
from .kernels import warm_up
from .registry import REGISTRY, Diagnostic, Setting, State, as_before, chosen, compute
from .relative_entropy import relative_entropy_density

__all__ = [
    "REGISTRY", "Diagnostic", "Setting", "State", "as_before", "chosen", "compute", "relative_entropy_density",
    "warm_up",
]  # fmt: skip
