"""Fokker–Planck in double wells: relaxation to e^{−V/κ}/Z, at any noise, with any step, by both solvers.

The steady state is known, and so is the slowest rate at which mass crosses the barrier, a spectral gap.  Drift and
diffusion must balance to rounding, on an axis and with both axes split, even where steps are a million times longer
than everything that happens, or the wells are deep.
"""

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script
from wgfpde.energy.equations import double_well_partition

STATES = {
    1.0: (3.905137169857, 1.041797296487, -1.362292909399), 0.5: (4.165748068947, 0.893464969574, -0.713447933941),
    0.25: (5.365160237835, 0.832745487128, -0.419981560723),
    0.1: (15.170196173702, 0.871362908042, -0.271933272496),
    0.05: (123.785301994824, 0.936833940412, -0.240927431471),
}  # fmt: skip
"""Z, ⟨x²⟩ and −κ ln Z of V = x⁴/4 − x²/2 by κ, to all digits (Bessel functions)."""
HALF = {1.0: 4.0, 0.5: 3.4, 0.25: 3.0, 0.1: 2.6, 0.05: 2.3}
"""Walls at ±HALF, where e^{−V/κ} is below e^{−50} of its peak."""
GAP = 0.18717041809
"""Spectral gap of −∂x(e^{−V/κ}∂x e^{V/κ}) κ for V = x⁴/4 − x²/2, κ = 1/4 (sinc-DVR of the Witten form, 1e-11)."""
WELL = (
    "energy.internal.kappa=0.25", "energy.potential=x**4/4 - x**2/2", "grid.lower=[-3]", "grid.upper=[3]",
    "initial.density=exp(-(x - 1)**2/(2*0.02))", "initial.mass=1.0",
)  # fmt: skip


def check(v: Validation) -> None:
    any_noise(v)
    one = double_well_1d(v)
    two = double_well_2d(v)
    v.draw(figure, one, two, panels=2)


def any_noise(v: Validation) -> None:
    """Mass starts in the right well alone, and ends as e^{−V/κ} over its midpoint sum, which is spectrally accurate.

    Ten L-stable steps of 1e6 leave (1/(1 + λ₁ 1e6))¹⁰ of any mode, nothing even for λ₁ = 0.003.  JKO steps of 5 leave
    (1 + 5λ)⁻ⁿ of the even modes, λ₂ > 0.8, where the start is even: 5⁻²⁰ = 1e-14.
    """
    for kappa, (z, square, energy) in STATES.items():
        well = ("double_well_1d", "grid.shape=[120]", f"grid.lower=[{-HALF[kappa]}]", f"grid.upper=[{HALF[kappa]}]",
                *WELL[1:2], f"energy.internal.kappa={kappa}", "initial.mass=1.0")  # fmt: skip
        solvers = {
            "FV": ("solver={method='fv', dt=1e6}", "time.end=1e7", "output.every=1e7"),
            "JKO": ("solver={method='jko', tau=5, tolerance=1e-10}", "time.end=100", "output.every=50",
                    "initial.density=exp(-x**2)"),
        }  # fmt: skip
        for name, solver in solvers.items():
            if name == "JKO" and kappa in (0.5, 0.25, 0.1) and not v.full:
                continue
            run = v.run(*well, *solver)
            x, about = run.centers[0], f"{name}, κ = {kappa}"
            middle = np.abs(x) < 1.5  # from well to well, where there is mass
            found = np.max(np.exp(-(x**4 / 4 - x**2 / 2) / kappa)[middle] / run.rho[-1][middle])
            v.equal(f"{about}: Z = e^{{−V/κ}}/ρ, largest", found, z, 1e-10 * z, "Bessel functions")
            v.equal(f"{about}: ⟨x²⟩", run.diagnostics["second_moment"][-1], square, 1e-10, "Bessel functions")
            v.equal(f"{about}: energy, less −κ", run.diagnostics["energy"][-1] + kappa, energy, 1e-11, "−κ ln Z")


