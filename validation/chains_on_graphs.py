"""Chains on graphs: the metric of Maas, curvatures in closed form, and finite volumes as gradient flows of entropy.

Two points have a distance by a quadrature; chains of cells tend to the Wasserstein distance.  The generator of every
Fokker–Planck equation on its cells is the gradient of entropy in that metric, to rounding.  Complete graphs, cubes and
cycles have known curvatures of Bakry and Émery, and no chain has a gap below its own.
"""

import math

import numpy as np
from scipy.integrate import quad

import wgfpde as wgf
from wgfpde.claims import Validation
from wgfpde.cli import validate_script

TWO, ENDS = 0.8700676741, 1.5587074515
"""W between densities 1 ± r on two points with rates 1, r from −0.5 to 0.7 and from −1 to 1."""


def check(v: Validation) -> None:
    two_points(v)
    lines(v)
    operators(v)
    closed_forms(v)
    cells = [ornstein_uhlenbeck(v, n) for n in (20, 40, 80)]
    plane(v)
    v.draw(figure, cells)


def two_points(v: Validation) -> None:
    chain = wgf.graphs.Chain([0.5, 0.5], [(0, 1)], [0.5])
    exact = quad(lambda r: math.sqrt(math.atanh(r) / r) if r else 1.0, -0.5, 0.7, epsabs=1e-12)[0] / math.sqrt(2)
    v.equal("two points: the distance by quadrature", exact, TWO, 1e-9, "Maas (2011)")
    errors = [wgf.graphs.geodesic(chain, [1.5, 0.5], [0.3, 1.7], k).distance - TWO for k in (8, 16, 32, 64)]
    v.equal("two points, 64 steps: error of the distance", errors[-1], -6.9e-6, 2e-7, "quadrature")
    order = -np.polyfit(np.arange(4), np.log2(np.abs(errors)), 1)[0]
    v.at_least("two points: order of the distance in 1/K", order, 1.95, "quadrature")
    found = [wgf.graphs.geodesic(chain, [2, 0], [0, 2], k).distance for k in (32, 64)]
    v.equal("two points, from one to the other, extrapolated", 2 * found[1] - found[0], ENDS, 1e-3, "quadrature")


def lines(v: Validation) -> None:
    for n, known in ((8, 0.2213), (16, 0.2195), (30, 0.2191)):
        grid = wgf.Grid([0.0], [1.0], [n])
        chain = wgf.graphs.from_flow(wgf.Flow(grid, wgf.Energy(wgf.Internal())))
        a, b = (1 + s * 0.5 * np.cos(np.pi * grid.x.centers) for s in (1, -1))
        found = wgf.graphs.geodesic(chain, a, b, 32).distance
        v.equal(f"{n} cells of a line: the distance", found, known, 6e-5, "tends to W₂ = 0.2188")


def operators(v: Validation) -> None:
    def wavy(x, y=0.0):
        return 3 * np.cos(np.pi * x) + np.cos(np.pi * (x + y)) + y**2 * (y - 1) ** 2

    def stretch(s):
        return s + 0.06 * np.sin(2 * np.pi * s)

    grids = {
        "a stretched line": wgf.Grid([-1.0], [1.0], [40], mapping=[stretch]),
        "a ring": wgf.Grid([-1.0], [1.0], [40], "periodic"),
        "a plane": wgf.Grid([-1.0, -1.0], [1.0, 1.0], [12, 10], mapping=[stretch, None]),
    }
    for name, grid in grids.items():
        chain = wgf.graphs.from_flow(wgf.Flow(grid, wgf.Energy(wgf.Internal("entropy", 0.5), wavy)))
        f = 1 + np.random.default_rng(1).random(chain.states)
        f /= np.sum(chain.pi * f)
        change = chain.pi * (chain.generator @ f)
        off = np.max(np.abs(change + wgf.graphs.onsager(chain, f) @ np.log(f))) / np.max(np.abs(change))
        v.at_most(f"finite volumes on {name}: generator less gradient of entropy", off, 1e-12, "Maas (2011)")


def closed_forms(v: Validation) -> None:
    def known(rates, value: float, words: str) -> None:
        off = np.max(np.abs(wgf.graphs.curvature(wgf.graphs.from_rates(rates)) - value))
        v.equal(f"curvature of {words}: error", off, 0, 1e-12, "closed form")

    for n in (3, 4, 6):
        known(np.ones((n, n)), 1 + n / 2, f"the complete graph of {n}")
    for d in (1, 2, 3):
        n = 2**d
        known([[float((a ^ b).bit_count() == 1) for a in range(n)] for b in range(n)], 2.0, f"the cube in {d}D")
    for n, value in ((3, 2.5), (4, 2.0), (5, 0.0), (6, 0.0)):
        ring = np.roll(np.eye(n), 1, axis=0)
        known(ring + ring.T, value, f"the cycle of {n}")


def ornstein_uhlenbeck(v: Validation, n: int):
    known = {20: (1.2870, 1.2099, 1.2835), 40: (1.2968, 1.2692, 1.3028), 80: (1.2992, 1.2911, 1.3076)}[n]
    grid = wgf.Grid([-3.0], [3.0], [n])
    chain = wgf.graphs.from_flow(wgf.Flow(grid, wgf.Energy(wgf.Internal(), lambda x: 0.65 * x**2)))
    found = wgf.graphs.curvature(chain)
    for words, value, there in zip(
        ("curvature in the middle", "least curvature", "gap"),
        (found[n // 2], found.min(), chain.gap),
        known,
        strict=True,
    ):
        v.equal(f"Ornstein–Uhlenbeck, λ = 1.3, {n} cells: {words}", value, there, 1e-4, "prototype")
    v.at_most(f"Ornstein–Uhlenbeck, {n} cells: least curvature less gap", found.min() - chain.gap, 0.0, "CD(K, ∞)")
    return grid.x.centers, found


def plane(v: Validation) -> None:
    energy = wgf.Energy(wgf.Internal(), lambda x, y: 0.75 * x**2 + 0.4 * x * y + 0.5 * y**2)
    for n, least, gap in ((14, 0.568, 0.777), (24, 0.672, 0.796), (34, 0.715, 0.801)):
        chain = wgf.graphs.from_flow(wgf.Flow(wgf.Grid([-3.0, -3.0], [3.0, 3.0], [n, n]), energy))
        v.equal(
            f"a tilted well, {n}² cells: least curvature", wgf.graphs.curvature(chain).min(), least, 6e-4, "prototype"
        )
        v.equal(f"a tilted well, {n}² cells: gap", chain.gap, gap, 6e-4, "prototype")


def figure(axes, cells) -> None:
    for x, values in cells:
        axes.plot(x[2:-2], values[2:-2], label=f"{len(x)} cells")
    axes.axhline(1.3, color="k", linestyle="--", linewidth=0.8, label="λ")
    axes.set(title="Curvature of Ornstein–Uhlenbeck on cells", xlabel="x", ylim=(1.15, 1.35))
    axes.legend(fontsize="small")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
