"""A process that compiles kernels: a job a line on stdin, what came of it a line on stdout, both JSON.

It ends with its input, however the process that asks has ended.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from ...base import own_process
from ...errors import WgfpdeError

STEPS, BESIDE, NUMBERS = "steps", "beside", "numbers"
PARTS = (STEPS, BESIDE, NUMBERS)
"""Of a case, for processes side by side: its steps, parts of them that take long themselves, and its diagnostics."""


def main() -> None:
    own_process.claim()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    for line in sys.stdin:
        try:
            answer = done(json.loads(line))
        except WgfpdeError as error:
            answer = {"error": error.lines}
        except Exception as error:
            answer = {"error": [f"kernels cannot be compiled: {type(error).__name__}: {error}"]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def done(job: Mapping[str, Any]) -> dict[str, Any]:
    """Compile, or load, the kernels of parts of a case.   job : "case", "overrides", "parts".

    Returns "seconds", "cpu_seconds", "compiled", how many kernels were not in the cache, and "folder", that keeps them.
    Raises CaseError for a case that cannot be built.
    """
    begin, before = time.perf_counter(), time.process_time()
    from ...base.kernel_cache import cache_folder
    from ...cases.building import build
    from ...cases.loading import load
    from ...diagnostics import warm_up
    from ...energy.snapshot import warm_parts
    from ...runs.compiler_watch import compilations_counted
    from ...runs.description import constants_of

    with compilations_counted() as count:
        problem = build(load(job["case"], job["overrides"]))
        steps, *beside = warm_parts(problem.stepper)
        chosen = {STEPS: [steps], BESIDE: beside}
        for part in job["parts"]:
            for compile_part in chosen.get(part, ()):
                compile_part()
        if NUMBERS in job["parts"]:
            warm_up(problem.flow, [d.name for d in problem.diagnostics])
            constants_of(problem)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - before
    return {"seconds": seconds, "cpu_seconds": cpu, "compiled": count(), "folder": cache_folder()}


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
