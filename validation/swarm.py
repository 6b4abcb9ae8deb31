"""Swarms of a known size: quadratic attraction against porous-medium pressure, and against repulsion that is singular.

Held together by W = x²/2, a swarm under pressure keeps Barenblatt's shape, as if in a trap around its own centre, and
settles at a known size.  Without any diffusion it comes to rest as (R² − x²)^¾ under W = x²/2 + 2|x|^(−½), while under
W = r²/2 − ln r a uniform disc stays one, and R² − 1 falls as e^{−2t}.  The JKO steps follow a recursion of their own.
"""

import numpy as np

from wgfpde.claims import Validation
from wgfpde.cli import validate_script
from wgfpde.energy.equations import disc_radius, profile_second_moment, self_similar_radius

# ∂tρ = Δρ² + θ∇·(ρ∇(x²/2)∗ρ), mass M: R' = −θMR + M R^{−d−1}, about a centre that rests; ∫|x − c|²ρ = c₂MR²
MASS, THETA = 1.5, 2.0
SHAPE = profile_second_moment(2.0, 1)
LINE = ("barenblatt_1d_m2", f"energy.interaction={THETA}*x**2/2", "grid.lower=[-1.8]", "grid.upper=[2.2]",
        f"initial.mass={MASS}", "initial.density=maximum(0, 1 - ((x - 0.3)/1.4)**2)", "exact.density=0*x + 0*t",
        "time.start=0", "time.end=0.4", "output.every=0.1")  # fmt: skip
START = 1.4 / 1.442249570307
"""R₀, by the half-width b R of the parabola."""
TAU = 0.05
REPULSION = ("aggregation_1d", "energy.interaction=x**2/2 + 2/sqrt(abs(x))", "grid.lower=[-3]", "grid.upper=[3]",
             "grid.shape=[200]", "initial.density=exp(-2*x**2)", "initial.mass=1", "exact.density=0*x + 0*t",
             "time.end=30", "output.every=10")  # fmt: skip


def check(v: Validation) -> None:
    runs = line(v)
    repulsion(v)
    plane(v)
    found = disc(v)
    v.draw(figure, runs, found, panels=2)


def line(v: Validation):
    """The front runs through a cell, which changes R by a part of h²; 5 % of θ would change it by 20 h²."""
    run = v.run(*LINE, "grid.shape=[160]", "solver.dt=0.0025")
    expected = float(self_similar_radius(0.4, START, 2.0, 1, THETA * MASS, MASS))
    v.equal("1D, ρ² and x²: size at t = 0.4", radius(run)[-1], expected, (4 / 160) ** 2, "ODE of R")
    v.equal("1D, ρ² and x²: centre", run.diagnostics["mean_x"][-1], 0.3, 1e-12, "symmetry of W")
    # all rates are 9 or more: e^{−36}
    rest = v.run(*LINE, "grid.shape=[160]", "solver.dt=0.02", "time.end=4", "output.every=4")
    v.equal("1D, ρ² and x²: size at rest", radius(rest)[-1], THETA ** (-1 / 3), (4 / 160) ** 2, "θMR³ = M")
    steps = v.run(*LINE, "grid.shape=[160]", f'solver={{method="jko", tau={TAU}}}')
    exact = jko_radius(START, 8, TAU, THETA * MASS, MASS, 1)
    v.equal("1D JKO, ρ² and x²: size after 8 steps", radius(steps)[-1], exact[-1], middle(exact) + (4 / 160) ** 2,
            "JKO recursion")  # fmt: skip
    return run


def repulsion(v: Validation) -> None:
    """∫(1 − y²)^¾ |x − y|^(−½) dy = B(¼, 7/4)(1 − x²/2): ξ is flat where R^2.5 = 2 B(¼, 7/4)/B(½, 7/4).

    Stiff as dt/h^1.5 = 6000 for the steps at the end: it is accuracy that decides how many there are.
    """
    from scipy.special import beta

    radius = (2 * beta(0.25, 1.75) / beta(0.5, 1.75)) ** 0.4
    run = v.run(*REPULSION, 'solver={method="fv", order=2, dt="adaptive", tolerance=1e-3}')
    v.equal("1D, x²/2 + 2|x|^(−½): variance at rest", run.diagnostics["variance_x"][-1], radius**2 / 4.5, 1e-3,
            "closed form")  # fmt: skip
    v.at_most("1D, x²/2 + 2|x|^(−½): steps to t = 30", len(run.steps["t"]), 100, "set by accuracy")


