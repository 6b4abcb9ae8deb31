"""Langevin chains: the exact law of every step, its bias against the Gibbs state, Metropolis' rule, and particles.

The unadjusted Langevin algorithm is often taken for a sampler of e^{−V/κ}, or for the JKO scheme by another name.  Its
law has closed forms of its own: recursions for Gaussians, and an expansion of what it settles on in powers of τ.  They
tell it from the flow, from JKO steps and from the adjusted chain by far more than any tolerance here.
"""

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

LAM, TAU = 1.3, 0.1
LINE = ("ou_1d", f"params.lam={LAM}", "params.kappa=1", "params.s0=0.5", "params.m0=1", "energy.internal.kappa=1",
        "grid.shape=[160]", "grid.lower=[-8]", "grid.upper=[8]", "exact=")  # fmt: skip
A, NOISE, STEP = np.array([[1.5, 0.6], [0.6, 1.0]]), 0.5, 0.05
PLANE = (
    "ou_2d_correlated", f"energy.internal.kappa={NOISE}", "energy.potential=0.75*x**2 + 0.6*x*y + y**2/2", "exact=",
    "grid.lower=[-6, -6]", "grid.upper=[6, 6]", "grid.shape=[96, 96]", "time.end=0.5", "output.every=0.5",
    "initial.density=exp(-(x - 0.5)**2/0.8 - (y + 0.5)**2/0.6)", "initial.mass=1.0",
)  # fmt: skip
BIAS = {0.02: (5.594e-2, 4.35e-3), 0.01: (2.709e-2, 9.9e-4), 0.005: (1.337e-2, 2.4e-4)}
"""τ → ‖π_τ − π‖₁ and ‖π_τ − π(1 + τq)‖₁, by a dense matrix of the chain on another grid."""


def check(v: Validation) -> None:
    gaussian(v)
    plane(v)
    law = bias(v)
    adjusted(v)
    particles(v, law)


def gaussian(v: Validation) -> None:
    """s ← (1 − λτ)²s + 2κτ.  Midpoint sums of Gaussians err by e^{−2π²σ²/h²}, far below rounding at σ = 4.5 h."""
    run = v.run(*LINE, f"solver={{method='langevin', tau={TAU}}}", "time.end=0.5", "output.every=0.5")
    v.equal("law: variance after 5 steps of 0.1, λ = 1.3", run.diagnostics["variance_x"][-1], _recursion(5), 1e-12,
            "recursion")  # fmt: skip
    v.equal("law: the same to ten digits", run.diagnostics["variance_x"][-1], 0.7425388036, 6e-11, "reference number")
    v.equal("law: mean after 5 steps", run.diagnostics["mean_x"][-1], (1 - LAM * TAU) ** 5, 1e-12, "(1 − λτ)⁵")
    run = v.run(*LINE, f"solver={{method='langevin', tau={TAU}}}", "time.end=15", "output.every=15")
    v.equal("law: variance in the end", run.diagnostics["variance_x"][-1], 1 / (LAM * (1 - LAM * TAU / 2)), 1e-12,
            "1/(λ(1 − λτ/2)), 0.8227067051")  # fmt: skip
    # JKO steps of the same size end in the Gibbs state, whose variance is 1/λ: they are no Langevin chain.
    run = v.run(*LINE, f"solver={{method='jko', tau={TAU}, tolerance=1e-11}}", "time.end=15", "output.every=15")
    v.equal("JKO: variance in the end", run.diagnostics["variance_x"][-1], 1 / LAM, 1e-5, "Gibbs state")


def _recursion(count: int) -> float:
    s = 0.5
    for _ in range(count):
        s = (1 - LAM * TAU) ** 2 * s + 2 * TAU
    return s


def plane(v: Validation) -> None:
    """m ← (I − τA)m, S ← (I − τA)S(I − τA) + 2κτI: σ = 1.8 h, spread in two."""
    run = v.run(*PLANE, f"solver={{method='langevin', tau={STEP}}}")
    mean, cov, move = np.array([0.5, -0.5]), np.diag([0.4, 0.3]), np.eye(2) - STEP * A
    for _ in range(10):
        mean, cov = move @ mean, move @ cov @ move + 2 * NOISE * STEP * np.eye(2)
    for name, expected in zip(("mean_x", "mean_y"), mean, strict=True):
        v.equal(f"law in the plane: {name[:4]} {name[-1]}", run.diagnostics[name][-1], expected, 1e-8, "recursion")
    for name, expected in zip(("variance_x", "covariance_xy", "variance_y"), cov[[0, 0, 1], [0, 1, 1]], strict=True):
        v.equal(f"law in the plane: {name.replace('_', ' ')}", run.diagnostics[name][-1], expected, 1e-8, "recursion")


