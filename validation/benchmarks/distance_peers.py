"""Distances on grids beside POT, GeomLoss and OTT: seconds, and how far off the exact distance.

    python validation/benchmarks/distance_peers.py [--sizes 32 64 128] [--images 32] [--limit 60]

What is not installed is left out.  Gaussians are products, so that two distances in 1D make the exact one: of densities
constant on cells for wgfpde, of their centres for all others.  Images: of centres, beside a linear programme.  The
entropic solvers are asked for the debiased distance at a blur of one cell, and of a part of one.  Seconds are of the
processor, one thread, of the second of two calls; a solver that took longer than the limit gets no larger grid.
"""

import argparse
import math
import os
import time
from functools import lru_cache

os.environ |= {"OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"}
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np
from distances import BOX, GAUSSIANS, images, line, optional

from wgfpde.grid import Grid
from wgfpde.transport import distance, w2
from wgfpde.transport.plane.between import warm_up

DENSE = 64
"""Cells along an axis up to which dense matrices are built."""
MOST = 5000
"""Iterations of OTT and POT."""
EMPTY = 1e-20
"""Mass of an empty cell for OTT and POT, which take logarithms."""


def ours(a, b, side, atoms=False):
    grid = Grid([0.0, 0.0], [side, side], a.shape)
    return distance(grid, a, b, atoms=atoms).w2


def geomloss(a, b, side, blur, scaling):
    """By dense matrices: the routine for images depends on KeOps."""
    import torch
    from geomloss import SamplesLoss

    torch.set_num_threads(1)
    p, q = (torch.as_tensor((v / v.sum()).ravel()) for v in (a, b))
    y, x = (np.ravel(v) for v in np.mgrid[0 : len(a), 0 : len(a)] + 0.5)
    places = torch.as_tensor(np.stack([x, y], axis=1) / len(a))
    loss = SamplesLoss("sinkhorn", p=2, blur=blur / len(a), scaling=scaling, backend="tensorized")
    return side * math.sqrt(2 * float(loss(p, places, q, places)))


def ott(a, b, side, blur):
    """The debiased distance of three plain solves on the grid, whose kernels are products."""
    p, q = (np.maximum(v / v.sum(), EMPTY).ravel() for v in (a, b))
    cost = ott_solve(len(a), blur)
    return side * math.sqrt(float(cost(p, q)) - 0.5 * (float(cost(p, p)) + float(cost(q, q))))


@lru_cache
def ott_solve(n, blur):
    """The compiled function (p, q) → entropic cost."""
    import jax
    from ott.geometry import grid
    from ott.problems.linear import linear_problem
    from ott.solvers.linear import sinkhorn

    places = [jax.numpy.asarray((np.arange(n) + 0.5) / n)] * 2
    epsilon = 2 * (blur / n) ** 2  # of |x − y|², where blur² belongs to half of it

    @jax.jit
    def cost(p, q):
        solver = sinkhorn.Sinkhorn(threshold=1e-4, max_iterations=MOST)
        return solver(linear_problem.LinearProblem(grid.Grid(x=places, epsilon=epsilon), p, q)).reg_ot_cost

    return cost


def pot(a, b, side, blur=None):
    """The linear programme, or with a blur Sinkhorn's iteration, debiased."""
    import ot

    p, q = ((v / v.sum()).ravel() for v in (a, b))
    y, x = (np.ravel(v) for v in np.mgrid[0 : len(a), 0 : len(a)] + 0.5)
    cost = ((x[:, None] - x) ** 2 + (y[:, None] - y) ** 2) / len(a) ** 2
    if blur is None:
        return side * math.sqrt(ot.emd2(p, q, cost, numItermax=10**8))

    def entropic(p, q):
        p, q = np.maximum(p, EMPTY), np.maximum(q, EMPTY)
        epsilon = 2 * (blur / len(a)) ** 2
        plan = ot.sinkhorn(p, q, cost, epsilon, "sinkhorn", numItermax=MOST, stopThr=1e-4, warn=False)
        density = np.log(np.maximum(plan, 1e-300)) - np.log(p)[:, None] - np.log(q)
        return float(np.sum(plan * cost) + epsilon * np.sum(plan * density))

    return side * math.sqrt(entropic(p, q) - 0.5 * (entropic(p, p) + entropic(q, q)))


