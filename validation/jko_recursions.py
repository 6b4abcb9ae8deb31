"""JKO steps: Gaussians, Barenblatt's profiles and a contracting swarm follow the exact recursions of their widths.

Within these families a JKO step minimises over one number, the width, and the minimum is known in closed form.  That
tells errors of the minimiser from the error of order τ that the scheme itself has.
"""

import numpy as np

from wgfpde.claims import Validation, fitted_order
from wgfpde.cli import validate_script

# The minimiser of ½W₂²(ρⁿ, ·) + τE among densities of one family, whose width R measures W₂, is
#   entropy, V = λx²/2:            (1 + λτ) s² − sₙ s − κτ = 0,  mean mₙ/(1 + λτ)      (Jordan, Kinderlehrer, Otto 1998)
#   with W = θx²/2, unit mass:     the same with λ + θ in s, per axis in 2D
#   ρ^m/(m − 1), m = 2, 1D:        (R − Rₙ)/τ = R⁻²                                     (Otto 2001)
#   m = 2, 2D, paraboloid:         (R − Rₙ)/3τ = 8/(3πR³)
#   W = x²/2, unit mass:           s = sₙ/(1 + τ)
# One inner step takes the density of the transport at its mid-point, the mean of both ends.  Of a change ΔR that errs
# by the part c (ΔR/R)², with c = 0.2 for Gaussians and paraboloids and 0.4 for two humps: here at most ½ ΔR (ΔR/R)².
# The equation itself, from which the recursions differ at order τ, lies 3 to 40 times farther away.
HEAT = (0.65311289, 0.78113219, 0.89310154, 0.99373227, 1.0858279, 1.1712097, 1.251137, 1.3265221, 1.39805028,
        1.46625141)  # fmt: skip
"""κ = 1, s₀ = 0.5, ten steps of 0.1, no potential."""
OU_10 = 0.934188954641
"""The same with λ = 1."""
BARENBLATT_10 = 1.570053604417
"""m = 2 in 1D, R₀ = 1, ten steps of 0.1."""
DISC_1 = 0.324562891
"""m = 2 in 2D, R₀ = 0.250082, one step of 1e-3."""
GAUSSIAN = ("jko_gaussian_1d", "grid.lower=[-8]", "grid.upper=[8]", "params.s0=0.25", "time.end=1", "output.every=0.1",
            "solver.tolerance=1e-10")  # fmt: skip
"""The gap leaves about its square root in the density: 1e-5, below all errors that are measured."""
STEPS = (0.1, 0.05, 0.025)


def check(v: Validation) -> None:
    runs = [*gaussians(v), *interacting(v), *barenblatt(v), *aggregation(v), *exactly(v), *tilted(v)]
    v.at_most("steps cut short", sum(int(np.sum(run.steps["rejected"])) for run in runs), 0.0, "one minimum a step")
    v.draw(figure, *runs[:2], panels=2)


def gaussians(v: Validation):
    """Widths after t = 1, extrapolated in h from 160 and 320 cells: what is left is the mid-point, of order τ²."""
    found = []
    for name, potential, expected in (("heat", 0, HEAT[-1]), ("OU", 1, OU_10)):
        force = f"energy.potential={potential}*x**2/2"
        coarse, fine = (v.run(*GAUSSIAN, f"grid.shape=[{n}]", force, "params.m0=0.5", "solver.tau=0.1")
                        for n in (160, 320))  # fmt: skip
        width = (4 * deviation(fine) - deviation(coarse)) / 3
        v.equal(f"Gaussian, {name}: width after 10 steps", width[-1], expected, midpoint(width), "JKO recursion")
        if potential == 0:
            off = np.abs(width[1:] - HEAT)
            bound = [midpoint(width[: k + 2]) for k in range(10)]
            v.at_most("Gaussian, heat: all ten widths, off over bound", np.max(off / bound), 1.0, "JKO recursion")
        mean = (4 * fine.diagnostics["mean_x"] - coarse.diagnostics["mean_x"]) / 3
        # A shift changes no width: the mid-point of two translates errs at order (Δm)²/s² of the shift, likewise.
        drift = np.abs(np.diff(mean))
        v.equal(f"Gaussian, {name}: mean after 10 steps", mean[-1], 0.5 / 1.1 ** (10 * potential),
                0.5 * np.sum(drift**3 / width[:-1] ** 2) + 1e-5, "JKO recursion")  # fmt: skip
        found.append(fine)
    errors = []
    for tau in STEPS:
        grids = [v.run(*GAUSSIAN, f"grid.shape=[{n}]", "energy.potential=x**2/2", "params.m0=0",
                       f"solver.tau={tau}", "output.every=1") for n in (320, 640)]  # fmt: skip
        coarse, fine = (deviation(run)[-1] for run in grids)
        errors.append(abs((4 * fine - coarse) / 3 - recursion(tau, round(1 / tau), 0.5)[-1]))
        found += grids
    # The order is reached from below, as ΔR/R = 0.3 in the first step of 0.1; 1.84 between the last two was measured.
    v.at_least("Gaussian, OU: order of the mid-point in tau", fitted_order(STEPS, errors), 1.7, "order 2")
    return found