def double_well_1d(v: Validation):
    """Mass starts in the right well, so that it must cross the barrier.

    After t = 170 the slowest mode is down to e^{−0.187·170} = 1e-14.  The discrete steady state is e^{−V(x_i)/κ}
    over its midpoint sum, and that sum is spectrally accurate: no discretisation error is left, only rounding,
    which moves the Gibbs state by at most 1e-13 (1 + max|V|/κ) = 6e-12 a step (and is damped).
    """
    run = v.run("double_well_1d", *WELL, "grid.shape=[200]", "solver.dt=0.5", "time.end=170", "output.every=10")
    x, h = run.centers[0], 6 / 200
    weight = np.exp(-(x**4 / 4 - x**2 / 2) / 0.25)
    error = h * np.sum(np.abs(run.rho[-1] - weight / double_well_partition(0.25)))
    v.at_most("1D: L1 distance to e^{−V/κ}/Z", error, 1e-10, "rounding")
    v.at_most("1D: KL to the Gibbs state", run.diagnostics["kl_gibbs"][-1], 1e-20, "square of the L1 distance")

    # Decay of the mean: the gap.  The discrete gap has an error of order h² (0.1 % at κ = 0.1, h = 0.05 and
    # smaller at larger κ); two grids and Richardson's rule leave h⁴, below 1e-6; dt adds (λ dt)² λ = 2e-6.
    rates = [decay_rate(v, n) for n in (100, 200)]
    v.equal("1D: decay rate of the mean, 200 cells", rates[1], GAP, 1e-4, "spectral gap")
    v.equal("1D: decay rate of the mean, extrapolated", (4 * rates[1] - rates[0]) / 3, GAP, 5e-6, "spectral gap")
    return run


def decay_rate(v: Validation, cells: int) -> float:
    run = v.run("double_well_1d", *WELL, f"grid.shape=[{cells}]", "solver.dt=0.02", "time.end=20",
                "output.every=10")  # fmt: skip
    mean = run.diagnostics["mean_x"]
    return float(np.log(mean[-2] / mean[-1]) / (run.t[-1] - run.t[-2]))


def double_well_2d(v: Validation):
    """V = (x² − 1)² + y²/2 = 4(x⁴/4 − x²/2) + 1 + y²/2 with κ = 1: the 1D well at κ = 1/4, four times as fast."""
    run = v.run("double_well_2d", "grid.shape=[96, 128]", "grid.lower=[-3, -8]", "grid.upper=[3, 8]",
                "energy.potential=(x**2 - 1)**2 + y**2/2", "energy.internal.kappa=1",
                "initial.density=exp(-((x - 1)**2 + (y - 1)**2)/0.5)",
                "initial.mass=1.0", "solver.dt=0.25", "time.end=43", "output.every=1")  # fmt: skip
    z = double_well_partition(0.25) * np.exp(-1) * np.sqrt(2 * np.pi)
    x, y = run.centers
    pi = np.exp(-((x**2 - 1) ** 2) - y[:, None] ** 2 / 2) / z
    error = 6 / 96 * 16 / 128 * np.sum(np.abs(run.rho[-1] - pi))
    v.at_most("2D: L1 distance to e^{−V}/Z", error, 1e-10, "rounding")
    v.at_most("2D: KL to the Gibbs state", run.diagnostics["kl_gibbs"][-1], 1e-20, "square of the L1 distance")
    v.equal("2D: energy −ln Z − 1", run.diagnostics["energy"][-1], -np.log(z) - 1, 1e-11, "Bessel functions")
    if v.full:
        # an even start and rates above 1: 6⁻¹⁶ of anything is left, 3e-13
        jko = v.run("jko_double_well_2d", "grid.shape=[64, 96]", "grid.lower=[-3, -8]", "grid.upper=[3, 8]",
                    "solver={method='jko', tau=5, tolerance=1e-10}", "time.end=80", "output.every=80",
                    "initial.density=exp(-(x**2 + y**2)/0.5)")  # fmt: skip
        v.equal("2D, JKO: energy −ln Z − 1", jko.diagnostics["energy"][-1], -np.log(z) - 1, 1e-11, "Bessel functions")
        v.at_most("2D, JKO: KL to the Gibbs state", jko.diagnostics["kl_gibbs"][-1], 1e-20, "(1 + λτ)⁻ⁿ")
    return run


def figure(left, middle, one, two) -> None:
    x = one.centers[0]
    for k in (0, 1, 2, 3, -1):
        left.plot(x, one.rho[k], label=f"$t = {one.t[k]:g}$")
    gibbs = np.exp(-(x**4 / 4 - x**2 / 2) / 0.25) / double_well_partition(0.25)
    left.plot(x, gibbs, "k--", lw=0.8, label=r"$e^{-V/\kappa}/Z$")
    left.set(xlabel="$x$", ylabel=r"$\rho$", ylim=(0, 1.1), title="double well, 1D")
    left.legend(frameon=False)
    for mark, run, name, rate in (("o", one, "1D", GAP), ("s", two, "2D", 4 * GAP)):
        kl = run.diagnostics["kl_gibbs"]
        middle.semilogy(run.t, kl, f"{mark}-", ms=3, label=f"double well, {name}")
        middle.semilogy(run.t, kl[2] * np.exp(-2 * rate * (run.t - run.t[2])), "k--", lw=0.7)
    middle.set(xlabel="$t$", ylabel=r"KL$(\rho\,|\,\rho_\infty)$", ylim=(1e-30, 10),
               title=r"dashed: $e^{-2\lambda_1t}$")  # fmt: skip
    middle.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
