"""Functional inequalities that every density obeys, and their slacks.

With π the Gibbs state, H = ∫ρ ln(ρ/π), I = ∫ρ|∇ln(ρ/π)|² and W₂ = W₂(ρ, π), all of the run's mass:

    log-Sobolev   H ≤ (κ/2λ) I       Talagrand   W₂² ≤ (2κ/λ) H       HWI   κH ≤ κ√I W₂ − (K/2) W₂²

λ and K are those of `convexity`.  A slack is the right side less the left.  These are theorems for every density, and
H, I, W₂ are those of an actual density (`continuum`): a slack below zero by more than rounding, about 1e-9 of its
terms, says that λ or K is too large for the potential, or that something is broken.  In 2D W₂ is that of the cells,
found to 1e-3.  They are NaN where the cells do not tell the density between their centres (`Reading.resolved`), or W₂
was not found.

A flow with a diffusion D that depends on place is one in another metric, whose distance is not found here: the
inequalities with W₂ are left out there.  Log-Sobolev is of ρ and π alone, and promises e^{−2λD_min t} of H, as
dH/dt = −κ∫Dρ|∇ln(ρ/π)|² ≤ −κD_min I.  On a radius none is taken.

Recorded unasked are the first two where λ is sharp or meant: Hess V ≥ K > 0, or `lambda` in the case, and nothing is
drawn at random: what counts particles has empty cells, and an infinite I.  Elsewhere λ is
a bound by comparison, which seldom says much, and reading the density costs as much as all other numbers: that is on
request.  From these slacks and `kl_gibbs`, κ, λ follow both sides of either inequality.

Where V or κ depend on time, H, I and W₂ are those of the Gibbs state of the moment; λ and K would change with it, a
file holds one of each, and slacks are not recorded.

Reference: Otto, Villani (2000), DOI 10.1006/jfan.1999.3557.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from ...errors import CaseError
from ...grid import Array
from ...transport import distances as transport
from ..registry import NEVER, WITH_GIBBS_ON_AXES, Condition, Setting, State, diagnostic, once_per_state
from .constants import convexity, curvature_bound
from .continuum import Reading, continuum_of


def _has_sobolev(s: Setting) -> bool:
    return s.flow.fills_box and not s.flow.driven and convexity(s.flow).sobolev > 0


def _is_convex(s: Setting) -> bool:
    """Whether λ is sharp or meant, so that it need not be found by comparison: K > 0 is one."""
    if s.traits.random or not s.flow.fills_box or s.flow.driven:
        return False
    given = s.flow.energy.sobolev
    return curvature_bound(s.flow) > 0 if given is None else given > 0


def has_distance(s: Setting) -> bool:
    """Whether the distance to the Gibbs state can be found, and is that of the flow's own metric."""
    return s.flow.fills_box and s.flow.dynamics is None and (s.flow.grid.dim == 1 or s.flow.grid.uniform)


CONVEX = Condition("entropy without interaction, Hess V ≥ K > 0 or `lambda`", _is_convex)
CONVEX_LINE = Condition(
    "the same in 1D without `[dynamics]`", lambda s: s.flow.grid.dim == 1 and _is_convex(s) and has_distance(s)
)
WITH_SOBOLEV = Condition("λ > 0", _has_sobolev)
WITH_BOTH = Condition("λ > 0, no `[dynamics]`: 1D; 2D, equal cells", lambda s: _has_sobolev(s) and has_distance(s))
WITH_DISTANCE = Condition("entropy without interaction or `[dynamics]`: 1D; 2D, equal cells", has_distance)
AT_ALL_TIMES = Condition(
    "entropy without interaction or `[dynamics]`, nothing driven: 1D; 2D, equal cells",
    lambda s: has_distance(s) and not s.flow.driven,
)

OF_THE_DENSITY = frozenset({
    "entropy_gibbs", "fisher_gibbs", "w2_gibbs", "slack_lsi", "slack_talagrand", "slack_hwi", "slack_evi",
})  # fmt: skip
"""Numbers of the density through the cell values."""


def reads_density(names: Collection[str]) -> bool:
    """Whether one of these numbers is of the density through the cell values."""
    return not OF_THE_DENSITY.isdisjoint(names)


@once_per_state
def reading(s: State) -> Reading:
    """H and I relative to the Gibbs state, of the density through the cell values."""
    return continuum_of(s.flow).read(s.rho, s.mass)


@diagnostic("relative entropy to the Gibbs state", applies=NEVER, on_request=WITH_GIBBS_ON_AXES)
def entropy_gibbs(s: State) -> float:
    """H = int rho ln(rho/pi) of the density through the cell values; kl_gibbs up to O(h^2)."""
    return reading(s).entropy if reading(s).resolved else math.nan


@diagnostic("Fisher information relative to the Gibbs state", applies=NEVER, on_request=WITH_GIBBS_ON_AXES)
def fisher_gibbs(s: State) -> float:
    """int rho |grad ln(rho/pi)|^2 of the density through the cell values; dissipation/kappa^2 up to O(h^2); inf in
    vacuum."""
    return reading(s).fisher if reading(s).resolved else math.nan


@diagnostic("Wasserstein distance to the Gibbs state", applies=NEVER, on_request=WITH_DISTANCE)
@once_per_state
def w2_gibbs(s: State) -> float:
    """Wasserstein distance W2 to the Gibbs state of the same mass; NaN where it was not found."""
    return distance_to_gibbs(s, s.rho, s.mass)


@diagnostic("slack of the logarithmic Sobolev inequality", applies=CONVEX, on_request=WITH_SOBOLEV)
def slack_lsi(s: State) -> float:
    """kappa I/(2 lambda) - H >= 0; 0 for a shifted Gaussian in a parabola."""
    return s.flow.internal.kappa * fisher_gibbs(s) / (2 * convexity(s.flow).sobolev) - reading(s).entropy


@diagnostic("slack of Talagrand's inequality", applies=CONVEX_LINE, on_request=WITH_BOTH)
def slack_talagrand(s: State) -> float:
    """2 kappa H/lambda - W2^2 >= 0; 0 for a shifted Gaussian in a parabola."""
    return 2 * s.flow.internal.kappa * reading(s).entropy / convexity(s.flow).sobolev - w2_gibbs(s) ** 2


@diagnostic("slack of the HWI inequality", applies=NEVER, on_request=AT_ALL_TIMES)
def slack_hwi(s: State) -> float:
    """W2 kappa sqrt(I) - K W2^2/2 - kappa H >= 0, Hess V >= K; 0 for a shifted Gaussian in a parabola."""
    kappa, w2 = s.flow.internal.kappa, w2_gibbs(s)
    return w2 * kappa * math.sqrt(fisher_gibbs(s)) - 0.5 * convexity(s.flow).bound * w2**2 - kappa * reading(s).entropy


def distance_to_gibbs(s: State, rho: Array, mass: float) -> float:
    """W₂ from the Gibbs state of a density, that of the snapshot or of the one before."""
    if not reading(s).resolved:
        return math.nan
    if s.flow.grid.dim == 1:
        return continuum_of(s.flow).w2(rho, mass)
    try:
        return transport.w2(s.flow.grid, rho, s.flow.gibbs(mass))
    except CaseError:  # no mass: the run goes on
        return math.nan
