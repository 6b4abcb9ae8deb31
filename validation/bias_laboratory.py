"""The bias laboratory: one double well by several methods, against the exact flow and against the Gibbs state.

A scheme may err on the way, where it ends, or both, and a solver that took one method for another would show in the
orders.  Finite volumes and JKO steps err on the way, with orders 2 and 1, and end in the Gibbs state.  The unadjusted
Langevin chain errs on the way as JKO steps do and ends elsewhere, by an amount of order τ, and so does the kernel
formula of entropic steps; with a smaller ε these end closer, by order 2 where they are compensated.  Crowds under
Stein's kernel take another way, and end nearly as close to the Gibbs state as so few points can be.
"""

import numpy as np

import wgfpde as wgf
from wgfpde.claims import Validation, fitted_order
from wgfpde.cli import validate_script

AT, END = 0.2, 2.0
CASE = ("ula_bias_1d", "initial={density='exp(-x**2/0.2)', mass=1, sampling='centre'}", f"output.every={AT}")
TAUS = (0.02, 0.01, 0.005)
STEPS = {"fv": (0.04, 0.02, 0.01), "jko": TAUS[:2], "langevin": TAUS, "sinkhorn": TAUS}
EPSILONS = {"compensated": (2, 0.1), "plain": (1, 0.25)}
"""Form of entropic steps → the order of their bias in ε, and how far off it is between 0.04 and 0.02, ν = κ/2, κ/4."""
BIAS = {0.02: 5.594e-2, 0.01: 2.709e-2, 0.005: 1.337e-2}
"""τ → ‖π_τ − π‖₁, by a dense matrix of the chain on another grid."""
CROWDS = {10: 0.0977570, 40: 0.0294197}
"""N → W₂ from the Gibbs state of the best N points of equal mass, the mean places of its N equal parts (quadrature)."""


def check(v: Validation) -> None:
    fine = v.run(*CASE, "solver={method='fv', dt=0.001}", f"time.end={AT}")
    found = {name: errors(v, name, fine) for name in STEPS}
    on_the_way(v, found)
    at_the_end(v, found)
    couplings(v)
    crowds(v, fine)
    v.draw(figure, found, panels=2)


def gibbs(run) -> np.ndarray:
    x = run.centers[0]
    weight = np.exp(-((x * x - 1) ** 2))
    return weight / (weight.sum() * (x[1] - x[0]))


def measures(run, rho, other) -> tuple[float, float, float]:
    """L1, KL and W₂."""
    h = run.grid.x.widths[0]
    return h * np.sum(np.abs(rho - other)), h * np.sum(rho * np.log(rho / other)), wgf.w2(run.grid, rho, other)


def errors(v: Validation, name: str, fine) -> np.ndarray:
    """(step, where, measure): at AT from the flow, at END from the Gibbs state."""
    key, rows = "dt" if name == "fv" else "tau", []
    for step in STEPS[name]:
        run = v.run(*CASE, f"solver={{method='{name}', {key}={step}}}", f"time.end={END}")
        rows.append([measures(run, run.rho[1], fine.rho[-1]), measures(run, run.rho[-1], gibbs(run))])
    return np.array(rows)


def on_the_way(v: Validation, found) -> None:
    """The next order in the step adds a few per cent; KL is χ²/2, so that its order is twice that of L1."""
    for name, (order, off) in {"fv": (2, 0.2), "jko": (1, 0.05), "langevin": (1, 0.05), "sinkhorn": (1, 0.12)}.items():
        steps, way = STEPS[name], found[name][:, 0]
        v.about("Fokker-Planck", CASE[0], f"1D {name}")
        for k, measure in ((0, "L1"), (2, "W₂")):
            v.equal(f"order of the error on the way, {measure}", fitted_order(steps, way[:, k]), order, off, "theory")
        v.equal("order of the error on the way, KL", fitted_order(steps, way[:, 1]), 2 * order, 2 * off, "χ²/2 of it")


def at_the_end(v: Validation, found) -> None:
    """An even start decays at 6.00, the second rate: e^{−12} = 6e-6 of it is left, in L1 about 1e-5.  KL is χ²/2."""
    for name in ("fv", "jko"):
        v.about("Fokker-Planck", CASE[0], f"1D {name}")
        v.at_most("largest L1 from the Gibbs state in the end", found[name][:, 1, 0].max(), 2e-5, "no bias")
    v.about("Fokker-Planck", CASE[0], "1D langevin")
    for step, error in zip(TAUS, found["langevin"][:, 1, 0], strict=True):
        v.equal(f"L1 from the Gibbs state in the end, τ = {step}", error, BIAS[step], 0.02 * BIAS[step], "dense chain")
    for name, off in {"langevin": 0.06, "sinkhorn": 0.12}.items():
        v.about("Fokker-Planck", CASE[0], f"1D {name}")
        for k, (measure, order) in enumerate((("L1", 1), ("KL", 2), ("W₂", 1))):
            slope = fitted_order(TAUS, found[name][:, 1, k])
            v.equal(f"order of the bias in τ, {measure}", slope, order, off * order, "expansion")


def couplings(v: Validation) -> None:
    """Steps of 0.02 with ε = 0.04 and 0.02, and the bias that they leave."""
    for form, (order, off) in EPSILONS.items():
        solvers = [f"solver={{method='sinkhorn', tau=0.02, epsilon={size}, form='{form}'}}" for size in (0.04, 0.02)]
        runs = [v.run(*CASE, solver, f"time.end={END}") for solver in solvers]
        coarse, fine = (measures(run, run.rho[-1], gibbs(run))[0] for run in runs)
        v.equal(f"order of the bias in ε, {form}", np.log2(coarse / fine), order, off, "Gaussians in closed form")


def crowds(v: Validation, fine) -> None:
    """No N points are closer than the best ones; that a crowd comes to within 4 % of them is measured, not proved."""
    for n, best in CROWDS.items():
        kernel = "kernel={kind='gaussian', bandwidth=0.5}"
        solver = f"solver={{method='svgd', {kernel}, particles={n}, start='quantiles'}}"
        run = v.run(*CASE, solver, "time.end=20")
        places = run.fields["position"]
        last = wgf.w2(run.grid, wgf.Points(places[-1]), gibbs(run))
        v.at_least(f"W₂ of {n} Stein particles from the Gibbs state over the least", last / best, 1 - 1e-3, "quantiles")
        v.at_most(f"W₂ of {n} Stein particles from the Gibbs state over the least", last / best, 1.04, "as measured")
        way = wgf.w2(run.grid, wgf.Points(places[1]), fine.rho[-1])
        v.at_least(f"W₂ of {n} Stein particles from the flow at 0.2", way, 0.25, "another flow")


def figure(left, right, found) -> None:
    for axes, k, title in ((left, 0, "from the flow at 0.2"), (right, 1, "from the Gibbs state")):
        for mark, (name, steps) in zip("osvD", STEPS.items(), strict=True):
            axes.loglog(steps, found[name][:, k, 0], f"{mark}-", ms=4, label=name)
        axes.set(xlabel="step", ylabel=r"$L^1$ distance", title=title, ylim=(1e-6, 1))
        axes.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
