"""Jobs of compiling, shared by processes.

Numba compiles one kernel at a time in a process, whatever its threads.  Processes share what they compile through the
cache on disk: a kernel that one of them has finished is loaded by the others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from ...cases.loading import load, presets
from ...errors import CaseError, WgfpdeError
from .kernel_worker import PARTS

FIRST = (
    "double_well_2d", "confined_pme_2d", "jko_double_well_2d", "heat_1d", "jko_barenblatt_2d", "barenblatt_1d_m2",
    "aggregation_2d", "geodesic_2d", "game_crowd_2d", "escape_2d", "keller_segel_2d", "jko_exact_gaussian_2d",
    "kuramoto_particles_1d", "svgd_banana_2d", "langevin_double_well_1d", "wfr_2d", "accelerated_1d",
)  # fmt: skip
"""Packaged cases with chains of kernels that few others have: begun first, so that two processes seldom compile the
same at once; the others load most of theirs."""


@dataclass(frozen=True)
class Job:
    """case : a file or a packaged name.   overrides : KEY=VALUE.   parts : see `kernel_worker`.   name : for people."""

    name: str
    case: str
    overrides: tuple[str, ...] = ()
    parts: tuple[str, ...] = PARTS


@dataclass(frozen=True)
class Done:
    """A job that is done: how many kernels were compiled, in how many seconds, and the folder that keeps them."""

    job: Job
    compiled: int
    seconds: float
    cpu_seconds: float
    folder: str


@dataclass(frozen=True)
class Warmed:
    """What all came to.   jobs : as they ended.   workers : processes."""

    jobs: tuple[Done, ...]
    compiled: int
    seconds: float
    workers: int
    folder: str


def jobs_of(case: str, overrides: Sequence[str], workers: int) -> list[Job]:
    """The jobs of one case, in parts where there are processes to share them.  Raises CaseError for a bad case."""
    name = load(case, list(overrides)).name
    split = [(part,) for part in PARTS] if workers > 1 else [PARTS]
    return [Job(name, case, tuple(overrides), parts) for parts in split]


def packaged_jobs() -> list[Job]:
    """One for each packaged case."""
    names = presets()
    return [Job(name, name) for name in [*(n for n in FIRST if n in names), *(n for n in names if n not in FIRST)]]


def warm(jobs: Sequence[Job], workers: int, tell: Callable[[Done], None] | None = None) -> Warmed:
    """Do all jobs by so many processes.   tell : called after each, from the process that asked.

    Raises CaseError for a case that cannot be built, WgfpdeError where a process has died; the others are ended then.
    """
    begin = time.perf_counter()
    workers = max(1, min(workers, len(jobs)))
    waiting: SimpleQueue[Job] = SimpleQueue()
    for job in jobs:
        waiting.put(job)
    answers: SimpleQueue[Done | WgfpdeError] = SimpleQueue()
    processes = [_started() for _ in range(workers)]
    threads = [threading.Thread(target=_serve, args=(process, waiting, answers), daemon=True) for process in processes]
    found: list[Done] = []
    try:
        for thread in threads:
            thread.start()
        while len(found) < len(jobs):
            answer = answers.get()
            if isinstance(answer, WgfpdeError):
                raise answer
            found.append(answer)
            if tell is not None:
                tell(answer)
    finally:
        for process in processes:
            if len(found) < len(jobs):
                process.kill()
            elif process.stdin is not None:
                process.stdin.close()
            process.wait()
    folder = found[-1].folder if found else ""
    return Warmed(tuple(found), sum(done.compiled for done in found), time.perf_counter() - begin, workers, folder)


def _started() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "wgfpde.studies.warming.kernel_worker"],  # -P: no module of the working folder
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        env=_environment(),
    )  # fmt: skip


def _environment() -> dict[str, str]:
    """That of this process, with the folder of this package where modules are sought."""
    root = str(Path(__file__).resolve().parents[3])
    sought = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": root if not sought else root + os.pathsep + sought}


def _serve(process: subprocess.Popen[str], waiting: SimpleQueue[Job], answers: SimpleQueue[Done | WgfpdeError]) -> None:
    """Give one process a job after the other, until none waits."""
    while True:
        try:
            job = waiting.get_nowait()
        except Empty:
            return
        try:
            answers.put(_asked(process, job))
        except Exception as error:  # who asked waits for an answer to each
            answers.put(WgfpdeError(f"the process that compiled the kernels of {job.name} answered nonsense: {error}"))


def _asked(process: subprocess.Popen[str], job: Job) -> Done | WgfpdeError:
    assert process.stdin is not None and process.stdout is not None
    question = json.dumps({"case": job.case, "overrides": job.overrides, "parts": job.parts})
    try:
        process.stdin.write(question + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except (OSError, ValueError):  # it is gone, and its pipes with it
        line = ""
    if not line:
        code = process.wait()
        return WgfpdeError(
            f"the process that compiled the kernels of {job.name} ended with code {code}; where memory ran out, use "
            "--workers 1"
        )
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        return CaseError(*answer["error"])
    return Done(job, answer["compiled"], answer["seconds"], answer["cpu_seconds"], answer["folder"])
