"""Fisher–Rao and Wasserstein–Fisher–Rao: Gaussians that move and react, replicators, and a barrier that stops nothing.

Reaction takes a Gaussian to a Gaussian as well as a linear drift does, so that means, variances and masses have closed
forms under transport, under reaction and under both.  Reaction alone is exact in the scheme, whatever the step, where
the energy is an entropy without interaction; every other reaction is a discrete gradient of order 2.
"""

import math

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

M0, S0, T = 1.5, 0.3, 0.8
BALANCED = 0.3844016688, 0.9193960250
"""Mean and variance at T, λ = κ = c = 1: s = (KE − 2)/(KE + 1), m = m₀e^t(K + 1)/(KE + 1), K = 2.3/0.7, E = e^{2.4}."""
ALONE = 1.0967619883, 0.4881777388
"""The same by reaction alone: 1/s − 1 and m/s decay by e^{−t}."""
FREE = 0.1718925355, 0.4689962097, 0.6835753039
"""Mean, variance and mass at 0.6 of the unbalanced one: λ = 1.5, κ = 0.7, c = 2, towards N(0, κ/λ) of mass 1.3."""
GAUSSIAN = (
    "ou_1d", "exact=", "grid.lower=[-9]", "grid.upper=[9]", "initial.sampling=centre", "initial.mass=1",
    f"initial.density=exp(-(x - {M0})**2/(2*{S0}))", "energy.potential=x**2/2", "energy.internal.kappa=1",
    f"time.end={T}", f"output.every={T}",
)  # fmt: skip
REPLICATOR = 0.3490184679
"""d at 0.7 of κ∫ρ², κ = 0.5, ρ = 1 ± d on halves from d = 0.6: d²/(1 − d²) decays by e^{−4κt}."""


def check(v: Validation) -> None:
    gaussians(v)
    free(v)
    replicators(v)
    double_well = barrier(v)
    both = plane(v)
    v.draw(figure, double_well, both, panels=2)


def moments(run) -> np.ndarray:
    return np.array([run.diagnostics[name][-1] for name in ("mean_x", "variance_x", "mass")])


def orders(v: Validation, levels, expected, words: str, tolerance: float) -> None:
    """The order of each moment under refinement by 2, and the finest errors."""
    errors = np.array([np.abs(moments(run)[: len(expected)] - expected) for run in levels])
    for k, name in enumerate(("mean", "variance", "mass")[: len(expected)]):
        v.equal(f"{words}: {name}", errors[-1, k], 0, tolerance, "closed form")
        order = -np.polyfit(np.arange(len(levels)), np.log2(errors[:, k]), 1)[0]
        v.at_least(f"{words}: order of the {name}", order, 1.9, "closed form")


def gaussians(v: Validation) -> None:
    """Errors a h² with dt ∝ h: 9e-5 and 3e-5 at h = 0.045, dt = 0.02."""
    levels = [v.run(*GAUSSIAN, f"grid.shape=[{n}]", f"solver={{method='wfr', dt={T / k}}}")
              for n, k in ((100, 10), (200, 20), (400, 40))]  # fmt: skip
    orders(v, levels, BALANCED, "a Gaussian moves and reacts", 1e-4)
    alone = v.run(*GAUSSIAN, "grid.shape=[300]", f"solver={{method='wfr', transport=false, dt={T / 3}}}")
    for k, name in enumerate(("mean", "variance")):  # ten digits are given
        v.equal(f"reaction alone, 3 steps: {name}", moments(alone)[k], ALONE[k], 1e-10, "closed form")


