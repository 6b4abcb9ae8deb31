"""Potential mean field games: Gaussian games by their equations, gaps, and ends that cost.

Where costs are quadratic, or entropies, a Gaussian stays one: u = ½a x² + b and the variance s obey

    a' = a² − (q + κ − γ/s),   s' = 2ν − 2as,   a(T) = c − γ_T/s(T),

a boundary value problem for E = γ∫ρ ln ρ + ½q∫x²ρ + W = ½κr² and G of the same kind, solved here beside the runs.  A
game without running cost is a step of the entropic JKO scheme: its variance is the root of one equation.
"""

import math

import numpy as np
from scipy.integrate import solve_bvp
from scipy.optimize import brentq

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

LQ = 0.4345883636, 0.2645642303
"""Variance at T and T/2 for κ = 2, ν = 0.3, T = 1.5 from s = 0.4."""
LOGARITHMIC = 0.8499505703, 0.5806892497
"""The same for γ = 0.5, q = 1.2."""
STEP = 0.4866999326
"""Variance after an entropic step of τ = 0.1 with ε = 0.2 towards N(0, 1), from 0.3."""
LOG = (
    "game_lq_1d", "exact=", "grid.lower=[-6]", "grid.upper=[6]", "energy.internal={kind='entropy', kappa=0.5}",
    "energy.interaction=", "energy.potential=0.6*x**2", "output.every=0.75", "initial.sampling=centre",
)  # fmt: skip


def check(v: Validation) -> None:
    linear_quadratic(v)
    logarithmic(v)
    ends(v)
    congestion(v)
    in_the_plane(v)


def curve(q: float, gamma: float, kappa: float, c: float = 0.0, at_end: float = 0.0) -> tuple[float, float]:
    """The variance at T and T/2, by the boundary value problem."""
    found = solve_bvp(
        lambda t, y: [y[0] ** 2 - (q + kappa - gamma / y[1]), 0.6 - 2 * y[0] * y[1]],
        lambda start, end: [start[1] - 0.4, end[0] - (c - at_end / end[1])],
        np.linspace(0, 1.5, 50), [np.zeros(50), np.full(50, 0.4)], tol=1e-10, max_nodes=20_000,
    )  # fmt: skip
    return float(found.sol(1.5)[1]), float(found.sol(0.75)[1])


