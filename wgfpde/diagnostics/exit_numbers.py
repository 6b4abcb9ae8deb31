"""Where mass leaves, or comes in, by open walls and sinks: what is left of it, and what went by each exit.

    mass + Σ exit_NAME = mass at the start,     S = mass / mass at the start,     −d mass/dt = Σ exit_rate_NAME

Means and variances of such a run are those of what is left: divided by the mass there is.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..energy.currents import exit_rates
from ..energy.flow import Flow
from ..energy.openings.account import EXITS, at_start, left
from ..energy.openings.account import came_in as gross
from .registry import OF_A_FLOW, WITH_EXITS, WITH_EXITS_ONLY, Condition, Diagnostic, State, diagnostic, once_per_state

LETTING_IN = Condition("with walls that let mass in", lambda s: s.flow.lets_in)
NEVER_UP = Condition("entropy without interaction; exits, none of which lets mass in", lambda s: _contracts(s.flow))


@diagnostic("survival", applies=WITH_EXITS_ONLY)
def survival(s: State) -> float:
    """Mass that is left over that at the start; never rises."""
    account = s.snapshot.fields.get(EXITS)
    return math.nan if account is None else s.mass / at_start(account)


@diagnostic("mass that came in", applies=LETTING_IN)
def came_in(s: State) -> float:
    """Mass that came in by walls of given density and inflows since the start, gross."""
    account = s.snapshot.fields.get(EXITS)
    return math.nan if account is None else gross(account)


@diagnostic("logarithm of the norm that falls", applies=NEVER_UP)
def log_square_gibbs(s: State) -> float:
    """ln int rho^2/pi, pi the Gibbs state of mass 1: the norm in which what is left shrinks; never rises, -inf at the
    end."""
    with np.errstate(divide="ignore"):
        logs = 2 * np.log(s.rho) - s.flow.unit_gibbs[1] + np.log(s.flow.grid.cell_volume)
    top = float(np.max(logs))
    return top + math.log(float(np.sum(np.exp(logs - top)))) if math.isfinite(top) else top


def _contracts(flow: Flow) -> bool:
    return flow.is_linear and bool(flow.exits) and not flow.lets_in


@once_per_state
def _rates(s: State) -> dict[str, float]:
    return exit_rates(s.flow, s.rho)


def _gone(k: int) -> Callable[[State], float]:
    def value(s: State) -> float:
        account = s.snapshot.fields.get(EXITS)
        return math.nan if account is None else float(left(account)[k])

    return value


def _rate(name: str) -> Callable[[State], float]:
    return lambda s: _rates(s)[name]


def _of_flow(flow: Flow) -> list[Diagnostic]:
    """exit_NAME and exit_rate_NAME of every exit."""
    found = []
    for k, name in enumerate(flow.exits):
        what = "came in, negative, or left" if flow.lets_in else "left"
        found.append(Diagnostic(
            f"exit_{name}", "1", f"mass gone by {name}", f"Mass that {what} by {name} since the start, net.",
            _gone(k), WITH_EXITS, WITH_EXITS,
        ))  # fmt: skip
    for name in flow.exits:
        found.append(Diagnostic(
            f"exit_rate_{name}", "1", f"rate of loss by {name}", f"Mass per time that leaves by {name}, net.",
            _rate(name), WITH_EXITS, WITH_EXITS,
        ))  # fmt: skip
    return found


OF_A_FLOW.append(_of_flow)
