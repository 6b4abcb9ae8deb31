"""McKean–Vlasov with V = λx²/2 and W = θx²/2: the interaction acts on the variance and not on the mean.

A Gaussian stays one: its mean falls as e^{−λt}, as if there were no interaction, and its variance tends to κ/(λ + θ).
An interaction that is not symmetric to rounding would push the mean.
"""

import numpy as np

from wgfpde.claims import Validation, fitted_order
from wgfpde.cli import validate_script
from wgfpde.energy.equations import mckean_vlasov_quadratic

KAPPA, THETA = 0.5, 2.0
MEAN, VARIANCE = 0.909795990, 0.198198477
"""1.5 e^{−t} and s∞ + (0.8 − s∞) e^{−6t}, s∞ = κ/(1 + θ) = 1/6, at t = 0.5."""
CASE = (
    "mckean_vlasov_quadratic_1d", "grid.lower=[-6]", "grid.upper=[8]", "energy.internal.kappa=0.5",
    "params.kappa=0.5", "params.theta=2", "params.m0=1.5", "params.s0=0.8", "time.start=0",
)  # fmt: skip
CELLS = (70, 140, 280)


def check(v: Validation) -> None:
    runs = [v.run(*CASE, f"grid.shape=[{n}]", f"solver.dt={0.7 / n}", "time.end=0.5", "output.every=0.05")
            for n in CELLS]  # fmt: skip
    h = [14 / n for n in CELLS]
    # Both errors are a h² + b h⁴ with dt = h/20.  Richardson's rule on the two finest grids leaves 4 b h⁴,
    # h = 0.05: 2.5e-5 b, with b of order 1 (drift, width and κ are).
    for name, expected in (("mean_x", MEAN), ("variance_x", VARIANCE)):
        values = [run.diagnostics[name][-1] for run in runs]
        label = name.removesuffix("_x")
        v.equal(f"{label} at t = 0.5, extrapolated", (4 * values[2] - values[1]) / 3, expected, 2.5e-5,
                "closed form")  # fmt: skip
        order = fitted_order(h, [abs(value - expected) for value in values])
        v.at_least(f"order of the {label}", order, 1.9, "order 2")
    errors = [run.diagnostics["error_l1"][-1] for run in runs]
    v.at_least("order, L1 error", fitted_order(h, errors), 1.9, "order 2")

    # The steady state solves ρ ∝ exp(−(V + W∗ρ)/κ) on the cells: with even sampling W∗ρ is the quadratic of
    # the discrete mean, so that the moments are those of a sampled Gaussian, spectrally accurate.  The mean
    # falls as e^{−t}: 1.5 e^{−30} = 1e-13.
    steady = v.run(*CASE, "grid.shape=[140]", "solver.dt=0.05", "time.end=30", "output.every=1")
    d = steady.diagnostics
    v.equal("steady variance", d["variance_x"][-1], KAPPA / (1 + THETA), 1e-10, "κ/(λ + θ)")
    v.equal("steady mean", d["mean_x"][-1], 0.0, 1e-10, "e^{−λt}")
    # −κ ln ∫e^{−V_eff/κ} with V_eff = 3x²/2, minus the doubly counted ½∬Wρρ = θ s∞/2, minus κ (U = κ(ρ ln ρ − ρ)).
    s = KAPPA / (1 + THETA)
    energy = -KAPPA / 2 * np.log(2 * np.pi * np.e * s) - KAPPA + s / 2 + THETA * s / 2
    v.equal("steady energy", d["energy"][-1], energy, 1e-10, "Gaussian")
    plane(v)
    v.draw(figure, runs[-1], h, errors, panels=3)


def plane(v: Validation) -> None:
    """In 2D, mass 1/2, V = (x² + 3y²)/2 and W = 2r²/2: each axis has its own closed form, with λ + θM = 2 and 4.

    Errors of ah² + bh⁴ with dt ∝ h, as above: 1e-3 at h = 1/12, of which Richardson's rule leaves a part
    (h/s)² = 1/20.
    """
    runs = [v.run("ou_2d_correlated", "energy.internal.kappa=0.5", "energy.potential=(x**2 + 3*y**2)/2",
                  "energy.interaction=(x**2 + y**2)", f"grid.shape=[{n}, {n}]", "grid.lower=[-3.5, -3.5]",
                  "grid.upper=[4.5, 3.5]", "initial.density=exp(-(x - 1)**2/(2*0.4) - (y + 0.5)**2/(2*0.3))",
                  "initial.mass=0.5", "exact.density=0*x + 0*y + 0*t", "time.end=0.3", "output.every=0.3",
                  f"solver.dt={0.6 / n}") for n in (48, 96)]  # fmt: skip
    for axis, lam, mean, variance in (("x", 1.0, 1.0, 0.4), ("y", 3.0, -0.5, 0.3)):
        exact = mckean_vlasov_quadratic(0.3, mean, variance, lam, THETA, KAPPA, 0.5)
        for name, expected in zip((f"mean_{axis}", f"variance_{axis}"), exact, strict=True):
            coarse, fine = (run.diagnostics[name][-1] for run in runs)
            v.equal(f"2D: {name} at t = 0.3, extrapolated", (4 * fine - coarse) / 3, expected, 1e-4, "closed form")


def figure(density, moments, order, run, h, errors) -> None:
    from wgfpde.output.plots import draw_order

    x = run.centers[0]
    for k in (0, 2, 5, -1):
        density.plot(x, run.rho[k], label=f"$t = {run.t[k]:.2g}$")
        mean, s = 1.5 * np.exp(-run.t[k]), variance(run.t[k])
        density.plot(x, np.exp(-((x - mean) ** 2) / (2 * s)) / np.sqrt(2 * np.pi * s), "k--", lw=0.6)
    density.set(xlim=(-2, 5), xlabel="$x$", ylabel=r"$\rho$", title="dashed: closed form")
    density.legend(frameon=False)
    moments.plot(run.t, run.diagnostics["mean_x"], "o", ms=4, label="mean")
    moments.plot(run.t, run.diagnostics["variance_x"], "s", ms=4, label="variance")
    moments.plot(run.t, 1.5 * np.exp(-run.t), "k-", lw=0.7)
    moments.plot(run.t, variance(run.t), "k-", lw=0.7)
    moments.set(xlabel="$t$", title="moments (lines: closed form)")
    moments.legend(frameon=False)
    draw_order(order, h, errors, 2, r"$h = 20\,\Delta t$")


def variance(t):
    s = KAPPA / (1 + THETA)
    return s + (0.8 - s) * np.exp(-2 * (1 + THETA) * t)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
