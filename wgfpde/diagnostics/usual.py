"""The numbers of every run: mass, energies, moments, errors, distances."""

from __future__ import annotations

import numpy as np

from ..energy import fluxes
from ..errors import CaseError
from ..transport import distances as transport
from .registry import (
    ALWAYS,
    EQUAL_CELLS_2D,
    IN_THE_PLANE,
    NEVER,
    WITH_EXACT,
    WITH_FEATURES,
    WITH_GIBBS,
    State,
    diagnostic,
)
from .relative_entropy import relative_entropy_density


@diagnostic("mass")
def mass(s: State) -> float:
    """Total mass, the integral of rho; conserved, but for what leaves by exits."""
    return s.mass


@diagnostic("energy")
def energy(s: State) -> float:
    """Energy E = int U(rho) + int V rho + 1/2 iint W rho rho (and the loss of features); gradient flows lower it."""
    return float(sum(s.parts))


@diagnostic("internal energy")
def energy_internal(s: State) -> float:
    """Internal energy, int U(rho)."""
    return s.parts[0]


@diagnostic("potential energy")
def energy_potential(s: State) -> float:
    """Potential energy, int V rho."""
    return s.parts[1]


@diagnostic("interaction energy")
def energy_interaction(s: State) -> float:
    """Interaction energy, 1/2 iint W(x-y) rho(x) rho(y)."""
    return s.parts[2]


@diagnostic("energy of features", applies=WITH_FEATURES)
def energy_features(s: State) -> float:
    """Loss of the features, 1/2 sum_j w_j (int phi_j rho - b_j)^2."""
    return s.parts[3]


@diagnostic("largest residual of the features", applies=WITH_FEATURES)
def feature_residual(s: State) -> float:
    """Largest |int phi_j rho - b_j|: how far the network is from its data at worst."""
    assert s.flow.features is not None
    return float(np.max(np.abs(s.flow.features.residuals(s.rho))))


@diagnostic("dissipation")
def dissipation(s: State) -> float:
    """Rate of energy loss of the semi-discrete flow, int D rho |grad xi|^2; inf where entropy meets vacuum."""
    return fluxes.dissipation(s.flow, s.rho)


@diagnostic("Fisher-Rao rate of energy loss", applies=NEVER, on_request=ALWAYS)
def fisher_rao_rate(s: State) -> float:
    """Rate of energy loss by reaction at rate 1, int rho (xi - <xi>)^2 with <xi> = int rho xi / mass; balanced."""
    return _reaction(s, balanced=True)


@diagnostic("unbalanced Fisher-Rao rate of energy loss", applies=NEVER, on_request=ALWAYS)
def unbalanced_rate(s: State) -> float:
    """Rate of energy loss by reaction at rate 1 where the mass is free, int rho xi^2."""
    return _reaction(s, balanced=False)


def _reaction(s: State, balanced: bool) -> float:
    """∫ρ(ξ − ⟨ξ⟩)², or ∫ρξ²; an empty cell takes no part."""
    held = s.rho > 0
    with np.errstate(divide="ignore"):
        xi = np.where(held, s.flow.variation(s.rho), 0.0)
    level = s.flow.integral(s.rho * xi) / s.mass if balanced and s.mass else 0.0
    return s.flow.integral(s.rho * np.where(held, xi - level, 0.0) ** 2)


@diagnostic("smallest density")
def min_(s: State) -> float:
    """Smallest cell average of rho; never negative."""
    return float(s.rho.min())


@diagnostic("largest density")
def max_(s: State) -> float:
    """Largest cell average of rho."""
    return float(s.rho.max())


@diagnostic("mean x")
def mean_x(s: State) -> float:
    """Centre of mass in x; on a periodic axis, of the box as drawn; on a radius the mean distance from the origin."""
    return s.means[0]


@diagnostic("mean y", applies=IN_THE_PLANE)
def mean_y(s: State) -> float:
    """Centre of mass in y; on a periodic axis, of the box as drawn."""
    return s.means[1]


@diagnostic("variance in x")
def variance_x(s: State) -> float:
    """Variance of x under rho/mass."""
    return s.variance(0)


@diagnostic("variance in y", applies=IN_THE_PLANE)
def variance_y(s: State) -> float:
    """Variance of y under rho/mass."""
    return s.variance(1)


@diagnostic("covariance of x and y", applies=IN_THE_PLANE)
def covariance_xy(s: State) -> float:
    """Covariance of x and y under rho/mass."""
    return s.covariance


@diagnostic("second moment")
def second_moment(s: State) -> float:
    """int |x|^2 rho, about the origin and not divided by the mass."""
    axes = s.flow.grid.axes
    return float(sum(np.sum(axis.centers**2 * mass) for axis, mass in zip(axes, s.marginals, strict=True)))


@diagnostic("entropy")
def entropy(s: State) -> float:
    """int rho ln rho, with 0 ln 0 = 0; lower is more spread out."""
    return s.flow.integral(s.rho * s.log_rho)


@diagnostic("Kullback-Leibler divergence", applies=WITH_GIBBS)
def kl_gibbs(s: State) -> float:
    """Kullback-Leibler divergence to the Gibbs state pi of the same mass, int rho ln(rho/pi) - rho + pi."""
    pi = s.mass * s.flow.unit_gibbs[0]
    log_pi = s.flow.unit_gibbs[1] + np.log(s.mass)
    return s.flow.integral(relative_entropy_density(s.rho, s.log_rho, pi, log_pi))


@diagnostic("L1 error", applies=WITH_EXACT)
def error_l1(s: State) -> float:
    """int |rho - exact|."""
    return s.flow.integral(s.error)


@diagnostic("L2 error", applies=WITH_EXACT)
def error_l2(s: State) -> float:
    """Square root of int (rho - exact)^2."""
    return float(np.sqrt(s.flow.integral(s.error**2)))


@diagnostic("largest error", applies=WITH_EXACT)
def error_linf(s: State) -> float:
    """Largest |rho - exact| over the cells."""
    return float(s.error.max())


@diagnostic("Wasserstein distance to the previous snapshot", applies=NEVER, on_request=EQUAL_CELLS_2D)
def w2_previous(s: State) -> float:
    """Wasserstein distance W2 between this snapshot and the one before, 0 at the start; NaN where it was not found."""
    if s.previous is None:
        return 0.0
    try:
        return transport.w2(s.flow.grid, s.previous, s.rho)
    except CaseError:  # no mass: the run goes on
        return np.nan
