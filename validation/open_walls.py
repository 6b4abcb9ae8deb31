"""Walls that mass may pass, and sinks: survival against series, given densities against lines, and the account.

Between absorbing walls, at a Robin wall and in a trap cut at its centre the modes are known, and with them what is left
at each time.  Between walls of given density the state at rest is a line, or the Gibbs state where the densities are
its own.  What leaves is counted by exits: what is left and what left add up to the start, in every run here.  In 2D the
time integral of what is left in a well without symmetry tends to the mean time that elimination gives for its cells.
"""

import numpy as np
from scipy.optimize import brentq

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

ENDS = ("heat_1d", "exact=", "grid.boundary=['absorbing']")
ROBIN = 2.0
BETA = brentq(lambda b: np.tan(b) + b / ROBIN, np.pi / 2 + 1e-9, np.pi)
"""tan β = −β/K: of the mode sin β(1 − x) with F = Kρ at 0 and ρ = 0 at 1."""
TRAP = (
    "ou_1d", "exact=", "grid.mapping=['s']", "grid.lower=[0]", "grid.upper=[8]", "energy.internal.kappa=1",
    "energy.potential=x**2/2", "grid.boundary=[['absorbing', 'no-flux']]", "initial.density=x*exp(-x**2/2)",
)  # fmt: skip
BANANA = (
    "escape_2d", "sinks=", "grid.shape=[32, 32]", "initial.density=exp(-((x + 1)**2 + (y - 0.5)**2)/0.05)",
)  # fmt: skip
BANANA_TIME = 38.5472834752
"""⟨ρ⁰, T⟩ of these cells by elimination (`wgfpde exits`)."""


def check(v: Validation) -> None:
    series = survival(v)
    rest(v)
    plane = valley(v)
    regions(v)
    v.draw(figure, series, plane, panels=2)


def survival(v: Validation):
    """h and dt halve together; errors c h² + c' dt², orders 2."""
    both = {"grid.shape": [50, 100, 200], "solver.dt": [0.004, 0.002, 0.001]}
    modes = np.arange(1, 60, 2) * np.pi

    def off(exact):
        return {"survival": lambda run: abs(run.diagnostics["survival"][-1] - exact)}

    sine, end = "initial.density=pi/2*sin(pi*x)", ("time.end=0.16", "output.every=0.16")
    known = {
        "two absorbing walls": (*ENDS, sine, np.exp(-(np.pi**2) * 0.16)),
        "a Robin wall and an absorbing one": (
            "heat_1d", "exact=", f"grid.boundary=[{{lower={{robin={ROBIN}}}, upper='absorbing'}}]",
            f"initial.density=sin({BETA!r}*(1 - x))", np.exp(-(BETA**2) * 0.16),
        ),
    }  # fmt: skip
    for name, (*case, exact) in known.items():
        found = v.converge(case[0], both, *case[1:], *end, "exact={density='0'}", errors=off(exact))
        v.at_least(f"survival, {name}: order in h and dt", found.fitted_last["survival"], 1.9, "series")
        v.at_most(f"survival, {name}: error at h = 1/200", found.errors["survival"][-1], 1e-5, "series")
    # a start that does not vanish at the wall is repaired there in the first steps, which costs order in time
    constant = v.run(*ENDS, "initial.density='1'", "grid.shape=[200]", "solver.dt=1e-3", *end)
    exact = np.sum(8 / modes**2 * np.exp(-(modes**2) * 0.16))
    v.equal("survival, from a constant", constant.diagnostics["survival"][-1], exact, 1e-4, "series")
    trap = {"grid.shape": [100, 200], "solver.dt": [0.04, 0.02]}
    found = v.converge(TRAP[0], trap, *TRAP[1:], "time.end=1", "output.every=1", "exact={density='0'}",
                       errors=off(np.exp(-1.0)))  # fmt: skip
    v.at_least("survival in a trap cut at 0: order in h and dt", found.fitted_last["survival"], 1.9, "e^{−t}")
    v.at_most("survival in a trap cut at 0: error at h = 1/25", found.errors["survival"][-1], 1.5e-4, "e^{−t}")
    steps, cells = {"solver.dt": [0.04, 0.02, 0.01]}, (sine, "grid.shape=[50]", *end)
    rate = 1e4 * np.sin(np.pi / 100) ** 2
    found = v.converge(ENDS[0], steps, *ENDS[1:], *cells, "exact={density='0'}", errors=off(np.exp(-rate * 0.16)))
    v.at_least("survival: order in dt of SDIRK2 on 50 cells", found.fitted["survival"], 1.9, "their eigenvalue")
    return v.run(*ENDS, *cells, "output.every=0.02")


