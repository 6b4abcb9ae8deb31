"""How many threads, and how kernels share work among them.

Kernels release the interpreter, so that plain threads suffice.  The parts a kernel is called on are disjoint, and what
it computes for one does not depend on the others: threads change neither values nor sums.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from ..errors import CaseError

SERIAL_CELLS = 65536
"""Below this many cells a second thread costs more than it gains:
at 128² most steps by two threads take longer than by one, for JKO more than twice as long."""


LINES, VECTOR = 128, 8
"""Lines of a large grid that a library's transform is given at once, and what their number is a multiple of: the widest
vector register.  On 256² one block is 15 % faster than three, on 512² blocks are faster."""


def default_threads() -> int:
    """Threads used by kernels: WGFPDE_NUM_THREADS, else the cores this process may use.

    Raises CaseError where the variable is set to anything but a positive number.
    """
    chosen = os.environ.get("WGFPDE_NUM_THREADS", "").strip()
    if chosen:
        if not (chosen.isdecimal() and int(chosen) > 0):
            raise CaseError(f'WGFPDE_NUM_THREADS must be a number of threads, such as 4; found "{chosen}".')
        return int(chosen)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def share(kernel: Callable[..., None], blocks: int, cells: int, threads: int, *args: object) -> None:
    """Call kernel(first, last, *args) on disjoint ranges that cover 0 … blocks."""
    parts = min(threads, blocks) if cells >= SERIAL_CELLS else 1
    if parts == 1:
        kernel(0, blocks, *args)
        return
    bounds = [blocks * k // parts for k in range(parts + 1)]
    futures = [_pool(parts - 1).submit(kernel, bounds[k], bounds[k + 1], *args) for k in range(1, parts)]
    kernel(bounds[0], bounds[1], *args)
    for future in futures:
        future.result()


def share_lines(
    transform: Callable[[slice], object], lines: int, cells: int, threads: int, at_once: int = LINES
) -> None:
    """Call transform(slice) on blocks of neighbouring lines: at once where cells are few, else some LINES at a time.

    A library's transform treats lines in groups as wide as a vector register, and what is left of them otherwise, so
    that its rounding depends on where a range begins and ends: these blocks do not depend on the number of threads.
    """
    blocks = 1 if cells <= SERIAL_CELLS else -(-lines // at_once)
    width = -(-lines // (blocks * VECTOR)) * VECTOR
    share(_line_blocks, -(-lines // width), cells, threads, transform, width, lines)


def _line_blocks(first: int, last: int, transform: Callable[[slice], object], width: int, lines: int) -> None:
    for block in range(first, last):
        transform(slice(block * width, min((block + 1) * width, lines)))


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="wgfpde")
