"""Radial grids: what depends on the radius alone in 2D and 3D, on one axis with the volumes and areas of shells.

The heat kernel (4πκt)^{−n/2} e^{−r²/4κt}, the Gaussians of a harmonic well, and the rate at which particles meet that
attract each other (Debye), 4πr² times the flux per area, the same through every sphere.  A plain axis in place of a
radius would give other solutions, and another rate.
"""

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script

DEBYE = 30.418722611674195
"""4πκ e^{V(8)/κ}/∫₁⁸ e^{V/κ} r⁻² dr for κ = 1, V = −2/r: 8π e^{−1/4}/(e^{−1/4} − e^{−2})."""


def check(v: Validation) -> None:
    kernels = heat_kernel(v)
    harmonic_well(v)
    rates = debye(v)
    v.draw(figure, kernels, *rates, panels=2)


def heat_kernel(v: Validation):
    """From t = ¼ to 1, all of the mass inside r = 8 but for 1e-7; the error in L1 is 0.1 h² (3D), with dt ∝ h."""
    runs = None
    for n in (2, 3):
        kernel = f"exp(-r**2/(4*t))/(4*pi*t)**{n / 2}"
        case = (f"grid.radial={n}", "grid.lower=[0]", "grid.upper=[8]",
                f"initial.density={kernel.replace('t)', '0.25)')}", f"exact.density={kernel}",
                "time.start=0.25", "time.end=1", "output.every=0.75")  # fmt: skip
        both = {"grid.shape": [40, 80, 160, 320], "solver.dt": [0.075, 0.0375, 0.01875, 0.009375]}
        found = v.converge("heat_1d", both, *case, norms=["l1"])
        v.at_least(f"heat kernel in {n}D: order in h and dt, L1", found.fitted["l1"], 1.95, "closed form")
        v.at_most(f"heat kernel in {n}D: L1 error on 320 cells", found.errors["l1"][-1], 7e-5, "closed form")
        runs = v.run("heat_1d", *case, "grid.shape=[80]", "solver.dt=0.0375", "output.every=0.25")
        v.equal(f"heat kernel in {n}D: mass of the space", runs.diagnostics["mass"][-1], 1, 1e-6, "∫ρ over spheres")
    return runs


def harmonic_well(v: Validation) -> None:
    """V = r²/2 in 3D: a Gaussian of variance s + (s₀ − s)e^{−2t} an axis, ⟨r²⟩ three times that.

    The error of ⟨r²⟩ is c h²; extrapolated from 100 and 200 cells 1e-5 is left.
    """
    case = ("grid.radial=3", "grid.lower=[0]", "grid.upper=[8]", "energy.potential=r**2/2", "exact=",
            "initial={density='exp(-r**2/(2*0.3))', mass=1}", "time.end=0.5", "output.every=0.5")  # fmt: skip
    runs = [v.run("heat_1d", *case, f"grid.shape=[{n}]", f"solver.dt={0.5 / n!r}") for n in (100, 200)]
    coarse, fine = (run.diagnostics["second_moment"][-1] for run in runs)
    v.equal("harmonic well in 3D: ⟨r²⟩", (4 * fine - coarse) / 3, 3 * (1 - 0.7 * np.exp(-1)), 1e-4, "moment equation")


def debye(v: Validation):
    """The flux at rest, by either wall, at second order: −1.3, −0.33, −0.08, −0.02 in a thousand on 40 to 320 cells."""
    rates = []
    for n in (40, 80, 160, 320):
        run = v.run("debye_radial", f"grid.shape=[{n}]", "output.every=80")
        rates.append(run.diagnostics["exit_rate_x_lower"][-1])
    v.equal("Debye: rate on 320 cells, over the closed form", rates[-1] / DEBYE, 1, 3e-5, "Debye (1942)")
    errors = np.array(rates) / DEBYE - 1
    v.at_least("Debye: order of the rate in h", np.log2(errors[1] / errors[2]), 1.9, "order 2")
    through = -run.diagnostics["exit_rate_x_upper"][-1]
    v.equal("Debye: what comes in over what is caught", through / rates[-1], 1, 1e-6, "at rest")
    return run, np.abs(errors)


def figure(left, right, kernels, run, errors) -> None:
    r = np.linspace(0.01, 8, 400)
    for k in range(len(kernels.t)):
        t = kernels.t[k]
        left.plot(r, np.exp(-(r**2) / (4 * t)) / (4 * np.pi * t) ** 1.5, "k-", lw=0.6)
        left.plot(kernels.centers[0][::2], kernels.rho[k][::2], "o", ms=3, mfc="none", label=f"$t = {t:g}$")
    left.set(xlim=(0, 5), xlabel="$r$", ylabel=r"$\rho$", title="heat kernel in 3D")
    left.legend(frameon=False)
    r = np.linspace(1, 8, 400)
    exact = np.exp(2 / r) * (np.exp(-2 / r) - np.exp(-2)) / (1 - np.exp(-1.75))
    right.plot(r, exact, "k-", lw=0.6, label="closed form")
    right.plot(run.centers[0][::16], run.rho[-1][::16], "o", ms=3, mfc="none", label="at rest, 320 cells")
    right.set(xlabel="$r$", ylabel=r"$\rho$", title=f"attraction and a trap: rate to {errors[-1]:.0e}")
    right.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