def interacting(v: Validation):
    """W = θ|x|²/2 with θ = 2 beside V: in 1D, and in the plane with another force and another start on each axis."""
    line = v.run("jko_gaussian_1d", "grid.shape=[320]", "grid.lower=[-5]", "grid.upper=[5]", "params.m0=0.5",
                 "energy.interaction=x**2", "solver.tau=0.1", "solver.tolerance=1e-10", "time.end=0.5",
                 "output.every=0.1")  # fmt: skip
    plane = v.run("jko_gaussian_2d", "grid.shape=[64, 64]", "grid.lower=[-5, -4]", "grid.upper=[5, 4]",
                  "energy.potential=(x**2 + 3*y**2)/2", "energy.interaction=x**2 + y**2",
                  "initial.density=exp(-(x - 1)**2/(2*0.81) - (y + 0.5)**2/(2*0.36))", "initial.mass=1",
                  "exact.density=0*x + 0*y + 0*t", "solver.tau=0.1", "time.end=0.3", "output.every=0.1")  # fmt: skip
    asked = ("1D", line, "x", 1, 0.5), ("2D", plane, "x", 1, 1.0), ("2D", plane, "y", 3, -0.5)
    for dim, run, axis, lam, mean in asked:
        v.about("McKean-Vlasov", "jko_gaussian_1d" if dim == "1D" else "jko_gaussian_2d", f"{dim} jko")
        steps, edges = len(run) - 1, run.edges["xy".index(axis)]
        width = np.sqrt(run.diagnostics[f"variance_{axis}"])
        exact = recursion(0.1, steps, width[0], lam + 2)
        # on one grid: 1/12 of (h/s)² of each change and at most twice as much, beside the mid-point's
        part = ((edges[1] - edges[0]) / exact[-1]) ** 2 / 6
        v.equal(f"Gaussian, {dim}, V and W: width along {axis} after {steps} steps", width[-1], exact[-1],
                midpoint(exact) + part * np.sum(np.abs(np.diff(exact))), "JKO recursion")  # fmt: skip
        drift = np.abs(np.diff(centre := run.diagnostics[f"mean_{axis}"]))
        v.equal(f"Gaussian, {dim}, V and W: mean along {axis}", centre[-1], mean / (1 + 0.1 * lam) ** steps,
                0.5 * np.sum(drift**3 / width[1:] ** 2) + part * np.sum(drift), "JKO recursion")  # fmt: skip
    return line, plane


def barenblatt(v: Validation):
    """Widths from ∫|x|²ρ = c₂R²; the initial one as the cells have it."""
    line = v.run("barenblatt_1d_m2", "grid.shape=[256]", 'solver={method="jko", tau=0.1}', "time.end=1",
                 "output.every=0.1")  # fmt: skip
    width = np.sqrt(line.diagnostics["second_moment"] / 0.416016764610)
    v.equal("Barenblatt 1D: width after 10 steps", width[-1], BARENBLATT_10, midpoint(width), "JKO recursion")
    disc = v.run("jko_barenblatt_2d", "grid.shape=[128, 128]", f"params.q={0.250082**4!r}", "solver.tau=1e-3",
                 "time.end=1e-3", "output.every=1e-3")  # fmt: skip
    width = np.sqrt(3 * disc.diagnostics["second_moment"])
    v.equal("Barenblatt 2D: width after a step of 30 %", width[-1], DISC_1, midpoint(width), "JKO recursion")
    return line, disc


def aggregation(v: Validation):
    """The outer iteration on W∗ρ finds the minimiser with W at the end of the step."""
    run = v.run("aggregation_1d", "grid.shape=[250]", 'solver={method="jko", tau=0.1}', "time.end=0.3",
                "output.every=0.1")  # fmt: skip
    width = deviation(run)
    v.equal("W = x²/2: width after 3 steps, over the first", width[-1] / width[0], 1.1**-3,
            midpoint(width) / width[0], "JKO recursion")  # fmt: skip
    return (run,)


