"""Langevin chains: what a particle, a pair and a step of the law cost, beside loops in plain NumPy.

    python validation/benchmarks/langevin.py

Nanoseconds of the processor, one thread, the fastest of seven.  The loops are what one writes in a notebook: normal
numbers of the same generator, the drift in place, no box, no bins; of pairs, tiles of 32 by 1024 differences.
"""

import math
import time

import numpy as np

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.formulas.compile import compile_expression
from wgfpde.grid import Grid
from wgfpde.methods.particles.chain_law import Law
from wgfpde.methods.particles.langevin_chain import Chain, Rules
from wgfpde.methods.particles.mesh import MeshPull
from wgfpde.methods.particles.pair_pull import make_pull
from wgfpde.methods.particles.swarm import draw

TAU = 0.005


def fastest(call, repeats=7):
    """Seconds of the processor."""
    call()
    best = math.inf
    for _ in range(repeats):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best


def flow_of(dim, cells, potential=None, kernel=None, half=3.0):
    v = ("x", "r") if dim == 1 else ("x", "y", "r")
    grid = Grid([-half] * dim, [half] * dim, [cells] * dim)
    made = [None if text is None else compile_expression(text, v) for text in (potential, kernel)]
    return Flow(grid, Energy(Internal("entropy"), *made))


def particle_steps():
    print(f"{'chain':<34}{'particles':>11}{'ns a particle and step':>25}{'NumPy loop':>13}")
    wells = {1: "(x**2 - 1)**2", 2: "(x**2 - 1)**2 + y**2"}
    for dim, adjust, n in ((1, False, 10**5), (1, False, 10**6), (2, False, 10**6), (1, True, 10**6)):
        flow = flow_of(dim, 60, wells[dim])
        chain = Chain(flow, Rules(TAU, 1, adjust, 1.0))
        at = Snapshot(0.0, 0, {"rho": flow.gibbs(), "position": draw(flow.gibbs(), flow.grid, n, 1)})
        own = fastest(lambda chain=chain, at=at: chain.step(at, 9.0)) / n * 1e9
        loop = fastest(numpy_loop(at.fields["position"].copy(), adjust)) / n * 1e9
        name = f"{'adjusted' if adjust else 'unadjusted'}, {dim}D, binned"
        print(f"{name:<34}{n:>11}{own:>25.1f}{loop:>13.1f}")


def numpy_loop(x, adjust):
    random = np.random.Generator(np.random.Philox(1))

    def slope(x):
        found = 4 * x * (x**2 - 1)
        if x.shape[1] == 2:
            found[:, 1] = 2 * x[:, 1]
        return found

    def value(x):
        return (x[:, 0] ** 2 - 1) ** 2

    def step():
        noise = random.standard_normal(x.shape)
        y = x - TAU * slope(x) + math.sqrt(2 * TAU) * noise
        if not adjust:
            x[:] = y
            return
        back = np.sum((x - y + TAU * slope(y)) ** 2, axis=1) / (4 * TAU)
        ratio = value(x) - value(y) + 0.5 * np.sum(noise**2, axis=1) - back
        taken = np.log(random.random(len(x))) < ratio
        x[taken] = y[taken]

    return step


def pair_sums(n=10**4):
    print(f"\n{f'pull of {n} particles':<34}{'s':>11}{'ns a pair':>25}{'NumPy tiles':>13}")
    for dim in (1, 2):
        for kernel in ("r**2/2", "exp(-r**2/2)", "r", "log(r)", "where(r < 0.7, r**2/2, 0.245)"):
            flow = flow_of(dim, 64, None, kernel)
            places = draw(np.ones(flow.grid.shape), flow.grid, n, 1)
            pull = make_pull(flow, 1.0, 1)
            seconds = fastest(lambda pull=pull, places=places: pull(places), 3)
            tiles = f"{numpy_tiles(places) / n**2 * 1e9:.1f}" if kernel == "exp(-r**2/2)" else ""
            print(f"{f'{dim}D, W = {kernel}':<34}{seconds:>11.4f}{seconds / n**2 * 1e9:>25.2f}{tiles:>13}")
    flow = flow_of(1, 200, None, "exp(-r**2/2)")
    places = draw(np.ones(200), flow.grid, 10**6, 1)
    seconds = fastest(lambda: MeshPull(flow, 1.0, 1)(places), 3)
    print(f"by the mesh, 10⁶ particles in 1D: {seconds:.3f} s, {seconds * 1e3:.1f} ns a particle")


def numpy_tiles(places):
    def all_pairs():
        out = np.zeros_like(places)
        for i in range(0, len(places), 32):
            for j in range(0, len(places), 1024):
                shift = places[i : i + 32, None] - places[None, j : j + 1024]
                weight = np.exp(-0.5 * np.einsum("ijk,ijk->ij", shift, shift))
                out[i : i + 32] -= np.einsum("ij,ijk->ik", weight, shift)
        return out

    return fastest(all_pairs, 1)


def law_steps():
    print(f"\n{'step of the law':<34}{'cells':>11}{'ms':>25}")
    for dim, cells, adjust in ((1, 2000, False), (2, 64, False), (2, 128, False), (2, 256, False), (2, 64, True)):
        flow = flow_of(dim, cells, "x**2/2" if dim == 1 else "0.75*x**2 + 0.6*x*y + y**2/2", half=6.0)
        law = Law(flow, 0.025, adjust)
        mass = flow.gibbs() * flow.grid.cell_volume
        seconds = fastest(lambda law=law, mass=mass: law.moved(mass), 3)
        name = f"{dim}D, {'adjusted' if adjust else 'unadjusted'}, σ = {math.sqrt(0.05) * cells / 12:.1f} h"
        print(f"{name:<34}{f'{cells}{chr(178) if dim == 2 else str()}':>11}{seconds * 1e3:>25.2f}")


if __name__ == "__main__":
    particle_steps()
    pair_sums()
    law_steps()
