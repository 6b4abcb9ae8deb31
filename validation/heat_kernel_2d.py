"""Heat equation in 2D: the heat kernel, order 2 in space and, through the splitting, in time.

As in one dimension, and what sweeps along x and y must not do: couple the axes, prefer one of them, or change how
fast a variance grows.
"""

import numpy as np
from scipy.fft import dctn, idctn

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

S0, END, LENGTH = 0.25, 0.5, 16.0
# The walls are 7 standard deviations away at the end: 1e-12 of the mass lies beyond.
SETTINGS = (
    "grid.lower=[-8, -8]", "grid.upper=[8, 8]", "energy.internal.kappa=1", f"params.s0={S0}",
    "params.kappa=1", "initial.density=exp(-r**2/(2*s0))/(2*pi*s0)",
    "exact.density=exp(-r**2/(2*(s0 + 2*t)))/(2*pi*(s0 + 2*t))",
    "time.start=0", f"time.end={END}", "output.every=0.25",
)  # fmt: skip
CELLS = (40, 80, 160)
STEPS = (4, 8, 16, 32)


def check(v: Validation) -> None:
    space = v.converge("heat_2d", {"grid.shape": CELLS}, *SETTINGS, "solver.dt=4e-3", norms=["l1"])
    h, errors = space.sizes, space.errors["l1"]
    v.at_least("order in space, L1 error", space.fitted["l1"], 1.9, "five-point Laplacian")
    # Modified equation ∂t ρ = Δρ + (h²/12)(∂x⁴ + ∂y⁴)ρ; error (h² t/12) s⁻² E|He₄(X) + He₄(Y)|.
    # Next order: h²/s₀ × O(1) = 4 % at h = 0.1.
    predicted = h[-1] ** 2 * END / 12 / (S0 + 2 * END) ** 2 * mean_abs_hermite4()
    v.equal("L1 error at 160² cells over the predicted one", errors[-1] / predicted, 1.0, 0.04,
            "modified equation")  # fmt: skip

    time = v.converge("heat_2d", {"solver.dt": [END / n for n in STEPS]}, *SETTINGS, "grid.shape=[80, 80]",
                      errors={"semidiscrete": semidiscrete_error})  # fmt: skip
    order = time.fitted["semidiscrete"]
    v.at_least("order in time, against the semidiscrete flow", order, 1.9, "exact by cosine transform")

    # As in 1D, a sweep adds exactly 2 κ dt to its own variance and nothing to the other, for every h and dt.
    # The walls take 7 standard deviations' tail, 64·2e-12; rounding is below that.
    d = time.runs[2].diagnostics
    for axis in "xy":
        growth = d[f"variance_{axis}"][-1] - d[f"variance_{axis}"][0]
        v.equal(f"growth of the variance in {axis}, {STEPS[2]} steps", growth, 2 * END, 2e-10,
                "summation by parts")  # fmt: skip
    v.at_most("covariance of x and y", np.max(np.abs(d["covariance_xy"])), 1e-13, "symmetry")
    # A product stays a product and x and y are exchangeable: sweeps in x, y, x must not show.
    rho = space.runs[-1].rho[-1]
    v.at_most("asymmetry max|ρ(x,y) − ρ(y,x)| / max ρ", np.max(np.abs(rho - rho.T)) / rho.max(), 1e-4, "dt²")
    de_bruijn(v, *space.runs[-2:])
    implicit_euler(v)
    v.draw(figure, space.runs[-1], h, errors, time.sizes, time.errors["semidiscrete"], panels=3)


def implicit_euler(v: Validation) -> None:
    """Every step of first order, x then y, alone adds 2 κ dt to both variances of a tilted Gaussian, and not to xy."""
    run = v.run("heat_2d", *SETTINGS, "energy.internal.kappa=0.7", "grid.shape=[64, 48]", "solver.order=1",
                "solver.dt=0.02", "time.end=0.2", "output.every=0.02", "exact={density='1'}",
                "initial.density=exp(-(4*(x - 1)**2 + 4*(x - 1)*(y + 0.5) + 6*(y + 0.5)**2)/2)",
                "initial.mass=1.0")  # fmt: skip
    for name, growth in (("variance_x", 0.028), ("variance_y", 0.028), ("covariance_xy", 0.0)):
        off = np.max(np.abs(np.diff(run.diagnostics[name]) - growth))
        v.equal(f"implicit Euler: growth of the {name.replace('_', ' ')} in a step, error", off, 0, 1e-12,
                "summation by parts")  # fmt: skip


def de_bruijn(v: Validation, coarse, fine) -> None:
    """∫ρ ln ρ = −ln(2πe s), falling at the Fisher information 2/s (κ = 1), s = s₀ + 2t.

    Two grids leave 4(h/σ)⁴/100 = 6e-5 of 2/s₀ = 8, at the start.
    """
    s = S0 + 2 * fine.t
    for name, exact in (("entropy", -np.log(2 * np.pi * np.e * s)), ("dissipation", 2 / s)):
        value = (4 * fine.diagnostics[name] - coarse.diagnostics[name]) / 3
        off = np.max(np.abs(value - exact))
        v.equal(f"largest error of the {name}, extrapolated", off, 0, 5e-4, "de Bruijn: d/dt∫ρ ln ρ = −κI")


def mean_abs_hermite4() -> float:
    """E|He₄(X) + He₄(Y)| for independent standard normal X, Y, by the midpoint rule."""
    z = np.linspace(-10, 10, 2001)
    f = z**4 - 6 * z**2 + 3
    weight = np.exp(-(z**2) / 2) * 0.01 / np.sqrt(2 * np.pi)
    return float(weight @ np.abs(f[:, None] + f) @ weight)


def semidiscrete_error(run) -> float:
    """L1 distance to e^{tΔ_h} ρ(0), diagonal in cosine modes with rates (4/h²)(sin² + sin²)."""
    n, h = len(run.centers[0]), LENGTH / len(run.centers[0])
    decay = np.exp(-run.t[-1] * (4 / h**2) * np.sin(np.arange(n) * np.pi / (2 * n)) ** 2)
    exact = idctn(decay[:, None] * decay * dctn(run.rho[0]))
    return float(h**2 * np.sum(np.abs(run.rho[-1] - exact)))


def figure(density, space, time, run, h, errors, dt, time_errors) -> None:
    from wgfpde.output.plots import draw_order

    x, rho = run.centers[0], run.rho[-1]
    image = density.pcolormesh(*run.edges, rho, cmap="magma", rasterized=True)
    density.figure.colorbar(image, ax=density, label=r"$\rho$")
    density.contour(x, x, np.exp(-(x**2 + x[:, None] ** 2) / (2 * (S0 + 2 * END))),
                    levels=[0.01, 0.1, 0.5], colors="w", linewidths=0.7)  # fmt: skip
    density.set(xlim=(-5, 5), ylim=(-5, 5), aspect="equal", xlabel="$x$", ylabel="$y$",
                title=f"$t = {END}$; circles: 50, 10, 1 % of the peak")  # fmt: skip
    draw_order(space, h, errors, 2, "$h$")
    space.set_title("against the heat kernel")
    draw_order(time, dt, time_errors, 2, r"$\Delta t$")
    time.set_title("against the exact semidiscrete flow")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
