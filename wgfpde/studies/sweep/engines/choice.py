"""Which engine does a sweep, from what was asked for.

A case that was put together in Python holds functions, which are not sent to other processes: its runs are done here,
one after the other.  Else there is a worker process for each core, and none where one would do.
"""

from __future__ import annotations

import operator

from ....errors import CaseError
from ..plan import Plan
from .engine import Engine, Serial
from .process_pool import ProcessPool, cores

MOST_WORKERS = 4096


def engine_for(plan: Plan, workers: int | None = None, dask: str | None = None) -> Engine:
    """The engine of a sweep.   workers : how many processes, None: one for each core.   dask : see DaskCluster.

    Raises CaseError for another number, and where functions would have to travel.
    """
    in_code = plan.case._code is not None
    asked = workers
    if workers is None:
        workers = 1 if in_code else max(1, min(cores(), plan.count))
    try:
        workers = operator.index(workers)
    except TypeError:
        workers = 0
    if not 1 <= workers <= MOST_WORKERS:
        raise CaseError(f"workers: expected a number of processes, from 1 to {MOST_WORKERS}")
    if in_code and (workers > 1 or dask):
        raise CaseError("this case was put together in Python, and its functions do not travel to workers; workers = 1")
    if dask:
        from .dask_cluster import DaskCluster

        return DaskCluster(dask, asked)
    return Serial() if workers == 1 else ProcessPool(workers)
