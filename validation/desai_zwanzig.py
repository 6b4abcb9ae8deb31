"""Desai–Zwanzig model: the ordered branch below the critical noise, disorder above it.

Noisy particles in a double well that attract each other.  The steady mean m solves m = ⟨x⟩ in ρ ∝ exp(−(V + θ(x −
m)²/2)/κ), with m ≠ 0 only below a critical noise.  A scheme that does not balance drift, interaction and diffusion
settles on another mean.
"""

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script
from wgfpde.energy.equations import desai_zwanzig_critical_noise, desai_zwanzig_mean

ORDERED = 0.705495273209
"""The mean m > 0 that solves m = ⟨x⟩ in ρ ∝ exp(−(V + θ(x − m)²/2)/κ), V = x⁴/4 − x²/2, θ = 1, κ = 0.3."""
CASE = (
    "desai_zwanzig_1d", "params.theta=1", "grid.lower=[-3.5]", "grid.upper=[3.5]", "initial.mass=1.0",
    "solver.dt=0.5", "grid.shape=[140]", "energy.potential=x**4/4 - x**2/2", "energy.interaction=theta*x**2/2",
)  # fmt: skip
NOISES = (0.2, 0.3, 0.4)


def check(v: Validation) -> None:
    # A steady state solves the self-consistency equation with sums for integrals, spectrally accurate; what
    # remains is e^{−μt} of the slowest rate μ.  At κ = 0.4 (μ = 0.1, near the critical 0.457) t = 300 leaves
    # e^{−30}, at κ = 0.3 (μ = 0.4) t = 150 more than that; the bias 0.05 selects the branch m > 0.
    runs = [march(v, noise, 0.05, end) for noise, end in zip(NOISES, (150, 150, 300), strict=True)]
    for noise, run in zip(NOISES, runs, strict=True):
        expected = ORDERED if noise == 0.3 else desai_zwanzig_mean(noise)
        source = "reference number" if noise == 0.3 else "self-consistency"
        v.equal(f"order m at noise {noise}", run.diagnostics["mean_x"][-1], expected, 1e-9, source)
    # The mirror image is a steady state too: the other bias must find it.
    mirror = march(v, 0.3, -0.05, 150)
    v.equal("order m at noise 0.3, other bias", mirror.diagnostics["mean_x"][-1], -ORDERED, 1e-9, "symmetry")
    # Above the critical noise even a fully ordered start is forgotten, here at a rate above 0.1.
    disordered = v.run(*CASE, "energy.internal.kappa=0.6", "initial.density=exp(-(x - 1)**2/(2*0.1))",
                       "time.end=250", "output.every=10")  # fmt: skip
    v.equal("order m at noise 0.6, ordered start", disordered.diagnostics["mean_x"][-1], 0.0, 1e-9, "no branch")
    jko(v)
    if v.full:
        critical(v)
    v.draw(figure, [*runs, mirror, disordered], panels=2)


def march(v: Validation, noise: float, bias: float, end: float):
    return v.run(*CASE, f"energy.internal.kappa={noise}", f"initial.density=exp(-(x - {bias})**2/(2*{noise}))",
                 f"time.end={end}", "output.every=10")  # fmt: skip


def jko(v: Validation) -> None:
    """Steps of the JKO scheme end at the minimum of the same energy: from 0.1 apart, a rate of 0.4 and steps of 2 leave
    0.1 × 1.8^{−30} = 2e-9, and gaps of 1e-12 about their square root, 1e-6."""
    run = v.run(*CASE, "energy.internal.kappa=0.3", "initial.density=exp(-(x - 0.6)**2/0.6)",
                'solver={method="jko", tau=2, tolerance=1e-12}', "time.end=60", "output.every=60")  # fmt: skip
    v.equal("JKO: order m at noise 0.3", run.diagnostics["mean_x"][-1], ORDERED, 2e-6, "reference number")


def critical(v: Validation) -> None:
    """On both sides of the critical noise 0.4569, 3 % from it: rates of 0.02, and t = 1500 leaves e^{−30}."""
    below, above = (march(v, noise, 0.3, 1500) for noise in (0.443, 0.471))
    v.equal("order m at noise 0.443", below.diagnostics["mean_x"][-1], desai_zwanzig_mean(0.443), 1e-9,
            "self-consistency")  # fmt: skip
    v.equal("order m at noise 0.471", above.diagnostics["mean_x"][-1], 0.0, 1e-9, "no branch")


def figure(history, branch, runs) -> None:
    labels = [f"noise {noise}" for noise in NOISES] + ["noise 0.3, other bias", "noise 0.6"]
    for mark, run, label in zip("osv^DPX", runs, labels, strict=False):
        history.plot(run.t, run.diagnostics["mean_x"], f"{mark}-", ms=3, label=label)
    history.set(xlim=(0, 100), xlabel="$t$", ylabel="mean", title="order grows or is forgotten")
    history.legend(frameon=False, loc="center right", bbox_to_anchor=(1.0, 0.23))
    critical = desai_zwanzig_critical_noise()
    noise = critical - (critical - 0.1) * np.linspace(0.02, 1, 60) ** 2
    mean = np.array([desai_zwanzig_mean(value) for value in noise])
    branch.plot(noise, mean, "k-", lw=0.8, label="self-consistency")
    branch.plot(noise, -mean, "k-", lw=0.8)
    branch.axhline(0, color="k", lw=0.4)
    branch.plot([*NOISES, 0.3, 0.6], [run.diagnostics["mean_x"][-1] for run in runs], "o", label="runs")
    branch.axvline(critical, color="k", lw=0.6, ls=":")
    branch.set(xlabel=r"noise $\kappa$", ylabel="steady mean", title="branches; dotted: critical noise")
    branch.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