def rest(v: Validation) -> None:
    """Steps of 1e3 on unequal cells leave c e^{−V/κ} as it is, and bring lines to rest."""
    gibbs = "exp(-(x**2 - 1)**2/0.3)"
    run = v.run("double_well_1d", "grid.shape=[60]", "grid.lower=[-2]", "grid.upper=[1]",
                "energy.potential=(x**2 - 1)**2", "energy.internal.kappa=0.3", "grid.mapping=['s**1.5']",
                "grid.boundary=[{lower={density='exp(-9/0.3)'}, upper={density=1.0}}]", f"initial.density={gibbs}",
                "initial.sampling='centre'", "initial.mass=", "solver={method='fv', dt=1e3}", "time.end=1e4",
                "output.every=1e3")  # fmt: skip
    v.equal(
        "Gibbs densities at both walls: largest change", np.max(np.abs(run.rho[-1] - run.rho[0])), 0, 1e-12, "e^{−V/κ}"
    )
    line = v.run("heat_1d", "exact=", "grid.shape=[40]", "energy.internal.kappa=0.5", "grid.mapping=['s**1.5']",
                 "grid.boundary=[{lower={density=2.0}, upper={density=1.0}}]", "solver={method='fv', dt=100.0}",
                 "time.end=1000", "output.every=1000")  # fmt: skip
    x = line.centers[0]
    v.equal("a line between two densities: largest error", np.max(np.abs(line.rho[-1] - (2 - x))), 0, 1e-12, "ρ'' = 0")
    v.equal("its flux", line.diagnostics["exit_rate_x_upper"][-1], 0.5, 1e-12, "κ(2 − 1)/1")
    pump = v.run("heat_1d", "exact=", "grid.shape=[40]", "grid.boundary=[{lower={inflow=0.3}, upper={robin=2.0}}]",
                 "solver={method='fv', dt=100.0}", "time.end=1000", "output.every=1000")  # fmt: skip
    x = pump.centers[0]
    v.equal("an inflow and a Robin wall: largest error", np.max(np.abs(pump.rho[-1] - 0.3 * (1.5 - x))), 0, 1e-12,
            "F = j = Kρ(1)")  # fmt: skip


def valley(v: Validation):
    """∫S dt by the trapezoidal rule; with dt → 0 the error of the march and of the rule fall like dt²."""
    found = []
    for dt in (2.0, 1.0, 0.5):
        run = v.run(*BANANA, f"solver.dt={dt}", "time.end=500", f"output.every={dt}", "output.precision=float32")
        s = run.diagnostics["survival"]
        found.append(dt * float(np.sum(s) - 0.5 * (s[0] + s[-1])))
    errors = np.abs(np.array(found) - BANANA_TIME)
    orders = np.log2(errors[:-1] / errors[1:])
    v.at_least("bent valley: order in dt of ∫S dt", orders[-1], 1.5, "elimination on the same cells")
    v.equal("bent valley: ∫S dt, extrapolated, relative", (4 * found[-1] - found[-2]) / 3 / BANANA_TIME, 1, 5e-3,
            "elimination")  # fmt: skip
    both = v.run("escape_2d", "grid.shape=[32, 32]", "time.end=40", "output.every=10")
    total = both.diagnostics["survival"] + both.diagnostics["exit_x_upper"] + both.diagnostics["exit_bend"]
    v.at_most("two ways out: |S + exits − 1|", np.max(np.abs(total - 1)), 1e-13, "account")
    return both


def regions(v: Validation) -> None:
    """A disc that absorbs beyond its rim: J₀; the staircase of cells is not seen, and sweeps have an order of 1."""
    z, a, end = 2.404825557695773, 0.9, 0.1
    errors = []
    for n, dt in ((32, 0.0125), (64, 0.00625)):
        # J₀ to 1e-5 by its series, as formulas have no Bessel function of the first kind
        q = f"((x**2 + y**2)*{(z / a / 2) ** 2!r})"
        j0 = f"(1 - {q} + {q}**2/4 - {q}**3/36 + {q}**4/576 - {q}**5/14400 + {q}**6/518400)"
        run = v.run("heat_2d", "exact=", f"grid.shape=[{n}, {n}]", "grid.lower=[-1, -1]", "grid.upper=[1, 1]",
                    f"initial.density=where(r < {a}, max({j0}, 0), 0)", "energy.internal.kappa=1", "initial.mass=1.0",
                    "initial.sampling=centre",
                    f"sinks={{rim='r > {a}'}}", f"solver.dt={dt}", f"time.end={end}",
                    f"output.every={end}")  # fmt: skip
        errors.append(abs(run.diagnostics["survival"][-1] - np.exp(-((z / a) ** 2) * end)))
    v.at_least("absorbing disc: order in h and dt of the survival", np.log2(errors[0] / errors[1]), 0.9, "J₀")
    v.at_most("absorbing disc: error of the survival, 64²", errors[1], 2e-3, "J₀")


def figure(left, right, series, plane) -> None:
    t = np.linspace(0, series.t[-1], 200)
    left.plot(t, np.exp(-(np.pi**2) * t), "k-", lw=0.7, label=r"$e^{-\pi^2 t}$")
    left.plot(series.t, series.diagnostics["survival"], "o", ms=4, label="50 cells")
    left.set(xlabel="$t$", ylabel="$S(t)$", yscale="log", title="left between two absorbing walls")
    left.legend(frameon=False)
    ways = ("o", "survival", "left"), ("s", "exit_x_upper", "by the wall"), ("v", "exit_bend", "by the sink")
    for mark, name, label in ways:
        right.plot(plane.t, plane.diagnostics[name], f"{mark}-", ms=3, lw=1, label=label)
    right.set(xlabel="$t$", ylabel="share of the mass", title="two ways out of a bent valley")
    right.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
