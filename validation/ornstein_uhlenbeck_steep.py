"""Drift far stronger than diffusion: Scharfetter–Gummel cells at Péclet numbers of 9 and of 900.

Where a potential falls by many κ from one cell to the next, schemes part company: their errors differ tenfold, and most
lose sign or steady state.  The error of this one is known beforehand, from the exponential of its rate matrix, on equal
and on stretched cells; and what is left in the end, however steep, is the Gibbs state of the cells.
"""

from itertools import pairwise

import numpy as np
from scipy.linalg import expm
from scipy.special import erf

from wgfpde.claims import Validation
from wgfpde.cli import validate_script
from wgfpde.energy.equations import gaussian, ornstein_uhlenbeck

KAPPA, LAM, M0, S0, END = 0.05, 4.0, 1.0, 0.05, 0.5
"""V = 2x² on [−3, 3]: at 160 cells V/κ changes by up to 9 between neighbours."""
CASE = ("ou_stretched_1d", f"params.kappa={KAPPA}", f"params.lam={LAM}", f"params.m0={M0}", f"params.s0={S0}",
        f"energy.internal.kappa={KAPPA}", f"time.end={END}", f"output.every={END}")  # fmt: skip
EQUAL = "grid.mapping=['s']"
STEEP = ("ou_stretched_1d", EQUAL, "grid.shape=[80]", "energy.internal.kappa=1e-3", "exact={density='1'}")
CELLS = (80, 160, 320, 640)


def check(v: Validation) -> None:
    equal = transient(v, "equal cells", EQUAL)
    stretched = transient(v, "stretched cells", "title=Stretched cells")
    steep(v)
    v.draw(figure, equal, stretched, panels=2)


def transient(v: Validation, name: str, mapping: str):
    """Order 2 once the cells are finer than κ/V'; before that the error of the scheme itself, known from its rates."""
    found = v.converge(CASE[0], {"grid.shape": CELLS}, *CASE[1:], mapping, "solver.dt=2.5e-3", norms=["l1"])
    v.at_least(f"{name}: order in space, last three grids, L1", found.fitted_last["l1"], 1.9, "closed form")
    for cells, run, error in zip(CELLS[1:3], found.runs[1:3], found.errors["l1"][1:3], strict=True):
        exact, flow = averages(run.edges[0], END), semidiscrete(run.edges[0])
        expected = float(np.sum(np.diff(run.edges[0]) * np.abs(flow - exact)))
        # 200 steps of second order leave about 0.04 (λdt)² λt = 1e-5 of ‖ρ‖₁, and more of what is narrow
        v.equal(f"{name}: L1 error at {cells} cells", error, expected, 3e-5, "exponential of the rate matrix")
    return found


def steep(v: Validation) -> None:
    """κ = 1e-3: V/κ changes by up to 900 from cell to cell, where s/(eˢ − 1) is 0 or −s, and e^{V/κ} overflows.

    Slowest is λ = 4 or what the cells make of it; the rest of L-stable steps of 1 is below (1/3)⁸⁰.  Rounding moves the
    Gibbs state by 1e-13 (1 + max|V|/κ) = 2e-9 a step at most, where the steepest cells hold any mass.
    """
    for order in (1, 2):
        run = v.run(*STEEP, f"solver={{method='fv', order={order}, dt=1}}", "time.end=80", "output.every=40")
        v.equal(f"κ = 0.001, order {order}: L1 distance to e^{{−V/κ}}/Z of the cells", off(run), 0, 1e-9, "rounding")
    # JKO steps of 1 at κ = 0.05 shrink what is left to a fifth each, 1e-14 after 20, with errors of the cells 1e-13
    run = v.run(*STEEP, "energy.internal.kappa=0.05", "grid.lower=[-1.5]", "grid.upper=[1.5]", "time.end=20",
                "output.every=20", "solver={method='jko', tau=1, tolerance=1e-12}")  # fmt: skip
    v.equal("κ = 0.05, JKO: L1 distance to e^{−V/κ}/Z of the cells", off(run, 0.05), 0, 1e-10,
            "(1 + λτ)⁻ⁿ")  # fmt: skip


def off(run, kappa: float = 1e-3) -> float:
    """L1 distance of the last density to the Gibbs state of the cells, of its mass."""
    x, h = run.centers[0], np.diff(run.edges[0])
    weight = np.exp(-LAM * (x**2 - np.min(x**2)) / (2 * kappa))
    return float(np.sum(h * np.abs(run.rho[-1] - run.diagnostics["mass"][0] * weight / np.sum(h * weight))))


def averages(edges, t: float):
    """Cell averages of the closed form."""
    mean, variance = ornstein_uhlenbeck(t, M0, S0, LAM, KAPPA)
    return 0.5 * np.diff(erf((edges - mean) / np.sqrt(2 * variance))) / np.diff(edges)


def semidiscrete(edges):
    """e^{tQ} ρ(0), with F = (κ/d) [B(s) ρ_i − B(−s) ρ_{i+1}], s = ΔV/κ, B(s) = s/(eˢ − 1), written out as a matrix."""
    h, x = np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    matrix = np.zeros((len(h), len(h)))
    for i, (a, b) in enumerate(pairwise(x)):
        s = LAM * (b**2 - a**2) / (2 * KAPPA)
        right, left = (KAPPA / (b - a) * (u / np.expm1(u) if u else 1.0) for u in (s, -s))
        matrix[i : i + 2, i] += np.array([-right, right]) / h[i : i + 2]
        matrix[i : i + 2, i + 1] += np.array([left, -left]) / h[i : i + 2]
    return expm(END * matrix) @ averages(edges, 0.0)


def figure(density, order, equal, stretched) -> None:
    fine = np.linspace(-0.5, 0.9, 400)
    mean, variance = ornstein_uhlenbeck(END, M0, S0, LAM, KAPPA)
    density.plot(fine, gaussian(fine, mean=mean, cov=variance), "k-", lw=0.8, label="closed form")
    for found, name, style in ((equal, "equal", "o"), (stretched, "stretched", "s")):
        run = found.runs[0]
        density.plot(run.centers[0], run.rho[-1], style, ms=4, mfc="none", label=f"{CELLS[0]} {name} cells")
    density.set(xlim=(-0.5, 0.9), xlabel="$x$", ylabel=r"$\rho$", title=f"$t = {END}$, cell Péclet number up to 18")
    density.legend(frameon=False)
    for found, name, style in ((equal, "equal", "o-"), (stretched, "stretched", "s-")):
        order.loglog(CELLS, found.errors["l1"], style, ms=4, label=f"{name} cells")
    order.loglog(CELLS, [equal.errors["l1"][-1] * (CELLS[-1] / n) ** 2 for n in CELLS], "k--", lw=0.8, label="slope 2")
    order.set_xticks(CELLS, labels=[str(n) for n in CELLS])
    order.set_xticks([], minor=True)
    order.set(xlabel="cells", ylabel=r"$L^1$ error", title="against the closed form")
    order.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
