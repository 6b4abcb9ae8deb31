"""Keller–Segel in 2D: d/dt ∫|x|²ρ = 4M(1 − M/8π), below, at and above the critical mass 8π.

Whether a crowd drawn together by the logarithmic kernel spreads or collapses is decided by its mass alone.  The
second moment grows or falls at a rate that is known exactly, which tests the singular kernel where it matters, within
the core.
"""

import numpy as np

from wgfpde.claims import Validation, fitted_order
from wgfpde.cli import validate_script

END = 0.1
CASE = (
    "keller_segel_2d", "energy.internal.kappa=1", "energy.interaction=log(r)/(2*pi)", "grid.lower=[-6, -6]",
    "grid.upper=[6, 6]", "initial.density=exp(-r**2/0.5)", "time.start=0", f"time.end={END}",
    "output.every=0.02",
)  # fmt: skip
CELLS = (48, 96)
PROFILE_CELLS = (64, 128)
CORES = {0.5: 0.5, 1.0: 0.32, 1.5: 0.11}
"""Mass over 8π → squared core radius λ = M/(π max ρ) at the end."""


def check(v: Validation) -> None:
    histories, pairs = [], []
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
        pairs.append(both)
    start_energy(v, [run for pair in pairs for run in pair])
    stationary(v)
    v.draw(figure, histories, panels=2)


def start_energy(v: Validation, runs) -> None:
    """Two points of a Gaussian of variance s are 2√(sX) apart, X exponential: E ln|x − y| = (ln 4s − γ)/2, so that
    ½∬Wρρ = M²(ln 4s − γ)/8π.  Midpoint sums err by h²/12 of κ∫Δ(W∗ρ)ρ/M² = 1/4πs; Richardson leaves (h/√s)⁴/120 = 3e-5.
    """
    coarse, fine = (run.diagnostics["energy_interaction"][0] / run.diagnostics["mass"][0] ** 2 for run in runs[:2])
    v.equal("energy of a Gaussian, ½∬Wρρ/M², extrapolated", (4 * fine - coarse) / 3, (0 - np.euler_gamma) / (8 * np.pi),
            3e-5, "M²(ln 4s − γ)/8π")  # fmt: skip


def stationary(v: Validation) -> None:
    """M = 8π: ρ = 8λ/(λ + |x|²)² has W∗ρ = 2 ln(λ + |x|²) + const and ξ constant, for any λ.

    Mass beyond a circle pulls nobody inside, so that the profile, cut off at |x| = 6, keeps its shape in the core: heat
    brings the cut to |x| ≤ 2 as e^{−16/4t} = e^{−80}, by t = 0.05.  The core then moves as Δξ = O(h²) makes it.  A mass
    that is wrong by 1 % would raise the density at 0 by 8λρ/100 t.
    """
    found = []
    for n in PROFILE_CELLS:
        run = v.run("keller_segel_2d", f"grid.shape=[{n}, {n}]", "grid.lower=[-6, -6]", "grid.upper=[6, 6]",
                    "initial.density=where(r < 6, 8*0.5/(0.5 + r**2)**2, 0)", f"initial.mass={8 * np.pi * 36 / 36.5}",
                    "solver.dt=0.005", "time.end=0.05", "output.every=0.05")  # fmt: skip
        x, y = run.centers
        core = x[None, :] ** 2 + y[:, None] ** 2 < 4
        found.append(float(np.sum(np.abs(run.rho[-1] - run.rho[0])[core])) * (12 / n) ** 2 / (8 * np.pi))
    # Δξ errs by h²/12 of fourth derivatives of ln ρ, 24/λ² at most, with ρ of 1/λ: 3 % of h² in 0.05 t was measured
    h = 12 / PROFILE_CELLS[-1]
    v.at_most("M = 8π, stationary profile: change in |x| < 2 by t = 0.05, over M", found[-1], 0.05 * h**2, "ξ = const")
    v.at_least("M = 8π, stationary profile: order of that change", fitted_order([1 / n for n in PROFILE_CELLS], found),
               1.7, "order 2")  # fmt: skip


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
