"""Whether two runs are the same, bit for bit; small cases; runs that stop, or die, where a test wants them to."""

import dataclasses
import os
import sys
import time
import traceback

import h5py
import numpy as np

import wgfpde.runs.runner as runner
from wgfpde.cases.building import build
from wgfpde.cases.loading import from_mapping
from wgfpde.energy.snapshot import begun
from wgfpde.runs.interrupts import Interrupted

EXEMPT = {"wall_seconds", "cpu_seconds", "compile_seconds", "created", "resumed", "command"}
"""What a run says of itself that another with the same numbers does not."""
PLACE = {"git", "git_case", "threads"}
"""What may change between two runs on one machine."""
BUMP, HAT = "exp(-8*(x - 0.3)**2)", "maximum(0.1 - (x - 0.1)**2, 0)"
ATTRACT = {"energy": {"interaction": "0.5*x**2 + 0.1*x**4"}}
JKO = {"method": "jko", "tau": 0.025}


def case_of(internal="entropy", m=None, **tables):
    """A small case of 24 cells, 28 steps, 5 snapshots; other tables replace those here."""
    energy = {"internal": {"kind": internal} | ({"m": m} if m else {}), "potential": "x**2"}
    data = {
        "title": "Stopped", "grid": {"shape": [24], "lower": [-1.0], "upper": [1.0]},
        "energy": energy | tables.pop("energy", {}),
        "initial": {"density": HAT if m else BUMP, "mass": 1.0},
        "time": {"end": 0.4}, "output": {"every": 0.1}, "solver": {"method": "fv", "dt": 0.015},
    }  # fmt: skip
    return from_mapping(data | tables, "stopped.toml")


def contents(path):
    """Every dataset and attribute of an HDF5 file, as comparable bytes: name → value."""
    found = {}

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            values = item[()]
            text = isinstance(values, bytes)
            found[name] = values if text else (item.dtype.str, item.shape, item.compression, values.tobytes())

    with h5py.File(path, "r", locking=False) as file:
        file.visititems(note)
        for name, value in file.attrs.items():
            if name not in EXEMPT | PLACE:
                found[f"@{name}"] = value.tobytes() if isinstance(value, np.ndarray | np.generic) else value
    return found


def assert_same(folder, reference, but=()):
    """Two runs hold the same datasets and attributes, bit for bit, and the same files beside.   but : exempt too."""
    found, expected = contents(folder / "output.h5"), contents(reference / "output.h5")
    names = (set(found) | set(expected)) - set(but)
    assert len(names) > 20
    differing = sorted(name for name in names if found.get(name) != expected.get(name))
    assert not differing, f"{folder} differs from {reference} in {', '.join(differing)}"
    texts = [(place / "output.xdmf").read_text() for place in (folder, reference)]
    assert texts[0] == texts[1], "output.xdmf differs"
    beside = [{p.name for p in place.iterdir()} for place in (folder, reference)]
    assert beside[0] == beside[1], f"left over or missing: {', '.join(sorted(beside[0] ^ beside[1]))}"


class Stopping:
    """A stepper that does something else in the middle of some steps: events = {step: function of the snapshot}."""

    def __init__(self, stepper, events):
        self.stepper, self.events = stepper, events
        self.warm_up = stepper.warm_up

    def begin(self, snapshot):
        return begun(self.stepper, snapshot)

    def step(self, snapshot, t_next):
        following = self.stepper.step(snapshot, t_next)
        if following.step in self.events:
            self.events[following.step](following)
        return following


def with_events(monkeypatch, events):
    """Let `run` and `resume` do other things in the middle of their steps."""

    def stopping(case):
        problem = build(case)
        return dataclasses.replace(problem, stepper=Stopping(problem.stepper, events))

    monkeypatch.setattr(runner, "build", stopping)


def stop_at(monkeypatch, at):
    """Let `run` and `resume` be stopped in the middle of step number `at`; None: go on to the end."""

    def stop(snapshot):
        raise Interrupted

    with_events(monkeypatch, {} if at is None else {at: stop})


def fork(work):
    """The id of a child process that does `work` and ends: 0, or 99 after an exception."""
    sys.stdout.flush(), sys.stderr.flush()
    if child := os.fork():
        return child
    code = 99
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def in_child(work):
    """How a child process that does `work` ended: its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(fork(work), 0)[1])


def wait_until(condition, process):
    """Wait for a child process to bring something about; it must not end before."""
    while not condition():
        assert os.waitpid(process, os.WNOHANG) == (0, 0), "the child process ended early"
        time.sleep(0.005)
