"""Entropic JKO steps: the bias of the smoothed distance, the kernel formula, and where that rests.

Of Gaussians under a quadratic potential every step is the root of one equation.  Plain, the steps are off those of JKO
by a bias of order ε; compensated, of order ε²; at ε = 4κτ they are a formula without iteration, of order τ.  In a
double well its law at rest is φPφ, which is held against e^{−V} beside that of the unadjusted Langevin algorithm.
"""

import math

import numpy as np
from scipy.optimize import brentq

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

TRAP = (
    "ou_1d", "energy.internal.kappa=1", "energy.potential=x**2/2", "initial.density=exp(-x**2/0.6)", "initial.mass=1",
    "initial.sampling=centre", "grid={shape=[400], lower=[-5], upper=[5]}", "exact=",
)  # fmt: skip
ONE = {"plain, ε = 0.2": 0.4866999326, "compensated, ε = 0.2": 0.4148094282, "kernel formula": 0.4297520661}
"""Variance after one step of 0.1 from 0.3, κ = λ = 1; by JKO 0.4095738676."""
JKO = 0.4095738676
BIAS = 0.024354482
"""‖φPφ/Z − π‖₁ at τ = 0.01, V = (x² − 1)², κ = 1, by sums over 6,000 cells."""


def check(v: Validation) -> None:
    single(v)
    bias(v)
    in_time(v)
    at_rest(v)


def stepped(v: Validation, tau: float, end: float, **solver) -> tuple[float, object]:
    keys = "".join(f", {key}={value!r}" for key, value in solver.items())
    run = v.run(*TRAP, f'solver={{method="sinkhorn", tau={tau}{keys}}}', f"time.end={end}", f"output.every={end}")
    return float(run.diagnostics["variance_x"][-1]), run


def recursion(s: float, tau: float, epsilon: float, compensated: bool) -> float:
    """s' from s: (1 − s/c)/2τ + ½ − κ̃/2s' = 0, c = −ε/4 + √(ε²/16 + ss')."""

    def slope(r: float) -> float:
        c = -epsilon / 4 + math.sqrt(epsilon**2 / 16 + s * r)
        return (1 - s / c) / (2 * tau) + 0.5 - (1 - compensated * epsilon / (4 * tau)) / (2 * r)

    return float(brentq(slope, 1e-9, 1e3, xtol=1e-15))


def single(v: Validation) -> None:
    for name, options in zip(ONE, ({"epsilon": 0.2, "form": "plain"}, {"epsilon": 0.2}, {}), strict=True):
        found, run = stepped(v, 0.1, 0.1, **options)
        v.equal(f"one step, {name}", found, ONE[name], 1.3e-4, "root of the equation of Gaussians")
        iterations = int(run.steps["iterations"][0])
        v.at_most(f"one step, {name}: iterations", iterations, 1 if not options else 40, "contraction by κ̃/(2ν + κ̃)")


def bias(v: Validation) -> None:
    """Off JKO by 7.7e-2, 3.8e-2, 1.9e-2 (plain) and 5.2e-3, 1.3e-3, 3.3e-4 at ε = 0.2, 0.1, 0.05."""
    for form, order in (("plain", 1), ("compensated", 2)):
        off = [stepped(v, 0.1, 0.1, epsilon=e, form=form)[0] - JKO for e in (0.2, 0.1)]
        v.equal(f"{form}: order in ε of what is off JKO", float(np.log2(off[0] / off[1])), order, 0.25, "recursion")


def in_time(v: Validation) -> None:
    """The kernel formula to t = ½ against the flow, of order 1 in τ; on the grid it is the recursion."""
    errors = []
    for count in (10, 20, 40):
        tau, s = 0.5 / count, 0.3
        found, _ = stepped(v, tau, 0.5)
        for _ in range(count):
            s = recursion(s, tau, 4 * tau, True)
        errors.append(found - (1 - 0.7 * math.exp(-1)))
    v.equal("kernel formula to t = ½, 40 steps", found, s, 2e-4, "recursion of Gaussians")
    v.equal("kernel formula to t = ½: order", float(np.log2(errors[0] / errors[2]) / 2), 1, 0.1, "the flow")


def at_rest(v: Validation) -> None:
    """What leaves e^{−V}, V = (x² − 1)², in L1; of the unadjusted Langevin algorithm 2.709e-2 at τ = 0.01."""
    off = []
    for tau in (0.02, 0.01, 0.005):
        run = v.run("sinkhorn_double_well_1d", f"solver.tau={tau}")
        x = run.centers[0]
        phi = np.exp(-((x**2 - 1) ** 2) / 2)
        kernel = np.exp(-((x[:, None] - x) ** 2) / (4 * tau))
        rest = phi * (kernel @ phi)
        rest /= rest.sum() * (x[1] - x[0])
        off.append(float(np.sum(np.abs(run.rho[-1] - run.rho[0])) * (x[1] - x[0])))
        if tau == 0.01:
            apart = float(np.sum(np.abs(run.rho[-1] - rest)) * (x[1] - x[0]))
            v.at_most("double well: L1 from φPφ, τ = 0.01", apart, 2e-4, "detailed balance")
            v.draw(figure, run)
    v.equal("double well: order in τ of the bias", float(np.log2(off[0] / off[2]) / 2), 1, 0.1, "φPφ = π(1 + O(τ))")
    v.equal("double well: L1 from the Gibbs state, τ = 0.01", off[1], BIAS, 3e-4, "φPφ by a Gaussian sum")


def figure(axes, run) -> None:
    x, first, last = run.centers[0], run.rho[0], run.rho[-1]
    axes.plot(x, (last - first) / first.max(), label="entropic steps at rest less the Gibbs state, over its peak")
    axes.set_xlabel("$x$")
    axes.legend(fontsize="small")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
