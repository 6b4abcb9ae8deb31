"""Diffusion that depends on place: D on faces, the conventions of the noise, and JKO steps in the weighted metric.

∂tρ = ∂x(Dρ ∂x(κ ln ρ + V)) has solutions in closed form where its modes are known: Legendre's for D = 1 − x², where D
vanishes at the walls, those of an Euler equation for D = (1 + x)², and the moments of processes whose generator maps
polynomials to polynomials (Wright and Fisher's with D = x(1 − x); Ornstein and Uhlenbeck's with multiplicative noise).
A mean of D over cells in place of its value on the face is wrong by 25 times as much, and Itô's noise taken for the
kinetic one gives another steady state.
"""

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

LEGENDRE = (
    "heat_1d", "grid.lower=[-1]", "grid.upper=[1]", "dynamics={diffusion='1 - x**2'}",
    "initial.density=0.5 + 0.3*x + 0.05*(3*x**2 - 1)",
    "exact.density=0.5 + 0.3*x*exp(-2*t) + 0.05*(3*x**2 - 1)*exp(-6*t)", "time.end=0.5", "output.every=0.5",
)  # fmt: skip
NOISE = "ornstein_uhlenbeck_multiplicative_1d"
A, C, KAPPA, START, WIDTH = 1.0, 0.5, 0.25, 1.0, 0.05


def check(v: Validation) -> None:
    legendre(v)
    euler_equation(v)
    plane(v)
    wright_fisher(v)
    runs = multiplicative_noise(v)
    v.draw(figure, *runs, panels=2)


def legendre(v: Validation) -> None:
    """½ + 0.3 P₁e^{−2t} + 0.1 P₂e^{−6t}.  The error is 5.7e-3 h² with dt ∝ h, measured on four grids."""
    both = {"grid.shape": [20, 40, 80, 160], "solver.dt": [1 / 40, 1 / 80, 1 / 160, 1 / 320]}
    found = v.converge(*LEGENDRE[:1], both, *LEGENDRE[1:], norms=["l1"])
    v.at_most("Legendre modes: L1 error on 160 cells, D = 1 − x²", found.errors["l1"][-1], 2.3e-7, "series")
    v.at_least("Legendre modes: order in h and dt", found.fitted["l1"], 1.98, "series")
    # One step after the other is 1/(1 + τλ) of a mode while it is small; what is squared in it is below 0.05² of it.
    small = "initial.density=0.5 + 0.005*x", "exact.density=0.5 + 0.005*x*exp(-2*t)", "grid.shape=[160]"
    run = v.run(*LEGENDRE, *small, "solver={method='jko', tau=0.05, tolerance=1e-11}")
    slope = np.polynomial.polynomial.polyfit(run.centers[0], run.rho[-1], 1)[1]
    v.equal("JKO: mode P₁ after 10 steps, over (1 + 2τ)^{−10}", slope / 0.005 * 1.1**10, 1, 1e-3, "implicit Euler")


def euler_equation(v: Validation) -> None:
    """D = (1 + x)² on [0, 1]: (1 + x)^{−½} (sin ωy + 2ω cos ωy) e^{−(¼ + ω²)t}, y = ln(1 + x), ω = π/ln 2."""
    mode = "0.1*(1 + x)**-0.5*(sin(w*log(1 + x)) + 2*w*cos(w*log(1 + x)))"
    case = (f"params={{w={np.pi / np.log(2):.17g}}}", "dynamics={diffusion='(1 + x)**2'}", "time.end=0.05",
            "output.every=0.05", f"initial.density=1 + {mode}",
            f"exact.density=1 + {mode}*exp(-(0.25 + w**2)*t)")  # fmt: skip
    both = {"grid.shape": [25, 50, 100], "solver.dt": [2e-3, 1e-3, 5e-4]}
    found = v.converge("heat_1d", both, *case, norms=["l1"])
    v.at_least("D = (1 + x)²: order in h and dt", found.fitted["l1"], 1.95, "Euler equation")
    v.at_most("D = (1 + x)²: L1 error on 100 cells", found.errors["l1"][-1], 2e-5, "Euler equation")
    stretched = v.run("heat_1d", *case, "grid.shape=[100]", "grid.mapping=['s**1.3']", "solver.dt=5e-4")
    v.at_most("the same on stretched cells", stretched.diagnostics["error_l1"][-1], 6e-5, "Euler equation")


def plane(v: Validation) -> None:
    """D_x = 1 − x² and D_y = 1 − y²: products of Legendre's polynomials, ρ = ¼ + 0.1 xy e^{−4t} + 0.1 x e^{−2t}."""
    text = "0.25 + 0.1*x*y*exp(-4*t) + 0.1*x*exp(-2*t)"
    case = ("grid.lower=[-1, -1]", "grid.upper=[1, 1]", "dynamics={diffusion=['1 - x**2', '1 - y**2']}",
            "initial={density='0.25 + 0.1*x*y + 0.1*x'}", f"exact.density={text}", "time.start=0", "time.end=0.25",
            "output.every=0.25")  # fmt: skip
    both = {"grid.shape": [[16, 16], [32, 32], [64, 64]], "solver.dt": [1 / 32, 1 / 64, 1 / 128]}
    found = v.converge("heat_2d", both, *case, norms=["l1"])
    v.at_least("plane, one D an axis: order in h and dt", found.fitted["l1"], 1.95, "products of Legendre polynomials")


