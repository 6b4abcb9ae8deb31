"""The only time loop: from the start, or from a checkpoint, through all output times.

    for t_out in times:  while t < t_out:  step → check → table of steps → checkpoint, if it is time
                         snapshot, with its diagnostics, into the file

A stepper may take several steps in one call; they are those that it would take one by one.

A march depends on the state it starts from and on nothing else, so that one continued from a checkpoint gives the same
file as one never stopped, bit for bit.  Checkpoints are taken before a state that is no planned snapshot is written:
such a row goes when the run goes on.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from .. import diagnostics
from ..cases.problems import Problem
from ..diagnostics.certificates import enter_snapshot, enter_step, keeps_ledger, open_ledger
from ..energy.snapshot import Snapshot, Stride, begun, misfit, strode
from ..errors import SolverError, StoreError
from ..grid import Array
from ..store.checkpoint import Checkpoint, save
from ..store.recorder import Recorder
from .compiler_watch import COMPILING, LOADING, compiler_watched
from .interrupts import Interrupts
from .listening import Listener, show_to
from .progress import Clock, Progress
from .step_checks import check_step, distance_from_rest

PEAK = "peak"
"""Field of a snapshot with what its watch over a blow-up said of it."""
PROGRESS_INTERVAL = 0.1
PATIENCE = 2.0
"""Seconds that kernels may compile before the user is told."""
STRIDE = 0.05
"""Seconds of steps that are taken in one call, where a stepper takes several: a signal waits for the call to end."""
STEP_PATIENCE = 5.0
"""Seconds that a single step may take before the user is told; then again at each double of it."""


class March:
    """The time loop over one file.  `snapshot` is the last good state at every moment.

    verdict : what ended it before the last time, "stationary" or "blow-up", else "".
    folder : where checkpoints go; None: nowhere.   digest : of the case, kept in them.
    start : the checkpoint to go on from.   on_snapshot : called with each planned snapshot once it is in the file.
    """

    def __init__(
        self,
        problem: Problem,
        writer: Recorder,
        folder: Path | None,
        digest: str,
        log: Callable[[str], None],
        progress: Callable[[Progress], None] | None,
        interrupts: Interrupts,
        start: Checkpoint | None = None,
        on_snapshot: Listener | None = None,
    ) -> None:
        self.problem, self.writer, self.log, self.progress = problem, writer, log, progress
        self.on_snapshot = on_snapshot
        self.folder, self.digest, self.interrupts = folder, digest, interrupts
        self.snapshot: Snapshot = problem.initial if start is None else start.snapshot
        self.clock = Clock() if start is None else Clock(start.wall, start.cpu)
        self.compile_seconds = np.nan
        self.verdict = ""
        self._limits: Counter[str] = Counter()
        self._keeps_ledger = keeps_ledger([d.name for d in problem.diagnostics])
        self._previous: Array | None = None if start is None else start.previous
        self._written_t = -np.inf if start is None or start.previous is None else start.previous_t
        self._saved: tuple[int, int] | None = None if start is None else (start.snapshot.step, start.rows)
        self._saved_at = self.clock.wall
        self._reported = -np.inf

    def go(self) -> str:
        """March to the last time; returns a sentence on why it stopped."""
        try:
            return self._go()
        finally:
            self._log_limits()

    def _go(self) -> str:
        times = self.problem.times
        self._warm_up()
        self._open_ledger()
        with self._watched():
            if self._previous is None:
                self._begin()
                self._record()
            found = self._ended() if self.snapshot.step > 0 else ""  # it may have been stopped on being found so
            for t_out in times[times > self._written_t]:
                while self.snapshot.t < t_out and not found:
                    self.interrupts.count(self.snapshot.step)
                    self._step(self.problem.next_stop(self.snapshot.t, float(t_out)))
                    found = self._ended()
                if found:
                    break
                self._record()
        self._checkpoint_in_passing()
        self._record()
        return found or f"reached t = {self.snapshot.t:.6g}."

    def _begin(self) -> None:
        """Let a path be solved before its start is written; where that is stopped, it is solved again on going on."""
        with self.interrupts.abandonable():
            started = begun(self.problem.stepper, self.snapshot)
            if trouble := misfit(started.fields, self.problem.flow.grid.shape, self.problem.fields):
                raise SolverError(f"the start has {trouble}.")
        self.snapshot = started

    def _step(self, t_out: float) -> None:
        previous = self.snapshot
        with self.interrupts.abandonable():
            stride = self._stride(t_out)
            snapshot = self.problem.stepper.step(previous, t_out) if stride is None else stride.snapshot
            check_step(self.problem, snapshot, previous, t_out)
            if self._keeps_ledger:
                snapshot = enter_step(self.problem.flow, snapshot, previous)
            if self.problem.watch is not None:
                judged = self.problem.watch.judge(snapshot.rho, previous.fields.get(PEAK), snapshot.t)
                snapshot = replace(snapshot, fields=snapshot.fields | {PEAK: judged})
        self.snapshot = snapshot
        if stride is None:
            self.writer.append_step(snapshot.t, snapshot.dt, snapshot.report)
        else:
            self.writer.append_steps(stride.columns)
        self._limits.update([snapshot.report.limit] if stride is None else stride.limits)
        if snapshot.report.note:
            self.log(f"t = {snapshot.t:.6g}: {snapshot.report.note}")
        self._show_progress()
        if self.clock.wall - self._saved_at >= self.problem.record.checkpoint:
            self._checkpoint_in_passing()

    def _stride(self, t_out: float) -> Stride | None:
        """Several steps, but for where each state is looked at; none beyond the time of the next checkpoint."""
        problem = self.problem
        if self._keeps_ledger or problem.watch is not None or problem.stationary is not None:
            return None
        seconds = min(STRIDE, self._saved_at + problem.record.checkpoint - self.clock.wall)
        return strode(problem.stepper, self.snapshot, t_out, seconds) if seconds > 0 else None

    def _ended(self) -> str:
        """A sentence where the density has blown up, or the flow has come to rest as far as was asked for; else ""."""
        watch, snapshot = self.problem.watch, self.snapshot
        if watch is not None and PEAK in snapshot.fields and snapshot.fields[PEAK][-1]:
            self.verdict = "blow-up"
            return watch.sentence(snapshot.t, snapshot.fields[PEAK])
        limit = self.problem.stationary
        if limit is not None and distance_from_rest(self.problem.flow, snapshot.rho) < limit:
            self.verdict = "stationary"
            what = "change, |∂ρ/∂t| h," if self.problem.flow.lets_in else "flux"
            return f"stationary at t = {snapshot.t:.6g}: the largest {what} is below {limit:g}."
        return ""

    def _log_limits(self) -> None:
        """Say what limited dt, the most frequent first; nothing where all steps were as long as asked for."""
        limits = [f"{limit} ({count})" for limit, count in self._limits.most_common() if limit]
        if limits:
            self.log(f"what limited dt in {self._limits.total()} steps: {'; '.join(limits)}")

    def checkpoint(self) -> None:
        """Put all that the rest of the march depends on onto the disk, unless it is there.  Raises StoreError."""
        now = (self.snapshot.step, self.writer.count)
        if self.folder is None or self._saved == now:
            return
        self.writer.flush_steps()
        state = Checkpoint(
            self.snapshot, self._previous, self._written_t, self.writer.count, self.writer.step_count, self.digest,
            self.clock.wall, self.clock.cpu,
        )  # fmt: skip
        save(self.folder, state)
        self._saved = now

    def _checkpoint_in_passing(self) -> None:
        """A checkpoint that cannot be written does not stop a run that can go on: the last one is still there."""
        self._saved_at = self.clock.wall
        try:
            self.checkpoint()
        except StoreError as error:
            self.log(str(error))
            self._show_progress(now=True, note=f"warning: {error} The run goes on without it.", warning=True)

    @property
    def written(self) -> bool:
        """Whether the last good state is in the file."""
        return self.snapshot.t <= self._written_t

    def write(self) -> None:
        """Record the state, unless it is in the file already."""
        if self.written:
            return
        self._open_ledger()
        problem = self.problem
        numbers = diagnostics.compute(
            problem.flow, self.snapshot, problem.exact, self._previous, self._written_t, problem.diagnostics
        )
        now = problem.flow.at(self.snapshot.t)
        made = {f.name: f.value(now, self.snapshot.rho) for f in problem.fields if f.value is not None}
        whole = replace(self.snapshot, fields=self.snapshot.fields | made) if made else self.snapshot
        self.writer.append(whole, numbers)
        self._previous, self._written_t = self.snapshot.rho, self.snapshot.t
        if self._keeps_ledger:
            self.snapshot = enter_snapshot(self.snapshot, numbers["energy"])
        summary = ", ".join(f"{name} = {numbers[name]:.15g}" for name in ("mass", "energy"))
        self.log(f"t = {self.snapshot.t:.6g}, step {self.snapshot.step}: {summary}")
        self._show_progress(now=True)

    def _record(self) -> None:
        """Write a planned snapshot, and show it to who listens; one that is in the file already was shown."""
        if self.written:
            return
        self.write()
        if self.on_snapshot is not None:
            with self.interrupts.abandonable():
                show_to(self.on_snapshot, self.snapshot)

    def _open_ledger(self) -> None:
        """Begin to sum the dissipation of the steps, where a number needs it."""
        if self._keeps_ledger:
            self.snapshot = open_ledger(self.problem.flow, self.snapshot)

    def _warm_up(self) -> None:
        """Compile the kernels, or load them, before the clock of the march starts; after a while tell who listens."""
        clock = Clock()
        with compiler_watched() as compiling:
            timer = threading.Timer(PATIENCE, self._tell_what_keeps, args=(compiling,))
            timer.daemon = True
            if self.progress is not None:
                timer.start()
            try:
                names = [d.name for d in self.problem.diagnostics]
                diagnostics.warm_up(self.problem.flow, names)  # to its end: a compiler interrupted may not work again
                with self.interrupts.abandonable():
                    self.problem.stepper.warm_up()
            finally:
                timer.cancel()
                if self.progress is not None:
                    timer.join()  # no call from that thread once the march has begun
                self.compile_seconds = clock.wall
                self.clock.restart()
                self._saved_at = self.clock.wall
        if self.compile_seconds > PATIENCE:
            done = "compiled" if compiling.is_set() else "loaded"
            self.log(f"kernels {done} in {self.compile_seconds:.1f} s")

    def _tell_what_keeps(self, compiling: threading.Event) -> None:
        """Say what keeps the march from its first step."""
        self._show_progress(now=True, note=COMPILING if compiling.is_set() else LOADING)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Tell who listens, from another thread, of a step that takes long."""
        if self.progress is None:
            yield
            return
        done = threading.Event()

        def watch() -> None:
            step, since, limit = self.snapshot.step, self.clock.wall, STEP_PATIENCE
            while not done.wait(STEP_PATIENCE / 10):
                wall = self.clock.wall
                if self.snapshot.step != step:
                    step, since, limit = self.snapshot.step, wall, STEP_PATIENCE
                elif wall - since >= limit:
                    limit *= 2
                    self._show_progress(now=True, note=f"step {step + 1}: {wall - since:.0f} s so far …")

        thread = threading.Thread(target=watch, name="wgfpde-watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _show_progress(self, now: bool = False, note: str = "", warning: bool = False) -> None:
        wall = self.clock.wall
        if self.progress is None or not (now or wall - self._reported >= PROGRESS_INTERVAL):
            return
        self._reported = wall
        start, end = float(self.problem.times[0]), float(self.problem.times[-1])
        self.progress(Progress(self.snapshot.t, start, end, self.snapshot.step, self.snapshot.dt, wall, note, warning))
