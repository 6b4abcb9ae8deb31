"""Driven traps: work and heat of a potential that moves, breathes or swings, and of noise that cools down.

A Gaussian in a harmonic trap stays one, so that moments solve linear equations, and with them work and heat at every
time.  The second law must hold for steps of any size, and Jarzynski's equality to rounding, also in a single step.
"""

import math

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

K, SPEED = 2.0, 1.5
WORK = 1.2772521936411894
"""v²(t − (1 − e^{−kt})/k) at t = 1."""
POWER = 0.256
"""A²ω²/(2(1 + ω²)), A = 0.8, ω = 2."""
ANNEALED = 1.148498395667281
"""⟨x²⟩ at t = 1 of (⟨x²⟩)' = 2κ(t) − 2⟨x²⟩, κ = 2 − 1.5t, from 2."""
DRAGGED = ("dragged_trap_1d", "params.k=2", "params.v=1.5", "params.kappa=1", "energy.internal.kappa=1",
           "output.diagnostics=[]")  # fmt: skip
WEIGHTS = "output.diagnostics=['jarzynski']"
SWINGING = ("dragged_trap_1d", "energy.potential=(x - 0.8*sin(2*t))**2/2", "exact=", "initial.density=exp(-x**2/2)",
            "grid.lower=[-6]", "grid.upper=[6]", "output.diagnostics=[]")  # fmt: skip


def check(v: Validation) -> None:
    run = dragged(v)
    breathing(v)
    swinging(v)
    annealing(v)
    jko(v)
    v.draw(figure, run, panels=2)


def dragged(v: Validation):
    """Order 2 in dt ∝ h of work and density; and one step over the whole protocol."""
    both = {"grid.shape": [100, 200, 400], "solver.dt": [0.1, 0.05, 0.025]}
    found = v.converge(DRAGGED[0], both, *DRAGGED[1:], norms=["l1"], errors={"work": lambda run: work_of(run) - WORK})
    for norm in ("l1", "work"):
        v.at_least(f"dragged trap: order in h and dt, {norm}", found.fitted[norm], 1.95, "closed form")
    coarse, run = found.runs[-2:]
    v.equal("dragged trap: work at t = 1, extrapolated", (4 * work_of(run) - work_of(coarse)) / 3, WORK, 2e-6,
            "v²(t − (1 − e^{−kt})/k)")  # fmt: skip
    one = v.run(*DRAGGED, "solver.dt=1", "output.every=1", WEIGHTS)
    v.equal("dragged trap, one step: ⟨e^{−W/κ}⟩", one.diagnostics["jarzynski"][-1], 1.0, 1e-14, "Jarzynski, ΔF = 0")
    v.at_least("dragged trap, one step: heat", one.diagnostics["heat"][-1], 0.0, "second law")
    return run


def work_of(run) -> float:
    return float(run.diagnostics["work"][-1])


def breathing(v: Validation) -> None:
    """k from 1 to 4: ΔF = ½ ln 4, and Z(t)/Z(0) = ½ in one step as in forty."""
    case = ("dragged_trap_1d", "energy.potential=(1 + 3*t)*x**2/2", "exact=", "initial.density=exp(-x**2/2)",
            "grid.lower=[-8]", WEIGHTS)  # fmt: skip
    for dt in (1.0, 0.025):
        run = v.run(*case, f"solver.dt={dt}", "output.every=1")
        d = run.diagnostics
        v.equal(f"breathing trap, dt = {dt:g}: ⟨e^{{−W/κ}}⟩", d["jarzynski"][-1], 0.5, 2e-14, "√(1/4)")
        v.equal(f"breathing trap, dt = {dt:g}: ΔF", d["free_energy"][-1] - d["free_energy"][0], math.log(2), 1e-13,
                "½ ln 4")  # fmt: skip
    exact = 0.9360417072617584
    finer = v.run(*case, "solver.dt=0.0125", "output.every=1", "grid.shape=[400]")
    again = v.run(*case, "solver.dt=0.025", "output.every=1", "grid.shape=[200]")
    # (⟨x²⟩)' = 2 − 2k(t)⟨x²⟩ and W' = k'⟨x²⟩/2; errors a h² + b h⁴, h = 0.08, b of the size of V''²/240 = 0.07.
    v.equal("breathing trap: work, extrapolated", (4 * work_of(finer) - work_of(again)) / 3, exact, 1e-5, "moments")


