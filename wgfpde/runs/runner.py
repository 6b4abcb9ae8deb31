"""Run a case into a run folder, go on with a run that was stopped, or march without a file.

Whatever stops a run — the end, a steady state, a step that cannot be solved, a signal, the limit of wall-clock time —
the last good state is written, a checkpoint beside it, and the file says how the run ended and how to go on.
"""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import __version__, store
from ..base.floating_point import noted
from ..cases.building import build
from ..cases.limits.cost import known_steps, steps_of
from ..cases.limits.memory import bytes_stored
from ..cases.problems import Problem
from ..cases.schema import Case
from ..cases.sources.python_code import keeping, recorded
from ..diagnostics import as_before
from ..energy.snapshot import Snapshot, begun
from ..errors import CaseError, SolverError, StoreError, WgfpdeError
from ..store import FILE_NAME, Writer
from ..store.checkpoint import Checkpoint
from ..store.layout import Layout
from ..store.recorder import Both, Recorder
from . import folder
from .description import attributes_of, digest_of, texts_of
from .interrupts import Interrupted, Interrupts
from .listening import Listener, ListenerFailed
from .progress import Progress
from .provenance import continued
from .step_checks import check_step, unresolved
from .taking_up import check_data, extended, latest, stored_case
from .time_loop import March

Shows = Callable[[Progress], None] | None


@dataclass(frozen=True)
class Result:
    """How a run ended.

    status : "finished", "failed" or "interrupted".   exit_code : 0, 1, 75 (a limit), 130 (143 for SIGTERM).
    wall_seconds : of the march, without what compiling the kernels took.   error : what the function of the caller
    raised that ended it, else None.   verdict : "stationary", "blow-up" or "".
    """

    folder: Path
    status: str
    message: str
    exit_code: int
    wall_seconds: float
    steps: int
    error: Exception | None = None
    verdict: str = ""


def run(
    case: Case,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Shows = None,
    wall_limit: float | None = None,
    on_snapshot: Listener | None = None,
    most_steps: float = math.inf,
    beside: Recorder | None = None,
) -> Result:
    """Run a case into a folder (default runs/<case name>) and say how it ended.

    overwrite : replace the run that the folder holds.   progress : called at most ten times a second; from
    another thread, with a note, where compiling the kernels or a single step takes long.
    wall_limit : seconds from now after which the run stops, resumable.
    on_snapshot : called with each Snapshot that was written, its arrays read-only; what it raises ends the run as an
    interrupt does, and is the `error` of the result.   beside : is given all that the file is given, which a short run
    then writes once, when it has ended.
    most_steps : after which a run stops, resumable, where the case does not say how many it takes.
    A solver failure and an interrupt are results, not exceptions: the last good state is in the file.

    Raises CaseError before anything is written (bad case, folder taken), and StoreError where the folder
    cannot be written.
    """
    place = Path(out) if out is not None else Path("runs") / case.name
    folder.check(place, overwrite)
    with Interrupts(wall_limit) as interrupts:
        check_data(case)
        case, recording = recorded(case)
        problem = build(case)
        limit_steps(interrupts, case, most_steps)
        folder.check_room(place, bytes_stored(problem, steps=known_steps(case)))
        with folder.fresh(place, texts_of(problem), overwrite) as log:
            digest, attributes = digest_of(case, problem), attributes_of(case, problem)
            problem = keeping(problem, recording)
            return _march(place, problem, digest, attributes, log, progress, interrupts, None, on_snapshot, beside)


