"""Run a case: the only time loop, and the run folder it fills.

    runs/NAME/  case.toml   the case as written          output.h5   snapshots, diagnostics, steps
                resolved.toml  with every default        run.log     what happened, when

Whatever stops a run — the end, a steady state, a step that cannot be solved, Ctrl-C — the last good state is
written, with its diagnostics, and the file says how the run ended.
"""

from __future__ import annotations

import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from . import __version__, diagnostics, fv
from .case import Case, Problem, build
from .errors import CaseError, SolverError, StoreError, WgfpdeError
from .flow import Flow, Snapshot
from .store import FILE_NAME, Writer
from .threads import default_threads

WRITTEN = (FILE_NAME, FILE_NAME + ".part", "case.toml", "resolved.toml", "run.log")
"""What a run writes into its folder, and all that `overwrite` removes."""
PROGRESS_INTERVAL = 0.1
PATIENCE = 2.0
"""Seconds that kernels may compile before the user is told."""
STEP_PATIENCE = 5.0
"""Seconds that a single step may take before the user is told; then again at each double of it."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    t, start, end : times.   step, dt : the last step.   wall : seconds since the first step began.
    note : what keeps it from stepping, or "".
    """

    t: float
    start: float
    end: float
    step: int
    dt: float
    wall: float
    note: str = ""


@dataclass(frozen=True)
class Result:
    """How a run ended.

    status : "finished", "failed" or "interrupted".   exit_code : 0, 1, or 130 (143 for SIGTERM).
    wall_seconds : of the march, without what compiling the kernels took.
    """

    folder: Path
    status: str
    message: str
    exit_code: int
    wall_seconds: float
    steps: int


class Terminated(KeyboardInterrupt):
    """SIGTERM, as an exception."""


