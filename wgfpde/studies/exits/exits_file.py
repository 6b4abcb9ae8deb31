"""What was found about exits as plain values, for JSON, and on disk: a study of the kind "exits"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...energy.flow import Flow
from ...store import Study, Variable, coordinates_of, dims_of, study_of
from .exit_study import Exits

KIND = "exits"
FIELDS = {
    "mean_time": ("time", "mean time to leave", "From each cell; 0 in region sinks, inf where some mass never leaves."),
    "second_moment": ("time^2", "mean square of the time to leave", "From each cell."),
    "start": ("1", "density at the start", "Of mass 1."),
    "occupation": ("time", "occupation", "Integral of rho dt, from the start of mass 1."),
    "quasi_stationary": ("1", "quasi-stationary density", "Of mass 1: what is left at late times, rescaled."),
    "committor": ("1", "committor", "Probability to reach the target before the region --from."),
    "reactive_density": ("1", "density of reactive mass", "In equilibrium of mass 1, on the way from --from to --to."),
    "reactive_current_x": ("1/time", "reactive current along x", "In equilibrium of mass 1, mean of both faces."),
    "reactive_current_y": ("1/time", "reactive current along y", "In equilibrium of mass 1, mean of both faces."),
}  # fmt: skip
"""Cell fields: units, long name, description; beside these exit_NAME."""


def exits_record(found: Exits) -> dict[str, Any]:
    """The numbers, without the fields."""
    record: dict[str, Any] = {
        "mean_time": found.mean_time, "second_moment": found.second_moment,
        "standard_deviation": found.standard_deviation, "exits": dict(found.exits),
        "conditional_times": dict(found.conditional_times), "targets": list(found.targets),
        "committor": found.committor, "rate": found.rate, "rate_spread": found.rate_spread,
        "passage_time": found.passage_time, "quasi_stationary_rate": found.quasi_stationary_rate,
        "quasi_stationary_residual": found.quasi_stationary_residual, "notes": list(found.notes),
    }  # fmt: skip
    if (seen := found.survival) is not None:
        record["times"] = {
            "t": seen.t.tolist(), "survival": seen.survival.tolist(), "first_passage_density": seen.density.tolist(),
            **{f"exit_{name}": values.tolist() for name, values in seen.left.items()},
            **{f"exit_rate_{name}": values.tolist() for name, values in seen.rates.items()},
            "error": seen.error, "order": seen.levels,
        }  # fmt: skip
    return record


def exits_study(flow: Flow, found: Exits, about: Mapping[str, Any], texts: Mapping[str, str]) -> Study:
    """What was found as a study.   about : attributes, such as the title.   texts : case_toml and resolved_toml."""
    space = dims_of(found.grid)
    variables = coordinates_of(found.grid)
    for name, values in found.fields.items():
        units, long_name, description = FIELDS.get(name) or (
            "1", f"probability to leave by {name.removeprefix('exit_')}", "From each cell."
        )  # fmt: skip
        variables.append(Variable(name, space, values, units, long_name, description))
    potential = np.zeros(found.grid.shape) if flow.potential is None else flow.potential
    variables.append(Variable("potential", space, potential, "1", "potential", "V at the cell centres."))
    variables += [*_exits(found), *_survival(found)]
    record = exits_record(found)
    single = {key: value for key, value in record.items() if isinstance(value, float)}
    attributes = {**single, "targets": ", ".join(found.targets), "notes": "\n".join(found.notes), **about}
    return study_of(KIND, variables, attributes, texts)


def _exits(found: Exits) -> list[Variable]:
    row = ("exit",)
    return [
        Variable("exit", row, list(found.exits), "1", "exit", "Names of the exits."),
        Variable("exit_probability", row, list(found.exits.values()), "1", "probability", "To leave there."),
        Variable("exit_time", row, list(found.conditional_times.values()), "time", "conditional mean time",
                 "Mean time of those who leave there."),
    ]  # fmt: skip


def _survival(found: Exits) -> list[Variable]:
    seen = found.survival
    if seen is None:
        return []
    both = ("exit", "t")
    left, rates = (np.array(list(part.values())) for part in (seen.left, seen.rates))
    return [
        Variable("t", ("t",), seen.t, "time", "time", "From the start."),
        Variable("survival", ("t",), seen.survival, "1", "survival", "Share of the start that has not left."),
        Variable("first_passage_density", ("t",), seen.density, "1/time", "first-passage density", "Minus its slope."),
        Variable("left", both, left, "1", "left by exit", "Share that has left there; with survival 1 in all."),
        Variable("exit_rate", both, rates, "1/time", "rate by exit", "First-passage density, exit by exit."),
    ]
