"""Two solutions approach each other: contraction in W₂, decay of χ², and the rate of JKO steps.

In a potential with V'' ≥ λ any two solutions are e^{−λt} nearer after t, and two Gaussians in a parabola exactly so.
Near the Gibbs state everything decays at the gap: the flow at e^{−λ₁t}, a JKO step of τ at 1/(1 + λ₁τ).
"""

import contextlib
import io
import json

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import main, validate_script

LAM, KAPPA = 1.3, 0.7
SPRING = ("ou_1d", "grid.lower=[-5]", "grid.upper=[5]", f"params.lam={LAM}", f"params.kappa={KAPPA}",
          f"energy.internal.kappa={KAPPA}", "time.end=1", "output.every=0.25")  # fmt: skip
PAIR = ((1.5, 0.25), (-0.5, 0.6))
"""Means and variances of two Gaussians at the start."""
QUARTIC = ("ou_1d", "grid.shape=[200]", "grid.lower=[-4]", "grid.upper=[4]", "energy.potential=x**4/12 + x**2/4",
           "exact={density='1'}", "initial.mass=1.0", "energy.internal.kappa=0.5", "time.end=1",
           "output.every=0.25")  # fmt: skip
"""V'' = x² + ½."""
STARTS = ("exp(-(x - 1)**2/0.2)", "exp(-2*abs(x + 1)) + 0.5*exp(-(x - 1.5)**2/0.1)")
GAP = 0.18717041809
"""Spectral gap of the double well x⁴/4 − x²/2 at κ = 1/4."""
TIMES = np.array([0.0, 0.25, 0.5, 0.75, 1.0])


def check(v: Validation) -> None:
    apart = gaussians(v)
    fast, slow = quartic(v)
    chi_squared(v)
    if v.full:
        jko_rate(v)
        plane(v)
    v.draw(figure, apart, fast, slow)


def gaussians(v: Validation):
    """W₂² = (Δm)² e^{−2λt} + (Δσ)²: both grids err by h², which is extrapolated; what is left is (h/σ)⁴/4 = 2e-5."""
    found = []
    for cells in (100, 200):
        runs = [v.run(*SPRING, f"grid.shape=[{cells}]", f"params.m0={m}", f"params.s0={s}", f"solver.dt={1 / cells}")
                for m, s in PAIR]  # fmt: skip
        found.append(distances(v, runs))
    means = (PAIR[0][0] - PAIR[1][0]) * np.exp(-LAM * TIMES)
    widths = [np.sqrt(KAPPA / LAM + (s - KAPPA / LAM) * np.exp(-2 * LAM * TIMES)) for _, s in PAIR]
    exact = np.hypot(means, widths[0] - widths[1])
    off = np.max(np.abs((4 * found[1] - found[0]) / 3 - exact))
    v.equal("two Gaussians in a parabola: largest error of W₂, extrapolated", off, 0, 2e-5, "Gelbrich's formula")
    # translates of one Gaussian by JKO steps: (1 + λτ)⁻¹ a step, whatever the variance
    runs = [v.run(*SPRING, "grid.shape=[200]", f"params.m0={m}", "params.s0=0.4", "output.every=0.25",
                  "solver={method='jko', tau=0.05, tolerance=1e-10}") for m in (0.25, -0.25)]  # fmt: skip
    apart = distances(v, runs)
    off = np.max(np.abs(apart / apart[0] - (1 + 0.05 * LAM) ** (-20 * TIMES)))
    # the mid-point of a transport by Δm errs by ½ (Δm/σ)² of it: 3e-4 of 0.015 in the first step, and less later
    v.equal("two translates, JKO: largest error of W₂ over the first", off, 0, 1e-4, "(1 + λτ)⁻ⁿ")
    return found[1] / found[1][0]


def quartic(v: Validation):
    """Starts that are no Gaussians: nearer than e^{−λt}, or (1 + λτ)⁻ⁿ by JKO steps, λ = ½."""
    ratios = []
    for name, solver, rate in (("FV", "solver.dt=0.01", np.exp(-0.5 * TIMES)),
                               ("JKO", "solver={method='jko', tau=0.05}", 1.025 ** (-20 * TIMES))):  # fmt: skip
        apart = distances(v, [v.run(*QUARTIC, f"initial.density={start}", solver) for start in STARTS])
        ratios.append(apart / apart[0] / rate)
        v.at_most(f"quartic, {name}: largest W₂ over that of λ = ½, t > 0", np.max(ratios[-1][1:]), 1.0, "contraction")
    return ratios


