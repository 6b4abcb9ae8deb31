"""A constant force against a wall: V = −gx in a box, where diffusion holds against drift, by both families of solvers.

The density has a closed form with no flux through either wall, and a mass that is not 1.  Nothing is small at the
walls: an error of the flux there is an error everywhere.  The test is that of Cancès, Gallouët and Todeschi, whose
errors on squares are the measure for the JKO steps.
"""

from itertools import pairwise

import numpy as np

from wgfpde.claims import Validation, fitted_order
from wgfpde.cli import validate_script

# ρ = e^{−αt + gx/2}(π cos πx + (g/2) sin πx) + πe^{g(x − ½)},  α = π² + g²/4,  with κ = g = 1 unless said; T = 1/4
CASE = "tilted_box_2d"
CELLS = (10, 20, 40)
STEEP = 4.0
"""Another force: the cell Péclet number is 0.4 on the coarsest grid."""
LINEARISED = ((5, 0.05, 3.985e-2), (10, 0.0125, 8.431e-3), (20, 3.125e-3, 1.951e-3), (30, 7.8125e-4, 5.273e-4))
"""Cells per side, τ, and the L¹(0,T;L¹) error of the linearised JKO scheme with the same stencil.
Source of the test and of the numbers: Cancès, Gallouët, Todeschi (2020), arXiv 1907.08305."""
STEPS = (0.025, 0.0125, 0.00625)
STRIP = ("grid.shape=[80, 2]", "grid.upper=[1, 0.025]", "output.every=0.25")
"""Nothing depends on y: cells of the same width in a strip, and h² errs by 1e-4."""


def check(v: Validation) -> None:
    for g in (1.0, STEEP) if v.full else (STEEP,):
        runs = [v.run(CASE, f"params.g={g}", f"grid.shape=[{n}, {n}]", f"solver.dt={0.1 / n}",
                      f"output.every={0.1 / n}") for n in CELLS]  # fmt: skip
        errors = [integrated(run) for run in runs]
        order = fitted_order([1 / n for n in CELLS], errors)
        v.at_least(f"finite volumes, g = {g:g}: order of ∫‖error‖₁ dt", order, 1.9, "order 2")
        # The slowest mode is all there is, and e^{−αt} errs by its rate's (πh)²/12 and (αdt)²/6: on all parts of the
        # solution, of mass 4, that is below 4h² in all.
        v.at_most(f"finite volumes, g = {g:g}: ∫‖error‖₁ dt, 40 × 40", errors[-1], 0.25 * 4 / 40**2, "h² + dt²")
        mass = runs[-1].diagnostics["mass"][-1]
        v.equal(f"mass, g = {g:g}", mass, 2 * np.pi / g * np.sinh(g / 2), 1e-10,
                "∫πe^{g(x − ½)}")  # fmt: skip
    squares(v)
    first, second = orders(v)
    v.draw(figure, runs, first, second, panels=2)


def squares(v: Validation) -> None:
    """Extrapolated steps err 3 to 5 times less than the linearised scheme.

    Plain JKO steps of the same τ err 1.1 to 1.5 times more (4.5e-2, 1.2e-2, 2.9e-3, 7.7e-4): the density in their
    transport is that of the middle of the step.
    """
    for n, tau, bound in LINEARISED if v.full else LINEARISED[:1]:
        run = v.run(CASE, f"grid.shape=[{n}, {n}]", f'solver={{method="jko", scheme="extrapolated", tau={tau}}}',
                    f"output.every={tau}")  # fmt: skip
        v.at_most(f"JKO, extrapolated, {n} × {n}, τ = {tau}: ∫‖error‖₁ dt", integrated(run), bound, "linearised JKO")


def orders(v: Validation) -> tuple[list[float], list[float]]:
    """The error at T, of plain steps; and the change from τ to τ/2, of extrapolated ones, which leaves h² aside."""
    plain = [v.run(CASE, *STRIP, f'solver={{method="jko", tau={tau}}}') for tau in STEPS]
    first = [float(run.diagnostics["error_l1"][-1]) for run in plain]
    v.at_least("JKO: order in τ", fitted_order(STEPS, first), 0.9, "order 1")
    v.at_most("JKO: order in τ, not more", fitted_order(STEPS, first), 1.2, "order 1")
    twice = [v.run(CASE, *STRIP, f'solver={{method="jko", scheme="extrapolated", tau={tau}}}')
             for tau in (*STEPS, STEPS[-1] / 2)]  # fmt: skip
    second = [float(np.mean(np.abs(a.rho[-1] - b.rho[-1]))) for a, b in pairwise(twice)]
    v.at_least("JKO, extrapolated: order in τ, from halving", fitted_order(STEPS, second), 1.8, "order 2")
    return first, second


def integrated(run) -> float:
    """∫₀ᵀ‖ρ − exact‖₁ dt, by the values at the ends of the intervals."""
    return float(np.sum(np.diff(run.t) * run.diagnostics["error_l1"][1:]))


def figure(density, order, runs, first, second) -> None:
    run = runs[-1]
    x = run.centers[0]
    for t in (0.0, 0.05, 0.25):
        k = int(np.argmin(np.abs(run.t - t)))
        density.plot(x, run.rho[k][0], label=f"$t = {run.t[k]:.2g}$")
        decay = np.exp(STEEP * x / 2 - (np.pi**2 + STEEP**2 / 4) * run.t[k])
        exact = decay * (np.pi * np.cos(np.pi * x) + STEEP / 2 * np.sin(np.pi * x)) + np.pi * np.exp(STEEP * (x - 0.5))
        density.plot(x, exact, "k--", lw=0.6)
    density.set(xlabel="$x$", ylabel=r"$\rho$", title=rf"$g = {STEEP:g}$ (dashed: closed form)")
    density.legend(frameon=False)
    order.loglog(STEPS, first, "o-", label="JKO")
    order.loglog(STEPS, second, "s-", label="JKO, extrapolated")
    order.loglog(STEPS, [first[-1] * tau / STEPS[-1] for tau in STEPS], "k--", lw=0.7, label="slopes 1 and 2")
    order.loglog(STEPS, [second[-1] * (tau / STEPS[-1]) ** 2 for tau in STEPS], "k--", lw=0.7)
    order.set(xlabel=r"$\tau$", ylabel=r"$L^1$ error at $T$", title="$g = 1$")
    order.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
