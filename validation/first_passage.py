"""Times, places and rates of leaving: against quadrature, closed forms and the march of the same cells.

Mean first-passage times of a well with a barrier of 5, 10 and 20 kT, of Ornstein–Uhlenbeck and of Brownian motion in
a square are known by quadrature or series; committors and reactive rates likewise.  They grow like e^{ΔV/κ}: a solver
that subtracts loses all digits at 35 kT, where elimination without subtraction holds them.  ⟨ρ⁰, T⟩ is also the time
integral of what is left, and of backward Euler its sum, for every step: both ways bear each other out.
"""

import numpy as np
from scipy.interpolate import CubicSpline, RegularGridInterpolator

import wgfpde as wgf
from wgfpde.claims import Validation
from wgfpde.cli import validate_script

QUARTIC = "energy.potential=(x**2 - 1)**2"
UP = "grid.boundary=[['no-flux', 'absorbing']]"
WELL = {0.2: 182.4176729856, 0.1: 25527.0913642925, 0.05: 549661100.352}
"""T(−1) by κ: (x² − 1)², wall at −2, absorbed at 1."""
LEVELS = {1: 2.09340664967832, 2: 10.428409397996, 3: 86.931619898888}
"""Ornstein–Uhlenbeck from 0 up to a level, wall at −10."""
RATES = {0.1: 1.95870337464e-5, 0.2: 2.74096249457e-3}
"""κ/(Z ∫e^{V/κ}) of (x² − 1)² on [−2, 2], from x ≤ −1 to x ≥ 1."""
BANANA = (
    "double_well_2d", "energy.potential=(x**2 - 1)**2 + 2*(y - x**2/2)**2", "grid.lower=[-2, -1.5]",
    "grid.upper=[1, 2.5]", "grid.boundary=[['no-flux', 'absorbing'], 'no-flux']",
    "initial.density=exp(-((x + 1)**2 + (y - 0.5)**2)/0.05)",
)  # fmt: skip


def check(v: Validation) -> None:
    well = times(v)
    paths = rates(v)
    late(v)
    square(v)
    banana = plane(v)
    duality(v)
    v.draw(figure, well, paths, banana, panels=3)


def times(v: Validation):
    """T at a place by cubic interpolation.  The error is c h², at 800 cells 4.3e-5 (10 kT) and 9.0e-5 (20 kT)."""
    domain = ("double_well_1d", QUARTIC, UP, "grid.shape=[800]", "grid.lower=[-2]", "grid.upper=[1]")
    for kappa, exact in WELL.items():
        found = asked(v, *domain, f"energy.internal.kappa={kappa}")
        value = at(found, -1.0)
        v.equal(f"mean time out of a well at κ = {kappa}, relative", value / exact, 1, 1e-4 if kappa < 0.1 else 5e-5,
                "quadrature")  # fmt: skip
    slower = asked(v, *domain, "energy.internal.kappa=0.1", "dynamics.diffusion=1/(1 + x**2)")
    v.equal("the same with D = 1/(1 + x²), relative", at(slower, -1.0) / 26228.57802472, 1, 5e-5, "quadrature")
    for level, exact in LEVELS.items():
        ou = asked(v, "ou_1d", "grid.mapping=['s']", UP, "grid.shape=[800]", "grid.lower=[-10]",
                      f"grid.upper=[{level}]", "energy.internal.kappa=1", "energy.potential=x**2/2")  # fmt: skip
        v.equal(f"Ornstein–Uhlenbeck from 0 to {level}, relative", at(ou, 0.0) / exact, 1, 5e-5, "quadrature")
    robin = "grid.boundary=[{lower={robin=2.0}, upper='absorbing'}]"
    cell = asked(v, "heat_1d", robin, "grid.shape=[160]", "grid.lower=[0]", "grid.upper=[1]", "energy.internal.kappa=1")
    x = cell.grid.x.centers
    off = np.max(np.abs(cell.fields["mean_time"] - (1 / 6 + x / 3 - x * x / 2)))
    # −T'' = 1: the scheme is exact but for h²/8 of the averages' centres: 4.9e-6
    v.equal("Robin wall: largest error of T", off, 0, 6e-6, "−T'' = 1, T'(0) = 2T(0), T(1) = 0")
    v.equal("probabilities of the two exits, summed", sum(cell.exits.values()), 1, 1e-13, "account")
    return found


