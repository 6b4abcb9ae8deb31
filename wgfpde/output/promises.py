"""What a run promised and what it kept: a stored run → plain values → lines of text.  Prints nothing.

    |M(t) − M(0)| ≤ ε M(0),      min ρ ≥ 0,      E(tₖ₊₁) ≤ E(tₖ) + ε'

Judged on the snapshots; ε and ε' are what rounding leaves.  Of JKO steps also

    gap ≤ tolerance,   W-residual ≤ tolerance,   E(tₖ₊₁) + Σ ½W₂²/τ ≤ E(tₖ) + ε' + Σ (primal − dual)/τ

summed over the steps between two snapshots: staying at ρⁿ has the value τE(ρⁿ), and what is a minimiser up to
primal − dual cannot lie higher by more.  An extrapolated step is no minimiser: only its energy is judged, without
slack.  Along a geodesic the energy is not judged.  Where `congestion` bounds the density, the energy of a denser state
is infinite: a start above the bound is left out, and the density of all others is judged.
"""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np

from ..grid.grid import grid_text
from ..store import Run
from .inequalities import balance, inequalities_of, sentences

LEAST = "min density"
MEANING = {
    "mass drift": "the largest change of the mass since the start, relative",
    LEAST: "the smallest cell average of all snapshots",
    "energy rise": "the largest rise of the energy between two snapshots; rounding and the steps' gaps are allowed",
    "E+T/τ rise": "the same with the cost ½W₂²/τ of the steps added: each step minimises the sum of both",
    "max density": "the largest cell average, where the case bounds it",
    "duality gap": "the largest relative primal–dual gap of a step: how far it is from its minimum at most",
    "W residual": "the largest relative residual of a step in the potential W∗ρ",
}
"""What each promise is about, in one line."""
MASS_BOUND = 1e-12
"""Relative mass drift over a run, for every energy: sweeps give lines their mass back, JKO steps move it by fluxes."""
CONGESTION_MARGIN = 1e-9
"""How far, relative, a density may exceed the bound of `congestion`."""


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
        "grid": grid_text(run.edges),
        "snapshots": len(run),
        "t_first": float(run.t[0]) if len(run) else None,
        "t_last": float(run.t[-1]) if len(run) else None,
        "t_end": tomllib.loads(run.resolved_toml).get("time", {}).get("end"),
        "steps": len(run.steps["t"]),
        "wall_seconds": run.attributes.get("wall_seconds"),
        "compile_seconds": run.attributes.get("compile_seconds"),
        "diagnostics": {n: {k: float(x) for k, x in d.items()} for n, d in diagnostics.items()},
        "promises": promises_of(run) if len(run) else [],
        "certificates": inequalities_of(run),
        "balance": balance(run),
    }


def promises_of(run: Run) -> list[dict[str, Any]]:
    """What the snapshots (at least one) and the steps show of each promise, and the bound on it.

    A list of {name, meaning, measured, sign, bound, kept}: measured ≤ bound, or ≥ where the sign says so.
    """
    method = run.attributes.get("method")
    found = [_mass(run), _positivity(run)]
    if method == "fv":
        return [*found, _energy(run, 0, 0.0)]
    solver = tomllib.loads(run.resolved_toml).get("solver", {})  # none where Python code put the run together
    if method == "jko":
        first = _first_feasible(run, solver)
        minimisers = solver.get("scheme", "jko") == "jko"
        slack = _slack(run) if minimisers else 0.0
        found.append(_energy(run, first, slack))
        if minimisers:
            found.append(_dissipation(run, first, slack))
        if "congestion" in solver and first < len(run):
            bound = solver["congestion"] * (1 + CONGESTION_MARGIN)
            found.append(_promise("max density", np.max(run.diagnostics["max"][first:]), bound))
    if "tolerance" not in solver:
        return found
    if len(gap := run.steps["gap"]):
        found.append(_promise("duality gap", np.max(gap), solver["tolerance"]))
    if np.any(np.isfinite(drive := run.steps.get("drive_residual", np.empty(0)))):
        found.append(_promise("W residual", np.max(drive), solver["tolerance"]))
    return found


