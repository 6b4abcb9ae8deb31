"""Keller–Segel in 2D: d/dt ∫|x|²ρ = 4M(1 − M/8π), below, at and above the critical mass 8π.

Whether a crowd drawn together by the logarithmic kernel spreads or collapses is decided by its mass alone.  The
second moment grows or falls at a rate that is known exactly, which tests the singular kernel where it matters, within
the core.
"""

import numpy as np

from wgfpde.cli import validate_script
from wgfpde.validate import Validation, energy_rise, fitted_order, mass_drift

END = 0.1
CASE = (
    "keller_segel_2d", "energy.internal.kappa=1", "energy.interaction=log(r)/(2*pi)", "grid.lower=[-6, -6]",
    "grid.upper=[6, 6]", "initial.density=exp(-r**2/0.5)", "time.start=0", f"time.end={END}",
    "output.every=0.02",
)  # fmt: skip
CELLS = (48, 96)
CORES = {0.5: 0.5, 1.0: 0.32, 1.5: 0.11}
"""Mass over 8π → squared core radius λ = M/(π max ρ) at the end."""


def check(v: Validation) -> None:
    histories, runs = [], []
    for factor, core in CORES.items():
        mass = 8 * np.pi * factor
        law = 4 * mass * (1 - factor)
        both = [v.run(*CASE, f"initial.mass={mass}", f"grid.shape=[{n}, {n}]", f"solver.dt={0.24 / n}")
                for n in CELLS]  # fmt: skip
        # Diffusion adds 4M exactly (summation by parts).  Attraction takes M²/2π up to the midpoint rule over a
        # core of radius √λ, with dt ∝ h: a (h²/λ) + b (h²/λ)², relative to 4M.  Richardson's rule leaves
        # 4 b (h²/λ)², which falls 15-fold when both grids are halved; b is 1/20 or less.
        coarse, fine = (slope(run) for run in both)
        h = 12 / CELLS[-1]
        name = f"M = {8 * factor:g}π: d/dt ∫|x|²ρ, extrapolated"
        v.equal(name, (4 * fine - coarse) / 3, law, 4 * mass * (h**2 / core) ** 2 / 3, "4M(1 − M/8π)")
        if factor <= 0.5:  # concentration leaves too few cells in the core for a slope
            order = fitted_order([1 / n for n in CELLS], [abs(coarse - law), abs(fine - law)])
            v.at_least("order of that rate", order, 1.9, "order 2")
        histories.append((factor, law, both[-1]))
        runs += both
    v.at_most("relative mass drift", mass_drift(runs), 1e-12, "conservation")
    v.at_least("smallest density", min(run.diagnostics["min"].min() for run in runs), 0.0, "positivity")
    v.at_most("largest energy rise", energy_rise(runs), 0.0, "dissipation")
    v.draw(figure, histories, panels=2)


def slope(run) -> float:
    moment = run.diagnostics["second_moment"]
    return float((moment[-1] - moment[0]) / (run.t[-1] - run.t[0]))


def figure(moments, density, histories) -> None:
    for factor, law, run in histories:
        change = run.diagnostics["second_moment"] - run.diagnostics["second_moment"][0]
        (line,) = moments.plot(run.t, change, "o", ms=4, label=rf"$M = {8 * factor:g}\pi$")
        moments.plot(run.t, law * run.t, "-", color=line.get_color(), lw=0.8)
        row = run.rho[-1][len(run.centers[1]) // 2]
        density.semilogy(run.centers[0], row / run.diagnostics["mass"][0], label=rf"$M = {8 * factor:g}\pi$")
    start = np.exp(-(run.centers[0] ** 2) / 0.5) / (0.5 * np.pi)
    density.semilogy(run.centers[0], start, "k--", lw=0.8, label="start")
    moments.set(xlabel="$t$", ylabel=r"change of $\int|x|^2\rho$", title=r"lines: $4M(1 - M/8\pi)\,t$")
    density.set(xlabel="$x$", ylabel=r"$\rho(x, 0)/M$", ylim=(1e-10, 10), title=f"$t = {END}$")
    moments.legend(frameon=False)
    density.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