def solvers():
    """{name: (call(a, b, side), whether of centres, largest n)}"""
    found = {"wgfpde": (ours, False, 10**4), "wgfpde, atoms": (lambda *p: ours(*p, atoms=True), True, 64)}
    if optional("ot"):
        found["POT, emd2"] = pot, True, DENSE
        found["POT, Sinkhorn, blur 2h"] = lambda *p: pot(*p, blur=2.0), True, 32
    if optional("geomloss"):
        found["GeomLoss, blur h, scaling 0.5"] = lambda *p: geomloss(*p, 1.0, 0.5), True, DENSE
        found["GeomLoss, blur h, scaling 0.9"] = lambda *p: geomloss(*p, 1.0, 0.9), True, DENSE
    if optional("ott"):
        found["OTT, grid, blur 2h"] = lambda *p: ott(*p, 2.0), True, 10**4
        found["OTT, grid, blur h"] = lambda *p: ott(*p, 1.0), True, 10**4
    return found


def timed(call, once=20.0):
    """(result, seconds) of the second call, of the first where that took long."""
    for limit in (once, math.inf):
        start = time.process_time()
        found = call()
        seconds = time.process_time() - start
        if seconds > limit:
            break
    return found, seconds


def of_centres(a, b, h):
    """W₂ of two sets of masses of sum 1 at places h apart, on a line."""
    below = [np.append(0.0, np.cumsum(v) / v.sum()) for v in (a, b)]
    u = np.unique(np.concatenate(below))
    at = [np.clip(np.searchsorted(level, 0.5 * (u[1:] + u[:-1])) - 1, 0, len(a) - 1) for level in below]
    return h * math.sqrt(float(np.sum(np.diff(u) * (at[0] - at[1]) ** 2)))


def gaussians(sizes, limit, pairs):
    print("| pair | solver | " + " | ".join(f"{n}², s | off" for n in sizes) + " |")
    print("|---|---|" + "---|---|" * len(sizes))
    for pair, (a_mean, a_width, b_mean, b_width) in GAUSSIANS.items():
        if pair not in pairs:
            continue
        for name, (call, centres, largest) in solvers().items():
            cells, slow = [], False
            for n in sizes:
                if slow or n > largest:
                    cells.append("– | –")
                    continue
                lines = [(line(n, a_mean[k], a_width), line(n, b_mean[k], b_width)) for k in (0, 1)]
                axis = Grid([-BOX], [BOX], [n])
                exact = math.hypot(*(of_centres(*p, 2 * BOX / n) if centres else w2(axis, *p) for p in lines))
                a, b = (np.outer(lines[1][k], lines[0][k]) for k in (0, 1))
                cells.append(told(lambda call=call, a=a, b=b: call(a, b, 2 * BOX), exact))
                slow = cells[-1][1] > limit
                cells[-1] = cells[-1][0]
            print(f"| {pair} | {name} | " + " | ".join(cells) + " |", flush=True)


def told(call, exact):
    """("seconds | relative error", seconds)"""
    try:
        found, seconds = timed(call)
    except Exception as failure:  # of another package: the table says which
        return f"– | {type(failure).__name__}", 0.0
    return f"{seconds:.2g} | {found / exact - 1:.1e}", seconds


def pictures(n, kinds):
    asked = {name: each for name, each in solvers().items() if each[1]}
    pairs = {name: [v / v.sum() for v in pair] for name, pair in images(n).items() if name in kinds}
    grid = Grid([0.0, 0.0], [float(n)] * 2, [n, n])
    exact = {name: distance(grid, *pair, atoms=True).w2 for name, pair in pairs.items()}
    print(f"\n| {n}², centres | " + " | ".join(f"{name}, s | off" for name in pairs) + " |")
    print("|---|" + "---|---|" * len(pairs))
    for name, (call, *_) in asked.items():
        cells = [told(lambda a=a, b=b, call=call: call(a, b, float(n)), exact[key])[0] for key, (a, b) in pairs.items()]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 128], help="cells along an axis, Gaussians")
    parser.add_argument("--pairs", nargs="+", default=list(GAUSSIANS)[:2], help="pairs of Gaussians")
    parser.add_argument("--images", type=int, default=32, help="cells along an axis, images (default: 32)")
    parser.add_argument("--kinds", nargs="*", default=["rough field", "discs"], help="classes of images")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds after which a solver gets no larger grid")
    asked = parser.parse_args()
    warm_up()
    pictures(asked.images, asked.kinds)
    print()
    gaussians(asked.sizes, asked.limit, asked.pairs)


if __name__ == "__main__":
    main()