def swinging(v: Validation) -> None:
    """A trap at 0.8 sin 2t: the mean power over a late period."""
    period = math.pi
    runs = [v.run(*SWINGING, f"grid.shape=[{n}]", f"solver.dt={period / steps!r}", f"time.end={5 * period!r}",
                  f"output.every={period!r}") for n, steps in ((100, 32), (200, 64))]  # fmt: skip
    powers = [np.diff(run.diagnostics["work"])[-1] / period for run in runs]
    # From the start e^{−4π} = 3e-6 is left of the transient.
    v.equal("swinging trap: mean power, extrapolated", (4 * powers[1] - powers[0]) / 3, POWER, 5e-5,
            "A²ω²/(2(1 + ω²))")  # fmt: skip


def annealing(v: Validation) -> None:
    """κ = 2 − 1.5t in V = x²/2, from the Gibbs state of κ = 2."""
    case = ("dragged_trap_1d", "energy.potential=x**2/2", "energy.internal.kappa=2 - 1.5*t", "exact=",
            "initial.density=exp(-x**2/4)", "grid.lower=[-12]", "grid.upper=[12]", "output.diagnostics=[]")  # fmt: skip
    both = {"grid.shape": [150, 300, 600], "solver.dt": [0.1, 0.05, 0.025]}
    found = v.converge(case[0], both, *case[1:], "exact={density='1'}",
                       errors={"moment": lambda run: run.diagnostics["second_moment"][-1] - ANNEALED})  # fmt: skip
    v.at_least("annealing: order of ⟨x²⟩ in h and dt", found.fitted["moment"], 1.95, "moment equation")
    coarse, fine = (run.diagnostics["second_moment"][-1] for run in found.runs[-2:])
    v.equal("annealing: ⟨x²⟩ at t = 1, extrapolated", (4 * fine - coarse) / 3, ANNEALED, 5e-6, "moment equation")


def jko(v: Validation) -> None:
    """V at the end of a JKO step: a recursion of means and widths, order 1."""
    tau, mean, work = 0.1, 0.0, 0.0
    run = v.run(*DRAGGED, f"solver={{method='jko', tau={tau}, algorithm='exact'}}")
    for n in range(10):
        target = SPEED * (n + 1) * tau
        work += 0.5 * K * ((mean - target) ** 2 - (mean - target + SPEED * tau) ** 2)
        mean = (mean + K * tau * target) / (1 + K * tau)
    # The cells of 0.07 move a mean by some h² of what it moves.
    v.equal("JKO, tau = 0.1: work", work_of(run), work, 1e-4, "recursion of means")
    v.equal("JKO, tau = 0.1: mean", run.diagnostics["mean_x"][-1], mean, 1e-4, "recursion of means")


def figure(left, right, run) -> None:
    x = run.centers[0]
    for t, rho in zip(run.t[::2], run.rho[::2], strict=True):
        lag = SPEED / K * (1 - math.exp(-K * t))
        left.plot(x, np.exp(-K * (x - SPEED * t + lag) ** 2 / 2) / math.sqrt(2 * math.pi / K), "k-", lw=0.6)
        left.plot(x[::6], rho[::6], ".", ms=4, label=f"$t = {t:g}$")
    left.set(xlim=(-2.5, 3.5), xlabel="$x$", ylabel=r"$\rho$", title="dragged trap: closed form (lines)")
    left.legend(frameon=False)
    t = np.linspace(0, 1, 200)
    right.plot(t, SPEED**2 * (t - (1 - np.exp(-K * t)) / K), "k-", lw=0.6)
    for name in ("work", "heat"):
        right.plot(run.t, run.diagnostics[name], "o", ms=4, label=name)
    right.set(xlabel="$t$", ylabel="energy", title="work and heat; line: closed form")
    right.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
