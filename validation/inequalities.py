"""Functional inequalities along the flow: shifted Gibbs states saturate them, and everything else obeys.

The logarithmic Sobolev, Talagrand and HWI inequalities are the theory behind every rate of convergence of these flows.
They are measured on an actual density through the cell values, so that no discretisation error may break them; a state
for which all three are equalities shows that nothing is hidden by slack either.
"""

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

SHIFT = 2.0
SLACKS = {"slack_lsi": "log-Sobolev", "slack_talagrand": "Talagrand", "slack_hwi": "HWI"}
WELLS = {
    "V = x⁴/12 + x²/4": "x**4/12 + x**2/4",
    "V = ln cosh 2x + x²/10": "log(cosh(2*x)) + x**2/10",
}
CONVEX = dict(zip(WELLS, (0.5, 0.2), strict=True))
"""The smallest second derivative."""
DOUBLE_WELL_GAP = 0.42294464540
"""Spectral gap of V = x⁴/4 − x²/2 at κ = 1/2: no constant of a logarithmic Sobolev inequality is larger."""


def check(v: Validation) -> None:
    run = v.run("translate_1d", "grid.shape=[400]", "solver.dt=0.005")
    # Sampled by averages, and moved by the scheme, the state is a Gaussian with a variance wrong by O(h²) = 1e-4,
    # relatively; at an equality the slack is quadratic in that: 1e-8.  H itself is 2 at the start.
    for name, inequality in SLACKS.items():
        v.equal(f"translate, 400 cells: largest slack, {inequality}", np.max(np.abs(run.diagnostics[name])), 0.0, 1e-6,
                "equality for shifted Gibbs states")  # fmt: skip
    v.equal("translate: W₂ to the Gibbs state at t = 1", run.diagnostics["w2_gibbs"][10], SHIFT * np.exp(-1), 1e-3,
            "contraction at the rate λ")  # fmt: skip
    rate = extrapolated_rate(v)
    # λ(1 − λh²/6κ + c h⁴): Richardson's rule leaves c h⁴/4 = 1e-5 at h = 0.08, and dt² as much.
    v.equal("translate: rate of decay of H, extrapolated", rate, 2.0, 1e-4, "H = H₀ e^{−2λt}")
    for text, formula in WELLS.items():
        well = v.run("translate_1d", f"energy.potential={formula}", "grid.lower=[-6]", "grid.upper=[6]",
                     "initial.density=exp(-2*abs(x - 1))", "solver.dt=0.02", "time.end=2")  # fmt: skip
        far = well.diagnostics["entropy_gibbs"] > 1e-10  # nearer, rounding decides
        entropy = well.diagnostics["entropy_gibbs"][far]
        worst = min(float(np.min(well.diagnostics[name][far] / entropy)) for name in SLACKS)
        v.at_least(f"{text}: smallest slack over H", worst, -1e-8, "convex V: Bakry–Émery")
        # λ-convexity alone: H ≤ H₀ e^{−2λt}; a start this far from a translate falls faster from the first snapshot on
        fall = entropy[1:] / entropy[0] * np.exp(2 * CONVEX[text] * well.t[far][1:])
        v.at_most(f"{text}: largest H/(H₀ e^{{−2λt}}) at t > 0", np.max(fall), 1.0, "convex V: Bakry–Émery")
    de_bruijn(v)
    balance(v)
    double = v.run("double_well_1d", "energy.internal.kappa=0.5", "grid.shape=[200]", "solver.dt=0.05",
                   'output.diagnostics=["fisher_gibbs", "w2_gibbs"]')  # fmt: skip
    v.at_most("double well: λ by Holley–Stroock", float(double.attributes["sobolev"]), DOUBLE_WELL_GAP, "below the gap")
    v.about("Fokker-Planck", "translate_1d", "1D fv")
    # the dissipation is summed by the trapezoidal rule; what is lost in all is 1.96
    v.at_most("translate: |E(t) + ∫D − E(0)|", np.max(np.abs(run.diagnostics["energy_balance"])), 5e-5, "dissipation")
    v.draw(figure, run, double, panels=3)


