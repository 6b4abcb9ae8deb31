"""What a study found as plain values, for JSON, and as an HDF5 file that xarray opens, one row for each run.

run                      1, 2, …: from the coarsest to the finest
grid_shape, solver_dt …  the keys that are varied (numbers, or texts), size, h
error_l1, order_l1 …     NaN where there is none; order: between a run and the one before it
energy …                 the diagnostics that are measured, with error_energy and order_energy
steps, wall_seconds, status, folder
@against @t @size_key @fitted_l1 @fitted_last_l1 @limit_energy @limit_error_energy …
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ...base.toml import to_value
from ...cases.schema import Case
from ...errors import StoreError
from ...store import Study, Variable, check_place, save_study, study_of
from .result import Convergence
from .solved_runs import folder_of

FILE_NAME, KIND = "converge.h5", "convergence"
NAMES = {"l1": "L1 error", "l2": "L2 error", "linf": "Linf error", "w2": "Wasserstein error"}


def record(found: Convergence) -> dict[str, Any]:
    """Everything as plain values."""
    rows = [
        {
            "values": {v.key: v.values[k] for v in found.varied},
            "size": found.sizes[k],
            "h": found.h[k],
            "steps": solved.steps,
            "wall_seconds": solved.seconds,
            "errors": {name: errors[k] for name, errors in found.errors.items()},
            "orders": {name: orders[k] for name, orders in found.orders.items()},
            "measures": {name: values[k] for name, values in found.values.items()},
            "folder": None if found.folder is None else str(solved.folder),
            "reused": solved.reused,
            "failure": solved.failure or None,
        }
        for k, solved in enumerate(found.solved)
    ]
    limits = {
        name: None if limit is None else {"value": limit.value, "order": limit.order, "error": limit.error}
        for name, limit in found.limits.items()
    }
    return {
        "title": found.case.title, "against": found.against, "t": found.t, "size_key": found.size_key, "runs": rows,
        "fitted": found.fitted, "fitted_last_three": found.fitted_last, "limits": limits, "notes": list(found.notes),
    }  # fmt: skip


def place_of(case: Case, out: Path | None = None) -> Path:
    """The file of a study, converge.h5 beside its runs.   out : their folder.   Raises StoreError for another file."""
    file = folder_of(case, out) / FILE_NAME
    check_place(file, KIND)
    return file


def write(found: Convergence, path: Path | None = None) -> Path:
    """Write the HDF5 file (default: converge.h5 beside the runs), over an older one; returns its path.

    Raises StoreError where it cannot be written, for another file there, and without a path where no runs are kept.
    """
    if path is None and found.folder is None:
        raise StoreError("the runs of this study were not kept, so there is no folder for its file; give a path.")
    return save_study(path or place_of(found.case, found.folder), convergence_study(found), KIND)


def convergence_study(found: Convergence) -> Study:
    """What a study found as one row for each run."""
    attributes: dict[str, Any] = {
        "title": found.case.title, "against": found.against, "t": found.t, "size_key": found.size_key,
        "notes": "\n".join(found.notes), "source": f"wgfpde {__version__}",
    }  # fmt: skip
    for name in found.errors:
        attributes[f"fitted_{name}"] = found.fitted[name]
        attributes[f"fitted_last_{name}"] = found.fitted_last[name]
    for name, limit in found.limits.items():
        attributes[f"limit_{name}"] = math.nan if limit is None else limit.value
        attributes[f"limit_error_{name}"] = math.nan if limit is None else limit.error
    texts = {"case_toml": found.case.text, "resolved_toml": found.case.resolved_toml()}
    return study_of(KIND, _variables(found), attributes, texts)


def _variables(found: Convergence) -> list[Variable]:
    def row(name: str, values: Any, long_name: str, description: str = "") -> Variable:
        return Variable(name, ("run",), values, long_name=long_name, description=description)

    made = [row("run", np.arange(1, len(found.solved) + 1), "number of the run, from the coarsest to the finest")]
    for v in found.varied:
        numbers = all(not isinstance(value, list) or len(value) == 1 for value in v.values) and np.all(
            np.isfinite(v.numbers)
        )
        values = v.numbers if numbers else [value if isinstance(value, str) else to_value(value) for value in v.values]
        made.append(row(v.key.replace(".", "_"), values, v.key, "What was varied."))
    made += [
        row("size", found.sizes, "size over which orders are fitted", f"From {found.size_key}."),
        row("h", found.h, "mean cell width along x"),
        row("steps", found.steps, "steps"),
        Variable("wall_seconds", ("run",), found.seconds, "s", "wall time of the march"),
        row("status", ["finished" if s.finished else s.failure for s in found.solved], "how the run ended"),
        row("folder", ["" if found.folder is None else str(s.folder) for s in found.solved], "run folder"),
    ]
    made += [row(name, values, name.replace("_", " ")) for name, values in found.values.items()]
    where = {"exact": "the exact solution", "finest": "the finest run"}[found.against]
    for name, errors in found.errors.items():
        against = "the finest run" if name in found.values else where
        made.append(row(f"error_{name}", errors, NAMES.get(name, f"error of {name}"), f"Against {against}."))
        made.append(row(f"order_{name}", found.orders[name], f"order of {name} from the run before"))
    return made
