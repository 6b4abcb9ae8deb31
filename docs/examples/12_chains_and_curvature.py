"""Chains on graphs: heat flow, the metric of Maas, curvature, and the finite volumes as one of them."""

import numpy as np
from matplotlib.figure import Figure

import wgfpde as wgf

rates = np.array([[0.0, 1.0, 0.0, 0.5], [1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0], [0.5, 0.0, 1.0, 0.0]])
chain = wgf.graphs.from_rates(rates)  # a square with one slow side
print(f"a square: gap {chain.gap:.4f}, curvature {np.min(wgf.graphs.curvature(chain)):.4f} at least")

start, end = np.array([4.0, 0.0, 0.0, 0.0]), np.ones(4)  # relative to pi, which is 1/4 in every state
found = wgf.graphs.geodesic(chain, start, end, steps=24)
print(f"distance of a corner to rest {found.distance:.4f}, by {len(found.path) - 1} steps of one speed")

well = wgf.load("double_well_1d", grid={"shape": [60]})
flow = wgf.cases.building.build(well).flow
cells = wgf.graphs.from_flow(flow)
curvature = wgf.graphs.curvature(cells)
print(f"60 cells of a double well: gap {cells.gap:.4f}, curvature {curvature.min():.4f} on top of the barrier")
f = 1 + 0.5 * np.tanh(flow.grid.x.centers)
f /= np.sum(cells.pi * f)  # the generator and the gradient of the entropy in this metric are one
gap = cells.pi * (cells.generator @ f) + wgf.graphs.onsager(cells, f) @ np.log(f)
print(f"the finite volumes are its gradient flow to {np.max(np.abs(gap)):.0e}")

figure = Figure(figsize=(7, 3), layout="constrained")
left, right = figure.subplots(1, 2)
for masses, dash in zip(found.path.T / 4, ("-", "--", "-.", ":"), strict=True):
    left.plot(np.linspace(0, 1, len(masses)), masses, dash)
left.set(title="Shortest path on a square", xlabel="$s$", ylabel="mass of each state")
right.plot(flow.grid.x.centers[1:-1], curvature[1:-1])
right.plot(flow.grid.x.centers, 3 * flow.grid.x.centers**2 - 1, "k--", lw=0.8, label="$V''$")
right.set(title="Curvature of the cells", xlabel="$x$")
right.legend(frameon=False)
figure.savefig("chains.png", dpi=120)