def de_bruijn(v: Validation) -> None:
    """dH/dt = −κI, both sides in closed form for a Gaussian of variance v: −κI = −(κ/v)(1 − λv/κ)².

    Differences of three snapshots err by a third of ε² times a third derivative of 4.7, 4e-7; two grids leave
    |−κI| (h/σ)⁴ = 1e-6.
    """
    sides = []
    for cells in (160, 320):
        run = v.run("ou_1d", f"grid.shape=[{cells}]", "grid.lower=[-6]", "grid.upper=[6]", "params.kappa=0.7",
                    "params.lam=1.3", "params.s0=0.4", "params.m0=0", "energy.internal.kappa=0.7", "solver.dt=5e-4",
                    "time.end=1e-3", "output.every=5e-4",
                    'output.diagnostics=["entropy_gibbs", "fisher_gibbs"]')  # fmt: skip
        h = run.diagnostics["entropy_gibbs"]
        sides.append(((4 * h[1] - 3 * h[0] - h[2]) / 1e-3, -0.7 * run.diagnostics["fisher_gibbs"][0]))
    for name, coarse, fine in zip(("dH/dt", "−κI"), *sides, strict=True):
        v.equal(f"variance 0.4, κ = 0.7, λ = 1.3: {name}, extrapolated", (4 * fine - coarse) / 3, -0.115714285714, 3e-6,
                "de Bruijn")  # fmt: skip


def balance(v: Validation) -> None:
    """E(0) − E(t) = ∫∫ρ|∇ξ|²: what a scheme loses otherwise is of its order in the step, whatever h."""
    steps = [0.02, 0.01, 0.005, 0.0025]
    defect = {"defect": lambda run: abs(float(run.diagnostics["energy_balance"][-1]))}
    settings = "grid.shape=[160]", "output.every=2", 'output.diagnostics=["energy_balance"]'
    for order in (1, 2):
        found = v.converge("ou_1d", {"solver.dt": steps}, *settings, f"solver.order={order}", errors=defect)
        v.equal(f"order {order}: that of E(t) + ∫D − E(0) in dt, last three", found.fitted_last["defect"], order, 0.15,
                "dissipation")  # fmt: skip
    # ρ|∇ξ|² on faces is not what JKO steps dissipate there, by O(h²), the same at every τ: differences are free of it
    jko = v.converge("ou_1d", {"solver.tau": [0.1, 0.05, 0.025]}, *settings, "solver={method='jko', tau=0.1}",
                     errors=defect)  # fmt: skip
    first, second = np.abs(np.diff(jko.errors["defect"]))
    v.equal("JKO: order of E(t) + ∫D − E(0) in tau, from halving", np.log2(first / second), 1, 0.15, "dissipation")


def extrapolated_rate(v: Validation) -> float:
    """−d/dt ln H of a translate, from two grids with dt ∝ h."""
    rates = []
    for cells in (100, 200):
        steps = (f"solver.dt={1.0 / cells}", "time.end=1", "output.every=0.5")
        run = v.run("translate_1d", f"grid.shape=[{cells}]", *steps)
        entropy = run.diagnostics["kl_gibbs"]
        rates.append(-np.log(entropy[-1] / entropy[0]))
    return float((4 * rates[1] - rates[0]) / 3)


def figure(translate, well, slack, run, double) -> None:
    kappa = 0.5
    for axes, of, factor, title in ((translate, run, 1.0, "a translate"), (well, double, kappa, "a double well")):
        axes.semilogy(of.t, factor * of.diagnostics["kl_gibbs"], label=r"$\kappa H$")
        axes.semilogy(of.t, factor**2 * of.diagnostics["fisher_gibbs"] / 2, "--", label=r"$\kappa^2 I/2$")
        axes.semilogy(of.t, of.diagnostics["w2_gibbs"] ** 2 / 2, ":", label=r"$W_2^2/2$")
        axes.set(xlabel="$t$", title=title)
        axes.legend(frameon=False)
    for name, inequality in SLACKS.items():
        slack.semilogy(run.t, np.abs(run.diagnostics[name]) / run.diagnostics["kl_gibbs"], label=inequality)
    slack.set(xlabel="$t$", title="slack over $H$, translate")
    slack.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
