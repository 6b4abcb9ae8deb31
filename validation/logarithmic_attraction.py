"""Logarithmic attraction: the second moment has a law in every dimension, for the equation and for each JKO step.

With W = χ ln|x| the pull between two points times their distance is constant, so that d/dt ∫|x|²ρ = 2dκM − χM² for any
density.  A JKO step obeys the same law up to the distance that it moved the mass: m₂(ρⁿ⁺¹) − m₂(ρⁿ) = τ(2dκM − χM²) −
W₂²(ρⁿ, ρⁿ⁺¹), which tells errors of the minimiser and of its transport from the error of order τ of the scheme.
"""

import numpy as np

from wgfpde.claims import Validation, fitted_order
from wgfpde.cli import validate_script

# Optimality of a JKO step: x − T(x) = −τ∇ξ(x), T from ρⁿ⁺¹ to ρⁿ; and 2x·(x − T) = |x|² − |T|² + |x − T|².
MASS = 2.0
LINE = ("kuramoto_1d", 'grid.boundary=["no-flux"]', "grid.lower=[-8]", "grid.upper=[8]", "params.K=1",
        "energy.internal.kappa=1", "energy.interaction=K*log(abs(x))", "initial.density=exp(-(x - 0.3)**2/(2*0.5))",
        f"initial.mass={MASS}", "time.end=0.1", "output.every=0.01")  # fmt: skip
CELLS = (120, 240, 480)
STRENGTHS = {0.5: "spreads", 1.0: "stays as large", 1.5: "collapses"}
PLANE = ("keller_segel_2d", "grid.lower=[-6, -6]", "grid.upper=[6, 6]", "initial.density=exp(-r**2/(2*0.5))",
         "time.end=0.1", "output.every=0.1", 'solver={method="jko", tau=0.02}')  # fmt: skip


def check(v: Validation) -> None:
    # ln|x| enters with its averages over cells, so that the rate errs by c(h/s)², s the width of the core at the end
    # (0.7 or 0.5).  Richardson's rule leaves c(h/s)³ or less, 3e-4 c at s = 0.5.
    found = []
    for strength, fate in STRENGTHS.items():
        law = 2 * MASS - strength * MASS**2
        runs = [v.run(*LINE, f"params.K={strength}", f"grid.shape=[{n}]", f"solver.dt={0.96 / n}") for n in CELLS]
        rates = [slope(run) for run in runs]
        v.equal(f"1D, χM = {strength * MASS:g}, {fate}: d/dt ∫x²ρ, extrapolated", (4 * rates[2] - rates[1]) / 3, law,
                3e-4, "2κM − χM²")  # fmt: skip
        order = fitted_order([1 / n for n in CELLS], [abs(rate - law) for rate in rates])
        v.at_least(f"1D, χM = {strength * MASS:g}: order of that rate", order, 1.85, "order 2")
        found.append((strength, law, runs[-1]))
    for factor in (0.5, 1.0):
        # h²/2 of 4Mt in a core of this size (see keller_segel), of which Richardson's rule leaves less than a third;
        # the mid-point of the transport errs by 0.2 (ΔR/R)² of W₂², which is 1 % of the change, or less.
        mass = 8 * np.pi * factor
        values = []
        for n in (48, 96):
            run = v.run(*PLANE, f"grid.shape=[{n}, {n}]", f"initial.mass={mass}")
            values.append(0.1 * slope(run) + 2 * float(np.sum(run.steps["transport"])))
        found_2d = (4 * values[1] - values[0]) / 3
        v.equal(f"2D JKO, M = {8 * factor:g}π: change of ∫|x|²ρ plus ΣW₂², extrapolated", found_2d,
                0.4 * mass * (1 - factor), 0.4 * mass * (12 / 96) ** 2 / 6, "4τM(1 − M/8π)")  # fmt: skip
    v.draw(figure, found)


def slope(run) -> float:
    moment = run.diagnostics["second_moment"]
    return float((moment[-1] - moment[0]) / (run.t[-1] - run.t[0]))


def figure(axes, found) -> None:
    for strength, law, run in found:
        change = run.diagnostics["second_moment"] - run.diagnostics["second_moment"][0]
        (line,) = axes.plot(run.t, change, "o", ms=4, label=rf"$\chi M = {strength * MASS:g}$")
        axes.plot(run.t, law * run.t, "-", color=line.get_color(), lw=0.8)
    axes.set(xlabel="$t$", ylabel=r"change of $\int x^2\rho$", title=r"1D, lines: $(2\kappa M - \chi M^2)\,t$")
    axes.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
