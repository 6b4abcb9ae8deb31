"""The density that is in equilibrium with a potential Φ: U'(ρ) + Φ = C on its support, at a given mass.

    entropy      ρ = M e^{−Φ/κ} / Σ h e^{−Φ/κ}
    power m > 1  ρ = [(m−1)/(mκ) (C − Φ)₊]^{1/(m−1)}
    power m < 1  ρ = [(1−m)/(mκ) (Φ − C)]^{−1/(1−m)},  C < min Φ

ρ ≥ 0 by construction, the mass is exact to rounding, and ∂ρ/∂(C − Φ) = g = 1/U''(ρ), 0 off the support.  Each law finds
its own constant C.

Reference: Carrillo, Jüngel, Markowich, Toscani, Unterreiter (2001), DOI 10.1007/s006050170032.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...grid import Array, Grid

EPS = float(np.finfo(float).eps)


class OnGrid(Protocol):
    """What is needed of a flow to place a mass: its grid, its internal energy, and integrals over its cells."""

    grid: Grid
    internal: Any

    def integral(self, values: Array) -> float: ...


@dataclass(frozen=True)
class Equilibrium:
    """ρ, its susceptibility g = 1/U''(ρ) and the constant C = U'(ρ) + Φ; arrays of the grid's shape.

    log_rho : ln ρ, finite where ρ underflows; entropy only.
    """

    rho: Array
    response: Array
    constant: float
    log_rho: Array | None = None


def equilibrium(flow: OnGrid, phi: Array, mass: float) -> Equilibrium:
    """The density of the given mass in equilibrium with phi, array of the grid's shape, energy/mass."""
    return flow.internal.law.equilibrium(flow, phi, mass)
