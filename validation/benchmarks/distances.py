"""Distances in the plane: how long, how far off, how far apart the bounds, beside POT where it is installed.

    python validation/benchmarks/distances.py [--largest 512] [--images 64]

Gaussians: against two distances in 1D, exact on the same cells.  Images: densities beside the same on four times the
cells; atoms beside `ot.emd2` where POT is there.  Seconds are of the processor, the faster of two.
"""

import argparse
import math
import time

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from wgfpde.grid import Grid
from wgfpde.transport import distance, w2
from wgfpde.transport.plane.between import warm_up

GAUSSIANS = {
    "width 0.6 to 1.2": ((0.0, 0.0), 0.6, (0.0, 0.0), 1.2),
    "width 0.4 to 0.5, 5 apart": ((-2.0, -1.5), 0.4, (2.0, 1.5), 0.5),
    "1.04 apart, width 0.6 to 0.8": ((-0.5, 0.0), 0.6, (0.5, 0.3), 0.8),
}
BOX = 5.0


def timed(call):
    """(result, seconds)."""
    best, found = math.inf, None
    for _ in range(2):
        start = time.process_time()
        found = call()
        best = min(best, time.process_time() - start)
    return found, best


def line(n, mean, width):
    edges = np.linspace(-BOX, BOX, n + 1)
    values = np.diff(erf((edges - mean) / (width * math.sqrt(2))))
    return values / values.sum() * n / (2 * BOX)


def gaussians(largest):
    print(f"{'pair':<32}{'cells':>7}{'s':>8}{'error':>10}{'lower':>10}{'upper':>10}   relative to the exact distance")
    for name, (a_mean, a_width, b_mean, b_width) in GAUSSIANS.items():
        n = 64
        while n <= largest:
            grid, axis = Grid([-BOX] * 2, [BOX] * 2, [n, n]), Grid([-BOX], [BOX], [n])
            pairs = [(line(n, a_mean[k], a_width), line(n, b_mean[k], b_width)) for k in (0, 1)]
            exact = math.hypot(*(w2(axis, *pair) for pair in pairs))
            a, b = (np.outer(pairs[1][k], pairs[0][k]) for k in (0, 1))
            found, seconds = timed(lambda grid=grid, a=a, b=b: distance(grid, a, b))
            off = "".join(f"{value / exact - 1:>10.1e}" for value in (found.w2, found.lower, found.upper))
            print(f"{name:<32}{n:>6}²{seconds:>8.3f}{off}")
            n *= 2


def images(n):
    """Pairs like the classes of DOTmark: noise, smooth fields, logarithmic fields, tails, shapes."""
    rng = np.random.default_rng(1)
    y, x = (np.mgrid[0:n, 0:n] + 0.5) / n

    def field(width):
        f = gaussian_filter(rng.standard_normal((n, n)), width * n, mode="nearest")
        return f / f.std()

    def shapes():
        f = np.zeros((n, n))
        for _ in range(3):
            p, q, r = rng.uniform(0.15, 0.85), rng.uniform(0.15, 0.85), rng.uniform(0.05, 0.15)
            f += (x - p) ** 2 + (y - q) ** 2 < r**2
        return f

    def cauchy():
        p, q, s = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), rng.uniform(0.02, 0.1)
        return (1 + ((x - p) ** 2 + (y - q) ** 2) / s**2) ** -1.5

    kinds = {"white noise": lambda: rng.uniform(0.0, 1.0, (n, n)), "rough field": lambda: np.exp(field(0.03)),
             "smooth field": lambda: field(0.1) + 6.0, "log field": lambda: np.exp(2 * field(0.08)),
             "Cauchy": cauchy, "discs": shapes}  # fmt: skip
    return {name: (make(), make()) for name, make in kinds.items()}


def pictures(n):
    pot = optional("ot")
    head = f"{'s':>8}{'W2/h':>9}{'change':>10}{'gap':>10}{'atoms':>10}{'gap':>10}{'s':>8}"
    print(f"\n{f'image, {n}²':<16}{head}" + ("" if pot is None else f"{'emd2':>10}{'s':>8}"))
    grid = Grid([0.0, 0.0], [float(n)] * 2, [n, n])
    for name, pair in images(n).items():
        a, b = (image / image.sum() for image in pair)
        found, seconds = timed(lambda a=a, b=b: distance(grid, a, b))
        finer = distance(grid, a, b, tolerance=1e-6, cells=4 * 2**16)
        atoms, atom_seconds = timed(lambda a=a, b=b: distance(grid, a, b, atoms=True))
        text = f"{name:<16}{seconds:>8.3f}{found.w2:>9.4f}{found.w2 / finer.w2 - 1:>10.1e}{found.gap:>10.1e}"
        text += f"{atoms.w2:>10.4f}{atoms.gap:>10.1e}{atom_seconds:>8.2f}"
        print(text + ("" if pot is None else emd(pot, grid, a, b)))


def emd(pot, grid, a, b):
    x, y = (np.ravel(p) for p in np.meshgrid(grid.x.centers, grid.y.centers))
    cost = (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2
    start = time.process_time()
    value = pot.emd2(np.ravel(a), np.ravel(b), cost, numItermax=10**7)
    return f"{math.sqrt(value):>10.4f}{time.process_time() - start:>8.2f}"


def optional(name):
    try:
        return __import__(name)
    except ImportError:
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=512, help="cells along an axis, Gaussians (default: 512)")
    parser.add_argument("--images", type=int, default=32, help="cells along an axis, images (default: 32)")
    asked = parser.parse_args()
    warm_up()
    gaussians(asked.largest)
    pictures(asked.images)
    if optional("ot") is None:
        print("POT is not installed: not compared")


if __name__ == "__main__":
    main()
