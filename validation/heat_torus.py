"""Heat equation on a circle, a torus and a cylinder: the wrapped Gaussian, by finite volumes and by JKO steps.

A Gaussian that is wound around a circle stays one, and its Fourier coefficients e^{−n²s/2} fall at known rates.  It
sits at the seam of the box, so that a periodic axis that is cut, shifted or folded there does not give it.
"""

import math
from functools import partial

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script
from wgfpde.energy.equations import heat_kernel_box, wrapped_gaussian

KAPPA, S0, X0, END = 0.5, 0.5, 0.3, 1.0
"""Diffusivity, first variance, and a place at 0.4 standard deviations from the seam."""
S0_Y, Y0 = 0.3, 5.9
"""The same across, in the plane."""
LATER = f" + 2*{KAPPA}*t"
CIRCLE = ("heat_circle_1d", f"params.x0={X0}", f"params.s0={S0}", f"params.kappa={KAPPA}",
          f"energy.internal.kappa={KAPPA}", "time.start=0", f"time.end={END}", "output.every=0.5",
          "output.diagnostics=['order2_x']")  # fmt: skip
PLANE = ("heat_2d", "grid.lower=[0, 0]", "grid.upper=[6.283185307179586, 6.283185307179586]",
         f"energy.internal.kappa={KAPPA}", f"params.kappa={KAPPA}", "time.start=0", f"time.end={END}",
         "output.every=1")  # fmt: skip
BOTH = {"grid.shape": [32, 64, 128], "solver.dt": [0.1, 0.05, 0.025]}


def check(v: Validation) -> None:
    fine = circle(v)
    plane = surfaces(v)
    jko(v)
    v.draw(figure, fine, plane, panels=2)


def circle(v: Validation):
    """Modes 1 and 2 are moments that are recorded; cells and steps err by a h² + b h⁴ with dt ∝ h."""
    found = v.converge(*_varied(CIRCLE, BOTH), norms=["l1", "linf"])
    for norm in ("l1", "linf"):
        v.at_least(f"circle: order in h and dt, {norm}", found.fitted[norm], 1.9, "wrapped Gaussian")
    coarse, fine = found.runs[1:]
    # Cell averages against values at the centres, and the cells: coefficient n errs by (n⁴κt/12 + n²/24) h² of itself,
    # 3e-5 for n = 1 and 2e-5 for n = 2; steps of 0.025 are 10 times better.
    error = np.max(np.abs(fine.rho[-1] - wrapped_gaussian(END, fine.centers[0], KAPPA, S0, X0)))
    v.at_most("circle, 128 cells: largest error against the sum over images", error, 5e-5, "h²")
    for n, name in ((1, "order_x"), (2, "order2_x")):
        # What is left is of order (nh)⁴/360 and (n²κdt)³: below 1e-6 for n = 2 at h = 0.05, dt = 0.025.
        value = (4 * fine.diagnostics[name][-1] - coarse.diagnostics[name][-1]) / 3
        v.equal(f"circle: coefficient {n} at t = 1, extrapolated", value, math.exp(-(n**2) * (S0 / 2 + KAPPA * END)),
                1e-6, "e^{−n²(s₀/2 + κt)}")  # fmt: skip
    # A rotation by a whole number of cells is a rotation of the solution, but for rounding.
    turned = v.run(*CIRCLE, f"params.x0={X0 + 40 * 2 * math.pi / 128!r}", "grid.shape=[128]", "solver.dt=0.025")
    off = np.max(np.abs(np.roll(fine.rho[-1], 40) - turned.rho[-1]))
    v.equal("circle: turned by 40 cells, largest difference", off, 0.0, 1e-13, "symmetry")
    return fine


