"""Bounded confidence, W = −1/|B_R| within the distance R and 0 beyond: the decay of a small mode, on any grid.

Agents are drawn by those alone whose opinion differs from theirs by less than R.  The kernel jumps at R, which lies in
the middle of a cell, on its edge or anywhere between: a scheme that samples it sees another R, and a rate that errs by
the width of a cell.  With its averages over cells the rate is of second order, and the energy of the uniform state
is −½ to rounding on every grid.
"""

import numpy as np
from scipy.special import j1

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

R, TINY = 0.1, 1e-6
CASE = ("kuramoto_1d", "grid.lower=[0]", "grid.upper=[1]", "energy.interaction=-(abs(x) < 0.1)/0.2",
        "energy.internal.kappa=1", "initial.mass=1.0")  # fmt: skip
PLANE = ("keller_segel_2d", "grid.lower=[0, 0]", "grid.upper=[1, 1]", 'grid.boundary=["periodic", "periodic"]',
         "energy.interaction=-(r < 0.1)/(pi*0.01)", "energy.internal.kappa=1", "initial.mass=1.0")  # fmt: skip
ANY = (20, 33, 64, 100)
BOUND = 280.0
CELLS = (60, 100)
"""R lies in the middle of a cell on 60 and on 100 cells, so that both err alike and Richardson's rule applies."""


def rate(kappa: float, transform: float) -> float:
    """Growth rate of the first mode of the uniform state, −(2π)²(κ + Ŵ), with Ŵ = −transform."""
    return 4 * np.pi**2 * (transform - kappa)


LINE = np.sin(2 * np.pi * R) / (2 * np.pi * R)
DISC = 2 * j1(2 * np.pi * R) / (2 * np.pi * R)


def check(v: Validation) -> None:
    # An average over cells takes (πh)²/6 from Ŵ, 61 h² of the rate; the modes 1 + mN, |Ŵ| ≤ 1/(2πRmN), enter h/m times,
    # and all of them make 4π² (h²/2πR)(π²/3) = 207 h² or less; the second difference takes (2π)⁴/12 (κ + Ŵ) h² = 9 h².
    runs = {n: marched(v, n, 1.0) for n in ANY}
    rates = {n: slope(run) for n, run in runs.items()}
    worst = max(abs(found - rate(1.0, LINE)) * n**2 for n, found in rates.items())
    v.at_most("N² × error of the decay rate on 20, 33, 64 and 100 cells", worst, BOUND, "second order")
    extrapolated = (rates[100] * 100**2 - slope(marched(v, 60, 1.0)) * 60**2) / (100**2 - 60**2)
    # h⁴ leaves (2πh)⁴ of the rate of diffusion alone, 40: 2e-4 at most; the time step 1e-5.
    v.equal("decay rate of mode 1 at κ = 1, extrapolated", extrapolated, rate(1.0, LINE), 2e-4,
            "4π²(sin(2πR)/(2πR) − κ)")  # fmt: skip
    growth = [slope(marched(v, n, 0.7)) for n in CELLS]
    extrapolated = (growth[1] * 100**2 - growth[0] * 60**2) / (100**2 - 60**2)
    v.equal("growth rate of mode 1 at κ = 0.7, extrapolated", extrapolated, rate(0.7, LINE), 2e-3,
            "4π²(sin(2πR)/(2πR) − κ)")  # fmt: skip
    energies = [run.diagnostics["energy_interaction"][0] for run in runs.values()]
    for n, energy in zip(ANY, energies, strict=True):
        v.equal(f"interaction energy of the uniform state on {n} cells", energy, -0.5, 1e-11, "½∫W")
    jko(v, rates[33])
    plane(v)
    v.draw(figure, rates)


def marched(v: Validation, n: int, kappa: float):
    """A tiny mode over t = 0.1; steps of 0.001 err by (s dt)²/12 of the rate s, 1e-6 and 1e-5."""
    return v.run(*CASE, f"energy.internal.kappa={kappa}", f"grid.shape=[{n}]", "solver.dt=0.001", "time.start=0",
                 f"initial.density=1 + {TINY}*cos(2*pi*x)", "time.end=0.1", "output.every=0.1")  # fmt: skip


def slope(run) -> float:
    return float(np.log(mode(run, -1) / mode(run, 0)) / (run.t[-1] - run.t[0]))


def mode(run, k: int) -> float:
    return float(np.mean(run.rho[k] * np.cos(2 * np.pi * run.centers[0])))


def jko(v: Validation, on_cells: float) -> None:
    """Steps multiply a small mode by 1/(1 − τs), s its rate on these cells; what is left is the square of its amplitude
    1e-3, times numbers of order 10."""
    run = v.run(*CASE, "grid.shape=[33]", "initial.density=1 + 1e-3*cos(2*pi*x)", "time.end=0.02",
                'solver={method="jko", tau=0.01, tolerance=1e-12}', "output.every=0.02")  # fmt: skip
    v.equal("JKO: factor of mode 1 in two steps of 0.01 on 33 cells", mode(run, -1) / mode(run, 0),
            (1 - 0.01 * on_cells) ** -2, 1e-5, "1/(1 − τs)²")  # fmt: skip


def plane(v: Validation) -> None:
    """The disc on cells of two thirds of its radius, most of which its edge cuts; modes err less than on the line."""
    for n in (16, 17):
        run = v.run(*PLANE, f"grid.shape=[{n}, {n}]", f"initial.density=1 + {TINY}*cos(2*pi*x)", "solver.dt=0.005",
                    "time.end=0.05", "output.every=0.05")  # fmt: skip
        energy = run.diagnostics["energy_interaction"][0]
        v.equal(f"interaction energy of the uniform state on {n}² cells", energy, -0.5, 1e-9, "½∫W")
        found = np.mean(run.rho * np.cos(2 * np.pi * run.centers[0]), axis=(1, 2))
        error = abs(np.log(found[-1] / found[0]) / 0.05 - rate(1.0, DISC)) * n**2
        v.at_most(f"N² × error of the decay rate on {n}² cells", float(error), BOUND, "second order")


def figure(axes, rates) -> None:
    n = np.array(sorted(rates))
    axes.loglog(n, [abs(rates[k] - rate(1.0, LINE)) for k in n], "o", label="found")
    axes.loglog(n, BOUND / n**2, "k--", lw=0.8, label="$280\\,h^2$")
    axes.set(xlabel="cells", ylabel="error of the decay rate", title="a kernel that jumps at $R = 0.1$")
    axes.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
