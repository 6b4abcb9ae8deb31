"""Cost of one second-order Strang step as the grid grows: Fokker–Planck, porous medium, McKean–Vlasov; peak memory.

Each grid runs in a process of its own, so that the peak memory is its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import numpy as np
from timing import step_seconds, table

from wgfpde.energy import Energy, Internal
from wgfpde.flow import Flow
from wgfpde.grid import Grid

GRIDS = {
    "entropy": (128, 256, 512, 1024, 2048),
    "power": (128, 256, 512, 1024),
    "quadratic": (128, 256),
    "log": (128, 256),
}
NAMES = {
    "entropy": "Fokker–Planck",
    "power": "porous medium m = 2",
    "quadratic": "McKean–Vlasov, W = r²/2",
    "log": "McKean–Vlasov, W = 2 log r",
}


def measure(name: str, n: int) -> dict[str, float]:
    """One step of one equation on n² cells."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grid = Grid([-3, -4], [3, 4], [n, n])
    internal = Internal("power", 1.0, 2.0) if name == "power" else Internal("entropy", 1.0)
    kernels = {"quadratic": lambda x, y: (x**2 + y**2) / 2, "log": lambda x, y: 2 * np.log(np.hypot(x, y))}
    flow = Flow(grid, Energy(internal, lambda x, y: (x**2 - 1) ** 2 + y**2 / 2, kernels.get(name)))
    c = grid.coordinates()
    r2 = c["x"] ** 2 + c["y"] ** 2
    rho = np.maximum(1 - r2, 0) if name == "power" else np.exp(-r2 / 0.5)
    rho /= flow.mass(rho)
    seconds, convolutions = step_seconds(flow, rho, 0.01 if name != "power" else 1e-3, 20 if n <= 512 else 6)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "convolutions": convolutions, "arrays": (after - before) * 1024 / (8 * n * n)}


def main() -> None:
    rows = []
    for name, grids in GRIDS.items():
        for n in grids:
            done = subprocess.run([sys.executable, __file__, name, str(n)], capture_output=True, text=True, check=True)
            result = json.loads(done.stdout)
            rows.append(
                [
                    NAMES[name],
                    f"{n}²",
                    f"{result['seconds'] * 1e3:.2f}",
                    f"{result['seconds'] / n**2 * 1e9:.1f}",
                    f"{result['convolutions']:.1f}",
                    f"{result['arrays']:.1f}" if n >= 512 else "–",
                ]
            )
    table(
        "one second-order step",
        ["equation", "grid", "ms", "ns/cell", "convolutions", "arrays of the grid's size"],
        rows,
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    else:
        main()