def rates(v: Validation):
    """Errors c h²: at 800 cells 7.6e-5 of the rate at 10 kT and of the committor, less at 5 kT."""
    for kappa, exact in RATES.items():
        found = asked(
            v, "double_well_1d", QUARTIC, "grid.shape=[800]", "grid.lower=[-2]", "grid.upper=[2]",
            f"energy.internal.kappa={kappa}", from_="x < -1", to="x > 1",
        )  # fmt: skip
        v.equal(f"reactive rate at κ = {kappa}, relative", found.rate / exact, 1, 1e-4, "κ/(Z∫e^{V/κ})")
        v.at_most(f"its relative spread over all cuts at κ = {kappa}", found.rate_spread, 1e-12, "conservation")
        if kappa == 0.1:
            value = at(found, -0.5, "committor") / 0.00206570024513
            v.equal("committor at −0.5, relative", value, 1, 1e-4, "∫e^{V/κ}")
            kept = found
    return kept


def late(v: Validation) -> None:
    """Rates of what is left late: π² between absorbing walls, and 1 of a trap cut at its centre; errors c h²."""
    ends = ("grid.boundary=['absorbing']", "grid.lower=[0]", "grid.upper=[1]", "energy.internal.kappa=1")
    found = asked(v, "heat_1d", *ends, "grid.shape=[400]", times=[0.05, 0.1, 0.2, 0.4])
    rate = found.quasi_stationary_rate / np.pi**2
    v.equal("quasi-stationary rate between two walls, over π²", rate, 1, 6e-6, "sine")
    seen = found.survival
    # from 1 + ½cos πx or any even start the first mode is left: S falls by e^{−π²Δt}, shifted by the 5e-6 of the rate
    ratio = np.log(seen.survival[3] / seen.survival[4]) / 0.2
    v.equal("slope of the survival between t = 0.2 and 0.4, over π²", ratio / np.pi**2, 1, 2e-5, "sine")
    left = seen.survival + seen.left["x_lower"] + seen.left["x_upper"]
    v.equal("survival and exits: largest distance from 1", np.max(np.abs(left - 1)), 0, 1e-13, "account")
    found = asked(
        v, "ou_1d", "grid.mapping=['s']", "grid.boundary=[['absorbing', 'no-flux']]", "grid.shape=[400]",
        "grid.lower=[0]", "grid.upper=[8]", "energy.internal.kappa=1", "energy.potential=x**2/2",
        "initial.density=exp(-(x - 1)**2)",
    )  # fmt: skip
    x = found.grid.x.centers
    v.equal("quasi-stationary rate of a trap cut at 0", found.quasi_stationary_rate, 1, 7e-5, "Hermite")
    off = np.sum(np.abs(found.fields["quasi_stationary"] - x * np.exp(-x * x / 2))) * 0.02
    v.at_most("its density against x e^{−x²/2}, L¹", off, 1.8e-5, "Hermite")


def square(v: Validation) -> None:
    """−ΔT = 1 in the unit square; two absorbing sides are a quarter of four, cell by cell."""
    four = ("heat_2d", "grid.boundary=['absorbing', 'absorbing']", "grid.lower=[0, 0]", "grid.upper=[1, 1]",
            "energy.internal.kappa=1", "initial.density=1 + 0*x")  # fmt: skip
    found = asked(v, *four, "grid.shape=[64, 64]", solver="2D exits")
    time = found.fields["mean_time"]
    v.equal("square, four absorbing sides: mean of T", found.mean_time, 0.0351442537390, 3.5e-5, "series")
    centre = time[31:33, 31:33].mean()  # of four cells, h²/8 below the centre
    v.equal("T at its centre", centre + 1 / (8 * 64**2), 0.0736713522737, 7e-5, "series")
    quarter = ("grid.boundary=[['no-flux', 'absorbing'], ['no-flux', 'absorbing']]", "grid.shape=[32, 32]")
    part = asked(v, *four, *quarter, solver="2D exits")
    worst = np.max(np.abs(part.fields["mean_time"] / (4 * time[32:, 32:]) - 1))
    v.equal("a quarter of it, largest relative difference", worst, 0, 1e-12, "symmetry")


