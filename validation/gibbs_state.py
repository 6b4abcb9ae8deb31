"""Fokker–Planck: relaxation to e^{−V/κ}/Z in double wells, and the correlated Ornstein–Uhlenbeck process.

The steady state is known, and so are the slowest rate at which mass crosses the barrier of the double well, a
spectral gap, and the mean and covariance under a linear drift at all times.  Drift and diffusion must balance to
rounding, on an axis and with both axes split.
"""

import numpy as np

from wgfpde.cli import validate_script
from wgfpde.equations import double_well_partition
from wgfpde.validate import Validation, energy_rise, mass_drift

GAP = 0.18717041809
"""Spectral gap of −∂x(e^{−V/κ}∂x e^{V/κ}) κ for V = x⁴/4 − x²/2, κ = 1/4 (sinc-DVR of the Witten form, 1e-11)."""
WELL = (
    "energy.internal.kappa=0.25", "energy.potential=x**4/4 - x**2/2", "grid.lower=[-3]", "grid.upper=[3]",
    "initial.density=exp(-(x - 1)**2/(2*0.02))", "initial.mass=1.0",
)  # fmt: skip

A = np.array([[2.0, 0.6], [0.6, 1.0]])
KAPPA = 0.5
MEAN_07 = (0.35208305, -0.42051739)
"""e^{−At}(1, −1/2) at t = 0.7."""
COVARIANCE_07 = (0.287701067852, -0.134937645159, 0.479942095582)
"""xx, xy, yy of κA⁻¹ + e^{−At}(Σ0 − κA⁻¹)e^{−At}, Σ0 = [[.3, −.1], [−.1, .2]], at t = 0.7."""
OU = (
    "ou_2d_correlated", "energy.internal.kappa=0.5", "energy.potential=x**2 + 0.6*x*y + y**2/2",
    "grid.lower=[-6, -6]", "grid.upper=[6, 6]",
    "initial.density=exp(-(4*(x - 1)**2 + 4*(x - 1)*(y + 0.5) + 6*(y + 0.5)**2)/2)", "initial.mass=1.0",
)  # fmt: skip


def check(v: Validation) -> None:
    one = double_well_1d(v)
    two = double_well_2d(v)
    ou = ornstein_uhlenbeck(v)
    v.at_most("relative mass drift", mass_drift([one, two, ou]), 1e-12, "conservation")
    # At the steady state the energy is constant up to rounding, eps × its terms (κ ln ρ, V: below 100).
    v.at_most("largest energy rise", energy_rise([one, two, ou]), 1e-13, "dissipation")
    v.draw(figure, one, two, ou, panels=3)


def double_well_1d(v: Validation):
    """Mass starts in the right well, so that it must cross the barrier.

    After t = 170 the slowest mode is down to e^{−0.187·170} = 1e-14.  The discrete steady state is e^{−V(x_i)/κ}
    over its midpoint sum, and that sum is spectrally accurate: no discretisation error is left, only rounding,
    which moves the Gibbs state by at most 1e-13 (1 + max|V|/κ) = 6e-12 a step (and is damped).
    """
    run = v.run("double_well_1d", *WELL, "grid.shape=[200]", "solver.dt=0.5", "time.end=170", "output.every=10")
    x, h = run.centers[0], 6 / 200
    weight = np.exp(-(x**4 / 4 - x**2 / 2) / 0.25)
    v.equal("1D: Z = e^{−V/κ}/ρ in the right well", np.max(weight) / np.max(run.rho[-1]),
            5.365160237835, 1e-10, "Bessel functions")  # fmt: skip
    error = h * np.sum(np.abs(run.rho[-1] - weight / double_well_partition(0.25)))
    v.at_most("1D: L1 distance to e^{−V/κ}/Z", error, 1e-10, "rounding")
    v.at_most("1D: KL to the Gibbs state", run.diagnostics["kl_gibbs"][-1], 1e-20, "square of the L1 distance")
    v.equal("1D: energy −κ ln Z − κ", run.diagnostics["energy"][-1], -0.419981560723 - 0.25, 1e-11,
            "Bessel functions")  # fmt: skip

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
    return run


