"""A cluster of dask.distributed: workers anywhere, started by whoever runs the cluster.

    --dask local                a cluster of processes on this machine, with its dashboard
    --dask tcp://host:8786      a scheduler that runs already, as `dask scheduler` prints its address

Tasks are handed out a few ahead of what the workers do, small ones in handfuls, so that the scheduler holds no more
than those.  What a worker that dies had is done again by another, up to three times, as dask does it, and then one by
one.  Workers need the same version of this program; where runs have folders they need that of the sweep, on a file
system that they share with this process.
"""

from __future__ import annotations

import os
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from .... import __version__
from ....errors import CaseError
from ....runs.interrupts import Interrupted, Interrupts
from ..one_run import Setup, Task, solve
from ..outcome import FAILED, Outcome
from .engine import Handfuls, Teller
from .process_pool import cores

LOCAL = "local"
SECONDS = 10
"""That a scheduler is given to answer."""
AHEAD = 2
"""Tasks handed out for each worker thread."""


class DaskCluster:
    """The workers of a scheduler.   address : of it, or "local".   workers : of a local cluster, None: one for a core.

    Raises CaseError where dask is not installed, nobody answers, there are no workers, or they have another version.
    """

    def __init__(self, address: str, workers: int | None = None) -> None:
        distributed = _distributed()
        self._stack = ExitStack()
        try:
            if address == LOCAL:
                count = workers or cores()
                cluster = distributed.LocalCluster(
                    n_workers=count, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0",
                    env={"WGFPDE_NUM_THREADS": str(max(1, cores() // count))},
                )  # fmt: skip
                self._stack.enter_context(cluster)
                self._client = self._stack.enter_context(distributed.Client(cluster))
            else:
                self._client = self._stack.enter_context(distributed.Client(address, timeout=SECONDS))
                self._client.wait_for_workers(1, timeout=SECONDS)
            self._check_versions()
        except CaseError:
            self.close()
            raise
        except (OSError, TimeoutError, ValueError) as error:
            self.close()
            raise CaseError(
                f"--dask {address}: no scheduler with workers answered in {SECONDS} s "
                f"({error or type(error).__name__}); start one with: dask scheduler, and dask worker ADDRESS"
            ) from None
        self._address = address

    @property
    def workers(self) -> int:
        """Worker threads, each of which does a run at a time."""
        return max(1, sum(self._client.nthreads().values()))

    @property
    def name(self) -> str:
        link = f", dashboard {self._client.dashboard_link}" if self._client.dashboard_link else ""
        return f"by {self.workers} workers of dask ({self._address}){link}"

    def outcomes(self, setup: Setup, tasks: Iterator[Task], tell: Teller) -> Iterator[Outcome]:
        distributed = _distributed()
        if setup.folders:
            self._check_folder(Path(setup.folder))
        running: dict[Any, list[Task]] = {}
        alone: deque[Task] = deque()
        queue, handfuls = distributed.as_completed(), Handfuls(self.workers)
        with Interrupts() as interrupts:
            try:
                while True:
                    while len(running) < AHEAD * self.workers:
                        chosen = [alone.popleft()] if alone else handfuls.next(tasks)
                        if not chosen:
                            break
                        key = f"{chosen[0].folder}-{uuid.uuid4()}"
                        future = self._client.submit(_solve_each, setup, chosen, pure=False, key=key)
                        running[future] = chosen
                        queue.add(future)
                    if not running:
                        return
                    with interrupts.abandonable():
                        future = next(queue)
                    chosen = running.pop(future)
                    found = _outcomes(future, chosen)
                    if found is None:
                        alone.extend(chosen)
                        continue
                    handfuls.done(found)
                    yield from found
            except Interrupted as request:
                self._client.cancel(list(running), force=True)
                raise request
            finally:
                self.close()

    def close(self) -> None:
        with suppress(Exception):
            self._stack.close()

    def _check_versions(self) -> None:
        """Raises CaseError where a worker has another version of this program, or none."""
        found = self._client.run(_version)
        if others := {worker: version for worker, version in found.items() if version != __version__}:
            worker, version = next(iter(others.items()))
            raise CaseError(
                f"the worker {worker} has {f'wgfpde {version}' if version else 'no wgfpde'}, this is wgfpde "
                f"{__version__}; install the same version everywhere"
            )

    def _check_folder(self, folder: Path) -> None:
        """Raises CaseError where a worker does not see what this process writes into the folder."""
        mark = folder / f".seen-{uuid.uuid4().hex}"
        mark.touch()
        try:
            blind = [worker for worker, seen in self._client.run(os.path.exists, str(mark)).items() if not seen]
        finally:
            mark.unlink(missing_ok=True)
        if blind:
            raise CaseError(
                f"the worker {blind[0]} does not see {folder}; choose a folder that all workers share with --out, or "
                "keep no run folders: --no-folders"
            )


def _outcomes(future: Any, chosen: list[Task]) -> list[Outcome] | None:
    """What became of a handful; None of several that are to be done one by one."""
    try:
        found: list[Outcome] = future.result()
    except Exception as error:  # the worker died three times, or what it sent is no outcome
        if len(chosen) > 1:
            return None
        return [Outcome(chosen[0].digest, FAILED, f"no worker could do it: {error or type(error).__name__}")]
    return found


def _solve_each(setup: Setup, tasks: list[Task]) -> list[Outcome]:
    """In a worker."""
    return [solve(setup, task) for task in tasks]


def _version() -> str:
    """In a worker."""
    try:
        from wgfpde import __version__ as found
    except ImportError:
        return ""
    return found


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise CaseError("--dask needs dask.distributed: pip install 'wgfpde[dask]'") from None
    return distributed