def chi_squared(v: Validation) -> None:
    """A shifted Gibbs state has χ² = e^{λm²/κ} − 1, m = m₀e^{−λt}, and falls at 2λ in the end, twice the gap."""
    found = []
    for cells in (160, 320):
        run = v.run(*SPRING, f"grid.shape=[{cells}]", "params.m0=0.8", f"params.s0={KAPPA / LAM!r}", "time.end=3",
                    f"solver.dt={0.8 / cells}")  # fmt: skip
        x = run.centers[0]
        pi = np.exp(-LAM * x**2 / (2 * KAPPA))
        pi *= cells / 10 / np.sum(pi)
        found.append(np.array([10 / cells * np.sum((rho - pi) ** 2 / pi) for rho in run.rho[:]]))
    value, t = (4 * found[1] - found[0]) / 3, run.t
    exact = np.expm1(LAM * (0.8 * np.exp(-LAM * t)) ** 2 / KAPPA)
    # tails weigh as e^{λ(2mx)/κ}: errors of h⁴/σ⁴ = 1e-5 times m-fold logarithms of order 1
    v.equal("χ² of a translate: largest relative error, extrapolated", np.max(np.abs(value / exact - 1)), 0, 1e-4,
            "e^{λm²/κ} − 1")  # fmt: skip
    rate = np.log(value[-3] / value[-1]) / (t[-1] - t[-3])
    expected = np.log(exact[-3] / exact[-1]) / (t[-1] - t[-3])
    v.equal("its rate over 2λ, from t = 2.5 to 3", rate / (2 * LAM), expected / (2 * LAM), 1e-5, "twice the gap")


def jko_rate(v: Validation) -> None:
    """The mean of a double well, late: 1/(1 + λ₁τ) a step.

    Cubic terms are down to the square of the mean, 1e-6 after t = 35; of h², 3e-4 at 80 cells, Richardson's rule leaves
    h⁴, 4e-7.
    """
    tau, found = 1.0, []
    for cells in (80, 160):
        run = v.run("double_well_1d", f"grid.shape=[{cells}]", f"solver={{method='jko', tau={tau}, tolerance=1e-10}}",
                    "time.end=45", "output.every=5")  # fmt: skip
        mean = run.diagnostics["mean_x"]
        found.append(((mean[-3] / mean[-1]) ** (tau / 10) - 1) / tau)
    v.equal("double well, JKO: λ₁ from a decay of 1/(1 + λ₁τ) a step", (4 * found[1] - found[0]) / 3, GAP, 1e-6, "DVR")


def plane(v: Validation) -> None:
    """In the plane, translates under V = 2u² + v²/2, u, v = (x ± y)/√2; W₂² itself is found to 1e-3 at worst.

    At h = 0.17 the drift errs by 1e-2, extrapolated to h⁴ = 3e-4 of it.
    """
    found = []
    for cells in (48, 96):
        settings = f"grid.shape=[{cells}, {cells}]", f"solver.dt={0.48 / cells}", "time.end=0.5", "output.every=0.5"
        runs = [v.run("ou_2d_correlated", *settings, f"params.mu={m}", f"params.mv={m}") for m in (0.6, -0.6)]
        found.append(distances(v, runs)[-1])
    expected = 1.2 * np.hypot(np.exp(-4 * 0.5), np.exp(-0.5))
    v.equal("plane: W₂ of two translates at t = 0.5, extrapolated", (4 * found[1] - found[0]) / 3, expected, 5e-4,
            "e^{−λt} on each axis")  # fmt: skip


def distances(v: Validation, runs):
    """What `wgfpde w2 A B --json` says, for all snapshots."""
    found = []
    for k in range(len(runs[0].t)):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = main(["w2", *(str(run.folder) for run in runs), f"--index-a={k}", f"--index-b={k}", "--json"])
        if code:
            raise RuntimeError(f"wgfpde w2 ends with {code}")
        found.append(json.loads(said.getvalue())["w2"])
    return np.array(found)


def figure(axes, gaussians, fast, slow) -> None:
    axes.plot(TIMES, gaussians * np.exp(LAM * TIMES), "o-", label="two Gaussians, parabola")
    axes.plot(TIMES, fast, "s-", label="quartic, finite volumes")
    axes.plot(TIMES, slow, "^-", label="quartic, JKO")
    axes.axhline(1, color="k", lw=0.7, ls="--")
    axes.set(xlabel="$t$", ylabel=r"$W_2(t)\,e^{\lambda t}/W_2(0)$", ylim=(0, 1.1), title="contraction")
    axes.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