def plane(v: Validation):
    """A well without symmetry; the error is c h², 2.2e-4 at 128² (finite elements: 38.73668, 38.7369 on 48², 96²)."""
    found = asked(v, *BANANA, "grid.shape=[128, 128]", "energy.internal.kappa=0.3", solver="2D exits")
    v.equal("banana well: mean time from (−1, ½)", spot(found) / 38.7369, 1, 3e-4, "finite elements Q2")
    steep = asked(v, *BANANA, "grid.shape=[96, 96]", "energy.internal.kappa=0.02", solver="2D exits")
    # the same rates in a symmetric elimination of another order; LU finds −1.5e15
    v.equal("the same at 50 kT, over 5.7216462761e21", spot(steep) / 5.7216462761e21, 1, 1e-9, "elimination by rows")
    return found


def duality(v: Validation) -> None:
    """dt Σ_{n≥1} Sⁿ of backward Euler is ⟨ρ⁰, T⟩ for every dt, until nothing is left."""
    domain = ("double_well_1d", QUARTIC, UP, "grid.shape=[100]", "grid.lower=[-2]", "grid.upper=[1]",
              "energy.internal.kappa=0.3", "initial.density=exp(-(x + 1)**2/0.05)")  # fmt: skip
    found = asked(v, *domain)
    for dt, steps in ((3.0, 800), (100.0, 60), (1e6, 8)):
        run = v.run(*domain, f"solver={{method='fv', order=1, dt={dt}}}", f"time.end={dt * steps}",
                    f"output.every={dt}", "output.diagnostics=['survival']")  # fmt: skip
        total = dt * float(np.sum(run.diagnostics["survival"][1:]))
        v.equal(f"dt ΣSⁿ over ⟨ρ⁰, T⟩, steps of {dt:g}", total / found.mean_time, 1, 1e-11, "duality")


def asked(v: Validation, case: str, *overrides: str, solver: str = "1D exits", **question):
    """What `wgf.exits` finds."""
    found = wgf.exits(wgf.load(case, overrides), progress=False, **question)
    v.about("heat" if "heat" in case else "Fokker-Planck", case, solver)
    return found


def at(found, x: float, field: str = "mean_time") -> float:
    return float(CubicSpline(found.grid.x.centers, found.fields[field])(x))


def spot(found) -> float:
    places = found.grid.y.centers, found.grid.x.centers
    return float(RegularGridInterpolator(places, found.fields["mean_time"], method="cubic")([[0.5, -1.0]])[0])


def figure(well, path, banana, one, paths, two) -> None:
    well.semilogy(one.grid.x.centers, one.fields["mean_time"])
    well.set(xlabel="$x$", ylabel="$T(x)$", title=r"$(x^2-1)^2$ at 20 kT, absorbed at 1")
    x, density = paths.grid.x.centers, paths.fields["reactive_density"]
    path.plot(x, paths.fields["committor"], label="committor")
    path.plot(x, density / density.max(), label="reactive mass, scaled")
    path.legend()
    path.set(xlabel="$x$", title="from $x<-1$ to $x>1$ at 10 kT")
    x, y = two.grid.x.centers, two.grid.y.centers
    image = banana.pcolormesh(x, y, two.fields["mean_time"], rasterized=True)
    banana.figure.colorbar(image, ax=banana)
    v = (x**2 - 1) ** 2 + 2 * (y[:, None] - x**2 / 2) ** 2
    banana.contour(x, y, v, levels=np.linspace(0.1, 3, 8), colors="white", linewidths=0.5)
    banana.set(xlabel="$x$", ylabel="$y$", title="mean time out of a banana well")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
