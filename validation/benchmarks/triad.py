"""Memory bandwidth by the triad a = b + s c, in kernels of the package's own kind and shared by its own threads.

Three arrays count: b and c read, a written.  What the hardware also reads to own the lines of a is not counted, and
the steps of module `scaling` are counted in the same way, so that their ratio is that of like with like.

"memory" takes arrays far larger than any cache, "L2" three that fit into 256 KiB a core: what a sweep sees that works
on a block of grid lines.  The best of several passes counts: others on the machine can only slow a pass down.
Reference: McCalpin (1995), Memory bandwidth and machine balance in current high performance computers.
"""

from __future__ import annotations

import json
import time

import numpy as np
from numba import njit

from wgfpde.linear.threads import SERIAL_CELLS, share

MEMORY, L2 = 2**25, 2**13
"""Entries of one array: 256 MiB in all, and 64 KiB a thread."""


@njit(cache=True, nogil=True, error_model="numpy")
def _triad(first, last, a, b, c, s, passes):
    """a = b + s c on the rows first … last of (rows, n), each row `passes` times."""
    for j in range(first, last):
        for _ in range(passes):
            for i in range(a.shape[1]):
                a[j, i] = b[j, i] + s * c[j, i]


def bandwidth(rows: int, columns: int, passes: int, threads: int, repeats: int = 7) -> float:
    """Bytes per second of the triad on arrays (rows, columns), each row `passes` times: the best of `repeats`."""
    a, b, c = np.zeros((rows, columns)), np.ones((rows, columns)), np.full((rows, columns), 2.0)
    best = np.inf
    for _ in range(repeats + 1):  # the first one compiles
        begin = time.perf_counter()
        share(_triad, rows, SERIAL_CELLS, threads, a, b, c, 3.0, passes)
        best = min(best, time.perf_counter() - begin)
    return 24.0 * a.size * passes / best


def measure(threads: tuple[int, ...], quick: bool = False) -> list[dict[str, float | str]]:
    """One row per place and number of threads: GB/s."""
    rows = MEMORY // L2 // (4 if quick else 1)
    found: list[dict[str, float | str]] = []
    for count in threads:
        far = bandwidth(rows, L2, 1, count)
        near = bandwidth(count, L2, 2000, count)
        found += [
            {"place": "memory", "threads": count, "gigabytes_per_second": far / 1e9},
            {"place": "L2", "threads": count, "gigabytes_per_second": near / 1e9},
        ]
    return found


if __name__ == "__main__":
    print(json.dumps(measure((1, 2)), indent=1))
