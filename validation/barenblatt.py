"""Porous medium: Barenblatt's profiles, m = 2 in 1D and m = 3 in 2D; fronts that move at the right speed.

ρ = R^{−d} F(x/R) with R^n = R₀^n + n t, n = d(m − 1) + 2, solves the equation exactly and ends in a front.  There
schemes for degenerate diffusion tend to fail: the front freezes, or the density ahead of it turns negative.  Its
place, the second moment, mass and sign are followed over the whole run.
"""

import numpy as np

from wgfpde.cli import validate_script
from wgfpde.equations import self_similar, self_similar_radius
from wgfpde.validate import Validation, energy_rise, mass_drift

# ρ = R^{−d} F(x/R), R^n = R0^n + n t, n = d(m − 1) + 2; front at b R, ∫|x|²ρ = c2 R².
FRONT_1D, C2_1D = 1.442249570307, 0.416016764610
FRONT_2D, C2_2D = 0.938643487427, 0.352420638596
VACUUM = 1e-3
"""Cells above this part of the peak belong to the support.  Beyond the front an implicit step leaves a tail that
falls doubly exponentially, ρ_{j+1} ∝ ρ_j^m h²/dt: two or three cells above rounding, none above this."""


def check(v: Validation) -> None:
    m2 = v.run("barenblatt_1d_m2", "grid.shape=[256]", "grid.lower=[-4]", "grid.upper=[4]", "solver.dt=0.01",
               "time.end=2.3333333333333335", "output.every=0.23333333333333334")  # fmt: skip
    m3 = v.run("barenblatt_2d_m3", "grid.shape=[96, 96]", "grid.lower=[-1.5, -1.5]", "grid.upper=[1.5, 1.5]",
               "solver.dt=adaptive", "solver.tolerance=1e-4", "time.end=1.0", "output.every=0.1")  # fmt: skip
    laws = []
    for name, run, m, b, c2, radius in (
        ("1D, m = 2", m2, 2, FRONT_1D, C2_1D, self_similar_radius(m2.t, 1.0, 2, 1)),
        ("2D, m = 3", m3, 3, FRONT_2D, C2_2D, self_similar_radius(m3.t, 0.5, 3, 2)),
    ):
        h = run.edges[0][1] - run.edges[0][0]
        # The kink ρ ~ dist^{1/(m−1)} at the front spoils a strip of width O(h): an error h · h^{1/(m−1)} times
        # the length of the front and the slope of ρ there.  m = 2: h² × O(1).  m = 3: h^{3/2} × O(1).  A frozen
        # front gives 0.3.
        bound = h ** (1 + 1 / (m - 1))
        v.at_most(f"{name}: L1 error, largest over time", np.max(run.diagnostics["error_l1"][1:]), bound,
                  "h^{m/(m−1)}")  # fmt: skip
        # The front lies in the outermost wet cell (it is less than h inside its outer edge) or one beside it.
        off = max((wet_radius(run, k) - b * radius[k] for k in range(len(run))), key=abs)
        v.equal(f"{name}: front minus b R(t), worst of {len(run)} times", off, 0.0, 2 * h, "two cells")
        # d/dt ∫|x|²ρ = 2d ∫ρ^m, exact for the scheme; the sum of ρ^m has an error of order h² of the strip,
        # and time steps add their tolerance.
        law = c2 * radius**2
        moment = run.diagnostics["second_moment"]
        laws.append((name, run.t, moment, law))
        growth = (moment[-1] - moment[0]) / (law[-1] - law[0])
        v.equal(f"{name}: growth of ∫|x|²ρ over the law", growth, 1.0, h**2, "c2 R²")
        v.at_least(f"{name}: smallest density", np.min(run.diagnostics["min"]), 0.0, "positivity")
        v.at_most(f"{name}: relative mass drift", mass_drift([run]), mass_bound(run, m, h), "conservation")
        v.at_most(f"{name}: largest energy rise", energy_rise([run]), 0.0, "dissipation")
    v.draw(figure, m2, m3, laws, panels=3)


def wet_radius(run, k: int) -> float:
    """The outer edge of the cells above VACUUM, measured along the x axis."""
    rho = run.rho[k] if run.dim == 1 else np.max(run.rho[k], axis=0)
    wet = np.flatnonzero(rho > VACUUM * np.max(rho))
    return float(run.edges[0][wet[-1] + 1] - run.edges[0][wet[0]]) / 2


def mass_bound(run, m: int, h: float) -> float:
    """Newton's residual is solved to rounding: 1e-12 + Σ 10 eps (1 + dt κ max p'/h²), p' = m ρ^{m−1}."""
    stiffness = m * np.max(run.diagnostics["max"]) ** (m - 1) / h**2
    return float(1e-12 + 10 * np.finfo(float).eps * np.sum(1 + run.steps["dt"] * stiffness))


def figure(profile, section, moments, m2, m3, laws) -> None:
    x = np.linspace(-4, 4, 2001)
    for k in (0, 1, 4, -1):
        exact = self_similar(x, self_similar_radius(m2.t[k], 1.0, 2, 1), 2, 1)
        profile.plot(x, exact, "k-", lw=0.6)
        profile.plot(m2.centers[0], m2.rho[k], ".", ms=3, label=f"$t = {m2.t[k]:.2g}$")
    profile.set(xlabel="$x$", ylabel=r"$\rho$", title="1D, $m = 2$ (lines: Barenblatt)")
    profile.legend(frameon=False)
    x = np.linspace(-1.5, 1.5, 2001)
    row = m3.rho[0].shape[0] // 2
    y = m3.centers[1][row]
    for k in (0, 1, 4, -1):
        exact = self_similar(np.hypot(x, y), self_similar_radius(m3.t[k], 0.5, 3, 2), 3, 2)
        section.plot(x, exact, "k-", lw=0.6)
        section.plot(m3.centers[0], m3.rho[k][row], ".", ms=3, label=f"$t = {m3.t[k]:.2g}$")
    section.set(xlabel="$x$", ylabel=r"$\rho(x, y \approx 0)$", title="2D, $m = 3$")
    section.legend(frameon=False)
    for name, t, moment, law in laws:
        moments.plot(t, moment, "o", ms=4, label=name)
        moments.plot(t, law, "k-", lw=0.7)
    moments.set(xlabel="$t$", ylabel=r"$\int|x|^2\rho$", title="second moment and $c_2R(t)^2$")
    moments.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
