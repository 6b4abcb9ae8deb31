"""Verbs that solve: run, resume, check."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.amounts import size_text
from ..base.toml import to_value
from ..runs.progress import StatusLine, status_line
from .arguments import Verbs, case_of, json_of, yes_of
from .picture_verbs import plot_figures
from .printing import print_json, print_record, say

if TYPE_CHECKING:
    from ..cases.limits.cost import Cost
    from ..cases.problems import Problem
    from ..cases.schema import Case
    from ..cases.tables.energy_tables import EnergyTable
    from ..grid import Grid
    from ..runs.runner import Result

_AVERAGES = {"average": "of formulas known to 1e-8 of the mass", "centre": "none: formulas are taken at the centres"}
FACTS = (
    "equation", "energy", "terminal", "convexity", "kT", "barriers", "forbidden", "unit of t", "dynamics", "grid",
    "exits", "memory", "time", "initial", "averages", "solver", "output",
)  # fmt: skip
"""What `check` says, where it has something to say."""
TOLD = 10.0
"""Seconds of a run, at least, that `check` tells."""
THREADS = "Environment: WGFPDE_NUM_THREADS=N solves with N threads (default: all cores this process may use)."


def add(verbs: Verbs) -> None:
    run = verbs.add("run", _run, "solve a case and write a run folder", THREADS)
    case_of(run)
    run.add_argument("--out", type=Path, metavar="DIR", help="run folder (default: runs/NAME)")
    run.add_argument("--overwrite", action="store_true", help="replace an existing run folder")
    yes_of(run)
    _march_of(run)
    resume = verbs.add("resume", _resume, "go on with a run that was stopped, from its last checkpoint", THREADS)
    resume.add_argument("path", type=Path, metavar="DIR", help="run folder, or that of a sweep")
    resume.add_argument("--until", type=float, metavar="T", help="a new, later end, also of a run that is finished")
    yes_of(resume)
    _march_of(resume)
    check = verbs.add("check", _check, "validate and build a case without solving it")
    case_of(check)
    json_of(check)


def _march_of(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--wall-limit", type=seconds, metavar="[[HH:]MM:]SS",
        help="stop after this time, with a checkpoint to resume from; exit code 75",
    )  # fmt: skip
    sub.add_argument("--quiet", action="store_true", help="no progress; errors are still shown")
    sub.add_argument("--plot", action="store_true", help="also plot the result")
    json_of(sub)


def seconds(text: str) -> float:
    """A duration, hh:mm:ss, mm:ss or seconds."""
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3 or any(not 0 <= number < float("inf") for number in numbers) or not any(numbers):
        raise argparse.ArgumentTypeError(f"expected a time such as 01:30:00, 15:00 or 90, found {text!r}")
    return sum(number * 60.0**k for k, number in enumerate(reversed(numbers)))


def _run(args: argparse.Namespace) -> int:
    from ..cases.limits.cost import UNCOUNTED, check_asked, cost_of
    from ..cases.limits.memory import check_memory
    from ..cases.loading import load
    from ..runs.runner import run

    case = load(args.case, args.overrides)
    check_memory(case)
    check_asked(case, cost_of(case), args.yes, args.wall_limit is not None)
    most = math.inf if args.yes else UNCOUNTED
    return _marched(args, lambda line: run(case, args.out, args.overwrite, line, args.wall_limit, most_steps=most))


def _resume(args: argparse.Namespace) -> int:
    from ..cases.limits.cost import UNCOUNTED
    from ..runs.runner import resume
    from ..studies.sweep_mark import is_sweep

    if is_sweep(args.path):
        from .study_verbs.sweep_verb import resumed

        return resumed(args)
    folder = args.path.parent if args.path.is_file() else args.path
    most = math.inf if args.yes else UNCOUNTED
    return _marched(args, lambda line: resume(folder, args.until, line, args.wall_limit, most_steps=most))


def _marched(args: argparse.Namespace, march: Callable[[StatusLine], Result]) -> int:
    """March with progress, then say what came of it."""
    with status_line(not args.quiet) as line:
        result = march(line)
    figures = plot_figures(result.folder) if args.plot else []
    summary = _summary(result) | ({"figures": [str(f) for f in figures]} if args.plot else {})
    if args.json:
        print_json(summary)
    elif not args.quiet:
        print_record(summary)
        for figure in figures:
            say(f"  figure      {figure}")
    if result.exit_code != 0:
        say(f"error: {result.message or result.status}", error=True)
    return result.exit_code


def _check(args: argparse.Namespace) -> int:
    from ..cases.limits.cost import asks_too_much, cost_of
    from ..cases.limits.quick_look import look_at
    from ..cases.loading import load

    case = load(args.case, args.overrides)
    cost = cost_of(case)
    look = look_at(case, lambda problem: _case_facts(case, problem, cost), cost.of_formulas.seconds)
    facts = look.found | {"look": look.how}
    if look.note:
        facts |= {"averages": "not computed here", "averaging": {}, "notes": [look.note, *facts["notes"]]}
    if trouble := asks_too_much(cost):
        facts["notes"].append(trouble)
    if args.json:
        print_json(facts)
        return 0
    say(f"{facts['title']}  ({case.path})")
    for name in FACTS:
        if facts.get(name):
            say(f"  {name:<10}  {facts[name]}")
    for note in facts["notes"]:
        say(f"  {'note':<10}  {note}")
    return 0


def _case_facts(case: Case, problem: Problem, cost: Cost) -> dict[str, Any]:
    from ..cases.building import build_grid
    from ..cases.limits.cost import known_steps
    from ..cases.limits.memory import bytes_stored, memory_needed
    from ..cases.sources.free_energies import table_note, told
    from ..diagnostics.certificates import sentence
    from ..grid.grid import grid_text

    solver, times, grid = case.solver, problem.times, build_grid(case)
    keys, count = solver.model_dump(exclude_none=True), cost.steps
    steps = "" if math.isnan(count) else f"; about {count:.6g} steps"
    stored = bytes_stored(problem, case.cells, known_steps(case))
    rho = problem.initial.rho
    stretched = [] if all(axis.uniform for axis in grid.axes) else ["stretched"]
    stretched += [f"radius in {grid.radial}D"] if grid.radial > 1 else []
    dynamics = problem.flow.dynamics
    resolution = problem.resolution_notes if problem.flow.grid.size == case.cells else []  # else of another grid
    return {
        "title": case.title,
        "equation": problem.equation + (" (exact solution given)" if problem.exact is not None else ""),
        "energy": _terms(case.energy),
        "terminal": "" if case.terminal is None else _terms(case.terminal),
        "convexity": sentence(problem.flow),
        "dynamics": "" if dynamics is None else dynamics.sentence(problem.flow.internal),
        "grid": ", ".join([grid_text([a.edges for a in grid.axes]), *_boundaries(grid), *stretched]),
        "exits": ", ".join(problem.flow.exits),
        "notes": [*_exit_notes(problem), *problem.method_notes, *filter(None, [table_note(problem.flow)]), *resolution],
        "cells": case.cells,
        "memory": f"about {size_text(memory_needed(case))}, and {size_text(stored)} on disk",
        "time": cost.sentence if cost.seconds > TOLD else "",
        "seconds": cost.seconds,
        "initial": f"{case.initial.source}; mass {problem.flow.mass(rho):.6g}, from {rho.min():.4g} to {rho.max():.4g}",
        "averages": problem.averaging_note or _AVERAGES[problem.sampling],
        "averaging": dict(problem.averaging),
        **told(problem.flow),
        "solver": ", ".join(f"{key} = {value}" for key, value in keys.items()) + steps,
        "output": f"{len(times)} snapshots from t = {times[0]:g} to {times[-1]:g}",
        "times": times.tolist(),
    }


def _terms(energy: EnergyTable) -> str:
    """The parts of an energy, in a line."""
    apart = {"V": " = ", "W": " = "}
    return ";  ".join(f"{key}{apart.get(key, ': ')}{text}" for key, text in energy.terms.items())


def _boundaries(grid: Grid) -> list[str]:
    """What the ends of the axes are; by the names of the walls where those of an axis differ."""
    if all(axis.boundary.lower == axis.boundary.upper for axis in grid.axes):
        return [str(axis.boundary) for axis in grid.axes]
    found = []
    for axis in grid.axes:
        lower, upper = (to_value(wall.in_case).strip('"') for wall in (axis.boundary.lower, axis.boundary.upper))
        alike = axis.boundary.lower == axis.boundary.upper
        found += [f"{axis.name} {lower}"] if alike else [f"{axis.name}_lower {lower}", f"{axis.name}_upper {upper}"]
    return found


def _exit_notes(problem: Problem) -> list[str]:
    """What changes where mass may leave: sentences."""
    flow, notes = problem.flow, [problem.loss_note] if problem.loss_note else []
    if not flow.exits:
        return []
    notes.append(
        "promised are the account, mass + exits = mass at the start, to 1e-12, and ρ ≥ 0"
        + ("." if flow.lets_in else "; the survival never rises" + (", nor does ∫ρ²/π." if flow.is_linear else "."))
    )
    notes.append(
        "the energy law, inequalities and rates of decay are those of a mass that stays: they are not judged, and the "
        "Gibbs state is not compared with. Means and variances are of what is left."
    )
    if flow.grid.dim == 2 and flow.lets_in:
        notes.append(
            "in 2D sweeps bring a state that carries a current to rest up to dt², up to a power 1/2 to 1 of dt where "
            "walls meet that give other densities to their corner; exactly only where nothing flows. wgfpde stationary "
            "has it directly."
        )
    if flow.grid.dim == 2 and (flow.lets_in or flow.inside is not None):
        notes.append(
            "in 2D exit_rate_NAME is that of the density after the last sweep: at region sinks, and at corners of "
            "walls with other densities, it may be far from what a step lets go: differences of exit_NAME are not."
        )
    if flow.grid.dim == 2 and flow.inside is not None:
        notes.append(
            "sweeps along the axes are of order 1/2 to 1 in time at region sinks in 2D, the account, the sign and the "
            "steady state stay exact; shorten dt to see it. wgfpde exits is direct and keeps order 2."
        )
    return notes


def _summary(result: Result) -> dict[str, Any]:
    """The record of a finished run, from its file, with what only the result knows."""
    from ..output.promises import record_of
    from ..store import read

    return record_of(read(result.folder)) | {
        "status": result.status, "message": result.message, "steps": result.steps,
        "wall_seconds": result.wall_seconds, "exit_code": result.exit_code,
    }  # fmt: skip
