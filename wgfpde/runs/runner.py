"""Run a case into a run folder, go on with a run that was stopped, or march without a file.

Whatever stops a run — the end, a steady state, a step that cannot be solved, a signal, the limit of wall-clock time —
the last good state is written, a checkpoint beside it, and the file says how the run ended and how to go on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, store
from ..cases.building import Problem, build, bytes_stored
from ..cases.limits.cost import known_steps
from ..cases.loading import kept, override, stored
from ..cases.schema import Case
from ..diagnostics import as_before
from ..diagnostics.certificates import convexity
from ..energy.driving.in_time import frozen
from ..energy.snapshot import Snapshot, begun, misfit
from ..errors import CaseError, SolverError, StoreError, WgfpdeError
from ..store import FILE_NAME, Writer
from ..store.checkpoint import Checkpoint, checkpoints
from . import folder
from .interrupts import Interrupted, Interrupts
from .provenance import check_unchanged, continued, provenance_of
from .time_loop import March, Progress, check_step

__all__ = ["Progress", "Result", "march", "resume", "run"]

Listener = Callable[[Progress], None] | None


@dataclass(frozen=True)
class Result:
    """How a run ended.

    status : "finished", "failed" or "interrupted".   exit_code : 0, 1, 75 (wall limit), 130 (143 for SIGTERM).
    wall_seconds : of the march, without what compiling the kernels took.
    """

    folder: Path
    status: str
    message: str
    exit_code: int
    wall_seconds: float
    steps: int


def run(
    case: Case,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Listener = None,
    wall_limit: float | None = None,
) -> Result:
    """Run a case into a folder (default runs/<case name>) and say how it ended.

    overwrite : replace the run that the folder holds.   progress : called at most ten times a second; from
    another thread, with a note, where compiling the kernels or a single step takes long.
    wall_limit : seconds from now after which the run stops, resumable.
    A solver failure and an interrupt are results, not exceptions: the last good state is in the file.

    Raises CaseError before anything is written (bad case, folder taken), and StoreError where the folder
    cannot be written.
    """
    place = Path(out) if out is not None else Path("runs") / case.name
    folder.check(place, overwrite)
    with Interrupts(wall_limit) as interrupts:
        _check_data(case)
        problem = build(case)
        folder.check_room(place, bytes_stored(problem, steps=known_steps(case)))
        with folder.fresh(place, _texts(problem), overwrite) as log:
            return _march(place, problem, _digest(case, problem), _attributes(case, problem), log, progress, interrupts)


def resume(
    path: str | os.PathLike[str],
    until: float | None = None,
    progress: Listener = None,
    wall_limit: float | None = None,
    case: Case | None = None,
) -> Result:
    """Go on with a run from its last checkpoint; the file becomes that of a run never stopped, bit for bit.

    path : the run folder.   until : a new, later end.   case : only for a run that was put together in Python.
    A run without a checkpoint starts again; one that is finished stays as it is.  Otherwise as `run`.  With `until`,
    the old end stays in the file as the output time that it was; a JKO step may differ from that of a longer run in its
    last bit, since equal steps fill the span.

    Raises CaseError where there is no run, it is being written, its data files have changed, it ended in a blow-up, its
    checkpoints are of another case, or `until` lies before its end; StoreError where it cannot be read or written.
    """
    place = Path(path)
    with folder.taken_up(place) as log, Interrupts(wall_limit) as interrupts:
        known = store.read(place) if (place / FILE_NAME).is_file() else None
        if known is not None and known.attributes.get("verdict") == "blow-up":
            again = f"wgfpde run {shlex.quote(str(place / FILE_NAME))} --set solver.blow_up=ignore --out DIR"
            raise CaseError(
                f"{place}: {known.message.partition(':')[0]}, and a run does not go on from there. To march on into "
                f"what the grid decides, start again: {again}"
            )
        if known is not None and known.status == "finished" and until is None:
            text = f"finished already: {known.message} To go further: {_resuming(place)} --until T"
            wall = known.number("wall_seconds", 0.0)
            return Result(place, "finished", text, 0, wall, len(known.steps["t"]))
        case = case or _stored_case(place, known)
        case = case if until is None else _extended(case, until)
        _check_data(case)
        problem = build(case)
        if known is not None:
            problem = replace(problem, diagnostics=as_before(problem.diagnostics, known.diagnostics))
        digest = _digest(case, problem)
        start = _latest(place, known, digest, problem)
        folder.write_texts(place, _texts(problem))
        attributes = _attributes(case, problem)
        if known is not None:
            attributes |= continued(known.attributes, attributes)
        if known is not None and (lost := len(known) - (start.rows if start else 0)) > 1:
            since = f"t = {start.snapshot.t:.6g}" if start else "the start, for want of a checkpoint"
            note = f"going on from {since}; {lost} snapshots written after that are computed again."
            log(note)
            if progress is not None:
                at = float(problem.times[0])
                progress(Progress(at, at, float(problem.times[-1]), 0, 0.0, 0.0, note, warning=True))
        return _march(place, problem, digest, attributes, log, progress, interrupts, start)


def march(problem: Problem) -> Iterator[Snapshot]:
    """The start and the state after every step, to the last output time, with nothing on disk.

    Raises SolverError where a step cannot be solved.
    """
    snapshot = begun(problem.stepper, problem.initial)
    yield snapshot
    for t_out in problem.times[1:]:
        while snapshot.t < t_out:
            stop = problem.next_stop(snapshot.t, float(t_out))
            previous, snapshot = snapshot, problem.stepper.step(snapshot, stop)
            check_step(problem, snapshot, previous, stop)
            yield snapshot


def _march(
    place: Path,
    problem: Problem,
    digest: str,
    attributes: Mapping[str, Any],
    log: folder.Log,
    progress: Listener,
    interrupts: Interrupts,
    start: Checkpoint | None = None,
) -> Result:
    """March into the file of a folder, from a checkpoint or from the beginning."""
    where = f"from t = {start.snapshot.t:.6g}" if start else "from the start"
    log(f"wgfpde {__version__}, process {os.getpid()}, {where}: {problem.record.title} on {problem.flow.grid}")
    for note in problem.notes:
        log(note)
        if progress is not None and start is None:
            at = float(problem.times[0])
            progress(Progress(at, at, float(problem.times[-1]), 0, 0.0, 0.0, f"note: {note}", warning=True))
    with _writer(place, problem, attributes, start) as writer:
        loop = March(problem, writer, place, digest, log, progress, interrupts, start)
        status, message, exit_code = _outcome(loop, place)
        wall = loop.clock.wall
        writer.annotate(wall_seconds=wall, cpu_seconds=loop.clock.cpu, compile_seconds=loop.compile_seconds)
        writer.annotate(verdict=loop.verdict)
        writer.finish(status, message)
    log(f"{status} after {loop.snapshot.step} steps and {wall:.2f} s: {message}")
    return Result(place, status, message, exit_code, wall, loop.snapshot.step)


def _writer(place: Path, problem: Problem, attributes: Mapping[str, Any], start: Checkpoint | None) -> Writer:
    record = problem.record
    layout: dict[str, Any] = {
        "grid": problem.flow.grid, "attributes": attributes, "diagnostics": problem.diagnostics,
        "snapshots": len(problem.times), "texts": record.texts, "columns": problem.columns, "fields": problem.fields,
        "precision": record.precision, "compression": record.compression, "constants": problem.constants,
    }  # fmt: skip
    if start is not None:
        return Writer.reopen(place / FILE_NAME, rows=start.rows, step_rows=start.step_rows, **layout)
    (place / FILE_NAME).unlink(missing_ok=True)  # of a run that left no checkpoint
    return Writer(place / FILE_NAME, **layout)


def _outcome(loop: March, place: Path) -> tuple[str, str, int]:
    """(status, message, exit code) of a march; the last good state is written in every case."""
    try:
        return "finished", loop.go(), 0
    except StoreError as error:
        raise StoreError(f"{error} Then go on with: {_resuming(place)}") from error
    except KeyboardInterrupt as error:
        request = error if isinstance(error, Interrupted) else Interrupted()
        text = f"stopped by {request.cause} at t = {loop.snapshot.t:.6g}; that state was written."
        remedy = _secure(loop) or f"Go on with: {_resuming(place)}"
        return "interrupted", f"{text} {remedy}", request.exit_code
    except SolverError as error:
        with suppress(WgfpdeError):
            _secure(loop)
        text = f"at t = {loop.snapshot.t:.6g}: {str(error).rstrip('.')}."
        if loop.written:
            text += " The state at that time was written."
        return "failed", text, error.exit_code
    except Exception:
        with suppress(WgfpdeError):
            _secure(loop)
        raise


def _resuming(place: Path) -> str:
    return f"wgfpde resume {shlex.quote(str(place))}"


def _secure(loop: March) -> str:
    """Checkpoint and write the last good state; what to do where there is no room for the checkpoint, else ""."""
    trouble = ""
    try:
        loop.checkpoint()
    except StoreError as error:
        trouble = f"But {error} Until then the run can go on from its checkpoint before."
    loop.write()
    return trouble


# ---- what a folder says ----------------------------------------------------------------------------------


def _stored_case(place: Path, known: store.Run | None) -> Case:
    """The case of a run folder, also of one that was killed before its file was there."""
    return override(kept(place) if known is None else stored(known), {})


def _extended(case: Case, until: float) -> Case:
    if case.traits.path:
        raise CaseError(f"a {case.solver.method} is solved as a whole: there is nothing after its end to go on to.")
    if not until > case.time.end:
        raise CaseError(f"--until {until:g} must lie after the end of the run, t = {case.time.end:g}.")
    known = case.model_dump(mode="json", exclude_none=True)  # defaults that follow from the end stay as they were
    kept = {table: known[table] for table in ("solver", "output")}
    return override(case, kept | {"time": {"end": float(until)}}, "resume --until")


def _latest(place: Path, known: store.Run | None, digest: str, problem: Problem) -> Checkpoint | None:
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
            return found
    return None


def _fits(found: Checkpoint, problem: Problem) -> bool:
    """Whether a checkpoint can be one of this problem: one that was changed may be whole, and of the same digest."""
    now, shape, initial = found.snapshot, problem.flow.grid.shape, problem.initial.fields
    same = all(now.fields[name].shape == np.shape(values) for name, values in initial.items() if name in now.fields)
    before = found.previous is None or (found.previous.shape == shape and found.previous.dtype == now.rho.dtype)
    within = problem.times[0] <= now.t <= problem.times[-1] and found.previous_t <= now.t
    return not misfit(now.fields, shape, problem.fields) and same and before and within and np.isfinite(now.rho).all()


def _check_data(case: Case) -> None:
    """Raises CaseError where a case read from a run names data files that have changed since."""
    run = None if case._draft is None else case._draft.run
    if run is not None:
        check_unchanged(run.data_files, run.path)


def _attributes(case: Case, problem: Problem) -> dict[str, Any]:
    record = problem.record
    known = {} if case._draft.run is None else case._draft.run.data_files
    return {
        "title": record.title,
        "equation": problem.equation,
        "method": record.method,
        "sampling": problem.sampling,
        "averaging_error": max(problem.averaging.values(), default=0.0),
        "verdict": "",
        **problem.attributes,
        **_constants(problem),
        **_drive(problem),
        **provenance_of(case.path.resolve().parent, record.files, known, record.in_code, _seed(case)),
    }


def _seed(case: Case) -> str:
    """What the random numbers of a run start from."""
    return str(getattr(case.solver, "seed", "not kept")) if case.traits.random else "none: this method draws nothing"


def _constants(problem: Problem) -> dict[str, Any]:
    """Those of the inequalities that the run records."""
    flow = problem.flow
    if not flow.fills_box or flow.driven:
        return {}
    found = convexity(flow)
    least = {} if flow.mobility is None else {"diffusion_least": min(float(d.min()) for d in flow.mobility)}
    return least | {
        "kappa": flow.internal.kappa,
        "convexity": found.bound, "convexity_source": found.bound_source,
        "sobolev": found.sobolev, "sobolev_source": found.sobolev_source,
    }  # fmt: skip


def _drive(problem: Problem) -> dict[str, Any]:
    """What depends on time, and whether a force drives the flow."""
    flow = problem.flow
    if not flow.driven and flow.push is None:
        return {}
    found = {"driven": ", ".join(sorted(flow.driven)), "force": int(flow.push is not None)}
    return found | ({"kappa": flow.internal.kappa} if flow.internal.law.linear_diffusion else {})


def _texts(problem: Problem) -> dict[str, str]:
    """The texts beside the file."""
    return {f"{name}.toml": problem.record.texts.get(f"{name}_toml", "") for name in ("case", "resolved")}


def _digest(case: Case, problem: Problem) -> str:
    """What a checkpoint is of: the case without what changes no step before its end, and functions by their values."""
    late = set() if case.traits.path else {"end"}
    known = case.model_dump(mode="json", exclude_defaults=True, exclude={"title": True, "output": True, "time": late})
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
    if problem.record.in_code:
        energy, grid, dynamics = case._code.energy, problem.flow.grid, case._code.dynamics
        digest.update(problem.initial.rho.tobytes())
        with np.errstate(all="ignore"):
            moving = () if dynamics is None else dynamics.diffusion
            features = () if energy.features is None else energy.features.functions
            if energy.features is not None:
                digest.update(np.array([energy.features.targets, energy.features.weights]).tobytes())
            for t in (float(problem.times[0]), 0.5) if problem.flow.driven else (0.0,):
                now = energy.at(t)
                functions = now.potential, now.interaction, now.force, *features
                for function in (*functions, *(frozen(f, t) for f in moving)):
                    digest.update(b"" if function is None else grid.sample(function).tobytes())
            if energy.driven or energy.tilted:
                digest.update(repr((energy.at(float(problem.times[0])).internal, energy.tilt)).encode())
    return digest.hexdigest()
