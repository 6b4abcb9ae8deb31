"""Heat equation, mode by mode: each cosine is multiplied by a known number a step, by both solvers.

Cosines at the centres of equal cells are eigenvectors of the three-point Laplacian, with rates (4κ/h²) sin²(kπ/2N) that
are known exactly.  So is what a step makes of them, for every h and every step, and there is no discretisation error
left to hide behind: a wrong coefficient of a scheme, of its splitting or of its walls shows in the twelfth digit.
"""

import numpy as np
from scipy.fft import dct, dctn, rfft

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

KAPPA, STEP, STEPS, CELLS = 0.7, 0.02, 10, 48
TIMES = (f"energy.internal.kappa={KAPPA}", "time.start=0", f"time.end={STEP * STEPS}", f"output.every={STEP}")
LINE = ("heat_1d", "grid.lower=[0]", "grid.upper=[2]", f"grid.shape=[{CELLS}]", *TIMES)
PLANE = ("heat_2d", "grid.lower=[0, 0]", "grid.upper=[2, 1]", "grid.shape=[32, 24]", *TIMES)
THREE = "cos(pi*x/2) + 0.6*cos(3*pi*x/2) + 0.3*cos(10*pi*x)"
"""Of orders 1, 3 and 20 on [0, 2]; the last one is past the reach of any accuracy: only the exact factor gives it."""
SMALL = 1e-4
ROUND = 1e-13
"""Rounding: ε times the ten steps, times the condition of a solve, 1 + 4κ dt/h² = 33 and 37 on the two grids."""
GAMMA = 1 - 1 / np.sqrt(2)


def check(v: Validation) -> None:
    lines = finite_volumes(v)
    jko(v)
    refined(v)
    v.draw(figure, *lines, panels=2)


