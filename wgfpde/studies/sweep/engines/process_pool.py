"""Worker processes on this machine, by the standard library's pool.

Workers are started once and stay warm: kernels are loaded at the first run of each.  The cores are divided among them.
Small runs go in chunks that take about CHUNK seconds together.  A worker that dies takes the pool with it: a new one is
made and what was in progress is done again, alone; a run that kills its worker twice has failed.

A worker ends with this process, however that ends, and stops its run on Ctrl-C with a checkpoint.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing.connection import wait as wait_for
from queue import Empty
from types import ModuleType
from typing import Any

from ....runs.interrupts import Interrupted, Interrupts
from ....runs.time_loop import Progress
from ..one_run import Setup, Task, solve
from ..outcome import FAILED, INTERRUPTED, Outcome
from .engine import Teller

CHUNK, LARGEST_CHUNK = 0.1, 64
"""Seconds that the runs of a chunk should take, and how many it holds at most."""
PATIENCE = 60.0
"""Seconds that workers are given to end their runs with a checkpoint."""
TOLD_EVERY = 0.2


class ProcessPool:
    """`workers` processes on this machine."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    @property
    def name(self) -> str:
        return f"by {self.workers} worker processes"

    def outcomes(self, setup: Setup, tasks: Iterator[Task], tell: Teller) -> Iterator[Outcome]:
        again: list[Task] = []
        with Interrupts() as interrupts:
            while True:
                pool = _Pool(self.workers, setup, tell)
                try:
                    yield from pool.outcomes(again, tasks, interrupts)
                except BrokenProcessPool:
                    lost = pool.in_progress
                    for task in [task for task in lost if task in again]:
                        lost.remove(task)
                        text = "its worker process was killed twice; by the system, where memory ran out"
                        yield Outcome(task.digest, FAILED, text)
                    again = lost
                    continue
                finally:
                    pool.close()
                return


class _Pool:
    """One pool, until it breaks."""

    def __init__(self, workers: int, setup: Setup, tell: Teller) -> None:
        context = multiprocessing.get_context("forkserver" if _has_forkserver() else "spawn")
        if _has_forkserver():
            context.set_forkserver_preload(["wgfpde.studies.sweep.one_run"])
        self._messages: Any = context.Queue()
        threads = max(1, cores() // workers)
        self._pool = ProcessPoolExecutor(workers, context, _begin, (self._messages, threads))
        self._workers, self._setup, self._tell = workers, setup, tell
        self._pids: dict[int, int] = {}
        self._running: dict[Future[list[Outcome]], Sequence[Task]] = {}
        self._size = 1

    @property
    def in_progress(self) -> list[Task]:
        return [task for tasks in self._running.values() for task in tasks]

    def outcomes(self, first: Sequence[Task], tasks: Iterator[Task], interrupts: Interrupts) -> Iterator[Outcome]:
        """first : tasks that go alone, one chunk each.   Raises BrokenProcessPool, Interrupted."""
        alone = iter(first)
        exhausted = False
        try:
            while True:
                while len(self._running) < 2 * self._workers and not exhausted:
                    chunk = list(islice(alone, 1)) or list(islice(tasks, self._size))
                    exhausted = not chunk
                    if chunk:
                        with _without_main():
                            future = self._pool.submit(_solve_chunk, self._setup, chunk)
                        self._running[future] = chunk
                if not self._running:
                    return
                with interrupts.abandonable():
                    done, _ = wait(self._running, timeout=TOLD_EVERY, return_when=FIRST_COMPLETED)
                self._listen()
                for future in done:
                    begun = self._taken(future)
                    yield from begun
        except Interrupted as request:
            yield from self._stopped()
            raise request

    def _taken(self, future: Future[list[Outcome]]) -> list[Outcome]:
        found = future.result()
        chunk = self._running.pop(future)
        seconds = sum(outcome.wall_seconds for outcome in found if outcome.wall_seconds == outcome.wall_seconds)
        each = max(seconds / len(chunk), 1e-3)
        self._size = min(max(1, int(CHUNK / each)), LARGEST_CHUNK, 2 * self._size)
        return found

    def _listen(self) -> None:
        """Pass on what workers say of their runs."""
        with suppress(Empty, OSError, EOFError):
            while True:
                pid, task, share = self._messages.get_nowait()
                worker = self._pids.setdefault(pid, len(self._pids))
                if task is not None:
                    self._tell(worker, task, share)

    def _stopped(self) -> Iterator[Outcome]:
        """Ask workers to stop, and give what was done until then."""
        self._listen()
        for future in self._running:
            future.cancel()
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        end = time.monotonic() + PATIENCE
        for future in [future for future in self._running if not future.cancelled()]:
            with suppress(Exception):
                found = future.result(timeout=max(end - time.monotonic(), 0.1))
                yield from (outcome for outcome in found if outcome.status != INTERRUPTED)
        self._running.clear()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._messages.close()
        self._messages.cancel_join_thread()


@contextmanager
def _without_main() -> Iterator[None]:
    """While workers are started: they need nothing of the user's script, and would run it again to have it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _has_forkserver() -> bool:
    return "forkserver" in multiprocessing.get_all_start_methods()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


# ---- in a worker -------------------------------------------------------------------------------------------

_stop = threading.Event()
_messages: Any = None


def _begin(messages: Any, threads: int) -> None:
    """Before the first task of a worker."""
    global _messages
    _messages = messages
    os.environ.setdefault("WGFPDE_NUM_THREADS", str(threads))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _stop.set())  # between runs; a run has handlers of its own
    threading.Thread(target=_end_with_parent, name="wgfpde-parent", daemon=True).start()
    messages.put((os.getpid(), None, 0.0))


def _end_with_parent() -> None:
    """End this process when the one that asked for it is gone, however it went."""
    process = multiprocessing.parent_process()
    if process is not None:
        wait_for([process.sentinel])
    os._exit(1)


def _solve_chunk(setup: Setup, tasks: Sequence[Task]) -> list[Outcome]:
    """Do a few runs; those after an interruption are not begun."""
    found: list[Outcome] = []
    told = 0.0

    def tell(task: Task, p: Progress) -> None:
        nonlocal told
        if time.monotonic() - told > TOLD_EVERY:
            told = time.monotonic()
            _messages.put((os.getpid(), task, (p.t - p.start) / (p.end - p.start)))

    for task in tasks:
        if _stop.is_set():
            found.append(Outcome(task.digest, INTERRUPTED, "Ctrl-C"))
            continue
        outcome = solve(setup, task, lambda p, task=task: tell(task, p))  # type: ignore[misc]
        found.append(outcome)
        if outcome.status == INTERRUPTED:
            _stop.set()
    return found
