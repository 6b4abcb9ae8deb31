"""What a run folder says of the run that is to go on: its case, with a later end, and the checkpoint to go on from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from .. import store
from ..cases.loading import kept, override, stored
from ..cases.problems import Problem
from ..cases.schema import Case
from ..energy.snapshot import misfit
from ..errors import CaseError
from ..store.checkpoint import Checkpoint, checkpoints
from .provenance import check_unchanged


def stored_case(place: Path, known: store.Run | None) -> Case:
    """The case of a run folder, also of one that was killed before its file was there."""
    return override(kept(place) if known is None else stored(known), {})


def extended(case: Case, until: float) -> Case:
    if case.traits.path:
        raise CaseError(f"a {case.solver.method} is solved as a whole: there is nothing after its end to go on to.")
    if not until > case.time.end:
        raise CaseError(f"--until {until:g} must lie after the end of the run, t = {case.time.end:g}.")
    known = case.model_dump(mode="json", exclude_none=True)  # defaults that follow from the end stay as they were
    kept = {table: known[table] for table in ("solver", "output")}
    return override(case, kept | {"time": {"end": float(until)}}, "resume --until")


def latest(place: Path, known: store.Run | None, digest: str, problem: Problem) -> Checkpoint | None:
    """The last checkpoint that can be read, fits the problem, and that the file has all rows for; None for none."""
    if known is None:
        return None
    for found in checkpoints(place):
        if found.digest != digest:
            raise CaseError(
                f"{place}: the checkpoint at t = {found.snapshot.t:.6g} is of another case; give the one that was run, "
                "or start again with: wgfpde run CASE --overwrite"
            )
        rows = found.rows <= len(known) and found.step_rows <= len(known.steps["t"])
        if rows and _fits(found, problem):
            return replace(
                found, wall=_spent(known, "wall_seconds", found.wall), cpu=_spent(known, "cpu_seconds", found.cpu)
            )
    return None


def _spent(known: store.Run, name: str, least: float) -> float:
    """Seconds of all parts so far: the file knows what it took to end the last one, too, where that came to its end."""
    found = known.number(name)
    return max(least, found) if np.isfinite(found) else least


def _fits(found: Checkpoint, problem: Problem) -> bool:
    """Whether a checkpoint can be one of this problem: one that was changed may be whole, and of the same digest."""
    now, shape, initial = found.snapshot, problem.flow.grid.shape, problem.initial.fields
    same = all(now.fields[name].shape == np.shape(values) for name, values in initial.items() if name in now.fields)
    before = found.previous is None or (found.previous.shape == shape and found.previous.dtype == now.rho.dtype)
    within = problem.times[0] <= now.t <= problem.times[-1] and found.previous_t <= now.t
    return not misfit(now.fields, shape, problem.fields) and same and before and within and np.isfinite(now.rho).all()


def check_data(case: Case) -> None:
    """Raises CaseError where a case read from a run names data files that have changed since."""
    run = None if case._draft is None else case._draft.run
    if run is not None:
        check_unchanged(run.data_files, run.path)
