"""March step by step, and stop by a rule of one's own: when half of the crowd is through the door."""

import numpy as np

import wgfpde as wgf

grid = wgf.Grid([-2.0, -1.0], [2.0, 1.0], [80, 40])


def walls(x, y):
    """Downhill to the right, over a ridge at x = 0 that has a gap at y = 0."""
    return -x + 2 * np.exp(-((x / 0.2) ** 2)) * (1 - np.exp(-((y / 0.3) ** 2)))


energy = wgf.Energy(wgf.Internal("power", m=2.0, kappa=0.3), potential=walls)
problem = wgf.problem(
    grid, energy, lambda x, y: 1.0 * ((x + 1.2) ** 2 + y**2 < 0.25), mass=1.0, end=20.0,
    solver={"method": "fv", "dt": "adaptive", "tolerance": 1e-3},
)  # fmt: skip

behind = grid.coordinates()["x"] > 0
told = 0.0
for snapshot in wgf.march(problem):  # the start, then every accepted step; nothing is written
    through = float(np.sum(snapshot.rho * behind * grid.cell_volume))
    if through >= told:
        print(f"step {snapshot.step:4d}, t = {snapshot.t:.3f}: {through:5.1%} are through")
        told += 0.1
    if through > 0.5:
        break
