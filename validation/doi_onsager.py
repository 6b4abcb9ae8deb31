"""Doi–Onsager model, W = K|sin 2πx| on the circle of length 1: rods align above K = (3π/2)κ.

Rods that exclude each other turn until they are parallel.  The kernel has kinks, so that all its even modes act and
the grid is seen, at order h².  The uniform state loses stability by its second mode, above K = 4.712κ; the aligned
state grows out of it continuously, and solves a self-consistency equation.
"""

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

# |sin 2πx| = 2/π − (4/π) Σ_k cos(4πkx)/(4k² − 1), so that a mode cos(4πkx) of the uniform state grows at the rate
#   s_k = (4πk)² (2K/(π(4k² − 1)) − κ)
TINY = 1e-6
CASE = ("kuramoto_1d", "grid.lower=[0]", "grid.upper=[1]", "params.K=6", "energy.interaction=K*abs(sin(2*pi*x))",
        "energy.internal.kappa=1", "initial.density=1 + 0.1*cos(4*pi*x)", "initial.mass=1.0")  # fmt: skip
CELLS = (64, 128)
STRENGTHS = {4.5: 4.0, 4.9: 3.0, 6.0: 1.5}
"""Below and above the critical strength by 4 %, and far above → time that the march takes to rest."""


def check(v: Validation) -> None:
    for strength in (4.0, 5.5):
        # Relative to the rate of diffusion alone, (4πk)² = 158 and 632, Richardson's rule leaves (4πkh)⁴/360 = 3e-7 and
        # 4e-6 of the second difference and as much of the kernel's aliases; time adds a few times (s_k dt)⁴/t, 1e-3
        # of s_2 = −550 and nothing of s_1.
        first, second = growth(v, strength)
        v.equal(f"growth rate of cos 4πx at K = {strength}, extrapolated", first, rate(1, strength), 1e-3,
                "Fourier series")  # fmt: skip
        v.equal(f"growth rate of cos 8πx at K = {strength}, extrapolated", second, rate(2, strength), 0.5,
                "Fourier series")  # fmt: skip
    found = []
    for strength, end in STRENGTHS.items():
        # The rate nearest to 0 is s_1 = −7 at 4.5, −13 at 4.9 (twice as large as that of the uniform state, and of the
        # other sign), −100 at 6: e^{−28} or less is left of the start.
        expected = aligned(strength)
        runs = [v.run(*CASE, f"params.K={strength}", f"grid.shape=[{n}]", "solver.dt=0.02", f"time.end={end}",
                      "output.every=0.1") for n in CELLS[0 if expected else 1 :]]  # fmt: skip
        if expected == 0:
            v.equal(f"order ⟨cos 4πx⟩ at K = {strength}", order(runs[-1]), 0.0, 1e-9, "below 3π/2")
        else:
            # near the threshold the order is a root of K − 4.712, and what h² does to the latter it does ten times:
            # 6e-6 of the critical strength is left there
            v.equal(f"order ⟨cos 4πx⟩ at K = {strength}, extrapolated", richardson(*runs), expected, 1e-4,
                    "self-consistency")  # fmt: skip
        found.append(runs[-1])
    if v.full:
        jko(v)
    v.draw(figure, found, panels=2)


def jko(v: Validation) -> None:
    """Steps of 0.01 halve the distance from the minimum, 0.1 at first: 20 of them leave 1e-7."""
    runs = [v.run(*CASE, f"grid.shape=[{n}]", 'solver={method="jko", tau=0.01, tolerance=1e-12}', "time.end=0.2",
                  "initial.density=exp(2*cos(4*pi*x))", "output.every=0.2") for n in CELLS]  # fmt: skip
    v.equal("JKO: order ⟨cos 4πx⟩ at K = 6, extrapolated", richardson(*runs), aligned(6.0), 1e-4, "self-consistency")


def growth(v: Validation, strength: float) -> tuple[float, float]:
    """Rates of the modes cos 4πx and cos 8πx of a tiny perturbation, over t = 0.005."""
    rates = []
    for n in CELLS:
        run = v.run(*CASE, f"params.K={strength}", f"grid.shape=[{n}]", f"solver.dt={0.008 / n}", "time.end=0.005",
                    f"initial.density=1 + {TINY}*(cos(4*pi*x) + cos(8*pi*x))", "output.every=0.005")  # fmt: skip
        modes = [[order(run, k, mode) for mode in (1, 2)] for k in (0, -1)]
        rates.append(np.log(np.divide(modes[1], modes[0])) / 0.005)
    extrapolated = (4 * rates[1] - rates[0]) / 3
    return float(extrapolated[0]), float(extrapolated[1])


def rate(k: int, strength: float) -> float:
    return (4 * np.pi * k) ** 2 * (2 * strength / (np.pi * (4 * k**2 - 1)) - 1)


def order(run, k: int = -1, mode: int = 1) -> float:
    return float(np.mean(run.rho[k] * np.cos(4 * np.pi * mode * run.centers[0])))


def richardson(coarse, fine) -> float:
    return (4 * order(fine) - order(coarse)) / 3


def aligned(strength: float) -> float:
    """⟨cos 4πx⟩ of ρ ∝ exp(−W∗ρ), by Fourier series; 0 below the critical strength.  Newton's method on all modes."""
    from scipy.optimize import fsolve

    if strength < 1.5 * np.pi:
        return 0.0
    x = (np.arange(1024) + 0.5) / 1024
    k = np.arange(1, 41)
    cosines = np.cos(4 * np.pi * k[:, None] * x)
    weights = 4 * strength / (np.pi * (4 * k**2 - 1))

    def moments(r):
        rho = np.exp((weights * r) @ cosines)
        return cosines @ rho / np.sum(rho)

    return float(fsolve(lambda r: moments(r) - r, np.where(k == 1, 0.5, 0.0), xtol=1e-13)[0])


def figure(history, density, found) -> None:
    for strength, run in zip(STRENGTHS, found, strict=True):
        history.plot(run.t, [order(run, k) for k in range(len(run))], "o", ms=3, label=f"$K = {strength}$")
        history.axhline(aligned(strength), color="k", lw=0.6, ls=":")
        density.plot(run.centers[0], run.rho[-1], label=f"$K = {strength}$")
    history.set(xlabel="$t$", ylabel=r"$\langle\cos 4\pi x\rangle$", xlim=(0, 2), title="dotted: self-consistency")
    density.set(xlabel="$x$", ylabel=r"$\rho$", title="steady states")
    history.legend(frameon=False)
    density.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
