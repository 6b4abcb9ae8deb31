"""Worker processes on this machine, each with two pipes of its own.

Workers are started once and stay warm: kernels are loaded at the first run of each.  The cores are divided among them.
A worker has a task at hand, and small ones waiting in its pipe that take about AHEAD seconds together; towards the end
no more than its part of what is left.  Tasks and outcomes travel one by one, so that it is known of a worker that dies
which run it did.  That run is done again when no other is in progress, as memory may have run out; a run that kills its
worker then, too, has failed.

Nothing is shared among workers: no lock that one of them could die with, no pipe that another could keep open.  A
worker ends with this process, however that ends, and stops its run on Ctrl-C with a checkpoint.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.reduction import ForkingPickler
from operator import length_hint
from types import ModuleType
from typing import Any

from ....errors import SolverError
from ....runs.interrupts import Interrupted, Interrupts
from ....runs.time_loop import Progress
from ..one_run import Setup, Task, solve
from ..outcome import FAILED, INTERRUPTED, Outcome
from .engine import Teller

AHEAD, WAITING = 0.1, 4000
"""Seconds that the tasks at hand of a worker should take, and bytes of them that may wait: every pipe holds as many."""
PATIENCE = 60.0
"""Seconds that workers are given to end their runs with a checkpoint."""
SAFE_PATH = "PYTHONSAFEPATH"
CLOSING = 10.0
"""Seconds that workers are given to end when there is nothing more to do; then they are killed."""
TOLD_EVERY, ASKED_EVERY = 0.2, 0.5
"""Seconds from one word of a worker on its run to the next, and of this process to one that is to stop."""
STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
CAN_MASK = hasattr(signal, "pthread_sigmask")
LOST = "its worker process was killed twice; by the system, where memory ran out"


class ProcessPool:
    """`workers` processes on this machine.   What they are made from is started at once, and loads while one plans."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        if _has_forkserver():
            from multiprocessing import forkserver

            forkserver.set_forkserver_preload(["wgfpde.studies.sweep.engines.process_pool"])
            with _started_safely():
                forkserver.ensure_running()

    @property
    def name(self) -> str:
        return f"by {self.workers} worker processes"

    def outcomes(self, setup: Setup, tasks: Iterator[Task], tell: Teller) -> Iterator[Outcome]:
        pool = _Pool(self.workers, setup, tell)
        with Interrupts() as interrupts:
            try:
                yield from pool.outcomes(tasks, interrupts)
            except Interrupted:
                yield from pool.stopped()
                raise
            finally:
                pool.close()


class _Worker:
    """A process.   number : from 0.   at_hand : its tasks and their bytes, the first of which it does."""

    def __init__(self, number: int, setup: Setup, threads: int) -> None:
        context: Any = multiprocessing.get_context("forkserver" if _has_forkserver() else "spawn")
        self.number = number
        self.at_hand: deque[tuple[Task, int]] = deque()
        answers, theirs = context.Pipe(duplex=False)
        orders, mine = context.Pipe(duplex=False)
        self.answers: Connection = answers
        self._orders: Connection = mine
        self._process = context.Process(target=_serve, args=(orders, theirs, setup, threads), daemon=True)
        with _started_safely():
            self._process.start()
        orders.close()
        theirs.close()  # from now on its end is the end of what can be read

    @property
    def waiting(self) -> int:
        """Bytes of tasks that it has not begun."""
        return sum(size for _, size in self.at_hand) - (self.at_hand[0][1] if self.at_hand else 0)

    def give(self, task: Task, text: Any) -> None:
        """One more.   text : it, pickled."""
        self.at_hand.append((task, len(text)))
        with suppress(OSError):  # it is gone: its answers end
            self._orders.send_bytes(text)

    def answer(self) -> Any:
        """What it says next, an Outcome or the share that is done.  Raises EOFError where it is gone."""
        try:
            return self.answers.recv()
        except OSError:  # in the middle of a message
            raise EOFError from None

    def send_signal(self, number: int) -> None:
        """Only to one that has not closed its pipe: another process may have its number since."""
        with suppress(OSError):
            os.kill(self._process.pid, number)

    def close(self, patience: float) -> None:
        """End it: when it has done its tasks, or by force."""
        self._orders.close()
        end = time.monotonic() + patience
        with suppress(EOFError):
            while self.answers.poll(max(end - time.monotonic(), 0.0)):
                self.answer()
            self.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        self.answers.close()
        self._process.join(CLOSING)


