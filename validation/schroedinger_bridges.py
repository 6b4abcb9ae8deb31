"""Schrödinger bridges: Gaussians in closed form, the entropic cost, and geodesics where the diffusion is small.

Between Gaussians, under a quadratic potential or none, a bridge is a Gaussian at every time, and its cost the relative
entropy of two joint Gaussians of both ends.  In two dimensions the potential couples the axes.  Without a potential the
cost tends to W₂²/2T, and the path to the geodesic, as κ → 0.
"""

import math

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

ENDS = (
    "initial.sampling=centre", "output.every=0.5", "energy.internal.kappa=0.5",
    "initial.density=exp(-(x + 0.5)**2/0.6)", "target.density=exp(-(x - 0.7)**2/0.3)", "exact=",
)  # fmt: skip
HALFWAY = {"heat": (0.1, 0.3840695123), "x²/2": (0.0886818884, 0.3341299896)}
"""Mean and variance at T/2 for κ = ½, T = 1, from N(−0.5, 0.3) to N(0.7, 0.15)."""
ERRORS = {"heat": 6.6e-5, "x²/2": 3.2e-5}
PLANE = 0.0956627934, 0.34526899, -0.03650825
"""Mean and covariance along x, and the mixed one, at T/2: V = ½(x² + 0.8xy + y²), κ = ½, (−.5, .2) → (.7, −.4)."""


def check(v: Validation) -> None:
    for name, potential in (("heat", "energy.potential="), ("x²/2", "energy.potential=x**2/2")):
        line(v, name, potential)
    plane(v)
    small_kappa(v)


def moments(run) -> tuple[float, float]:
    return float(run.diagnostics["mean_x"][1]), float(run.diagnostics["variance_x"][1])


def line(v: Validation, name: str, potential: str) -> None:
    runs = [
        v.run("bridge_1d", *ENDS, potential, f"grid.shape=[{cells}]", f"solver.dt={1 / steps}")
        for cells, steps in ((128, 16), (256, 32), (512, 64))
    ]
    errors = np.array([np.subtract(moments(run), HALFWAY[name]) for run in runs])
    v.equal(f"{name}: mean halfway", moments(runs[1])[0], HALFWAY[name][0], 2e-5, "closed form")
    v.equal(f"{name}: variance halfway", moments(runs[1])[1], HALFWAY[name][1], ERRORS[name], "closed form")
    order = float(np.log2(errors[0, 1] / errors[2, 1]) / 2)
    v.equal(f"{name}: order of the variance", order, 2, 0.1, "closed form")
    costs = np.array([run.steps["entropic_cost"][0] for run in runs])
    fine = (4 * costs[2] - costs[1]) / 3
    v.equal(f"{name}: entropic cost, extrapolated", fine, cost(name), 2e-6, "relative entropy of Gaussians")
    iterations = max(int(run.steps["iterations"][0]) for run in runs)
    v.at_most(f"{name}: iterations to 1e-9", iterations, 10, "a prototype needed 8 to 9")


def cost(name: str, s: float = 0.3, r: float = 0.15) -> float:
    """2κ KL(joint law of both ends | that of the diffusion)."""
    a, q = (1.0, 1.0) if name == "heat" else (math.exp(-1), 0.5 * (1 - math.exp(-2)))
    c = 0.5 * (math.sqrt((q / a) ** 2 + 4 * s * r) - q / a)
    joint, free = np.array([[s, c], [c, r]]), np.array([[s, a * s], [a * s, a**2 * s + q]])
    shift, inverse = np.array([0.0, 0.7 + 0.5 * a]), np.linalg.inv(free)
    trace = np.trace(inverse @ joint) - 2 + shift @ inverse @ shift
    return 0.5 * float(trace + np.log(np.linalg.det(free) / np.linalg.det(joint)))


def plane(v: Validation) -> None:
    """A potential that couples the axes: errors 1.6e-3 and 3.9e-4 of the variance."""
    runs = [
        v.run(
            "bridge_2d", "initial.sampling=centre", "output.every=0.5", "energy.internal.kappa=0.5",
            f"grid={{shape=[{cells}, {cells}], lower=[-4, -4], upper=[4, 4]}}", f"solver.dt={1 / steps}",
            "energy.potential=(x**2 + 0.8*x*y + y**2)/2", "initial.density=exp(-((x + 0.5)**2 + (y - 0.2)**2)/0.6)",
            "target.density=exp(-((x - 0.7)**2 + (y + 0.4)**2)/0.4)",
        )
        for cells, steps in ((48, 12), (96, 24))
    ]  # fmt: skip
    errors = [moments(run)[1] - PLANE[1] for run in runs]
    v.equal("plane: mean halfway", moments(runs[1])[0], PLANE[0], 1e-4, "closed form")
    v.equal("plane: variance halfway", moments(runs[1])[1], PLANE[1], 4.5e-4, "closed form")
    v.equal("plane: error, from one level to the next", errors[0] / errors[1], 4, 0.3, "order 2")
    x, y = (np.asarray(c) for c in runs[1].centers)
    rho = runs[1].rho[1] / runs[1].rho[1].sum()
    mean, up = float(np.sum(rho * x)), float(np.sum(rho * y[:, None]))
    mixed = float(np.sum(rho * (x - mean) * (y[:, None] - up)))
    v.equal("plane: covariance of x and y halfway", mixed, PLANE[2], 4e-4, "closed form")
    drift = max(np.max(np.abs(run.diagnostics["mass"] / run.diagnostics["mass"][0] - 1)) for run in runs)
    v.at_most("plane: mass drift", float(drift), 1e-13, "Σhψφ is the same at all times")


def small_kappa(v: Validation) -> None:
    """κ = 0.2, 0.1, 0.05, 0.025: what the cost exceeds W₂²/2T by, and how far the path is from the geodesic."""
    common = (
        "grid={shape=[400], lower=[-2], upper=[2]}", "energy.potential=", "exact=", "output.every=0.5",
        "initial.density=exp(-(x + 0.6)**2/0.16)", "target.density=exp(-(x - 0.6)**2/0.12)",
    )  # fmt: skip
    path = v.run("bridge_1d", *common, 'solver={method="geodesic"}', "energy.internal.kappa=1")
    square = sum(np.sqrt(2 * path.steps["transport"])) ** 2
    excess, gaps = [], []
    for kappa in (0.2, 0.1, 0.05, 0.025):
        run = v.run("bridge_1d", *common, f"energy.internal.kappa={kappa}", "solver.dt=0.01")
        excess.append(float(run.steps["entropic_cost"][0]) - square / 2)
        gaps.append(float(np.sum(np.abs(run.rho[1] - path.rho[1])) * 0.01))
    v.at_most("κ → 0: cost less W₂²/2, relative, at κ = 0.025", abs(excess[-1]) / (square / 2), 0.02, "the limit")
    v.at_least("κ → 0: by how much κ/2 lowers it", min(excess[0] / excess[1], excess[1] / excess[2]), 2.5, "the limit")
    v.at_most("κ → 0: L1 from the geodesic halfway, at κ = 0.025", gaps[-1], 0.03, "the limit")
    v.at_least("κ → 0: by how much κ/2 lowers that", float(np.min(np.divide(gaps[:-1], gaps[1:]))), 2.0, "the limit")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