def exactly(v: Validation):
    """Steps of W₂ itself leave nothing of the mid-point: the recursions to what is left of the grid, h⁴ at best."""
    line = [v.run(*GAUSSIAN, f"grid.shape=[{n}]", "energy.potential=0*x", "params.m0=0.5", "solver.tau=0.1",
                  "solver.algorithm=exact") for n in (160, 320)]  # fmt: skip
    width = extrapolated(*line)
    v.at_most("Gaussian, heat, exact steps: all ten widths, off", np.max(np.abs(width[1:] - HEAT)), 2e-6,
              "JKO recursion")  # fmt: skip
    plane = [v.run("jko_gaussian_2d", f"grid.shape=[{n}, {n}]", "time.end=0.3", "output.every=0.1",
                   'solver={method="jko", tau=0.1, algorithm="exact"}') for n in (64, 128)]  # fmt: skip
    width, expected = extrapolated(*plane), recursion(0.1, 3, np.sqrt(0.5))
    v.equal("Gaussian, 2D, exact steps: width after 3 steps", width[-1], expected[-1], 1e-5, "JKO recursion")
    centre = plane[-1].diagnostics["mean_x"]
    v.equal("Gaussian, 2D, exact steps: mean after 3 steps", centre[-1], 1.1**-3, 1e-5, "JKO recursion")
    v.at_most("Gaussian, 2D, exact steps: backward error", np.max(plane[-1].steps["backward_error"]), 1e-5, "‖R‖₁")
    return *line, *plane


def tilted(v: Validation):
    """The packaged case of exact steps, whose maps are not diagonal: moments along the axes of V."""
    runs = [v.run("jko_exact_gaussian_2d", f"grid.shape=[{n}, {n}]", "time.end=0.4", "solver.tau=0.1")
            for n in (64, 128)]  # fmt: skip
    steps, means, widths = len(runs[0]) - 1, [], []
    for run in runs:
        last = {name: values[-1] for name, values in run.diagnostics.items()}
        means.append([last["mean_x"] + sign * last["mean_y"] for sign in (1, -1)] / np.sqrt(2))
        mean, mixed = 0.5 * (last["variance_x"] + last["variance_y"]), last["covariance_xy"]
        widths.append(np.sqrt([mean + mixed, mean - mixed]))
    # of the mass 1e-7 is beyond the walls at the start, and more would be later: some 1e-6 of each moment
    for k, (name, rate, start) in enumerate((("x = y", 2.0, 0.4), ("x = -y", 0.5, 0.8))):
        expected = recursion(0.1, steps, np.sqrt(0.4), rate, 0.5)[-1]
        v.equal(f"tilted Gaussian, exact steps: width along {name}", (4 * widths[1][k] - widths[0][k]) / 3, expected,
                2e-6, "JKO recursion")  # fmt: skip
        ratio = (widths[0][k] - expected) / (widths[1][k] - expected)
        v.at_least(f"tilted Gaussian, exact steps: order in h along {name}", np.log2(ratio), 1.9, "order 2")
        v.equal(f"tilted Gaussian, exact steps: mean along {name}", means[1][k], start / (1 + 0.1 * rate) ** steps,
                2e-6, "JKO recursion")  # fmt: skip
    worst = max(float(np.max(run.steps["backward_error"])) for run in runs)
    v.at_most("tilted Gaussian, exact steps: backward error", worst, 1e-6, "‖R‖₁")
    return runs


def extrapolated(coarse, fine):
    """Widths without the error of order h²."""
    return (4 * deviation(fine) - deviation(coarse)) / 3


def deviation(run):
    return np.sqrt(run.diagnostics["variance_x"])


def recursion(tau: float, steps: int, start: float, force: float = 1.0, kappa: float = 1.0):
    """The exact widths of JKO steps."""
    widths = [start]
    for _ in range(steps):
        s = widths[-1]
        widths.append((s + np.sqrt(s**2 + 4 * (1 + force * tau) * kappa * tau)) / (2 * (1 + force * tau)))
    return np.array(widths)


def midpoint(width) -> float:
    """What the mid-point rule may err over all steps."""
    change = np.abs(np.diff(width))
    return float(0.5 * np.sum(change**3 / np.minimum(width[1:], width[:-1]) ** 2))


def figure(left, right, heat, ou) -> None:
    for axes, run, name in ((left, heat, "heat"), (right, ou, "Ornstein–Uhlenbeck")):
        x = run.centers[0]
        for k in (0, 1, 5, 10):
            axes.plot(x, run.rho[k], label=f"$t = {run.t[k]:.1f}$")
        axes.set(xlim=(-4, 4), xlabel="$x$", ylabel=r"$\rho$", title=f"{name}: JKO steps of 0.1")
        axes.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