def bias(v: Validation):
    """π_τ = π(1 + τq) + O(τ²), q = ¼|V'|² − ½V'' + c: orders 1 and 2, and both sizes to 2 %.

    The bias is even, and even modes decay at 6.0: time 4 leaves e^{−24} of it.
    """
    found = v.converge("ula_bias_1d", {"solver.tau": [*BIAS]}, "exact={density='1'}", "output.every=1",
                       errors={"l1": _from_gibbs, "linf": _from_expansion})  # fmt: skip
    for tau, solved in zip(BIAS, found.runs, strict=True):
        v.equal(f"‖π_τ − π‖₁ at τ = {tau}", _from_gibbs(solved), BIAS[tau][0], 0.02 * BIAS[tau][0], "dense chain")
        v.equal(f"‖π_τ − π(1 + τq)‖₁ at τ = {tau}", _from_expansion(solved), BIAS[tau][1], 0.02 * BIAS[tau][1],
                "dense chain")  # fmt: skip
    v.at_least("order of the bias in τ", found.fitted["l1"], 0.98, "expansion")
    v.at_least("order of what is left of the first term", found.fitted["linf"], 1.95, "expansion")
    kl = found.runs[1].diagnostics["kl_gibbs"]
    v.at_least("rise of the entropy relative to π from π itself, τ = 0.01", kl[1] - kl[0], 1e-4, "no gradient flow")
    return found.runs[1]


def _gibbs(run):
    x = run.centers[0]
    weight = np.exp(-((x * x - 1) ** 2))
    return x, weight / (weight.sum() * (x[1] - x[0]))


def _from_gibbs(run) -> float:
    x, pi = _gibbs(run)
    return float((x[1] - x[0]) * np.abs(run.rho[-1] - pi).sum())


def _from_expansion(run) -> float:
    x, pi = _gibbs(run)
    h, tau = x[1] - x[0], run.t[-1] / len(run.steps["t"])
    q = 0.25 * (4 * x * (x * x - 1)) ** 2 - 0.5 * (12 * x * x - 4)
    return float(h * np.abs(run.rho[-1] - pi * (1 + tau * (q - h * np.sum(pi * q)))).sum())


def adjusted(v: Validation) -> None:
    """Metropolis' rule: the Gibbs state to rounding, an entropy that never rises, whatever τ; also in the plane."""
    run = v.run("ula_bias_1d", "solver.adjust=true", "solver.tau=0.1", "output.every=1")
    v.at_most("adjusted law: ‖Kπ − π‖₁ after 40 steps of 0.1 from π", _from_gibbs(run), 1e-13, "detailed balance")
    run = v.run("ula_bias_1d", "solver.adjust=true", "initial.density=exp(-8*(x + 1)**2)", "time.end=4",
                "output.every=0.01")  # fmt: skip
    v.at_most("adjusted law: rise of KL(ρ|π) in a step, at most", np.max(np.diff(run.diagnostics["kl_gibbs"])), 1e-13,
              "data processing")  # fmt: skip
    run = v.run(*PLANE, f"solver={{method='langevin', tau={STEP}, adjust=true}}", "grid.shape=[40, 40]",
                "time.end=0.25", "output.every=0.05")  # fmt: skip
    v.at_most("adjusted law in the plane: mass moved by a step at π", run.attributes["gibbs_moves"], 1e-13,
              "detailed balance")  # fmt: skip


def particles(v: Validation, law) -> None:
    """Means and variances of 100,000 particles against their law, in standard errors; a fixed seed."""
    n = 100_000
    run = v.run(*LINE, f"solver={{method='langevin', tau={TAU}, particles={n}, seed=3}}", "time.end=0.5",
                "output.every=0.5")  # fmt: skip
    # drawn from averages over cells, which adds h²/12 to the variance of the start
    s = _recursion(5) + (1 - LAM * TAU) ** 10 * 0.1**2 / 12
    x = run.fields["position"][-1][:, 0]
    v.at_most("particles: |z| of the mean after 5 steps", abs(x.mean() - (1 - LAM * TAU) ** 5) / np.sqrt(s / n), 4,
              "exact law")  # fmt: skip
    v.at_most("particles: |z| of the variance", abs(x.var() - s) / (s * np.sqrt(2 / n)), 4, "exact law")
    both = [v.run("langevin_double_well_1d", *more, "time.end=5", "output.every=5") for more in (
        ("solver.particles=50000",), ("solver.particles=", "solver.seed="),
    )]  # fmt: skip
    expected = 50_000 * both[1].rho[-1] * 0.1
    counts, full = 50_000 * both[0].rho[-1] * 0.1, expected > 5
    chi = np.sum((counts - expected)[full] ** 2 / expected[full])
    v.at_most("textbook run: (χ² − cells)/√(2 cells) of the bins against the law", (chi - full.sum())
              / np.sqrt(2 * full.sum()), 4, "χ² test")  # fmt: skip
    v.draw(figure, law, both, panels=2)


def figure(left, right, law, both) -> None:
    x, pi = _gibbs(law)
    q = 0.25 * (4 * x * (x * x - 1)) ** 2 - 0.5 * (12 * x * x - 4)
    q -= (x[1] - x[0]) * np.sum(pi * q)
    left.plot(x, law.rho[-1] - pi, label=r"$\pi_\tau - \pi$, law of the chain")
    left.plot(x, 0.01 * pi * q, "k--", lw=0.8, label=r"$\tau\pi(\frac{1}{4}|V'|^2 - \frac{1}{2}V'' + c)$")
    left.set(xlabel="$x$", title=r"bias of the unadjusted chain, $\tau = 0.01$")
    left.legend(frameon=False)
    sampled, exact = both
    right.stairs(sampled.rho[-1], sampled.edges[0], label="50,000 particles")
    right.plot(exact.centers[0], exact.rho[-1], label="law of the chain")
    right.plot(x, pi, "k:", label="Gibbs state")
    right.set(xlabel="$x$", ylabel=r"$\rho$", title="textbook run, $t = 5$")
    right.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
