"""Numbers of particles themselves, not of the cells that count them: moments, their errors, the distance to Gibbs.

    ⟨X⟩ = (1/n) Σ X_k        standard error of ⟨X⟩ = √(Var X / n),   of R > 1 replicas  √(Var ⟨X⟩_r / R)

Particles that interact, by W or by the kernel of a method (replicas = 0), depend on each other, so that one crowd does
not tell how far its mean is from its expectation: only replicas do.  On a ring moments are those of the box as drawn.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import CaseError, SolverError
from ..grid import Array
from ..transport import distances as transport
from ..transport.pairs import Points
from .registry import Condition, Setting, State, diagnostic, with_field

POSITION, REPLICAS = "position", "replicas"
WITH = with_field(POSITION)
IN_THE_PLANE = Condition("particles in 2D", lambda s: WITH.holds(s) and s.flow.grid.dim == 2)


def _on_a_line(s: Setting) -> bool:
    return WITH.holds(s) and s.flow.has_gibbs and s.flow.grid.dim == 1


def _places(s: State, axis: int) -> Array:
    return np.asarray(s.snapshot.fields[POSITION][:, axis])


def _standard_error(s: State, axis: int) -> float:
    places = _places(s, axis)
    replicas = int(s.snapshot.fields.get(REPLICAS, np.ones(1))[0])
    if replicas > 1:
        return float(np.std(places.reshape(replicas, -1).mean(axis=1), ddof=1)) / math.sqrt(replicas)
    if replicas < 1 or s.flow.interaction is not None or len(places) < 2:
        return math.nan
    return float(np.std(places, ddof=1)) / math.sqrt(len(places))


@diagnostic("mean x of the particles", applies=WITH)
def particle_mean_x(s: State) -> float:
    """Mean of x over the particles; mean_x is that of the cells that count them."""
    return float(np.mean(_places(s, 0)))


@diagnostic("mean y of the particles", applies=IN_THE_PLANE)
def particle_mean_y(s: State) -> float:
    """Mean of y over the particles."""
    return float(np.mean(_places(s, 1)))


@diagnostic("variance in x of the particles", applies=WITH)
def particle_variance_x(s: State) -> float:
    """Mean square distance of x from its mean over the particles of all replicas."""
    return float(np.var(_places(s, 0)))


@diagnostic("variance in y of the particles", applies=IN_THE_PLANE)
def particle_variance_y(s: State) -> float:
    """Mean square distance of y from its mean over the particles of all replicas."""
    return float(np.var(_places(s, 1)))


@diagnostic("standard error of the mean x", applies=WITH)
def standard_error_x(s: State) -> float:
    """Standard error of particle_mean_x, from the replicas where there are several; NaN for one that interacts."""
    return _standard_error(s, 0)


@diagnostic("standard error of the mean y", applies=IN_THE_PLANE)
def standard_error_y(s: State) -> float:
    """Standard error of particle_mean_y, from the replicas where there are several; NaN for one that interacts."""
    return _standard_error(s, 1)


@diagnostic(
    "Wasserstein distance of the particles to the Gibbs state",
    applies=Condition("particles in 1D, entropy without interaction", _on_a_line),
)
def particle_w2_gibbs(s: State) -> float:
    """Wasserstein distance W2 of the particles, as points of equal mass, to the Gibbs state on the cells; n independent
    draws from it have a distance of order n^(-1/2) themselves."""
    try:
        return transport.w2(s.flow.grid, Points(s.snapshot.fields[POSITION]), s.flow.gibbs(s.mass))
    except (CaseError, SolverError):  # no mass: the run goes on
        return math.nan
