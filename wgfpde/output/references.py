"""What a stored run can be held against: its exact solution and its Gibbs state, rebuilt from the case in its file.

No solver is built and no kernel compiled, so this costs milliseconds.  What is rebuilt must give the numbers that the
run recorded, else it is left out: a picture without a dashed line is better than one with a wrong line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..cases.building import build_flow, build_grid
from ..cases.case_densities import build_exact
from ..cases.energies import energy_of
from ..cases.loading import loads, override, stored
from ..cases.schema import Case
from ..energy.flow import Flow
from ..energy.laws import law_named
from ..errors import CaseError, StoreError
from ..grid import Array, Grid
from ..store import Run

AGREES = 1e-6
"""How far, relatively, a number may lie from the one recorded; densities may be stored in single precision."""
POTENTIAL = "potential"
"""The constant of a file that holds V where it came from a table."""


def potential_of(run: Run) -> Array | None:
    """V at the cell centres, of a snapshot's shape, NaN in forbidden cells; None where there is none or it moves.

    W is not sampled, which may take long.
    """
    if POTENTIAL in run.constants:
        return run.constants[POTENTIAL]
    try:
        case = loads(run.resolved_toml, run.path)
        grid, energy = build_grid(case), energy_of(case)
        if energy.potential is None or "potential" in energy.driven or len(run) == 0:
            return None
        flow = Flow(grid, replace(energy, interaction=None, tilt=(), force=None, features=None))
    except (CaseError, StoreError):
        return None
    if flow.external is None or grid.shape != run.rho.shape[1:]:
        return None
    recorded = run.diagnostics.get("energy_potential", np.full(len(run), np.nan))[-1]
    held = flow.integral(flow.external * run.rho[-1])
    return flow.external if abs(held - recorded) <= AGREES * (1.0 + abs(recorded)) else None


def exact_and_gibbs(run: Run) -> tuple[Callable[[float], Array] | None, Array | None]:
    """(exact, gibbs) of a run: t ↦ the exact density, and the Gibbs state of the run's mass; None where unknown.

    Both have the shape of a snapshot and are sampled like the run's initial data.
    """
    try:
        case = override(stored(run), {})
        grid = build_grid(case)
        if len(run) == 0 or grid.shape != run.rho.shape[1:]:
            return None, None
        return _exact_of(case, grid, run), _gibbs_of(case, grid, run)
    except (CaseError, StoreError):
        return None, None


def _exact_of(case: Case, grid: Grid, run: Run) -> Callable[[float], Array] | None:
    if case._code is not None:
        return None  # a function of time, which the file does not hold
    exact = build_exact(case, grid)
    if exact is None or "error_linf" not in run.diagnostics:
        return None
    error = float(np.abs(run.rho[-1] - exact(float(run.t[-1]))).max())
    return exact if abs(error - run.diagnostics["error_linf"][-1]) <= AGREES * (error + run.rho[-1].max()) else None


def _gibbs_of(case: Case, grid: Grid, run: Run) -> Array | None:
    """None also where the run does not tend to the Gibbs state: along a geodesic, under a bound on ρ, driven."""
    if not (case.traits.tends_to_gibbs or case.traits.near_gibbs):
        return None
    plain = case.energy.interaction is None and case.energy.features is None
    if not (plain and law_named(case.energy.internal.kind).linear_diffusion):
        return None  # before W is sampled, which takes long
    flow = build_flow(case, grid, 1)
    if flow.driven or flow.push is not None:
        return None
    energy, recorded = flow.value(run.rho[-1]), run.diagnostics.get("energy", np.full(len(run), np.nan))[-1]
    if not abs(energy - recorded) <= AGREES * (1.0 + abs(energy)):
        return None
    return flow.gibbs(flow.mass(run.rho[-1]))
