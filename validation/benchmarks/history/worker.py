"""A process with one commit's wgfpde, which times what it is asked to: requests and answers are lines of JSON.

    {"name": …, "calls": n}  →  {"cpu": …, "wall": …}   seconds of the fastest of n calls     or  {"missing": "why"}

The clock that counts is processor time, of the process and of the children it waited for: on a busy machine wall time
grows with what others do and processor time hardly.  It does not see sleeping and waiting; `wall` does.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from pathlib import Path

from timed import TIMED, Call

LACKS = (ImportError, AttributeError, TypeError)
"""What a benchmark raises where a commit does not have what it times."""


def cpu_seconds() -> float:
    """Processor time of this process, all its threads, and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def fastest(call: Call, calls: int) -> dict[str, float]:
    """The smallest processor and wall time of some calls, no garbage collected in between."""
    gc.disable()
    cpu, wall = [], []
    for _ in range(calls):
        cpu_begin, wall_begin = cpu_seconds(), time.perf_counter()
        call()
        cpu.append(cpu_seconds() - cpu_begin)
        wall.append(time.perf_counter() - wall_begin)
    gc.enable()
    return {"cpu": min(cpu), "wall": min(wall)}


def answer(request: dict[str, object], ready: dict[str, Call]) -> dict[str, object]:
    name = str(request["name"])
    if name not in ready:
        try:
            ready[name] = TIMED[name]()
            ready[name]()
            gc.collect()  # once: with all that is loaded it takes longer than most samples
            gc.freeze()
        except LACKS as error:
            return {"missing": f"{type(error).__name__}: {error}"}
    return dict(fastest(ready[name], int(str(request["calls"]))))


def main(root: Path) -> None:
    """Serve until stdin ends.   root : the folder that wgfpde must come from."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    import wgfpde

    if not Path(str(wgfpde.__file__)).resolve().is_relative_to(root.resolve()):
        sys.exit(f"expected wgfpde from {root}, found {wgfpde.__file__}: PYTHONPATH does not come first")
    ready: dict[str, Call] = {}
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line), ready)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
