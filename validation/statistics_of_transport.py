"""Statistics of transport on a line: barycentres, distances to points drawn at random, and points with a bandwidth.

A mean of quantile functions is the density nearest to several; n points drawn from the uniform law are at
E W₂² = 1/(6n) from it; and a Gaussian around each of them gives a density whose variance is larger by h².
"""

import math

import numpy as np

import wgfpde as wgf
from wgfpde.claims import Validation
from wgfpde.cli import validate_script
from wgfpde.energy.equations import gaussian


def check(v: Validation) -> None:
    points(v)
    v.about("other")
    barycentres(v)
    distances(v)


def barycentres(v: Validation) -> None:
    """N(0, 1), N(2, ¼) and N(−1, 4) with weights .5, .3, .2: N(0.4, 1.05²); errors h²/12 and less."""
    errors = []
    for n in (200, 400, 800):
        grid = wgf.Grid([-16.0], [14.0], [n])
        parts = [grid.average(lambda x, m=m, s=s: gaussian(x, mean=m, cov=s), points=6)
                 for m, s in ((0, 1), (2, 0.25), (-1, 4))]  # fmt: skip
        found = wgf.barycentre(grid, parts, [0.5, 0.3, 0.2])
        x, h = grid.x.centers, 30.0 / n
        mean = h * np.sum(x * found)
        errors.append((abs(mean - 0.4), abs(math.sqrt(h * np.sum((x - mean) ** 2 * found)) - 1.05)))
    v.equal("barycentre of three Gaussians: mean", errors[-1][0], 0, 1e-5, "Agueh, Carlier (2011)")
    v.equal("barycentre of three Gaussians: standard deviation", errors[-1][1], 0, 3e-4, "Agueh, Carlier (2011)")
    v.at_least("its order in h", -np.polyfit(range(3), np.log2(np.array(errors)[:, 1]), 1)[0], 1.9)


def distances(v: Validation) -> None:
    """Over 2,000 draws of 50 points the mean has a standard error of 0.00005."""
    grid, random = wgf.Grid([0.0], [1.0], [16]), np.random.default_rng(7)
    squares, off = [], 0.0
    for _ in range(2000):
        x = np.sort(random.random(50))
        found = wgf.w2(grid, np.ones(16), wgf.Points(x)) ** 2
        low, high = np.arange(50) / 50, np.arange(1, 51) / 50
        off = max(off, abs(found - np.sum((high - x) ** 3 - (low - x) ** 3) / 3))
        squares.append(found)
    error = np.std(squares) / math.sqrt(len(squares))
    v.equal("E W₂² of 50 points and the uniform law", np.mean(squares), 1 / 300, 4 * error, "1/(6n)")
    v.equal("W₂² of points and the uniform law: largest error", off, 0, 1e-15, "Σ∫(x_(i) − u)² du")


def points(v: Validation) -> None:
    """The variance of 400 points, of a run's own density, and h²; walls are far."""
    run = v.run("heat_1d", "exact=", "grid={shape=[400], lower=[-8], upper=[8]}", "initial.density=exp(-x**2/2)",
                "initial.mass=1", "energy.internal.kappa=1", "time={start=0, end=0.5}", "output.every=0.5")  # fmt: skip
    drawn = run.sample(400, 0.5, seed=3)[:, 0]
    v.runs.mkdir(parents=True, exist_ok=True)
    path = v.runs / "points.csv"
    path.write_text("x\n" + "\n".join(repr(float(x)) for x in drawn) + "\n", encoding="utf-8")
    z = (np.var(drawn) - run.diagnostics["variance_x"][-1]) / (run.diagnostics["variance_x"][-1] * math.sqrt(2 / 400))
    v.at_most("points drawn from a run: |z| of their variance", abs(z), 4.0, "χ²")
    smooth = v.run("heat_1d", "exact=", "grid={shape=[400], lower=[-8], upper=[8]}",
                   f"initial={{samples={str(path)!r}, bandwidth=0.25}}", "time={start=0, end=0.1}",
                   "output.every=0.1")  # fmt: skip
    expected = np.var(drawn) + 0.25**2 + 0.04**2 / 12  # what cells add to a variance
    v.equal("points with a bandwidth: variance", smooth.diagnostics["variance_x"][0], expected, 1e-8, "s + h²")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
