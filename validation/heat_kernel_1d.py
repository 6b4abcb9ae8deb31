"""Heat equation in 1D: the Gaussian heat kernel, order 2 in space and in time.

The simplest closed form, with every error known beforehand: that in space from the modified equation, that in time
against the exact flow on the same cells, by cosine transform.  The variance must grow without any error.
"""

import numpy as np
from scipy.fft import dct, idct

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

S0, END, LENGTH = 0.25, 1.0, 24.0
# The walls are 8 standard deviations of the kernel away at the end: 1e-15 of the mass lies beyond.
SETTINGS = (
    "grid.lower=[-12]", "grid.upper=[12]", "energy.internal.kappa=1", f"params.s0={S0}",
    "initial.density=exp(-x**2/(2*s0))/sqrt(2*pi*s0)",
    "exact.density=exp(-x**2/(2*(s0 + 2*t)))/sqrt(2*pi*(s0 + 2*t))",
    "time.start=0", f"time.end={END}", "output.every=0.25",
)  # fmt: skip
CELLS = (60, 120, 240, 480)
STEPS = (4, 8, 16, 32, 64)


def check(v: Validation) -> None:
    space = v.converge("heat_1d", {"grid.shape": CELLS}, *SETTINGS, "solver.dt=2e-3", norms=["l1"])
    h, errors = space.sizes, space.errors["l1"]
    v.at_least("order in space, L1 error", space.fitted["l1"], 1.9, "three-point Laplacian")
    # Modified equation ∂t ρ = ∂²ρ + (h²/12) ∂⁴ρ: the error is (h² t/12) ‖∂⁴ρ‖₁ = (h² t/12) s⁻² E|He₄(Z)|.
    # Next order: h²/s₀ = 1 % at h = 0.05; the time error at dt = 2e-3 is another 1 %.
    predicted = h[-1] ** 2 * END / 12 / (S0 + 2 * END) ** 2 * mean_abs_hermite4()
    v.equal("L1 error at 480 cells over h²t‖∂⁴ρ‖₁/12", errors[-1] / predicted, 1.0, 0.03, "modified equation")

    time = v.converge("heat_1d", {"solver.dt": [END / n for n in STEPS]}, *SETTINGS, "grid.shape=[240]",
                      errors={"semidiscrete": semidiscrete_error})  # fmt: skip
    order = time.fitted["semidiscrete"]
    v.at_least("order in time, against the semidiscrete flow", order, 1.9, "exact by cosine transform")

    # Σ h x_i² (Δ_h ρ)_i = 2 Σ h ρ_i away from walls, so that any Runge–Kutta step adds exactly 2 κ dt, for
    # every h and dt; 16 steps, because the tails exp(−|x|/√(γ dt)) of the implicit steps must not see a wall
    # either.  What remains is rounding: eps × steps × max x² = 2e-11.
    for run in (space.runs[0], time.runs[2]):
        growth = run.diagnostics["variance_x"][-1] - run.diagnostics["variance_x"][0]
        name = f"growth of the variance, {len(run.centers[0])} cells, {len(run.steps['t'])} steps"
        v.equal(name, growth, 2 * END, 2e-11, "summation by parts")
    de_bruijn(v, *space.runs[-2:])
    implicit_euler(v)
    narrow_starts(v)
    v.draw(figure, space.runs[1], h, errors, time.sizes, time.errors["semidiscrete"], panels=3)


def implicit_euler(v: Validation) -> None:
    """Every step of first order alone adds 2 κ dt; the walls are 100 lengths √(κdt) away."""
    run = v.run("heat_1d", *SETTINGS, "energy.internal.kappa=0.7", "grid.shape=[100]", "solver.order=1",
                "solver.dt=0.02", "time.end=0.4", "output.every=0.02", "exact={density='1'}")  # fmt: skip
    growth = np.diff(run.diagnostics["variance_x"])
    for name, value in (("least", np.min(growth)), ("largest", np.max(growth))):
        v.equal(f"implicit Euler, κ = 0.7: {name} growth of the variance in a step", value, 0.028, 1e-12,
                "summation by parts")  # fmt: skip


def narrow_starts(v: Validation) -> None:
    """The mass of a formula that the cells do not resolve: its integral."""
    for width in (0.1, 0.03, 0.002):
        run = v.run("heat_1d", *SETTINGS, f"initial.density=exp(-(x - 0.5)**2/(2*{width}**2))/({width}*sqrt(2*pi))",
                    "grid.shape=[24]", "solver.dt=0.5", "output.every=1", "exact={density='1'}")  # fmt: skip
        v.equal(f"mass of a start of width {width} on cells of width 1", run.diagnostics["mass"][0], 1.0, 1e-9,
                "its integral")  # fmt: skip
    run = v.run("heat_1d", *SETTINGS, "initial.density=(x > 0.3)*(x < 0.6)/0.3", "grid.shape=[24]", "solver.dt=0.5",
                "output.every=1", "exact={density='1'}")  # fmt: skip
    v.equal("mass of a box within a cell", run.diagnostics["mass"][0], 1.0, 1e-9, "its integral")


def de_bruijn(v: Validation, coarse, fine) -> None:
    """∫ρ ln ρ = −½ ln(2πe s), falling at the Fisher information 1/s (κ = 1), s = s₀ + 2t.

    Two grids leave 4(h/σ)⁴/100 = 4e-6 of 1/s₀ = 4, at the start.
    """
    s = S0 + 2 * fine.t
    for name, exact in (("entropy", -0.5 * np.log(2 * np.pi * np.e * s)), ("dissipation", 1 / s)):
        value = (4 * fine.diagnostics[name] - coarse.diagnostics[name]) / 3
        off = np.max(np.abs(value - exact))
        v.equal(f"largest error of the {name}, extrapolated", off, 0, 2e-5, "de Bruijn: d/dt∫ρ ln ρ = −κI")


def mean_abs_hermite4() -> float:
    """E|He₄(Z)| = ∫ |z⁴ − 6z² + 3| φ(z) dz."""
    z = np.linspace(-12, 12, 240_001)
    return float(np.sum(np.abs(z**4 - 6 * z**2 + 3) * np.exp(-(z**2) / 2)) * 1e-4 / np.sqrt(2 * np.pi))


def semidiscrete_error(run) -> float:
    """L1 distance to e^{tΔ_h} ρ(0): the cosine mode k decays at the rate (4/h²) sin²(kπ/2N)."""
    n, h = len(run.centers[0]), LENGTH / len(run.centers[0])
    decay = np.exp(-run.t[-1] * (4 / h**2) * np.sin(np.arange(n) * np.pi / (2 * n)) ** 2)
    return float(h * np.sum(np.abs(run.rho[-1] - idct(decay * dct(run.rho[0])))))


def figure(density, space, time, run, h, errors, dt, time_errors) -> None:
    from wgfpde.output.plots import draw_order

    x = run.centers[0]
    for k, t in enumerate(run.t):
        s = S0 + 2 * t
        density.plot(x, np.exp(-(x**2) / (2 * s)) / np.sqrt(2 * np.pi * s), "k-", lw=0.6)
        density.plot(x, run.rho[k], ".", ms=5, label=f"$t = {t:g}$")
    density.set(xlim=(-6, 6), xlabel="$x$", ylabel=r"$\rho$", title=f"{len(x)} cells, and the kernel (lines)")
    density.legend(frameon=False)
    draw_order(space, h, errors, 2, "$h$")
    space.set_title("against the heat kernel")
    draw_order(time, dt, time_errors, 2, r"$\Delta t$")
    time.set_title("against the exact semidiscrete flow")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