def surfaces(v: Validation):
    """Products of one-dimensional solutions: wound around in x, and in y wound around or between walls."""
    for name, boundary, across in (("torus", "periodic", wound), ("cylinder", "no-flux", mirrored)):
        case = (*PLANE, f"grid.boundary=['periodic', '{boundary}']", f"initial.density={product(across, '')}",
                f"exact.density={product(across, LATER)}")  # fmt: skip
        varied = {"grid.shape": [[n, n] for n in (24, 48, 96)], "solver.dt": [0.1, 0.05, 0.025]}
        found = v.converge(*_varied(case, varied), norms=["l1"])
        v.at_least(f"{name}: order in h and dt, L1", found.fitted["l1"], 1.9, "product of two")
        run = found.runs[-1]
        x, y = run.centers
        other = wrapped_gaussian if name == "torus" else partial(heat_kernel_box, upper=2 * math.pi)
        exact = other(END, y, KAPPA, S0_Y, Y0)[:, None] * wrapped_gaussian(END, x, KAPPA, S0, X0)
        v.at_most(f"{name}, 96²: largest error", np.max(np.abs(run.rho[-1] - exact)), 1e-4, "sums over images")
    return run


def jko(v: Validation) -> None:
    """Order 1 in τ, where the error of the cells, 7e-5 at 128 of them, is 2 % of the least one of the steps."""
    solver = "solver={method='jko', tau=0.2}", "output.every=1"
    line = v.converge(*_varied((*CIRCLE, *solver, "grid.shape=[128]"), {"solver.tau": [0.2, 0.1, 0.05]}), norms=["l1"])
    v.equal("circle, JKO: order in tau, L1", line.fitted["l1"], 1.0, 0.1, "order 1")
    if v.full:
        first, later = product(wound, ""), product(wound, LATER)
        case = (*PLANE, *solver, "grid.boundary=['periodic', 'periodic']", "grid.shape=[96, 96]",
                f"initial.density={first}", f"exact.density={later}")  # fmt: skip
        plane = v.converge(*_varied(case, {"solver.tau": [0.2, 0.1, 0.05]}), norms=["l1"])
        v.equal("torus, JKO: order in tau, L1", plane.fitted["l1"], 1.0, 0.1, "order 1")


def product(across, later: str) -> str:
    """The density as a formula: wound around in x, and like `across` in y.   later : what to add to the variances."""
    return f"({wound('x', X0, f'({S0}{later})')})*({across('y', Y0, f'({S0_Y}{later})')})"


def _varied(case, varied):
    return case[0], varied, *case[1:]


def wound(name: str, centre: float, variance: str) -> str:
    """A sum over images, to 1e-16 for variances up to 1.5."""
    images = [f"exp(-({name} - {centre + 2 * math.pi * k!r})**2/(2*{variance}))" for k in range(-3, 4)]
    return f"({' + '.join(images)})/sqrt(2*pi*{variance})"


def mirrored(name: str, centre: float, variance: str) -> str:
    """The same between walls at 0 and 2π."""
    centres = [sign * centre + 4 * math.pi * k for k in (-1, 0, 1) for sign in (1, -1)]
    images = [f"exp(-({name} - {place!r})**2/(2*{variance}))" for place in centres]
    return f"({' + '.join(images)})/sqrt(2*pi*{variance})"


def figure(left, right, run, plane) -> None:
    x = run.centers[0]
    for k, t in enumerate(run.t):
        left.plot(x, wrapped_gaussian(t, x, KAPPA, S0, X0), "k-", lw=0.6)
        left.plot(x, run.rho[k], ".", ms=4, label=f"$t = {t:g}$")
    left.set(xlabel="$x$", ylabel=r"$\rho$", title="circle, and the sum over images (lines)")
    left.legend(frameon=False)
    image = right.pcolormesh(*plane.edges, plane.rho[-1], cmap="magma", rasterized=True)
    right.figure.colorbar(image, ax=right, label=r"$\rho$")
    x, y = plane.centers
    between = heat_kernel_box(END, y, KAPPA, S0_Y, Y0, upper=2 * math.pi)
    exact = between[:, None] * wrapped_gaussian(END, x, KAPPA, S0, X0)
    right.contour(x, y, exact, levels=5, colors="w", linewidths=0.7)
    right.set(aspect="equal", xlabel="$x$, around", ylabel="$y$, between walls", title="cylinder; lines: closed form")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
