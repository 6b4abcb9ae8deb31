"""Stationary states and diagrams as plain values, for JSON, and as HDF5 files that xarray opens.

kind "stationary states"     one row per state, the lowest energy first
    state x (y)  energy measure eigenvalue rates stable unstable counted constant residual parts  rho mode
kind "bifurcation diagram"   one row per point, branch after branch, each in the order of the parameter
    point x (y)  parameter branch energy measure eigenvalue stable rho
    critical     critical_value critical_branch critical_measure critical_energy critical_eigenvalue
    equal        equal_value equal_branch equal_other equal_measure equal_other_measure equal_energy
    end          end_value end_branch end_side end_kind end_meets end_measure end_energy
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import __version__
from ...cases.schema import Case
from ...diagnostics import REGISTRY
from ...energy.currents import cell_currents
from ...energy.flow import Flow
from ...store import Study, Variable, coordinates_of, dims_of, study_of
from .family import Branch, Diagram, measured
from .mean_field import Steady

STATES, DIAGRAM = "stationary states", "bifurcation diagram"
KINDS = (STATES, DIAGRAM)
CARRIED = {
    "current": ("current", "Mass per time through every face, in 2D through a line across each axis, under a force."),
    "velocity": ("mean velocity", "Current times length over mass, under a force."),
    "diffusivity": ("effective diffusivity", "Half the growth per time of the (co)variance of the way, under a force."),
    "entropy_production": ("entropy production", "Current times the force once around, over kappa."),
}
"""Numbers of a state under a force, in 2D by axis, with what the file says of them."""
AXES = ("axis", "axis_2")
"""Dimensions of what is by axis, x first."""


def state_record(flow: Flow, state: Steady, measures: Sequence[str]) -> dict[str, Any]:
    """One state as plain values, without its density."""
    found = state.stability
    return {
        "energy": state.energy,
        "measures": {name: measured(flow, state.rho, name) for name in measures},
        "eigenvalue": state.eigenvalue,
        "verdict": state.verdict,
        "rates": [] if found is None else found.rates.tolist(),
        "unstable_directions": 0 if found is None else found.unstable,
        "unstable_directions_counted": found is not None and found.counted,
        "translations": [] if found is None else list(found.translations),
        "constant": state.constant,
        "residual": state.residual,
        "iterations": state.iterations,
        "support_parts": state.parts,
        "notes": list(state.told),
        **{name: _plain(getattr(state.transport, name, None)) for name in CARRIED},
        "flux": dict(state.flux),
    }


def _plain(value: Any) -> Any:
    """Numbers and lists."""
    return value.tolist() if isinstance(value, np.ndarray) else value


def states_record(case: Case, flow: Flow, mass: float, states: Sequence[Steady], measures: Sequence[str]) -> Any:
    """What a search found, without the densities; the lowest found comes first."""
    rows = [state_record(flow, state, measures) for state in states]
    return {"title": case.title, "mass": mass, "cells": list(case.grid.shape), "states": rows}


def diagram_record(case: Case, diagram: Diagram) -> Any:
    """A diagram as plain values, without the densities."""
    return {
        "title": case.title,
        "key": diagram.key,
        "measure": diagram.measure,
        "branches": [_branch_record(branch) for branch in diagram.branches],
        "critical": [vars(one) for one in diagram.critical],
        "equal_energies": [vars(one) for one in diagram.equal],
        "ends": [vars(one) for one in diagram.ends],
        "notes": diagram.notes,
    }


def _branch_record(branch: Branch) -> dict[str, Any]:
    line = branch.line
    return {
        "branch": branch.number,
        "parameter": [point.parameter for point in line],
        "energy": [point.state.energy for point in line],
        "measure": [point.measure for point in line],
        "eigenvalue": [point.state.eigenvalue for point in line],
        "verdict": [point.state.verdict for point in line],
    }


def states_study(case: Case, flow: Flow, states: Sequence[Steady], measure: str) -> Study:
    """What a search found as a study."""
    count = max(len(state.stability.rates) if state.stability is not None else 0 for state in states)
    rates = np.full((len(states), count), np.nan)
    for k, state in enumerate(states):
        if state.stability is not None:
            rates[k, : len(state.stability.rates)] = state.stability.rates
    modes = np.array([np.zeros(flow.grid.shape) if state.mode is None else state.mode for state in states])
    row = ("state",)
    variables = [
        Variable("state", row, np.arange(len(states)), "1", "state", "By energy, the lowest found first."),
        *coordinates_of(flow.grid),
        *_common(row, states, [measured(flow, state.rho, measure) for state in states], measure),
        Variable("rates", ("state", "rate"), rates, "1", "largest growth rates", "Translations left out; NaN: none."),
        Variable("unstable", row, [0 if s.stability is None else s.stability.unstable for s in states], "1",
                 "unstable directions", "Negative eigenvalues of the second variation of E."),
        Variable("counted", row, [s.stability is not None and s.stability.counted for s in states], "1",
                 "all counted", "Whether `unstable` counts all of them; otherwise there are at least so many."),
        Variable("constant", row, [state.constant for state in states], "1", "constant of xi", "xi on the support."),
        Variable("residual", row, [state.residual for state in states], "1", "residual", "L1 norm of rho - T(rho)."),
        Variable("parts", row, [state.parts for state in states], "1", "parts of the support", "Connected parts."),
        *(
            Variable(f"flux_{name}", row, [s.flux[name] for s in states], "1", f"flux by {name}", "Mass per time, out.")
            for name in flow.exits
        ),
        Variable("rho", (*row, *dims_of(flow.grid)), np.array([s.rho for s in states]), "1", "density", "Averages."),
        Variable("mode", (*row, *dims_of(flow.grid)), modes, "1", "leading mode", "Perturbation; int |mode| = 1."),
    ]  # fmt: skip
    if any(state.transport is not None for state in states):
        variables += _carried(flow, states)
    notes = [f"state {k}: {note}" for k, state in enumerate(states) for note in state.told]
    return _study(STATES, case, variables, {"measure": measure, "notes": "\n".join(notes)})


def _carried(flow: Flow, states: Sequence[Steady]) -> list[Variable]:
    """The numbers of states under a force; in 2D the current at the cells too, the mean of both faces."""
    found = []
    for name, (label, text) in CARRIED.items():
        values = np.array([getattr(state.transport, name) for state in states])
        found.append(Variable(name, ("state", *AXES)[: values.ndim], values, "1", label, text))
    if flow.grid.dim == 1:
        return found
    each = zip(flow.grid.axes, zip(*(cell_currents(flow, state.rho) for state in states), strict=True), strict=True)
    return [
        *found,
        Variable(AXES[0], AXES[:1], [axis.name for axis in flow.grid.axes], "1", "axis", "Of the numbers by axis."),
        *(
            Variable(f"current_{axis.name}", ("state", *dims_of(flow.grid)), np.array(values), "1",
                     f"current along {axis.name}", "At the cells, mass/(time length), mean of both faces.")
            for axis, values in each
        ),
    ]  # fmt: skip


def diagram_study(case: Case, diagram: Diagram) -> Study:
    """A diagram as a study."""
    points = [(branch.number, point) for branch in diagram.branches for point in branch.line]
    states = [point.state for _, point in points]
    row = ("point",)
    variables = [
        Variable("point", row, np.arange(len(points)), "1", "point", "Branch after branch."),
        *coordinates_of(diagram.grid),
        Variable("parameter", row, [point.parameter for _, point in points], "1", diagram.key, "What is varied."),
        Variable("branch", row, [number for number, _ in points], "1", "branch", "States that continue each other."),
        *_common(row, states, [point.measure for _, point in points], diagram.measure),
        Variable("rho", (*row, *dims_of(diagram.grid)), np.array([s.rho for s in states]), "1", "density", "Averages."),
    ]
    variables += [*_criticals(diagram), *_equal(diagram), *_ends(diagram)]
    notes = "\n".join(diagram.notes)
    return _study(DIAGRAM, case, variables, {"measure": diagram.measure, "key": diagram.key, "notes": notes})


def _criticals(diagram: Diagram) -> list[Variable]:
    row, ends = ("critical",), diagram.critical
    if not ends:
        return []
    return [
        Variable("critical", row, np.arange(len(ends)), "1", "critical value", "Number of the critical value."),
        Variable("critical_value", row, [one.parameter for one in ends], "1", diagram.key, "Where a rate is 0."),
        Variable("critical_branch", row, [one.branch for one in ends], "1", "branch", "Whose rate it is."),
        Variable("critical_measure", row, [one.measure for one in ends], "1", diagram.measure, "There."),
        Variable("critical_energy", row, [one.energy for one in ends], "1", "energy", "There."),
        Variable("critical_eigenvalue", row, [one.eigenvalue for one in ends], "1", "rate", "What is left of it."),
    ]


def _equal(diagram: Diagram) -> list[Variable]:
    row, same = ("equal",), diagram.equal
    if not same:
        return []
    return [
        Variable("equal", row, np.arange(len(same)), "1", "equal energies", "Of two branches of stable states."),
        Variable("equal_value", row, [one.parameter for one in same], "1", diagram.key, "Where they are equal."),
        Variable("equal_branch", row, [one.branch for one in same], "1", "branch", "One of the two."),
        Variable("equal_other", row, [one.other for one in same], "1", "branch", "The other."),
        Variable("equal_measure", row, [one.measure for one in same], "1", diagram.measure, "Of the one."),
        Variable("equal_other_measure", row, [one.other_measure for one in same], "1", diagram.measure, "Of it."),
        Variable("equal_energy", row, [one.energy for one in same], "1", "energy", "Of both."),
    ]


def _ends(diagram: Diagram) -> list[Variable]:
    row, ends = ("end",), diagram.ends
    if not ends:
        return []
    return [
        Variable("end", row, np.arange(len(ends)), "1", "end", "Ends of branches between two values."),
        Variable("end_value", row, [one.parameter for one in ends], "1", diagram.key, "Where a branch ends."),
        Variable("end_branch", row, [one.branch for one in ends], "1", "branch", "Which ends."),
        Variable("end_side", row, [one.side for one in ends], "1", "side", "1: ends as the value rises; -1: begins."),
        Variable("end_kind", row, [one.kind for one in ends], "1", "kind", "fold, pitchfork or end (not known)."),
        Variable("end_meets", row, [one.meets for one in ends], "1", "branch", "That goes on, or of the fold; -1."),
        Variable("end_measure", row, [one.measure for one in ends], "1", diagram.measure, "Of the state there."),
        Variable("end_energy", row, [one.energy for one in ends], "1", "energy", "Of the state there."),
    ]


def _common(row: tuple[str, ...], states: Sequence[Steady], measures: Sequence[float], name: str) -> list[Variable]:
    """What states of both kinds of files have."""
    stable = np.array([bool(state.stable) for state in states])
    known = REGISTRY[name]
    return [
        Variable("energy", row, [state.energy for state in states], "1", "energy", "E of the state."),
        Variable("measure", row, list(measures), known.units, known.long_name, f"{name}: {known.description}"),
        Variable("eigenvalue", row, [state.eigenvalue for state in states], "1", "leading growth rate",
                 "Of small perturbations under the finite-volume flow, translations left out."),
        Variable("stable", row, stable, "1", "stable", "Whether every growth rate is negative."),
    ]  # fmt: skip


def _study(kind: str, case: Case, variables: list[Variable], more: dict[str, Any]) -> Study:
    return study_of(kind, variables, {"title": case.title, "source": f"wgfpde {__version__}", **more}, case.texts)
