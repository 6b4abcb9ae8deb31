"""How tasks go to workers and outcomes come back: one by one, over pipes that no two workers share."""

import multiprocessing
import os
import struct
import threading

import pytest

from wgfpde.studies.sweep.engines import process_pool
from wgfpde.studies.sweep.engines.process_pool import AHEAD, WAITING, _Pool, _Worker
from wgfpde.studies.sweep.one_run import Setup, Task
from wgfpde.studies.sweep.outcome import Outcome

SETUP = Setup({}, "", "", "", folders=False)


class Counted:
    """A worker that does nothing: it has at hand what it was given."""

    waiting = _Worker.waiting

    def __init__(self, number):
        self.number, self.at_hand = number, []

    def give(self, task, text):
        self.at_hand.append((task, len(text)))


def pool_of(workers, each):
    pool = _Pool(workers, SETUP, lambda *_: None)
    pool._workers = [Counted(n) for n in range(workers)]
    pool._each = each
    return pool


class Never:
    """No request to stop."""

    def check(self):
        pass


@pytest.mark.parametrize(("each", "most"), [(10.0, 1), (AHEAD, 1), (AHEAD / 5, 5), (1e-3, 100)])
def test_a_worker_has_at_hand_what_takes_a_moment(each, most):
    pool = pool_of(2, each)
    pool._hand_out(iter([Task(k, str(k), {"params.theta": 0.5}, "") for k in range(1000)]), Never())
    for worker in pool._workers:
        assert len(worker.at_hand) <= most and worker.waiting <= WAITING
        assert len(worker.at_hand) == most or worker.waiting > WAITING / 2


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_towards_the_end_no_worker_has_more_than_its_part(workers):
    """When nothing is left to hand out, a worker has a task waiting at most."""
    pool = pool_of(workers, 1e-3)
    tasks = iter([Task(k, str(k), {}, "") for k in range(40)])
    while True:
        pool._hand_out(tasks, Never())
        left = pool._left(tasks) + (pool._next is not None)
        counts = [len(worker.at_hand) for worker in pool._workers]
        if not left:
            break
        assert min(counts) >= 1 and max(counts) <= 2 + 40 / (2 * workers)
        max(pool._workers, key=lambda worker: len(worker.at_hand)).at_hand.pop(0)
    assert max(counts) <= 2


def test_a_task_larger_than_a_pipe_goes_to_a_worker_that_waits_for_it():
    pool = pool_of(1, 1e-3)
    large = [Task(k, str(k), {"initial.density": "x" * 100_000}, "") for k in range(3)]
    pool._hand_out(iter(large), Never())
    assert len(pool._workers[0].at_hand) == 1


@pytest.mark.parametrize("written", [b"", struct.pack("!i", 1000), struct.pack("!i", 1000) + b"half"])
def test_a_worker_that_dies_in_the_middle_of_an_answer_is_gone(written):
    """Nobody else holds its end of the pipe: what can be read ends there, and is not waited for."""
    worker = _Worker.__new__(_Worker)
    worker.answers, theirs = multiprocessing.Pipe(duplex=False)
    os.write(theirs.fileno(), written)
    theirs.close()
    gone = []

    def ask():
        with pytest.raises(EOFError):
            worker.answer()
        gone.append(True)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(10)
    assert gone


def test_what_waited_for_a_worker_that_died_is_not_accused():
    """The run that it did is done again alone, and fails where its worker dies again; the others just go on."""
    pool = pool_of(2, 1e-3)
    tasks = iter([Task(k, str(k), {}, "") for k in range(6)])
    pool._hand_out(tasks, Never())
    first, second = pool._workers
    for worker in (first, second):
        worker.close = lambda patience: None
    assert len(first.at_hand) > 1
    guilty = first.at_hand[0][0]
    assert list(pool._lost(first)) == []
    pool._hand_out(tasks, Never())
    assert guilty not in [task for task, _ in second.at_hand], "not before the other worker has ended its own"
    done = [guilty, *(task for task, _ in second.at_hand)]
    second.at_hand.clear()
    pool._hand_out(tasks, Never())
    assert [task for task, _ in second.at_hand] == [guilty]
    pool._workers.append(Counted(0))
    pool._hand_out(tasks, Never())
    assert not pool._workers[-1].at_hand, "alone"
    (failed,) = pool._lost(second)
    assert failed.digest == guilty.digest and failed.status == "failed" and "killed twice" in failed.message
    pool._workers.append(Counted(1))
    while True:
        pool._hand_out(tasks, Never())
        if not (busy := [worker for worker in pool._workers if worker.at_hand]):
            break
        for worker in busy:
            done += [task for task, _ in worker.at_hand]
            worker.at_hand.clear()
    assert sorted(int(task.digest) for task in done) == list(range(6)), "each once"


def test_a_second_signal_keeps_the_code_of_the_first(monkeypatch):
    import signal

    monkeypatch.setattr(process_pool, "_stop", 0)
    process_pool._ask_to_stop(signal.SIGTERM)
    process_pool._ask_to_stop(signal.SIGINT)
    assert process_pool._stop == 143
    assert Outcome("d", "interrupted", exit_code=process_pool._stop).exit_code == 143
