"""1D Barenblatt m = 2 on [−1.5, 1.5], t 0.01 → 0.11, unit mass: seconds and L1 error of cell averages."""

from __future__ import annotations

import numpy as np
from timing import march, median_seconds, table

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.equations import barenblatt
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid


def main() -> None:
    rows = []
    for n, steps in (
        (400, (50, "1e-05")),
        (800, (100,)),
        (1600, (200, 300, 400, "3e-06", "1e-06")),
        (1800, (250, 300)),
        (2000, (250, 300)),
    ):
        grid = Grid([-1.5], [1.5], [n])
        flow = Flow(grid, Energy(Internal("power", 1.0, 2.0)))
        rho, exact = (grid.average(lambda x, t=t: barenblatt(t, np.abs(x), 2.0, 1), 64) for t in (0.01, 0.11))
        for choice in steps:
            adaptive = isinstance(choice, str)
            options = {"dt": "adaptive", "tolerance": float(choice)} if adaptive else {"dt": 0.1 / choice}
            snapshot, _ = march(flow, rho, 0.01, 0.11, **options)
            seconds = median_seconds(lambda o=options, f=flow, r=rho: march(f, r, 0.01, 0.11, **o), 3)
            error = flow.integral(np.abs(snapshot.rho - exact))
            drift = abs(flow.mass(snapshot.rho) / flow.mass(rho) - 1)
            label = f"{snapshot.step} (tol {choice})" if adaptive else str(choice)
            rows.append([str(n), label, f"{error:.2e}", f"{seconds:.3f}", f"{snapshot.rho.min():.1e}", f"{drift:.1e}"])
    table("1D Barenblatt m = 2, t 0.01 → 0.11", ["cells", "steps", "L1 error", "seconds", "min", "mass drift"], rows)


if __name__ == "__main__":
    main()