def plane(v: Validation) -> None:
    """Unit mass and θ = 1 about (0.2, −0.1), from R = 1/2, on the way to R = 1."""
    c2 = profile_second_moment(2.0, 2)
    start, h = 0.5, 3.2 / 64
    exact = jko_radius(start, 10, 0.02, 1.0, 1.0, 2)
    size = float(self_similar_radius(0.2, start, 2.0, 2, 1.0))
    for solver, table, expected, tolerance, source in (
        ("", "solver.dt=0.01", size, h**2, "ODE of R"),
        (" JKO", 'solver={method="jko", tau=0.02}', exact[-1], middle(exact) + h**2, "JKO recursion"),
    ):
        run = v.run("aggregation_diffusion_2d", "grid.shape=[64, 64]", table, "time.end=0.2", "output.every=0.2")
        for axis in "xy":
            found = np.sqrt(2 * run.diagnostics[f"variance_{axis}"][-1] / c2)
            v.equal(f"2D{solver}, ρ² and r²: size along {axis} at t = 0.2", found, expected, tolerance, source)


def disc(v: Validation):
    """Its edge, a jump, is smeared over a cell, so that the radius errs by a fraction of h: h/4."""
    run = v.run("aggregation_2d", "grid.shape=[96, 96]" if v.full else "grid.shape=[64, 64]", "solver.dt=0.04")
    h = 3 / len(run.centers[0])
    for t in (0.6, 2.0):
        moment = run.diagnostics["second_moment"][int(np.argmin(np.abs(run.t - t)))]
        v.equal(f"2D, r²/2 − ln r: radius at t = {t}", np.sqrt(2 * moment), float(disc_radius(t, 0.4)), h / 4,
                "closed form")  # fmt: skip
    # inside, away from the edge, the density is 1/π at rest; it tends there as e^{−2t}, from e^{−4} × 5 %
    x, y = run.centers
    inside = run.rho[-1][x[None, :] ** 2 + y[:, None] ** 2 < 0.7**2]
    expected = 1 / (np.pi * float(disc_radius(2, 0.4)) ** 2)
    v.equal("2D, r²/2 − ln r: mean density inside at t = 2", np.mean(inside), expected, 0.005 / np.pi, "ΔW = 2 − 2πδ")
    return run


def radius(run):
    return np.sqrt(run.diagnostics["variance_x"] / SHAPE)


def jko_radius(start: float, steps: int, tau: float, lam: float, mass: float, d: int):
    """(R − Rₙ)/τ + λR − M R^{−d−1} = 0."""
    from scipy.optimize import brentq

    found = [start]
    for _ in range(steps):
        before = found[-1]
        found.append(brentq(lambda r, before=before: (r - before) / tau + lam * r - mass / r ** (d + 1), 0.1, 3))
    return np.array(found)


def middle(sizes) -> float:
    """What the mid-point rule of the transport may err over all steps, as in jko_recursions."""
    change = np.abs(np.diff(sizes))
    return float(0.5 * np.sum(change**3 / np.minimum(sizes[1:], sizes[:-1]) ** 2))


def figure(density, disc, line, plane) -> None:
    for k in (0, 1, 2, -1):
        density.plot(line.centers[0], line.rho[k], label=f"$t = {line.t[k]:.1f}$")
        r = float(self_similar_radius(line.t[k], START, 2.0, 1, THETA * MASS, MASS))
        x = line.centers[0] - 0.3
        density.plot(line.centers[0], MASS / r * np.maximum(0, 0.520020955763 - (x / r) ** 2 / 4), "k--", lw=0.6)
    density.set(xlabel="$x$", ylabel=r"$\rho$", title="pressure and attraction (dashed: closed form)")
    density.legend(frameon=False)
    disc.pcolormesh(*plane.edges, plane.rho[-1], cmap="magma", rasterized=True)
    angle = np.linspace(0, 2 * np.pi, 200)
    disc.plot(np.cos(angle), np.sin(angle), "w--", lw=0.8)
    disc.set(aspect="equal", xlabel="$x$", ylabel="$y$", title=r"$W = r^2/2 - \ln r$, at rest")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