def resume(
    path: str | os.PathLike[str],
    until: float | None = None,
    progress: Shows = None,
    wall_limit: float | None = None,
    case: Case | None = None,
    on_snapshot: Listener | None = None,
    most_steps: float = math.inf,
) -> Result:
    """Go on with a run from its last checkpoint; the file becomes that of a run never stopped, bit for bit.

    path : the run folder.   until : a new, later end.   case : of a run that was put together in Python,
    where its file does not hold the functions.
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
        case = case or stored_case(place, known)
        case = case if until is None else extended(case, until)
        check_data(case)
        case, recording = recorded(case)
        problem = build(case)
        limit_steps(interrupts, case, most_steps)
        if known is not None:
            problem = replace(problem, diagnostics=as_before(problem.diagnostics, known.diagnostics))
        digest = digest_of(case, problem)
        start = latest(place, known, digest, problem)
        folder.write_texts(place, texts_of(problem))
        attributes = attributes_of(case, problem)
        problem = keeping(problem, recording)
        if known is not None:
            attributes |= continued(known.attributes, attributes)
        if known is not None and (lost := len(known) - (start.rows if start else 0)) > 1:
            since = f"t = {start.snapshot.t:.6g}" if start else "the start, for want of a checkpoint"
            note = f"going on from {since}; {lost} snapshots written after that are computed again."
            log(note)
            if progress is not None:
                at = float(problem.times[0])
                progress(Progress(at, at, float(problem.times[-1]), 0, 0.0, 0.0, note, warning=True))
        return _march(place, problem, digest, attributes, log, progress, interrupts, start, on_snapshot)


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
    progress: Shows,
    interrupts: Interrupts,
    start: Checkpoint | None = None,
    on_snapshot: Listener | None = None,
    beside: Recorder | None = None,
) -> Result:
    """March into the file of a folder, from a checkpoint or from the beginning."""
    where = f"from t = {start.snapshot.t:.6g}" if start else "from the start"
    log(f"wgfpde {__version__}, process {os.getpid()}, {where}: {problem.record.title} on {problem.flow.grid}")
    for note in problem.notes:
        _tell(note, float(problem.times[0]), problem, log, progress if start is None else None)
    with noted(log), _writer(place, problem, attributes, start, late=beside is not None) as writer:
        both = writer if beside is None else Both(writer, beside)
        loop = March(problem, both, place, digest, log, progress, interrupts, start, on_snapshot)
        status, message, exit_code, error = _outcome(loop, place)
        wall = loop.clock.wall
        writer.annotate(wall_seconds=wall, cpu_seconds=loop.clock.cpu, compile_seconds=loop.compile_seconds)
        if note := unresolved(problem, loop.snapshot, loop.verdict):
            _tell(note, loop.snapshot.t, problem, log, progress)
        writer.annotate(verdict=loop.verdict, resolution=note)
        writer.finish(status, message)
    log(f"{status} after {loop.snapshot.step} steps and {wall:.2f} s: {message}")
    return Result(place, status, message, exit_code, wall, loop.snapshot.step, error, loop.verdict)


def _tell(note: str, t: float, problem: Problem, log: folder.Log, progress: Shows) -> None:
    log(note)
    if progress is not None:
        span = float(problem.times[0]), float(problem.times[-1])
        progress(Progress(t, *span, 0, 0.0, 0.0, f"note: {note}", warning=True))


def _writer(
    place: Path, problem: Problem, attributes: Mapping[str, Any], start: Checkpoint | None, late: bool
) -> Writer:
    path, record = place / FILE_NAME, problem.record
    layout = Layout(
        problem.flow.grid, problem.diagnostics, problem.columns, record.texts, record.precision, record.compression,
        problem.fields, problem.constants, record.code,
    )  # fmt: skip
    if start is not None:
        return Writer.reopen(path, layout, attributes, len(problem.times), start.rows, start.step_rows)
    path.unlink(missing_ok=True)  # of a run that left no checkpoint
    return Writer(path, layout, attributes, len(problem.times), late=late)


def _outcome(loop: March, place: Path) -> tuple[str, str, int, Exception | None]:
    """(status, message, exit code, error of a listener) of a march; the last good state is written in every case."""
    try:
        return "finished", loop.go(), 0, None
    except StoreError as error:
        raise StoreError(f"{error} Then go on with: {_resuming(place)}") from error
    except (KeyboardInterrupt, ListenerFailed) as error:
        raised = error.cause if isinstance(error, ListenerFailed) else None
        request = error if isinstance(error, Interrupted) else Interrupted()
        if raised is not None:
            request = Interrupted(f"on_snapshot ({error})", 1)
        text = f"stopped by {request.cause} at t = {loop.snapshot.t:.6g}; that state was written."
        remedy = _secure(loop) or f"Go on with: {_resuming(place)} {request.lifted}".rstrip()
        return "interrupted", f"{text} {remedy}", request.exit_code, raised
    except SolverError as error:
        with suppress(WgfpdeError):
            _secure(loop)
        text = f"at t = {loop.snapshot.t:.6g}: {str(error).rstrip('.')}."
        if loop.written:
            text += " The state at that time was written."
        return "failed", text, error.exit_code, None
    except Exception:
        with suppress(WgfpdeError):
            _secure(loop)
        raise


def limit_steps(interrupts: Interrupts, case: Case, most: float) -> None:
    """So many steps may be taken, from here on, of a case that does not say how many it takes."""
    if math.isnan(steps_of(case)):
        interrupts.limit_steps(most)


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