def run(
    case: Case,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Run a case into a folder (default runs/<case stem>) and say how it ended.

    overwrite : replace the run that the folder holds.   progress : called at most ten times a second; from
    another thread, with a note, where compiling the kernels or a single step takes long.
    A solver failure and an interrupt are results, not exceptions: the last good state is in the file.

    Raises CaseError before anything is written (bad case, folder taken), and StoreError where the folder
    cannot be written.
    """
    folder = Path(out) if out is not None else Path("runs") / case.path.stem
    _check_folder(folder, overwrite)
    problem = build(case)
    _prepare_folder(folder, case)
    with _Log(folder / "run.log") as log, _terminable():
        log(f"wgfpde {__version__}: {case.title} ({problem.equation}) on {problem.flow.grid}")
        with Writer(
            folder / FILE_NAME,
            problem.flow.grid,
            _attributes(case, problem),
            problem.diagnostics,
            snapshots=len(problem.times),
            texts={"case_toml": case.text, "resolved_toml": case.resolved_toml()},
            columns=problem.columns,
        ) as writer:
            march = _March(problem, writer, log, progress)
            status, message, exit_code = _outcome(march)
            wall = march.clock.wall
            writer.annotate(wall_seconds=wall, cpu_seconds=march.clock.cpu, compile_seconds=march.compile_seconds)
            writer.finish(status, message)
        log(f"{status} after {march.snapshot.step} steps and {wall:.2f} s: {message}")
    return Result(folder, status, message, exit_code, wall, march.snapshot.step)


class _March:
    """The time loop.  `snapshot` is the last good state at every moment."""

    def __init__(
        self,
        problem: Problem,
        writer: Writer,
        log: Callable[[str], None],
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.problem, self.writer, self.log, self.progress = problem, writer, log, progress
        self.snapshot: Snapshot = problem.initial
        self.clock = _Clock()
        self.compile_seconds = np.nan
        self._written: Snapshot | None = None
        self._reported = -np.inf

    def go(self) -> str:
        """March from the first time to the last; returns a sentence on why it stopped."""
        flow, stepper, times = self.problem.flow, self.problem.stepper, self.problem.times
        self._warm_up()
        self.write()
        with self._watched():
            for t_out in times[1:]:
                while self.snapshot.t < t_out:
                    snapshot = stepper.step(self.snapshot, t_out)
                    _check_step(flow, snapshot, self.snapshot)
                    self.snapshot = snapshot
                    self.writer.append_step(snapshot.t, snapshot.dt, snapshot.report)
                    if snapshot.report.note:
                        self.log(f"t = {snapshot.t:.6g}: {snapshot.report.note}")
                    self._tell()
                    if self._is_stationary():
                        self.write()
                        limit = self.problem.stationary
                        return f"stationary at t = {snapshot.t:.6g}: the largest flux is below {limit:g}."
                self.write()
        return f"reached t = {self.snapshot.t:.6g}."

    def _warm_up(self) -> None:
        """Compile the kernels, or load them, before the clock of the march starts; after a while tell the user."""
        note = "compiling the kernels of this kind of energy, once …"
        timer = threading.Timer(PATIENCE, self._tell, kwargs={"now": True, "note": note})
        timer.daemon = True
        timer.start()
        try:
            diagnostics.warm_up(self.problem.flow)  # first: enough to write the start when the user loses patience
            self.problem.stepper.warm_up()
        finally:
            timer.cancel()
            timer.join()  # no call from that thread once the march has begun
            self.compile_seconds = self.clock.wall
            self.clock = _Clock()
        if self.compile_seconds > PATIENCE:
            self.log(f"kernels compiled in {self.compile_seconds:.1f} s")

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Tell, from another thread, of a step that takes long."""
        done = threading.Event()

        def watch() -> None:
            step, since, limit = self.snapshot.step, self.clock.wall, STEP_PATIENCE
            while not done.wait(STEP_PATIENCE / 10):
                wall = self.clock.wall
                if self.snapshot.step != step:
                    step, since, limit = self.snapshot.step, wall, STEP_PATIENCE
                elif wall - since >= limit:
                    limit *= 2
                    self._tell(now=True, note=f"step {step + 1}: {wall - since:.0f} s so far …")

        thread = threading.Thread(target=watch, name="wgfpde-watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def write(self) -> None:
        """Record the state, unless it is in the file already."""
        if self._written is not None and self.snapshot.t <= self._written.t:
            return
        problem, previous = self.problem, None if self._written is None else self._written.rho
        numbers = diagnostics.compute(
            problem.flow, self.snapshot, problem.exact, previous=previous, which=problem.diagnostics
        )
        self.writer.append(self.snapshot, numbers)
        self._written = self.snapshot
        summary = ", ".join(f"{name} = {numbers[name]:.15g}" for name in ("mass", "energy"))
        self.log(f"t = {self.snapshot.t:.6g}, step {self.snapshot.step}: {summary}")
        self._tell(now=True)

    def _is_stationary(self) -> bool:
        tolerance = self.problem.stationary
        return tolerance is not None and fv.max_flux(self.problem.flow, self.snapshot.rho) < tolerance

    def _tell(self, now: bool = False, note: str = "") -> None:
        wall = self.clock.wall
        if self.progress is None or not (now or wall - self._reported >= PROGRESS_INTERVAL):
            return
        self._reported = wall
        start, end = float(self.problem.times[0]), float(self.problem.times[-1])
        self.progress(Progress(self.snapshot.t, start, end, self.snapshot.step, self.snapshot.dt, wall, note))


def _outcome(march: _March) -> tuple[str, str, int]:
    """(status, message, exit code) of a march; the last good state is written in every case."""
    try:
        return "finished", march.go(), 0
    except StoreError:
        raise
    except KeyboardInterrupt as error:
        march.write()
        cause, code = ("SIGTERM", 143) if isinstance(error, Terminated) else ("Ctrl-C", 130)
        text = f"stopped by {cause} at t = {march.snapshot.t:.6g}; that state was written."
        return "interrupted", text, code
    except SolverError as error:
        with suppress(WgfpdeError):
            march.write()
        text = f"at t = {march.snapshot.t:.6g}: {str(error).rstrip('.')}. The state at that time was written."
        return "failed", text, error.exit_code
    except Exception:
        with suppress(WgfpdeError):
            march.write()
        raise


def _check_step(flow: Flow, snapshot: Snapshot, previous: Snapshot) -> None:
    """Refuse a state that is not finite, and a step that did not move: raises SolverError."""
    rho = snapshot.rho
    if not np.isfinite(np.sum(rho)):
        bad = np.argwhere(~np.isfinite(rho))
        where = flow.grid.describe(tuple(int(k) for k in bad[0])) if len(bad) else "every cell, summed up"
        raise SolverError(f"rho is not finite at {where}. Use a smaller step; check potential and initial data.")
    if not snapshot.t > previous.t:
        raise SolverError(
            f"the step from t = {previous.t!r} made no progress: its size has fallen to rounding. "
            "Start closer to t = 0, or take larger steps."
        )


# ---- folder, log, attributes -----------------------------------------------------------------------------


def _check_folder(folder: Path, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise CaseError(f"{folder} is a file; give another folder with --out.")
    if (folder / FILE_NAME).exists() and not overwrite:
        raise CaseError(
            f"{folder} holds a run already; choose another folder with --out, or replace it with --overwrite."
        )


def _prepare_folder(folder: Path, case: Case) -> None:
    """Make the folder, clear what an earlier run left, write the case."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in WRITTEN:
            (folder / name).unlink(missing_ok=True)
        (folder / "case.toml").write_text(case.text, encoding="utf-8")
        (folder / "resolved.toml").write_text(case.resolved_toml(), encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"cannot write to {folder}: {error.strerror or error}. Choose a writable folder with --out."
        ) from error


def _attributes(case: Case, problem: Problem) -> dict[str, Any]:
    """What the file says about the run; the times are filled in at the end."""
    packages = ("numpy", "scipy", "numba", "h5py", "ducc0")
    return {
        "title": case.title,
        "equation": problem.equation,
        "method": case.solver.method,
        "sampling": problem.sampling,
        "source": f"wgfpde {__version__}",
        "libraries": ", ".join(f"{name} {version(name)}" for name in packages),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": default_threads(),
        "wall_seconds": np.nan,
        "cpu_seconds": np.nan,
        "compile_seconds": np.nan,
    }


class _Clock:
    """Wall and processor seconds since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    @property
    def wall(self) -> float:
        return time.perf_counter() - self._wall

    @property
    def cpu(self) -> float:
        return time.process_time() - self._cpu


class _Log:
    """run.log: one dated line per event, on disk at once."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("w", encoding="utf-8", buffering=1)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror or error}.") from error

    def __call__(self, text: str) -> None:
        with suppress(OSError):  # a full disk must not stop the run here: the store reports it
            self._file.write(f"{datetime.now().isoformat(timespec='seconds')}  {text}\n")

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self(f"stopped by {type(error).__name__}: {error}")
        with suppress(OSError):
            self._file.close()


@contextmanager
def _terminable() -> Iterator[None]:
    """Turn SIGTERM into an exception while a run lasts, so that it ends like Ctrl-C (main thread only)."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
