"""The density that is in equilibrium with a potential Φ: U'(ρ) + Φ = C on its support, at a given mass.

    entropy      ρ = M e^{−Φ/κ} / Σ h e^{−Φ/κ}
    power m > 1  ρ = [(m−1)/(mκ) (C − Φ)₊]^{1/(m−1)}
    power m < 1  ρ = [(1−m)/(mκ) (Φ − C)]^{−1/(1−m)},  C < min Φ

The constant C is where the mass is M.  Its bracket is U' of the mass spread over all cells and of the mass in one cell,
both above min Φ; between them Newton's method runs on (mass/M)^{m−1} − 1, nearly linear in C.
ρ ≥ 0 by construction, the mass is exact to rounding, and ∂ρ/∂(C − Φ) = g = 1/U''(ρ), 0 off the support.

Reference: Carrillo, Jüngel, Markowich, Toscani, Unterreiter (2001), DOI 10.1007/s006050170032.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..grid import Array
from .energy import Internal
from .flow import Flow

EPS = float(np.finfo(float).eps)
MAX_STEPS = 200


@dataclass(frozen=True)
class Equilibrium:
    """ρ, its susceptibility g = 1/U''(ρ) and the constant C = U'(ρ) + Φ; arrays of the grid's shape.

    log_rho : ln ρ, finite where ρ underflows; entropy only.
    """

    rho: Array
    response: Array
    constant: float
    log_rho: Array | None = None


def equilibrium(flow: Flow, phi: Array, mass: float) -> Equilibrium:
    """The density of the given mass in equilibrium with phi, array of the grid's shape, energy/mass."""
    low = float(phi.min())
    if flow.internal.kind == "entropy":
        kappa = flow.internal.kappa
        exponent = (low - phi) / kappa
        weight = np.exp(exponent)
        scale = mass / flow.integral(weight)
        rho = scale * weight
        return Equilibrium(rho, rho / kappa, low + kappa * float(np.log(scale)), exponent + np.log(scale))
    height = phi - low
    below, above = _level(flow, height, mass)
    rho = _density(flow.internal, below - height)
    if above > below:  # neighbouring numbers between which a cell fills: the rest of the mass is that cell's
        full = _density(flow.internal, above - height)
        less, more = flow.integral(rho), flow.integral(full)
        share = (mass - less) / (more - less) if more > less else 0.0
        rho = (1 - share) * rho + share * full
    rho *= mass / flow.integral(rho)
    return Equilibrium(rho, susceptibility(flow.internal, rho), low + below)


def susceptibility(internal: Internal, rho: Array) -> Array:
    """g = 1/U''(ρ), elementwise: ρ/κ, or ρ^{2−m}/(κm); 0 where ρ = 0."""
    if internal.kind == "entropy":
        return rho / internal.kappa
    found = np.zeros_like(rho)
    inside = rho > 0
    found[inside] = rho[inside] ** (2 - internal.m) / (internal.kappa * internal.m)
    return found


def _density(internal: Internal, above: Array) -> Array:
    """ρ where U'(ρ) = `above`; 0 where m > 1 and `above` ≤ 0."""
    m = internal.m
    scaled = (m - 1) / (m * internal.kappa) * above  # ρ^{m−1}
    return np.maximum(scaled, 0.0) ** (1 / (m - 1)) if m > 1 else scaled ** (1 / (m - 1))


def _level(flow: Flow, height: Array, mass: float) -> tuple[float, float]:
    """C − min Φ for heights Φ − min Φ ≥ 0, twice; or the two numbers next to it, where the mass jumps."""
    internal, m = flow.internal, flow.internal.m
    smallest = float(flow.grid.cell_volume.flat[int(np.argmin(height))])
    bounds = internal.derivative(np.array([mass / flow.grid.volume, mass / smallest]))
    low, high = (float(end) for end in bounds + 1e-12 * np.abs(bounds) * np.array([-1.0, 1.0]))  # an end may be it
    c = 0.5 * (low + high)
    for _ in range(MAX_STEPS):
        rho = _density(internal, c - height)
        found = flow.integral(rho)
        if abs(found - mass) <= 4 * EPS * mass:
            return c, c
        low, high = (c, high) if found < mass else (low, c)
        if high - low <= 2 * EPS * max(abs(low), abs(high)):
            break
        ratio = (found / mass) ** (m - 1)
        slope = (m - 1) * ratio * flow.integral(susceptibility(internal, rho)) / found if found > 0 else 0.0
        step = c - (ratio - 1) / slope if slope != 0 and np.isfinite(slope) else np.nan
        c = step if low < step < high else 0.5 * (low + high)
    return low, high
