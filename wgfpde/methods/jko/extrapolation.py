"""A second-order step from three first-order ones: two halves, one whole, repaired.

    ρ = 2 ρ_{τ/2,τ/2} − ρ_τ = ρ_{τ/2,τ/2} − div(m₁ + m₂ − m_τ)

where the JKO map has a smooth expansion in τ.  The extra flux m₁ + m₂ − m_τ is limited per cell so that ρ ≥ 0, starting
from ρ_{τ/2,τ/2} ≥ 0: mass is exact, and the limiter acts only where a cell would go negative.  ρ_{τ/2,τ/2} has E below
E(ρ⁰) up to the gap; where ρ has not, the extra flux is halved until it has.  Where even ρ_{τ/2,τ/2} has not, all that
the step can find lies within its gap, and ρ⁰ is kept.
"""

from __future__ import annotations

import numpy as np

from ...grid import Array
from .certificate import MARGIN, advance, limit
from .minimise import ENERGY_NOISE, NOT_MOVED, Minimiser
from .solved_step import Step

HALVINGS = 30


def extrapolate(minimiser: Minimiser, rho0: Array, tau: float, warm: dict[str, Array]) -> Step:
    """One step of the second-order scheme; three JKO steps, the gap of the worst of them.

    Preserves: mass, ρ ≥ 0, E(ρ) ≤ E(ρ⁰).  Order: 2 in τ where the solution is smooth.
    Raises SolverError where one of the three is not solved.
    """
    halves = warm | ({"phi": 0.5 * warm["phi"]} if "phi" in warm else {})
    first = minimiser.solve(rho0, 0.5 * tau, halves)
    second = minimiser.solve(first.rho, 0.5 * tau, first.fields)
    whole = minimiser.solve(rho0, tau, warm | {"phi": first.fields["phi"] + second.fields["phi"]})
    flux_x = first.flux_x + second.flux_x - whole.flux_x
    flux_y = first.flux_y + second.flux_y - whole.flux_y
    volume, work, rho = minimiser.stagger.volume, np.zeros(rho0.shape), np.zeros(rho0.shape)
    repaired = limit(second.rho, volume, flux_x, flux_y, work, MARGIN)
    bound, notes = _energy(minimiser, rho0), ""
    for _ in range(HALVINGS + 1):
        minimiser.stagger.share(advance, second.rho, volume, flux_x, flux_y, rho)
        if _energy(minimiser, rho) <= bound:
            break
        flux_x *= 0.5
        flux_y *= 0.5
        notes = "the second-order correction was cut, as it would have raised the energy"
    else:
        rho = second.rho
        flux_x[:] = 0.0
        flux_y[:] = 0.0
    moved_x, moved_y = first.flux_x + second.flux_x + flux_x, first.flux_y + second.flux_y + flux_y
    if _energy(minimiser, rho) > bound + ENERGY_NOISE * sum(abs(part) for part in _parts(minimiser, rho0)):
        rho, moved_x, moved_y = rho0, np.zeros(rho0.shape), np.zeros(rho0.shape)
        notes = NOT_MOVED
    parts = (first, second, whole)
    numbers = {name: max(part.numbers[name] for part in parts) for name in whole.numbers}
    for name in ("iterations", "linear", "outer"):
        numbers[name] = sum(part.numbers[name] for part in parts)
    numbers |= {name: np.nan for name in ("primal", "dual", "transport")} | {"repaired": repaired}
    fields = whole.fields | {"rho": rho}
    if "drive_rate" in fields:
        fields["drive_rate"] = 2.0 * second.fields["drive_rate"] - whole.fields["drive_rate"]
    return Step(fields, moved_x, moved_y, numbers, notes)


def _parts(minimiser: Minimiser, rho: Array) -> tuple[float, ...]:
    return minimiser.flow.parts(rho.reshape(minimiser.flow.grid.shape))


def _energy(minimiser: Minimiser, rho: Array) -> float:
    return float(sum(_parts(minimiser, rho)))
