"""What a folder says of its run or sweep at this moment, as plain values.

A run writes its snapshots and steps as it goes, and its file opens at every moment; a sweep adds a line for each run
that is done.  Files are opened for reading, without locks.  Long series are thinned, and large maps averaged, so that a
look costs the same however long the run is.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ... import store
from ...base.plain_text import one_line
from ...base.replaced_files import regular
from ...errors import StoreError
from ...grid import Array
from ...runs.folder import LOG_NAME
from ...store import FILE_NAME, Run
from ..sweep.journal import Journal
from ..sweep.outcome import FINISHED
from ..sweep.plan import Plan
from ..sweep.sweep_folder import is_sweep, read_known

POINTS, SIDE, LISTED = 1000, 128, 8
"""Most points of a series, cells of a map along an axis, and runs in progress that are listed."""
LOG_TAIL = 1 << 16
"""Bytes at the end of a log that are read."""


@dataclass(frozen=True)
class State:
    """What is known now.

    kind : "run" or "sweep".   status : "running", "finished", "failed", "interrupted", "stopped" for a run whose
    process is gone.   share : of the work that is done, 0 to 1, NaN where nobody knows.   text : in a line.
    more : for a page: t, energy, x, y, rho of a run; the runs in progress of a sweep.
    """

    kind: str
    title: str
    status: str
    share: float
    text: str
    message: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.status != "running"


def watcher_of(path: Path) -> Callable[[], State]:
    """A function that looks at a run folder, its file, or the folder of a sweep.   Raises StoreError for others."""
    if is_sweep(path):
        return _SweepWatch(path)
    folder = path.parent if path.is_file() else path
    if not any((folder / name).is_file() for name in (FILE_NAME, LOG_NAME, "resolved.toml")):
        raise StoreError(f"{path}: expected the folder of a run or of a sweep; found neither.")
    return lambda: run_state(folder)


def run_state(folder: Path, details: bool = True) -> State:
    """Of a run.   details : whether its series and its density are read, too."""
    try:
        run = store.read(folder)
    except StoreError as error:
        if (folder / FILE_NAME).exists() or not _alive(folder):
            raise
        return State("run", folder.name, "running", math.nan, f"no snapshot yet ({one_line(error).partition(':')[0]})")
    status = run.status if run.status != "running" or _alive(folder) else "stopped"
    if not len(run):
        return State("run", run.title, status, math.nan, "no snapshot yet", run.message)
    steps = run.steps
    at = float(steps["t"][-1]) if len(steps["t"]) else float(run.t[-1])
    end = _end(run)
    share = (at - float(run.t[0])) / (end - float(run.t[0])) if end > run.t[0] else math.nan
    energy = run.diagnostics["energy"] if "energy" in run.diagnostics else np.full(len(run), math.nan)
    mass = float(run.diagnostics["mass"][-1]) if "mass" in run.diagnostics else math.nan
    text = (
        f"t = {at:.5g} of {end:.5g}   step {len(steps['t'])}   snapshot {len(run)}   energy {float(energy[-1]):.8g}   "
        f"mass {mass:.8g}"
    )
    more = _details(run, energy) if details else {}
    return State("run", run.title, status, min(max(share, 0.0), 1.0), text, run.message, more)


def _details(run: Run, energy: Array) -> dict[str, Any]:
    some = np.unique(np.linspace(0, len(run) - 1, min(len(run), POINTS)).round().astype(int))
    rho, centers = run.rho[-1], list(run.centers)
    for axis in range(run.dim):
        rho, centers[axis] = _thinner(rho, centers[axis], run.dim - 1 - axis)
    names = ("x", "y")
    return {
        "t": run.t[some].tolist(), "energy": energy[some].tolist(), "at": float(run.t[-1]), "rho": rho.tolist(),
        **{name: c.tolist() for name, c in zip(names, centers, strict=False)},
    }  # fmt: skip


def _thinner(rho: Array, centers: Array, axis: int) -> tuple[Array, Array]:
    """Cells joined along an axis until there are few enough: means of neighbours."""
    most = SIDE if rho.ndim == 2 else POINTS
    join = -(-len(centers) // most)
    if join == 1:
        return rho, centers
    count = len(centers) // join * join
    parts = np.take(rho, np.arange(count), axis=axis)
    shape = (*parts.shape[:axis], count // join, join, *parts.shape[axis + 1 :])
    return parts.reshape(shape).mean(axis=axis + 1), centers[:count].reshape(-1, join).mean(axis=1)


def _end(run: Run) -> float:
    """The time that the run goes to."""
    import tomllib

    with suppress(StoreError, ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError):
        return float(tomllib.loads(run.resolved_toml)["time"]["end"])
    return float(run.t[-1])


def _alive(folder: Path) -> bool:
    """Whether the process that its log names last is there; True where nobody can tell, as on another machine."""
    try:
        with os.fdopen(regular(folder / LOG_NAME, os.O_RDONLY), "rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - LOG_TAIL, 0))
            found = re.findall(rb"process (\d{1,9})", file.read(LOG_TAIL))
    except OSError:
        return True
    if not found:
        return True
    try:
        os.kill(int(found[-1]), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


class _SweepWatch:
    """Looks at a sweep: the plan once, then what its journals have since."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._plan: Plan = read_known(folder).plan()
        self._digests = {self._plan.digest(k): k for k in range(self._plan.count)}
        self._seen = time.monotonic()
        self._count = -1

    def __call__(self) -> State:
        journal = Journal(self._folder)
        ended = [digest for digest, k in self._digests.items() if not journal.pending(k, digest)]
        done = [where for digest in ended if (where := journal.get(digest)) is not None]
        failed = sum(where.status != FINISHED for where in done)
        if len(done) != self._count:
            self._seen, self._count = time.monotonic(), len(done)
        going = self._going({where.folder for where in done})
        over = len(done) == self._plan.count
        quiet = "" if over or going else f"; no news for {time.monotonic() - self._seen:.0f} s"
        text = f"{len(done)} of {self._plan.count} runs" + (f", {failed} failed" if failed else "") + quiet
        at = "   |   ".join(f"{one_line(name)}: {100 * share:.0f} %" for name, share in going)
        status = ("failed" if failed else "finished") if over else "running"
        line = f"{text}   |   {at}" if at else text
        return State("sweep", self._plan.case.title, status, len(done) / self._plan.count, line, "", {"going": going})

    def _going(self, done: set[str]) -> list[tuple[str, float]]:
        """The runs in progress, those with folders: (name, share)."""
        found = []
        with suppress(OSError):
            for place in sorted(self._folder.iterdir()):
                if place.name in done or not (place / FILE_NAME).is_file():
                    continue
                with suppress(StoreError):
                    state = run_state(place, details=False)
                    if state.status == "running":
                        found.append((place.name, state.share))
                if len(found) == LISTED:
                    break
        return found
