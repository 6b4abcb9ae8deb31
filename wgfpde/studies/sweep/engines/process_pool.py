"""Worker processes on this machine, by the standard library's pool.

Workers are started once and stay warm: kernels are loaded at the first run of each.  The cores are divided among them.
Small runs go in handfuls.  A worker that dies takes the pool with it: a new one is made and what was in progress is
done again, one run at a time; a run that kills its worker then, too, has failed.

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
from multiprocessing.connection import wait as wait_for
from queue import Empty
from types import ModuleType
from typing import Any

from ....runs.interrupts import Interrupted, Interrupts
from ....runs.progress import Progress
from ..one_run import Setup, Task, solve
from ..outcome import FAILED, INTERRUPTED, Outcome
from .engine import Handfuls, Teller

PATIENCE = 60.0
"""Seconds that workers are given to end their runs with a checkpoint."""
SAFE_PATH = "PYTHONSAFEPATH"
CLOSING = 10.0
"""Seconds that workers are given to end when there is nothing more to do; then they are killed."""
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
                interrupts.check()
                pool = _Pool(self.workers, setup, tell)
                try:
                    yield from pool.outcomes(again, tasks, interrupts)
                    return
                except BrokenProcessPool:
                    yield from pool.finished()
                    guilty, again = pool.left()
                    if guilty is not None:
                        text = "its worker process was killed twice; by the system, where memory ran out"
                        yield Outcome(guilty.digest, FAILED, text)
                finally:
                    pool.close()


class _Pool:
    """One pool, until it breaks."""

    def __init__(self, workers: int, setup: Setup, tell: Teller) -> None:
        context = multiprocessing.get_context("forkserver" if _has_forkserver() else "spawn")
        if _has_forkserver():
            context.set_forkserver_preload(["wgfpde.studies.sweep.one_run"])
        self._had_path = os.environ.get(SAFE_PATH)
        os.environ[SAFE_PATH] = "1"  # while workers may start: none imports a module of the working folder
        self._messages: Any = context.Queue()
        threads = max(1, cores() // workers)
        self._pool = ProcessPoolExecutor(workers, context, _begin, (self._messages, threads))
        self._workers, self._setup, self._tell = workers, setup, tell
        self._pids: dict[int, int] = {}
        self._running: dict[Future[list[Outcome]], Sequence[Task]] = {}
        self._alone: list[Task] = []
        self._taken_off: list[Task] = []
        self._handfuls, self._ended = Handfuls(workers), 0

    def left(self) -> tuple[Task | None, list[Task]]:
        """Of a pool that broke: the run that did it, where it was alone, and what is not done, to be done alone.

        A run that could not be handed out is innocent, but for a pool that never did a run: it would go on for ever.
        """
        rest = [task for tasks in self._running.values() for task in tasks] + self._taken_off
        if not self._alone:
            return None, rest
        guilty = self._alone[0] if self._running or not self._ended else None
        return guilty, self._alone[guilty is not None :]

    def outcomes(self, first: Sequence[Task], tasks: Iterator[Task], interrupts: Interrupts) -> Iterator[Outcome]:
        """first : tasks of which each goes when the one before has ended.   Raises BrokenProcessPool, Interrupted."""
        self._alone = list(first)
        exhausted = False
        try:
            while True:
                while self._alone and not self._running:
                    self._submit(self._alone[:1])
                while not self._alone and len(self._running) < 2 * self._workers and not exhausted:
                    self._taken_off = self._handfuls.next(tasks)
                    exhausted = not self._taken_off
                    if self._taken_off:
                        self._submit(self._taken_off)
                        self._taken_off = []
                if not self._running:
                    return
                with interrupts.abandonable():
                    done, _ = wait(self._running, timeout=TOLD_EVERY, return_when=FIRST_COMPLETED)
                self._listen()
                for future in done:
                    found = self._taken(future)
                    yield from found
        except Interrupted as request:
            yield from self._stopped()
            raise request

    def _submit(self, chunk: list[Task]) -> None:
        with _without_main():
            future = self._pool.submit(_solve_chunk, self._setup, chunk)
        self._running[future] = chunk

    def finished(self) -> Iterator[Outcome]:
        """What was done before the pool broke and has not been given."""
        done, _ = wait(self._running, timeout=CLOSING)
        for future in done:
            if not future.cancelled() and future.exception() is None:
                yield from self._taken(future)

    def _taken(self, future: Future[list[Outcome]]) -> list[Outcome]:
        found = future.result()
        self._running.pop(future)
        self._alone, self._ended = self._alone[1:], self._ended + 1
        self._handfuls.done(found)
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
        """Ask workers to stop, and give what was done until then.

        Nothing is cancelled: a worker gives back at once what it gets now, and the executor's thread fails at a future
        that was cancelled, should a worker die.
        """
        self._listen()
        for pid in {*self._pids, *(getattr(self._pool, "_processes", None) or {})}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        end = time.monotonic() + PATIENCE
        for future in self._running:
            with suppress(Exception):
                found = future.result(timeout=max(end - time.monotonic(), 0.1))
                yield from (outcome for outcome in found if outcome.status != INTERRUPTED)
        self._running.clear()

    def close(self) -> None:
        """End the workers; those that do not end by themselves are killed."""
        workers = list((getattr(self._pool, "_processes", None) or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        end = time.monotonic() + CLOSING
        while (alive := [worker for worker in workers if worker.is_alive()]) and time.monotonic() < end:
            wait_for([worker.sentinel for worker in alive], max(end - time.monotonic(), 0.0))
        for worker in alive:
            worker.kill()
        self._pool.shutdown(wait=True)
        self._messages.close()
        self._messages.cancel_join_thread()
        if self._had_path is None:
            os.environ.pop(SAFE_PATH, None)
        else:
            os.environ[SAFE_PATH] = self._had_path


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

_stop = False
"""Whether this worker was asked to stop.  No Event: a signal within the handler of another would wait for ever."""
_messages: Any = None


def _begin(messages: Any, threads: int) -> None:
    """Before the first task of a worker."""
    global _messages
    _messages = messages
    messages.cancel_join_thread()  # a worker that was killed may hold its lock: then what is to be told is lost
    os.environ.setdefault("WGFPDE_NUM_THREADS", str(threads))
    signal.signal(signal.SIGINT, _ask_to_stop)  # between runs; a run has handlers of its own
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # so that the executor can end this process
    threading.Thread(target=_end_with_parent, name="wgfpde-parent", daemon=True).start()
    messages.put((os.getpid(), None, 0.0))


def _ask_to_stop(*_: object) -> None:
    global _stop
    _stop = True


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
        if _stop:
            found.append(Outcome(task.digest, INTERRUPTED, "Ctrl-C"))
            continue
        outcome = solve(setup, task, lambda p, task=task: tell(task, p))  # type: ignore[misc]
        found.append(outcome)
        if outcome.status == INTERRUPTED:
            _ask_to_stop()
    return found
