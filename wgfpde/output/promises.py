"""What a run promised and what it kept: a stored run → plain values → lines of text.  Prints nothing.

    |M(t) − M(0)| ≤ ε M(0),      min ρ ≥ 0,      E(tₖ₊₁) ≤ E(tₖ) + ε'

Where V, W or κ depend on time, or a force drives the density, E(tₖ₊₁) ≤ E(tₖ) + work + ε' in place of the last, and

    |E(t) − E(0) − (work − heat)| ≤ ε      the first law,      ⟨e^{−work/κ}⟩ = Z(t)/Z(0)  where it is recorded
Where mass may leave by exits, in place of the first and the last

    |M + Σ exits − M(0)| ≤ ε M(0),      M(tₖ₊₁) ≤ M(tₖ),      ∫ρ²/π never up (entropy without interaction)

Judged on the snapshots; ε and ε' are what rounding leaves.  The first where the method keeps mass, by its traits, the
last where it lowers the energy, unless its record says more about that in promises of its own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..energy.snapshot import Traits
from ..grid.grid import grid_text
from ..grid.quadrature import TOLD
from ..methods.bounds_on_runs import bounded, energy_rise, first_law, jarzynski_defect
from ..store import Run
from .inequalities import balance, inequalities_of, sentences
from .shown_values import QUIETLY
from .stored_method import exits_of_run, record_of_method, solver_of, traits_of

LEAST = "min density"
NAMES = 12
"""Width of the column of names."""
ROUNDING = 1e-12
"""What rounding may leave of a number that never rises."""
MASS_BOUND = 1e-12
"""Relative mass drift over a run, for every energy: sweeps give lines their mass back, JKO steps move it by fluxes."""


@QUIETLY
def record_of(run: Run) -> dict[str, Any]:
    """A run as plain values: what it solved, how far it came, its diagnostics and its promises."""
    diagnostics = {
        name: {"first": v[0], "last": v[-1], "min": np.fmin.reduce(v), "max": np.fmax.reduce(v)}
        for name, v in run.diagnostics.items()
        if len(v)
    }
    return {
        "file": str(run.path),
        "title": run.title,
        "equation": str(run.attributes.get("equation", "")),
        "method": str(run.attributes.get("method", "")),
        "status": run.status,
        "verdict": str(run.attributes.get("verdict", "")),
        "message": run.message,
        "resolution": str(run.attributes.get("resolution", "")),
        "averaging_error": _known(run, "averaging_error"),
        "grid": grid_text(run.edges),
        "snapshots": len(run),
        "t_first": float(run.t[0]) if len(run) else None,
        "t_last": float(run.t[-1]) if len(run) else None,
        "t_end": tomllib.loads(run.resolved_toml).get("time", {}).get("end"),
        "steps": len(run.steps["t"]),
        "wall_seconds": _known(run, "wall_seconds"),
        "compile_seconds": _known(run, "compile_seconds"),
        "diagnostics": {n: {k: float(x) for k, x in d.items()} for n, d in diagnostics.items()},
        "promises": promises_of(run) if len(run) else [],
        "certificates": inequalities_of(run),
        "balance": balance(run),
    }


def _known(run: Run, name: str) -> float | None:
    return run.number(name) if name in run.attributes else None


@QUIETLY
def promises_of(run: Run) -> list[dict[str, Any]]:
    """What the snapshots (at least one) and the steps show of each promise, and the bound on it.

    A list of {name, meaning, measured, sign, bound, kept}: measured ≤ bound, or ≥ where the sign says so.  Of a method
    that this version does not know, only mass and sign are judged.
    """
    solver, traits = solver_of(run), traits_of(run) or Traits(lowers_energy=False)
    method = record_of_method(run)
    found = [_mass(run)] if traits.keeps_mass else []
    if exits := exits_of_run(run):
        found = _account(run, exits)
    found.append(_positivity(run))
    if method is not None and method.promises is not None:
        found += method.promises(run, solver)
    elif traits.lowers_energy:
        found.append(energy_rise(run))
    if {"work", "heat"} <= set(run.diagnostics):
        found += [first_law(run), *jarzynski_defect(run)]
    return found


@QUIETLY
def seen_in_densities(
    run: Run, promises: list[dict[str, Any]], progress: Callable[[int, int], None] | None = None
) -> list[dict[str, Any]]:
    """The promises, that of ρ ≥ 0 judged by the densities as they are stored, too; they are read one by one.

    The columns tell what the run saw; a file that was damaged since may hold anything.
    progress : called with the snapshots read and their number.
    """
    least = np.inf
    for k in range(len(run)):
        if progress is not None:
            progress(k, len(run))
        rho = run.rho[k]
        least = np.minimum(least, np.min(rho) if np.all(np.isfinite(rho)) else np.nan)  # NaN stays
    return [
        _least(np.minimum(found["measured"], least)) if found["name"] == LEAST else found for found in promises
    ]  # fmt: skip


def _mass(run: Run) -> dict[str, Any]:
    mass = run.diagnostics["mass"]
    meaning = "the largest change of the mass since the start, relative"
    return bounded("mass drift", meaning, np.max(np.abs(mass - mass[0])) / mass[0], MASS_BOUND)


def _account(run: Run, exits: Sequence[str]) -> list[dict[str, Any]]:
    """Where mass may leave: S + exits = 1 and S never up; for a linear flow ∫ρ²/π never up, of which the logarithm is
    kept.

    The bound is relative to what there was at the start and to all that came in.
    """
    d = run.diagnostics
    if any(f"exit_{name}" not in d for name in exits):
        return []
    gone = [d[f"exit_{name}"] for name in exits]
    start = d["mass"][0] + sum(part[0] for part in gone)
    passed = start + (float(d["came_in"][-1]) if "came_in" in d else 0.0)
    meaning = "the largest |mass + Σ exits − mass at the start|, relative to that and all that came in"
    account = np.max(np.abs(d["mass"] + sum(gone) - start)) / passed if passed > 0 else 0.0
    found = [bounded("mass account", meaning, account, MASS_BOUND)]
    if "survival" in d:
        meaning = "the largest rise of the mass that is left between two snapshots, relative to that at the start"
        found.append(bounded("survival rise", meaning, _rise(d["survival"]), ROUNDING))
    if "log_square_gibbs" in d:
        meaning = "the largest rise of ln ∫ρ²/π between two snapshots: what is left shrinks in that norm"
        found.append(bounded("ρ²/π rise", meaning, _rise(d["log_square_gibbs"]), ROUNDING))
    return found


def _rise(values: Any) -> float:
    """The largest rise from one value to the next; −inf, from which nothing rises, at the end."""
    with np.errstate(invalid="ignore"):
        rises = np.diff(values)
    rises = np.where(np.isneginf(values[1:]), 0.0, rises)
    return float(np.max(rises, initial=0.0))


def _positivity(run: Run) -> dict[str, Any]:
    return _least(np.min(run.diagnostics["min"]))


def _least(least: float) -> dict[str, Any]:
    """A smallest density is bounded from below; not a number is never kept."""
    found = bounded(LEAST, "the smallest cell average of all snapshots", least, 0.0)
    return found | {"sign": "≥", "kept": bool(least >= 0.0)}


# ---- in words ----------------------------------------------------------------------------------------------


def measured_text(promise: Mapping[str, Any], number: Callable[[float], str] = "{:.3g}".format) -> str:
    """What was measured: a number, but of a rise that is none how far what may not rise falls at least."""
    value = promise["measured"]
    if promise["name"].endswith("rise") and value < 0:
        return f"none: it falls, by {number(-value)} or more"
    return number(value)


def verdicts(record: dict[str, Any]) -> list[str]:
    """A line per promise, on the inequalities, and on the errors against the exact solution, where there are any."""
    lines = []
    for promise in record["promises"]:
        verdict = "kept" if promise["kept"] else "BROKEN"
        bound = f"{promise['sign']} {promise['bound']:.2g}"
        gap = " " if len(promise["name"]) >= NAMES else ""
        lines.append(f"{promise['name']:<{NAMES}}{gap}{measured_text(promise)}  ({verdict}: {bound})")
    if (record.get("averaging_error") or 0.0) > TOLD:
        lines.append(f"averages    of the formulas known to {record['averaging_error']:.1g} of their mass")
    lines += sentences(record["certificates"])
    errors = {n: d for n, d in record["diagnostics"].items() if n.startswith("error_")}
    if errors:
        texts = [f"{name.removeprefix('error_')} {d['last']:.3g}" for name, d in errors.items()]
        lines.append(f"vs exact    {', '.join(texts)} at the end")
    return lines