def variances(run) -> np.ndarray:
    """At the end and halfway."""
    return run.diagnostics["variance_x"][[-1, len(run) // 2]]


def refined(v: Validation, words: str, wanted: tuple[float, float], errors: float, *overrides: str) -> list:
    """Runs of 100, 200 and 400 cells, solved closely: a gap of 1e-8 leaves 1e-4 of a density."""
    runs = [
        v.run(*overrides, f"grid.shape=[{n}]", f"solver.dt={1.5 / steps!r}", "solver.tolerance=1e-11")
        for n, steps in ((100, 20), (200, 40), (400, 80))
    ]
    off = np.array([variances(run) - wanted for run in runs])
    for k, when in enumerate(("at T", "halfway")):
        v.equal(f"{words}: variance {when}", variances(runs[-1])[k], wanted[k], errors, "boundary value problem")
    order = float(np.log2(np.abs(off[0, 0] / off[2, 0])) / 2)
    v.equal(f"{words}: order of the variance", order, 2, 0.12, "closed form")
    return runs


def linear_quadratic(v: Validation) -> None:
    """f = W∗ρ depends on the mean and the variance by a constant alone: one sweep."""
    v.equal("the number given for W = r²", curve(0, 0, 2)[0], LQ[0], 1e-8, "boundary value problem")
    runs = refined(v, "W = r²", LQ, 8e-5, "game_lq_1d", "initial.sampling=centre", "output.every=0.75")
    v.equal(
        "W = r²: sweeps", sum(int(run.steps["iterations"].sum()) for run in runs), 3, 0, "f is known up to a constant"
    )
    x = runs[-1].centers[0]
    value = np.asarray(runs[-1].fields["value"])[0]
    slope = math.sqrt(2) * math.tanh(math.sqrt(2) * 1.5)
    inside = np.abs(x) < 2
    fitted = 2 * float(np.polyfit(x[inside], value[inside], 2)[0])
    v.equal("W = r²: curvature of the value at the start", fitted, slope, 2e-3, "√2 tanh √2T")


def logarithmic(v: Validation) -> None:
    v.equal("the number given for ρ ln ρ", curve(1.2, 0.5, 0)[0], LOGARITHMIC[0], 1e-8, "boundary value problem")
    runs = refined(v, "ρ ln ρ", LOGARITHMIC, 8e-5, *LOG)
    sweeps = [int(run.steps["iterations"].sum()) for run in runs]
    v.at_most("ρ ln ρ: sweeps to a gap of 1e-11, ν = 0.3", max(sweeps), 15, "the aim, for 1e-8")
    v.equal("ρ ln ρ: sweeps under refinement", max(sweeps) - min(sweeps), 0, 1, "flat")


def ends(v: Validation) -> None:
    """A nonlinear end cost beside a running one; and an end cost alone, an entropic JKO step."""
    terminal = "terminal={internal={kind='entropy', kappa=0.8}, potential='x**2'}"
    refined(v, "G of ρ ln ρ", curve(1.2, 0.5, 0, 2.0, 0.8), 1e-4, *LOG, terminal)
    tau, epsilon, s0 = 0.1, 0.2, 0.3

    def off(s: float) -> float:
        c = -epsilon / 4 + math.sqrt(epsilon**2 / 16 + s0 * s)
        return (1 - s0 / c) / (2 * tau) + 0.5 - 1 / (2 * s)

    v.equal("the number given for a step", brentq(off, 1e-3, 1e2, xtol=1e-14), STEP, 1e-9, "closed form")
    errors = []
    for cells, steps in ((200, 20), (400, 40)):
        run = v.run(
            "game_lq_1d", "exact=", "energy={internal={kind='none'}, potential='0*x'}", "energy.interaction=",
            "terminal={internal={kind='entropy'}, potential='x**2/2'}", "initial.density=exp(-x**2/0.6)",
            "initial.mass=1", f"grid.shape=[{cells}]", f"time.end={tau}", f"output.every={tau}",
            "initial.sampling=centre", f"solver.viscosity={epsilon / (4 * tau)}", f"solver.dt={tau / steps!r}",
            "solver.tolerance=1e-11",
        )  # fmt: skip
        errors.append(variances(run)[0] - STEP)
    v.equal("an end cost alone: variance", errors[1] + STEP, STEP, 8e-5, "entropic JKO step")
    v.at_least("an end cost alone: order", math.log2(abs(errors[0] / errors[1])), 1.9, "entropic JKO step")


def congestion(v: Validation) -> None:
    """U = ρ²: gaps of every viscosity; a repulsive W has one, an attractive one has none."""
    for nu, most in ((0.3, 15), (0.1, 15), (0.03, 33)):
        run = v.run(*LOG, "energy.internal={kind='power', m=2}", f"solver.viscosity={nu}", "grid.lower=[-5]",
                    "grid.upper=[5]")  # fmt: skip
        v.at_most(f"ρ², ν = {nu}: gap", float(np.max(run.steps["gap"])), 1e-8, "duality")
        v.at_most(f"ρ², ν = {nu}: sweeps", int(run.steps["iterations"].sum()), most, "a prototype needed 12 to 33")
    apart = v.run(*LOG, "energy.internal={kind='none'}", "energy.interaction=exp(-x**2)")
    v.at_most("W = exp(−r²): gap", float(np.max(apart.steps["gap"])), 1e-8, "duality")
    together = v.run(*LOG, "energy.internal={kind='none'}", "energy.interaction=-exp(-x**2)")
    v.at_most("W = −exp(−r²): residual", float(np.max(together.steps["residual"])), 1e-8, "not convex, no gap")


def in_the_plane(v: Validation) -> None:
    """The logarithmic game per axis, and a crowd that leaves by two doors."""
    run = v.run(
        "game_crowd_2d", "grid={shape=[64, 64], lower=[-6, -6], upper=[6, 6]}", "terminal=",
        "energy={internal={kind='entropy', kappa=0.5}, potential='0.6*(x**2 + y**2)'}", "initial.sampling=centre",
        "initial.density=exp(-(x**2 + y**2)/0.8)", "solver={viscosity=0.3, dt=0.09375}", "time.end=1.5",
        "output.every=0.75",
    )  # fmt: skip
    v.equal("ρ ln ρ in the plane: variance at T", variances(run)[0], LOGARITHMIC[0], 2.2e-3, "boundary value problem")
    v.at_most("ρ ln ρ in the plane: sweeps", int(run.steps["iterations"].sum()), 15, "a prototype needed 10 to 11")
    crowd = v.run("game_crowd_2d", "output.every=0.25")
    v.at_most("two doors: gap", float(np.max(crowd.steps["gap"])), 1e-8, "duality")
    v.draw(figure, crowd, panels=3)


def figure(before, within, value, crowd) -> None:
    x, y = crowd.edges
    for axes, k in ((before, 1), (within, 2)):
        axes.pcolormesh(x, y, crowd.rho[k], cmap="magma")
        axes.set(title=f"density, t = {crowd.t[k]:g}", xlabel="x", ylabel="y", aspect="equal")
    value.contour(*crowd.centers, np.asarray(crowd.fields["value"])[2], levels=24, cmap="viridis")
    value.set(title=f"value, t = {crowd.t[2]:g}", xlabel="x", ylabel="y", aspect="equal")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