def _promise(name: str, measured: float, bound: float) -> dict[str, Any]:
    """measured ≤ bound; for a smallest density the other way round.  Not a number is never kept."""
    sign, kept = ("≥", measured >= bound) if name == LEAST else ("≤", measured <= bound)
    return {
        "name": name, "meaning": MEANING[name], "measured": float(measured), "sign": sign, "bound": float(bound),
        "kept": bool(kept),
    }  # fmt: skip


def _mass(run: Run) -> dict[str, Any]:
    mass = run.diagnostics["mass"]
    return _promise("mass drift", np.max(np.abs(mass - mass[0])) / mass[0], MASS_BOUND)


def _positivity(run: Run) -> dict[str, Any]:
    return _promise(LEAST, np.min(run.diagnostics["min"]), 0.0)


def _energy(run: Run, first: int, slack: Any) -> dict[str, Any]:
    """The largest rise beyond its slack, as a rise.   first : the snapshot to start from."""
    return _worst("energy rise", np.diff(run.diagnostics["energy"]), slack, run, first)


def _dissipation(run: Run, first: int, slack: Any) -> dict[str, Any]:
    steps = run.steps
    spent = _between(run, steps["transport"] / steps["dt"])
    return _worst("E+T/τ rise", np.diff(run.diagnostics["energy"]) + spent, slack, run, first)


def _worst(name: str, rises: Any, slack: Any, run: Run, first: int) -> dict[str, Any]:
    """The rise that exceeds its slack most, or comes closest to it."""
    energy = run.diagnostics["energy"]
    rounding = 1e-12 * (np.max(np.abs(energy)) + run.diagnostics["mass"][0])
    rises, slack = rises[first:], np.broadcast_to(slack, np.shape(rises))[first:]
    if not len(rises):
        return _promise(name, 0.0, rounding)
    k = int(np.argmax(rises - slack))
    return _promise(name, rises[k], rounding + slack[k])


def _slack(run: Run) -> Any:
    """What the steps between two snapshots may have missed of their minima, as energy.

    The potential W∗ρ of a step is frozen up to the relative residual of its outer iteration, which changes values by
    that part of their size.
    """
    steps = run.steps
    parts = [np.max(np.abs(run.diagnostics[f"energy_{name}"])) for name in ("internal", "potential", "interaction")]
    frozen = np.nan_to_num(steps["drive_residual"]) * (sum(parts) + steps["transport"] / steps["dt"])
    return _between(run, np.maximum(steps["primal"] - steps["dual"], 0.0) / steps["dt"] + frozen)


def _between(run: Run, values: Any) -> Any:
    """Sums over the steps between each two snapshots."""
    place = np.searchsorted(run.t[1:], run.steps["t"], side="left")
    return np.bincount(place, weights=values, minlength=len(run))[: len(run) - 1]


def _first_feasible(run: Run, solver: dict[str, Any]) -> int:
    """The first snapshot to judge: the second where the start is denser than the bound."""
    bound = solver.get("congestion", np.inf)
    return int(run.diagnostics["max"][0] > bound * (1 + CONGESTION_MARGIN))


# ---- in words ----------------------------------------------------------------------------------------------


def verdicts(record: dict[str, Any]) -> list[str]:
    """A line per promise, on the inequalities, and on the errors against the exact solution, where there are any."""
    lines = []
    for promise in record["promises"]:
        verdict = "kept" if promise["kept"] else "BROKEN"
        bound = f"{promise['sign']} {promise['bound']:.2g}"
        lines.append(f"{promise['name']:<12}{promise['measured']:.3g}  ({verdict}: {bound})")
    lines += sentences(record["certificates"])
    errors = {n: d for n, d in record["diagnostics"].items() if n.startswith("error_")}
    if errors:
        texts = [f"{name.removeprefix('error_')} {d['last']:.3g}" for name, d in errors.items()]
        lines.append(f"vs exact    {', '.join(texts)} at the end")
    return lines