def free(v: Validation) -> None:
    """The potential has its constant, by which the mass is that of e^{−V/κ}; errors 4e-5 at h = 0.03, dt = 0.015."""
    height = 0.7 * math.log(1.3 / math.sqrt(2 * math.pi * 0.7 / 1.5))
    levels = [
        v.run(*GAUSSIAN, "grid.lower=[-6]", "grid.upper=[6]", f"grid.shape=[{n}]", "energy.internal.kappa=0.7",
              f"energy.potential=0.75*x**2 - {height!r}", "initial.density=exp(-(x - 1)**2)", "initial.mass=0.4",
              "time.end=0.6", "output.every=0.6", f"solver={{method='wfr', rate=2, balanced=false, dt={0.6 / k}}}")
        for n, k in ((100, 10), (200, 20), (400, 40))
    ]  # fmt: skip
    orders(v, levels, FREE, "an unbalanced Gaussian", 5e-5)


def replicators(v: Validation) -> None:
    """The discrete gradient alone: the local error is that of the midpoint rule, ∝ dt³."""
    levels = [
        v.run("ou_1d", "exact=", "grid={shape=[8], lower=[0], upper=[1]}", "initial.density=1.6 - 1.2*(x > 0.5)",
              "energy.potential='0'", "energy.internal={kind='power', m=2, kappa=0.5}", "time.end=0.7",
              "output.every=0.7", f"solver={{method='wfr', transport=false, dt={0.7 / k}}}") for k in (10, 20, 40)
    ]  # fmt: skip
    errors = np.abs([run.rho[-1][0] - 1 - REPLICATOR for run in levels])
    v.equal("replicators: d at 0.7", levels[-1].rho[-1][0] - 1, REPLICATOR, 2e-6, "closed form")
    v.at_least("replicators: order in time", -np.polyfit(range(3), np.log2(errors), 1)[0], 1.95, "closed form")


def barrier(v: Validation):
    """ln(ρ/π) decays by e^{−κt} up to a constant, in the right well as in the left."""
    run = v.run("fisher_rao_double_well_1d")
    x = run.centers[0]
    at = [int(np.argmin(np.abs(x - place))) for place in (-1.0, 1.0)]
    above = np.array([math.log(rho[at[1]] / rho[at[0]]) for rho in run.rho])
    away = np.max(np.abs(above - above[0] * np.exp(-0.2 * run.t)))
    v.equal("double well: ln of the ratio of the wells, e^{−κt} of the first", away, 0, 1e-11, "no barrier")
    rate = -np.polyfit(run.t[-4:], np.log(run.diagnostics["kl_gibbs"][-4:]), 1)[0]
    v.equal("double well: rate at which KL falls, 2κ (Fokker–Planck: 2 · 0.0111)", rate, 0.4, 0.01, "2κ")
    return run


def plane(v: Validation):
    """E falls at D + c∫ρ(ξ − ⟨ξ⟩)², by the trapezium rule between snapshots."""
    run = v.run("wfr_2d", "grid.shape=[64, 64]", "time.end=1", "output.every=0.02", "solver.dt=0.01")
    loss = run.diagnostics["dissipation"] + run.diagnostics["fisher_rao_rate"]
    kept = slice(10, None)  # once what the first steps smooth is gone
    spent = np.sum(0.5 * (loss[kept][1:] + loss[kept][:-1]) * np.diff(run.t[kept]))
    fallen = run.diagnostics["energy"][10] - run.diagnostics["energy"][-1]
    v.equal("plane: fall of the energy over its two rates of loss", fallen / spent, 1.0, 2e-3, "dE/dt")
    return run


def figure(wells, losses, double_well, both) -> None:
    for k in range(0, len(double_well), 2):
        wells.plot(double_well.centers[0], double_well.rho[k], label=f"t = {double_well.t[k]:g}")
    wells.set(title="reaction alone", xlabel="x", ylabel="ρ")
    wells.legend(fontsize="small")
    losses.semilogy(both.t, both.diagnostics["dissipation"], label="by transport")
    losses.semilogy(both.t, both.diagnostics["fisher_rao_rate"], label="by reaction")
    losses.set(title="loss of energy in the plane", xlabel="t", ylabel="−dE/dt")
    losses.legend(fontsize="small")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
