"""JKO steps against the equation: order 1 in tau, order 2 extrapolated, and the finite volumes on the same grid.

JKO steps approximate the equation, here measured against a closed form and against the finite volumes, an independent
solver.  Each step must also be the minimum that it claims to be, up to its primal–dual gap.
"""

from itertools import pairwise

import numpy as np

from wgfpde.claims import Validation, fitted_order
from wgfpde.cli import validate_script

STEPS = (0.1, 0.05, 0.025)
OU = ("grid.lower=[-6]", "grid.upper=[6]", "params.s0=0.5", "params.m0=1", "energy.potential=x**2/2",
      "time.end=1", "output.every=0.2", "solver.tolerance=1e-10", "solver.tau=0.1")  # fmt: skip
"""The gap leaves about its square root in the density: 1e-5, below all errors that are measured."""
WELL = ("grid.shape=[64, 64]", "grid.lower=[-3, -4]", "grid.upper=[3, 4]",
        "initial.density=exp(-(x**2 + y**2)/0.5)", "time.end=0.4", "output.every=0.1")  # fmt: skip
WELL_STEPS = (0.1, 0.05, 0.025)


def check(v: Validation) -> None:
    first, second, runs = orders(v)
    wells = finite_volumes(v)
    laws(v, [*runs, *wells])
    v.draw(figure, first, second, wells[0], panels=2)


def orders(v: Validation):
    """Against the closed form, and, where h would be seen, from τ to τ/2 on one grid, which is of the same order."""
    first = v.converge("jko_gaussian_1d", {"solver.tau": STEPS}, *OU, "grid.shape=[600]", norms=["l1"])
    v.at_least("order in tau, L1 error", first.fitted["l1"], 0.9, "order 1")
    v.at_most("order in tau, L1 error, not more", first.fitted["l1"], 1.1, "order 1")
    twice = v.converge("jko_gaussian_1d", {"solver.tau": (*STEPS, STEPS[-1] / 2)}, *OU, "grid.shape=[300]",
                       "solver.scheme=extrapolated", norms=["l1"])  # fmt: skip
    second = [12 / 300 * float(np.sum(np.abs(a.rho[-1] - b.rho[-1]))) for a, b in pairwise(twice.runs)]
    # reached from below: 1.79 and 1.88 between neighbours
    v.at_least("order in tau, extrapolated, from halving", fitted_order(STEPS, second), 1.8, "order 2")
    return first.errors["l1"], second, first.runs


def finite_volumes(v: Validation):
    """The same grid, the same energy: what differs is of order τ.  Both have an error of order h² of their own."""
    fv = v.run("double_well_2d", *WELL, "solver.dt=0.005")
    area = 48 / 64**2
    jko = v.converge("double_well_2d", {"solver.tau": WELL_STEPS}, *WELL, 'solver={method="jko", tau=0.1}',
                     errors={"fv": lambda run: area * float(np.sum(np.abs(run.rho[-1] - fv.rho[-1])))})  # fmt: skip
    runs = jko.runs
    v.at_least("distance to the finite volumes: order in tau", jko.fitted["fv"], 0.9, "order 1")
    # extrapolated to τ = 0 from the last two; h = 0.1 leaves h² times a few derivatives of order 1
    rest = area * float(np.sum(np.abs(2 * runs[2].rho[-1] - runs[1].rho[-1] - fv.rho[-1])))
    v.at_most("that distance extrapolated to tau = 0", rest, 0.01, "h²")
    return runs


def laws(v: Validation, runs) -> None:
    """Each step minimises ½W₂²(ρⁿ, ·) + τE up to its gap, and ρⁿ itself is a candidate."""
    v.at_most("steps cut short", sum(int(np.sum(run.steps["rejected"])) for run in runs), 0.0, "one minimum a step")
    v.at_most("largest E + Σ ½W2²/τ − E before", max(map(excess, runs)), 0.0, "minimality")


def excess(run) -> float:
    """The largest E(t') + Σ ½W₂²/τ − E(t) from one snapshot to the next."""
    spent = np.interp(run.t, np.append(run.t[0], run.steps["t"]),
                      np.append(0.0, np.cumsum(run.steps["transport"] / run.steps["dt"])))  # fmt: skip
    return float(np.max(np.diff(run.diagnostics["energy"]) + np.diff(spent)))


def figure(left, right, first, second, well) -> None:
    left.loglog(STEPS, first, "o-", label="JKO")
    left.loglog(STEPS, second, "s-", label="extrapolated")
    left.loglog(STEPS, [first[-1] * tau / STEPS[-1] for tau in STEPS], "k--", lw=0.7, label="slopes 1 and 2")
    left.loglog(STEPS, [second[-1] * (tau / STEPS[-1]) ** 2 for tau in STEPS], "k--", lw=0.7)
    left.set(xlabel=r"$\tau$", ylabel=r"$L^1$ error", title="Ornstein–Uhlenbeck")
    left.legend(frameon=False)
    right.pcolormesh(*well.edges, well.rho[-1], cmap="magma", rasterized=True)
    right.set(aspect="equal", xlabel="$x$", ylabel="$y$", title=rf"double well, JKO, $\tau = {WELL_STEPS[0]}$")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