def finite_volumes(v: Validation):
    """Steps of a linear scheme multiply by a rational function, in 2D by one for each sweep."""
    rate = rates(CELLS, 2 / CELLS)
    rates_x, rates_y = rates(32, 1 / 16), rates(24, 1 / 24)[:, None]
    sweeps = {1: euler(rates_x, STEP) * euler(rates_y, STEP), 2: sdirk(rates_x, STEP / 2) ** 2 * sdirk(rates_y, STEP)}
    lines = []
    for order, factor, name in ((1, euler, "1/(1 + dt μ)"), (2, sdirk, "SDIRK2")):
        solver = f"solver={{method='fv', order={order}, dt={STEP}}}"
        line = v.run(*LINE, f"initial.density=1 + 0.5*({THREE})", solver)
        claim(v, f"order {order}, line", dct(line.rho[:], axis=1), factor(rate, STEP), (1,), name)
        circle = v.run(*LINE, "grid.boundary=['periodic']", "initial.density=1 + 0.3*sin(pi*x) + 0.2*cos(20*pi*x)",
                       solver)  # fmt: skip
        around = 4 * KAPPA * (CELLS / 2) ** 2 * np.sin(np.pi * np.arange(CELLS // 2 + 1) / CELLS) ** 2
        claim(v, f"order {order}, circle", rfft(circle.rho[:]), factor(around, STEP), (1,), name)
        plane = v.run(*PLANE, "initial.density=1 + 0.4*cos(pi*x/2)*cos(pi*y) + 0.3*cos(7*pi*x/2)*cos(2*pi*y)",
                      solver)  # fmt: skip
        claim(v, f"order {order}, plane", dctn(plane.rho[:], axes=(1, 2)), sweeps[order], (1, 1), f"{name}, swept")
        lines.append(line)
    return lines


def jko(v: Validation) -> None:
    """Near the uniform state a JKO step is implicit Euler, not split; cubic terms leave SMALL² of an amplitude.

    The modes differ by less than a factor of 20 at the end: what is squared in the largest is below 20·SMALL² of any.
    The gap of a minimum found by Newton's method is rounding.
    """
    rate, plane_rate = rates(CELLS, 2 / CELLS), rates(32, 1 / 16) + rates(24, 1 / 24)[:, None]
    for scheme in ("jko", "extrapolated") if v.full else ("jko",):
        solver = f"solver={{method='jko', tau={STEP}, scheme='{scheme}', tolerance=1e-12}}"
        line = v.run(*LINE, f"initial.density=1 + {SMALL}*(cos(pi*x/2) + cos(3*pi*x/2))", solver)
        plane = v.run(*PLANE, f"initial.density=1 + {SMALL}*cos(pi*x/2)*cos(pi*y)", solver)
        cases = ((dct(line.rho[:], axis=1), rate, ((1,), (3,)), "line"),
                 (dctn(plane.rho[:], axes=(1, 2)), plane_rate, ((1, 1),), "plane"))  # fmt: skip
        for modes, mu, chosen, where in cases:
            factor = euler(mu, STEP) if scheme == "jko" else 2 * euler(mu, STEP / 2) ** 2 - euler(mu, STEP)
            for k in chosen:
                grown = modes[(-1, *k)] / modes[(0, *k)]
                v.equal(f"{scheme}, {where}: mode {', '.join(map(str, k))} after {STEPS} steps, over its factor",
                        grown / factor[k] ** STEPS, 1, 20 * SMALL**2, "linearised JKO")  # fmt: skip


def refined(v: Validation) -> None:
    """The closed form 1 + ½ cos(πx) e^{−π²t} of the case itself, with dt ∝ h, and of order 1 in τ."""
    both = {"grid.shape": [16, 32, 64, 128], "solver.dt": [0.02, 0.01, 0.005, 0.0025]}
    fv = v.converge("heat_1d", both, norms=["l1"])
    v.at_least("order in h and dt of the mode e^{−π²t}, L1", fv.fitted["l1"], 1.95, "both of order 2")
    # ½ e^{−π²t} is wrong by 5 % at τ = 1/200; of that error cubic terms are 0.05² and the cells, π²t π²h²/12, 0.002.
    taus, mu, t = (0.02, 0.01, 0.005), np.pi**2, 0.2
    small = "initial.density=1 + 0.05*cos(pi*x)", "exact.density=1 + 0.05*exp(-pi**2*t)*cos(pi*x)"
    found = v.converge("heat_1d", {"solver.tau": taus}, "grid.shape=[128]", "solver={method='jko', tau=0.02}", *small,
                       norms=["l1"])  # fmt: skip
    predicted = 0.05 * 2 / np.pi * ((1 + taus[-1] * mu) ** (-t / taus[-1]) - np.exp(-mu * t))
    v.equal("JKO: L1 error at τ = 1/200, over that of (1 + π²τ)^{−t/τ}", found.errors["l1"][-1] / predicted, 1, 0.01,
            "implicit Euler")  # fmt: skip


def claim(v: Validation, name: str, modes, factor, mode: tuple[int, ...], source: str) -> None:
    """All modes at all snapshots, and one at the end.   modes : (time, …).   factor : of a step, for each mode."""
    scale = np.abs(modes[(0, *(0,) * factor.ndim)])
    steps = np.arange(len(modes)).reshape(-1, *(1,) * factor.ndim)
    off = np.max(np.abs(modes - modes[0] * factor**steps)) / scale
    v.equal(f"{name}: largest error of any mode, over the mass", off, 0, ROUND, source)
    grown, which = abs(modes[(-1, *mode)] / modes[(0, *mode)]), ", ".join(map(str, mode))
    v.equal(f"{name}: mode {which} after {STEPS} steps", grown, factor[mode] ** STEPS, 1e-12, source)


def rates(n: int, h: float):
    """The rates μ of cosines 0 … n − 1 on n cells of width h."""
    return 4 * KAPPA / h**2 * np.sin(np.arange(n) * np.pi / (2 * n)) ** 2


def euler(mu, dt: float):
    return 1 / (1 + dt * mu)


def sdirk(mu, dt: float):
    """Two stages with γ = 1 − 1/√2 (Alexander 1977): (1 + √2) w² − √2 w, w = 1/(1 + γ dt μ)."""
    w = 1 / (1 + GAMMA * dt * mu)
    return (1 + np.sqrt(2)) * w**2 - np.sqrt(2) * w


def figure(decay, factors, first, second) -> None:
    rate, ticks = rates(CELLS, 2 / CELLS), np.arange(STEPS + 1)
    for k in (1, 3, 20):
        for run, factor, style in ((first, euler, "o"), (second, sdirk, "s")):
            modes = np.abs(dct(run.rho[:], axis=1)[:, k])
            one = f"mode {k}, order {1 if style == 'o' else 2}"
            (points,) = decay.semilogy(ticks, modes / modes[0], style, ms=4, mfc="none", label=one)
            decay.semilogy(ticks, np.abs(factor(rate[k], STEP)) ** ticks, "-", lw=0.7, color=points.get_color())
    decay.set(xlabel="step", ylabel="amplitude over the first", ylim=(1e-16, 3), title="lines: the exact factors")
    decay.legend(frameon=False, fontsize="x-small")
    z = np.logspace(-2, 3, 300)
    for run, factor, name in ((first, euler, "order 1"), (second, sdirk, "order 2")):
        factors.semilogx(z, factor(z, 1.0), label=name)
        modes = dct(run.rho[:2], axis=1)[:, [1, 3, 20]]
        factors.plot(STEP * rate[[1, 3, 20]], modes[1] / modes[0], "ko", ms=3)
    factors.semilogx(z, np.exp(-z), "k--", lw=0.7, label=r"$e^{-z}$")
    factors.set(xlabel=r"$z = \mu\Delta t$", ylabel="factor of a step", title="dots: measured in one step")
    factors.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
