"""2D heat, no-flux, [−4, 4]², heat kernel from t = 0.1 to 0.5: seconds and L1 error against the Neumann image sum.

Data and comparison are cell averages (exact, by error functions).  Space error ~h² and time error ~dt² have opposite
signs here, as in explicit schemes; the row with many steps shows the space error alone.
"""

from __future__ import annotations

import numpy as np
from scipy.special import erf
from timing import march, median_seconds, table

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid

HALF = 4.0


def kernel_averages(edges: np.ndarray, t: float) -> np.ndarray:
    """Cell averages of the 1D Neumann heat kernel started at 0 on [−HALF, HALF]."""
    total = np.zeros_like(edges)
    for image in range(-8, 9):
        total += 0.5 * erf((edges - 2 * HALF * image) / np.sqrt(4 * t))
    return np.diff(total) / np.diff(edges)


def main() -> None:
    rows = []
    for n, counts in ((256, (12, 20, 60)), (512, (24, 40, 100)), (576, (40, 44)), (640, (44,)), (1024, (60,))):
        grid = Grid([-HALF, -HALF], [HALF, HALF], [n, n])
        flow = Flow(grid, Energy(Internal("entropy", 1.0)))
        first, last = (kernel_averages(grid.x.edges, t) for t in (0.1, 0.5))
        rho, exact = np.outer(first, first), np.outer(last, last)
        for count in counts:
            options = {"dt": 0.4 / count}
            snapshot, _ = march(flow, rho, 0.1, 0.5, **options)
            seconds = median_seconds(lambda o=options, f=flow, r=rho: march(f, r, 0.1, 0.5, **o), 3)
            error = flow.integral(np.abs(snapshot.rho - exact))
            drift = abs(flow.mass(snapshot.rho) / flow.mass(rho) - 1)
            lowest = snapshot.rho.min()
            rows.append([f"{n}²", str(count), f"{error:.2e}", f"{seconds:.3f}", f"{lowest:.1e}", f"{drift:.1e}"])
    table("2D heat kernel, t 0.1 → 0.5", ["grid", "steps", "L1 error", "seconds", "min", "mass drift"], rows)


if __name__ == "__main__":
    main()