def ornstein_uhlenbeck(v: Validation):
    """V = xᵀAx/2: the mean e^{−At}m0, the covariance κA⁻¹ + e^{−At}(Σ0 − κA⁻¹)e^{−At}."""
    coarse, fine = (
        v.run(*OU, f"grid.shape=[{n}, {n}]", f"solver.dt={1.12 / n}", "time.end=0.7", "output.every=0.7")
        for n in (80, 160)
    )
    names = ("mean_x", "mean_y", "variance_x", "covariance_xy", "variance_y")
    for name, expected in zip(names, (*MEAN_07, *COVARIANCE_07), strict=True):
        # Errors a h² + b h⁴ with dt ∝ h; Richardson's rule leaves 4 b h⁴ = 1.3e-4 b, h = 0.075, where b is the
        # next coefficient of the Bernoulli function, s⁴/720, times (V'/κ)⁴ < 100: 2e-5.
        value = (4 * fine.diagnostics[name][-1] - coarse.diagnostics[name][-1]) / 3
        v.equal(f"OU at t = 0.7: {name.replace('_', ' ')}, extrapolated", value, expected, 2e-5, "e^{−At}")
    # The steady state is the discrete Gibbs state, whose moments are spectrally accurate.
    steady = v.run(*OU, "grid.shape=[80, 80]", "solver.dt=0.1", "time.end=24", "output.every=2")
    covariance = KAPPA * np.linalg.inv(A)
    for name, expected in zip(names[2:], covariance[[0, 0, 1], [0, 1, 1]], strict=True):
        v.equal(f"OU, steady: {name.replace('_', ' ')}", steady.diagnostics[name][-1], expected, 1e-10, "κA⁻¹")
    return steady


def figure(left, middle, right, one, two, ou) -> None:
    x = one.centers[0]
    for k in (0, 1, 2, 3, -1):
        left.plot(x, one.rho[k], label=f"$t = {one.t[k]:g}$")
    gibbs = np.exp(-(x**4 / 4 - x**2 / 2) / 0.25) / double_well_partition(0.25)
    left.plot(x, gibbs, "k--", lw=0.8, label=r"$e^{-V/\kappa}/Z$")
    left.set(xlabel="$x$", ylabel=r"$\rho$", ylim=(0, 1.1), title="double well, 1D")
    left.legend(frameon=False)
    for run, name, rate in ((one, "1D", GAP), (two, "2D", 4 * GAP)):
        kl = run.diagnostics["kl_gibbs"]
        middle.semilogy(run.t, kl, "o-", ms=3, label=f"double well, {name}")
        middle.semilogy(run.t, kl[2] * np.exp(-2 * rate * (run.t - run.t[2])), "k--", lw=0.7)
    middle.set(xlabel="$t$", ylabel=r"KL$(\rho\,|\,\rho_\infty)$", ylim=(1e-30, 10),
               title=r"dashed: $e^{-2\lambda_1t}$")  # fmt: skip
    middle.legend(frameon=False)
    right.contour(*ou.centers, ou.rho[-1], levels=6, colors="C0")
    y = ou.centers[1][:, None]
    x = ou.centers[0]
    exact = np.exp(-(x**2 + 0.6 * x * y + y**2 / 2) / KAPPA) * np.sqrt(np.linalg.det(A)) / (2 * np.pi * KAPPA)
    right.contour(*ou.centers, exact, levels=6, colors="k", linestyles="--", linewidths=0.7)
    right.set(xlim=(-2.5, 2.5), ylim=(-2.5, 2.5), aspect="equal", xlabel="$x$", ylabel="$y$",
              title="correlated OU, steady; dashed: closed form")  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
