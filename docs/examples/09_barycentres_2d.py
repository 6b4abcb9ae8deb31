"""Barycentres in the plane by POT: their blur in closed form, and what they cost by the distances of wgfpde."""

import numpy as np
import ot
from matplotlib.figure import Figure

import wgfpde as wgf

CELLS = 48
grid = wgf.Grid([-1.0, -1.0], [1.0, 1.0], [CELLS, CELLS])
x, y = grid.coordinates()["x"], grid.coordinates()["y"]


def density(values):
    return values / np.sum(values * grid.cell_volume)


def barycentre(densities, weights, reg):
    """Entropic, of mass 1.  For POT the CELLS − 1 steps between the centres have the length 1, here each is 2/CELLS."""
    images, reg = np.array(densities) * grid.cell_volume, reg * (CELLS / (2 * (CELLS - 1))) ** 2
    return density(ot.bregman.convolutional_barycenter2d(images, reg, np.array(weights), stopThr=1e-8))


ends = [density(np.exp(-((x - m) ** 2 + (y + m) ** 2) / 0.04)) for m in (-0.2, 0.2)]  # of variance 0.02
for reg in (0.04, 0.02, 0.01):
    masses = barycentre(ends, [0.75, 0.25], reg) * grid.cell_volume
    mean = np.sum(masses * x)
    variance = np.sum(masses * (x - mean) ** 2)
    print(f"reg {reg}: mean {mean:+.4f}, variance {variance:.5f}, 0.02 + reg/2 is {0.02 + reg / 2:.5f}")

r, cross = np.hypot(x, y), np.minimum(abs(x), abs(y)) < 0.13
corners = [density(1.0 * shape) for shape in (r < 0.7, abs(r - 0.7) < 0.12, cross & (r < 0.9))]
panels = Figure(figsize=(6, 6), layout="constrained").subplots(4, 4)
for (j, k), axes in np.ndenumerate(panels):
    axes.set_axis_off()
    weights = np.array([3 - j - k, k, j]) / 3
    if weights[0] < 0:
        continue
    found = corners[weights.argmax()] if weights.max() == 1 else barycentre(corners, weights, 2e-3)
    axes.imshow(found, origin="lower", cmap="magma")
    if np.count_nonzero(weights) == 2:  # between two the least is known: λμ W₂² of the corners
        (a, b), shares = np.flatnonzero(weights), weights[weights > 0]
        least = shares.prod() * wgf.w2(grid, corners[a], corners[b]) ** 2
        cost = shares @ [wgf.w2(grid, found, corners[corner]) ** 2 for corner in (a, b)]
        print(f"weights {weights.round(2)}: Σ λ W₂² = {cost:.4f}, at least {least:.4f}")
panels[0, 0].figure.savefig("barycentres.png", dpi=120)