def wright_fisher(v: Validation) -> None:
    """dX = (2 − 5X) dt + √(2X(1 − X)) dW: the mean is 2/5 + (m₀ − 2/5)e^{−5t}.  The error is 0.38 h² on 40 cells."""
    case = ("grid.lower=[0]", "grid.upper=[1]", "dynamics={diffusion='x*(1 - x)'}", "exact=",
            "energy.potential=-log(x) - 2*log(1 - x)", "initial.density=30*x*(1 - x)**4", "time.end=0.3",
            "output.every=0.3")  # fmt: skip
    errors = []
    for n in (40, 80, 160):
        run = v.run("heat_1d", *case, f"grid.shape=[{n}]", f"solver.dt={0.3 / n!r}")
        mean = run.diagnostics["mean_x"]
        errors.append(mean[-1] - 0.4 - (mean[0] - 0.4) * np.exp(-1.5))
    v.at_most("Wright–Fisher: error of the mean on 160 cells", abs(errors[-1]), 1.6e-5, "moment equation")
    v.equal("Wright–Fisher: ratio of the errors at h and h/2", errors[1] / errors[2], 4, 0.1, "order 2")


def multiplicative_noise(v: Validation):
    """Moments of dX = −aX dt + √(2κ(1 + cX²)) dW, and its Student's t at rest.

    With walls at ±16 tails beyond them have less than 1e-8 of ⟨x²⟩.  Errors are c h²: extrapolated, 1e-4 of it is left.
    """
    wide = "grid.lower=[-16]", "grid.upper=[16]"
    runs = [v.run(NOISE, *wide, f"grid.shape=[{n}]", f"solver.dt={8 / n!r}") for n in (400, 800)]
    t = runs[0].t[-1]
    end = KAPPA / (A - KAPPA * C)
    second = end + (START**2 + WIDTH - end) * np.exp(-2 * (A - KAPPA * C) * t)
    for name, expected in (("mean_x", START * np.exp(-A * t)), ("second_moment", second)):
        coarse, fine = (run.diagnostics[name][-1] for run in runs)
        v.equal(f"multiplicative noise: {name} at t = {t:g}", (4 * fine - coarse) / 3, expected, 1e-4,
                "moment equations")  # fmt: skip
    x = runs[1].centers[0]
    student = (1 + C * x**2) ** (-1 - A / (2 * KAPPA * C))
    student /= np.sum(student) * (x[1] - x[0])
    long = v.run(NOISE, *wide, "grid.shape=[800]", "time.end=30", "output.every=30", "solver.dt=0.1")
    off = np.sum(np.abs(long.rho[-1] - student)) * (x[1] - x[0])
    v.at_most("multiplicative noise at rest: L1 distance to Student's t", off, 1e-9, "e^{−V/κ}/D")
    kinetic = v.run(NOISE, *wide, "grid.shape=[800]", "time.end=30", "output.every=30", "solver.dt=0.1",
                    "dynamics.convention=kinetic")  # fmt: skip
    other = student * (1 + C * x**2)
    other /= np.sum(other) * (x[1] - x[0])
    off = np.sum(np.abs(kinetic.rho[-1] - other)) * (x[1] - x[0])
    v.at_most("the same noise taken as kinetic: L1 distance to e^{−V/κ}", off, 1e-9, "e^{−V/κ}")
    return runs[0], long


def figure(moments, profile, run, rest) -> None:
    t, end = run.t, KAPPA / (A - KAPPA * C)
    moments.plot(t, START * np.exp(-A * t), "k-", lw=0.7, label="moment equations")
    moments.plot(t, end + (START**2 + WIDTH - end) * np.exp(-2 * (A - KAPPA * C) * t), "k-", lw=0.7)
    moments.plot(t, run.diagnostics["mean_x"], "o", ms=3.5, mfc="none", label=r"$\langle X\rangle$")
    moments.plot(t, run.diagnostics["second_moment"], "s", ms=3.5, mfc="none", label=r"$\langle X^2\rangle$")
    moments.set(xlabel="$t$", title="multiplicative noise (Itô)")
    moments.legend(frameon=False)
    x = rest.centers[0]
    student = (1 + C * x**2) ** (-1 - A / (2 * KAPPA * C))
    profile.semilogy(x, student / (np.sum(student) * (x[1] - x[0])), "k-", lw=0.7, label="Student's t")
    profile.semilogy(x[::20], rest.rho[-1][::20], "o", ms=3.5, mfc="none", label="at rest")
    gaussian = np.exp(-(x**2) * (A - KAPPA * C) / (2 * KAPPA))
    gaussian /= np.sum(gaussian) * (x[1] - x[0])
    profile.semilogy(x, gaussian, ":", lw=1.0, label="Gaussian of that variance")
    profile.set(xlabel="$x$", ylabel=r"$\rho$", ylim=(1e-11, 2), title="tails of the steady state")
    profile.legend(frameon=False, fontsize="small")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