class _Pool:
    """The workers of a sweep, and what each of them has at hand."""

    def __init__(self, workers: int, setup: Setup, tell: Teller) -> None:
        self._most, self._setup, self._tell = workers, setup, tell
        self._workers: list[_Worker] = []
        self._again: deque[Task] = deque()
        """What was waiting for a worker that died."""
        self._suspects: deque[Task] = deque()
        """Runs whose workers died, to be done alone."""
        self._accused: set[str] = set()
        self._next: tuple[Task, Any] | None = None
        self._each = AHEAD
        """Seconds of a run, so far."""

    def outcomes(self, tasks: Iterator[Task], interrupts: Interrupts) -> Iterator[Outcome]:
        """Raises Interrupted, and SolverError where no worker can be started."""
        while True:
            interrupts.check()
            self._hand_out(tasks, interrupts)
            if not (busy := self._busy()):
                return
            with interrupts.abandonable():
                ready = wait_for(list(busy), TOLD_EVERY)
            for link in ready:
                interrupts.check()  # before a worker says that it was stopped by the same signal
                yield from self._heard(busy[link], tasks)

    def _busy(self) -> dict[Any, _Worker]:
        """Those that have something at hand, by where they answer."""
        return {worker.answers: worker for worker in self._workers if worker.at_hand}

    def _start(self, count: int, interrupts: Interrupts) -> None:
        """So many workers in all."""
        free = [n for n in range(self._most) if n not in {worker.number for worker in self._workers}]
        for number in free[: count - len(self._workers)]:
            try:
                self._workers.append(_Worker(number, self._setup, max(1, cores() // self._most)))
            except (OSError, EOFError) as error:
                interrupts.check()  # what makes workers may have been ended together with this process
                raise SolverError(f"a worker process cannot be started: {error}; use --workers 1") from error

    def _hand_out(self, tasks: Iterator[Task], interrupts: Interrupts) -> None:
        """Give each worker what it should have at hand, one that was lost replaced."""
        if self._suspects:
            if not any(worker.at_hand for worker in self._workers):
                self._start(1, interrupts)
                self._workers[0].give(*_pickled(self._suspects.popleft()))
            return
        if any(task.digest in self._accused for worker in self._workers for task, _ in worker.at_hand):
            return
        if len(self._workers) < self._most and self._peek(tasks):
            self._start(min(self._most, len(self._workers) + 1 + self._left(tasks)), interrupts)
        for worker in sorted(self._workers, key=lambda worker: len(worker.at_hand)):
            self._fill(worker, tasks)

    def _fill(self, worker: _Worker, tasks: Iterator[Task]) -> None:
        """Give a worker its part of what is left, no more than takes AHEAD seconds or waits in its pipe."""
        while self._peek(tasks):
            assert self._next is not None
            part = min(AHEAD / self._each, 1 + self._left(tasks) / (2 * self._most))
            full = len(worker.at_hand) >= part or worker.waiting + len(self._next[1]) > WAITING
            if worker.at_hand and full:
                return
            worker.give(*self._next)
            self._next = None

    def _peek(self, tasks: Iterator[Task]) -> bool:
        """Whether there is another task to give."""
        if self._next is None:
            task = self._again.popleft() if self._again else next(tasks, None)
            self._next = None if task is None else _pickled(task)
        return self._next is not None

    def _left(self, tasks: Iterator[Task]) -> int:
        """Tasks after the next, where that is known."""
        return len(self._again) + length_hint(tasks, 2 * self._most)

    def _heard(self, worker: _Worker, tasks: Iterator[Task]) -> Iterator[Outcome]:
        try:
            found = worker.answer()
        except EOFError:
            yield from self._lost(worker)
            return
        task = worker.at_hand[0][0]
        if isinstance(found, float):
            self._tell(worker.number, task, found)
            return
        worker.at_hand.popleft()
        self._accused.discard(task.digest)
        if found.wall_seconds == found.wall_seconds:
            self._each += 0.2 * (max(found.wall_seconds, 1e-3) - self._each)
        if not worker.at_hand and not self._suspects:
            self._fill(worker, tasks)  # before the outcome is looked at: it need not wait for that
        yield found

    def _lost(self, worker: _Worker) -> Iterator[Outcome]:
        """A worker has died: what it did is done again, once, alone; what waited for it goes to others."""
        self._workers.remove(worker)
        worker.close(0.0)
        if worker.at_hand:
            guilty, *waited = [task for task, _ in worker.at_hand]
            self._again.extend(waited)
            if guilty.digest in self._accused:
                self._accused.discard(guilty.digest)
                yield Outcome(guilty.digest, FAILED, LOST)
            else:
                self._accused.add(guilty.digest)
                self._suspects.append(guilty)

    def stopped(self) -> Iterator[Outcome]:
        """Ask workers to stop, and give what was done until then.

        They are asked again and again: one that is just going into a run may hear it before the run listens.
        """
        end, asked = time.monotonic() + PATIENCE, -math.inf
        while (busy := self._busy()) and (now := time.monotonic()) < end:
            if now - asked > ASKED_EVERY:
                asked = now
                for worker in busy.values():
                    worker.send_signal(signal.SIGTERM)
            for link in wait_for(list(busy), ASKED_EVERY):
                worker = busy[link]
                try:
                    found = worker.answer()
                except EOFError:
                    self._workers.remove(worker)
                    worker.close(0.0)
                    continue
                if isinstance(found, Outcome):
                    worker.at_hand.popleft()
                    if found.status != INTERRUPTED:
                        yield found

    def close(self) -> None:
        """End the workers; those that do not end by themselves are killed."""
        for worker in self._busy().values():
            worker.send_signal(signal.SIGTERM)
        end = time.monotonic() + CLOSING
        for worker in self._workers:
            worker.close(max(end - time.monotonic(), 0.0))
        self._workers.clear()


def _pickled(task: Task) -> tuple[Task, Any]:
    return task, ForkingPickler.dumps(task)


@contextmanager
def _started_safely() -> Iterator[None]:
    """While processes are started: they import no module of the working folder, and no signal ends them meanwhile.

    They need nothing of the user's script, either, and would run it again to have it.
    """
    had_path, main = os.environ.get(SAFE_PATH), sys.modules["__main__"]
    os.environ[SAFE_PATH] = "1"
    sys.modules["__main__"] = ModuleType("__main__")
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING) if CAN_MASK else None  # is inherited
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        if masked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        if had_path is None:
            os.environ.pop(SAFE_PATH, None)
        else:
            os.environ[SAFE_PATH] = had_path


def _has_forkserver() -> bool:
    return "forkserver" in multiprocessing.get_all_start_methods()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


# ---- in a worker -------------------------------------------------------------------------------------------

_stop = 0
"""The exit code of what asked this worker to stop, or 0.  No Event: a signal within the handler of another would wait
for ever."""


def _serve(orders: Connection, answers: Connection, setup: Setup, threads: int) -> None:
    """Do tasks as they come, until no more can; those after an interruption are not begun."""
    for number in STOPPING:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup, or a background job: it stays
            signal.signal(number, _ask_to_stop)  # between runs; a run has handlers of its own
    if CAN_MASK:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    os.environ.setdefault("WGFPDE_NUM_THREADS", str(threads))
    threading.Thread(target=_end_with_parent, name="wgfpde-parent", daemon=True).start()
    told = 0.0

    def tell(p: Progress) -> None:
        nonlocal told
        if time.monotonic() - told > TOLD_EVERY and threading.current_thread() is threading.main_thread():
            told = time.monotonic()
            with suppress(OSError):  # who asked is gone, and this process ends
                answers.send((p.t - p.start) / (p.end - p.start))

    with suppress(EOFError, OSError):
        while True:
            task = orders.recv()
            if _stop:
                answers.send(Outcome(task.digest, INTERRUPTED, "a signal", exit_code=_stop))
                continue
            outcome = solve(setup, task, tell)
            if outcome.status == INTERRUPTED:
                _ask_to_stop()
            answers.send(outcome)


def _ask_to_stop(number: int = signal.SIGINT, *_: object) -> None:
    global _stop
    _stop = _stop or 128 + number


def _end_with_parent() -> None:
    """End this process when the one that asked for it is gone, however it went."""
    process = multiprocessing.parent_process()
    if process is not None:
        wait_for([process.sentinel])
    os._exit(1)
