"""Porous medium and fast diffusion at rest in any potential, and wells that keep the mass they have.

    U'(ρ) + V = C on each component of {ρ > 0}:

    ρ = [(m − 1)(C − V)_+/mκ]^{1/(m−1)},   m < 1: ρ = [(1 − m)(V − C)/mκ]^{−1/(1−m)}

Where C lies below a barrier of V, the components exchange nothing: each has its own C, by the mass that it happens to
have, and there is a continuum of steady states.  The discrete state is this formula at the cell centres, with C by the
sum of cells; that has no discretisation error, so that marches must end there to rounding.  The energy of the
continuous state, with C by quadrature, is met to the order of the grid.

Source: Carrillo, Jüngel, Markowich, Toscani, Unterreiter (2001), Monatsh. Math. 133, 1–82.
"""

import contextlib
import io
import json
import math

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

from wgfpde.claims import Validation
from wgfpde.cli import main, validate_script

TILT, CROSS = 0.2, 0.3
MASS, KAPPA = 1.5, 0.8
"""Of a filled potential: x⁴/4 − x²/2 + TILT x, in 2D + y² + CROSS xy."""
WET, SHALLOW = (0.2, 0.3), 0.1
"""The masses of the two wells of x⁴/4 − x²/2 (in 2D + y²/2), and κ there: C stays below V(0) = 0."""
JKO = "solver={method='jko', tau=2, tolerance=1e-10}"


def check(v: Validation) -> None:
    families = ((1, 1.5), (1, 2.0), (1, 3.0), (1, 4.0), (1, 0.75), (1, 0.5), (2, 2.0), (2, 3.0), (2, 0.75))
    shown = [filled(v, d, m, "solver.dt=1") for d, m in families]
    for d, m in families[:7] if v.full else ((1, 2.0), (1, 0.75)):
        filled(v, d, m, JKO)
    found(v)
    ends = [wells(v, 1, m, "solver.dt=0.5") for m in (2.0, 3.0, 4.0)]
    wells(v, 1, 2.0, JKO)
    wells(v, 2, 2.0, "solver.dt=0.5")
    v.draw(figure, shown[:4], ends[0], panels=2)


# ---- the formula ---------------------------------------------


def formula(c: float, potential, m: float, kappa: float):
    if m < 1:
        return ((1 - m) / (m * kappa) * (potential - c)) ** (-1 / (1 - m))
    return ((m - 1) / (m * kappa) * np.maximum(c - potential, 0.0)) ** (1 / (m - 1))


def constant(mass, bottom: float, m: float) -> float:
    """The C with mass(C) = 0: above the bottom of the potential, for m < 1 below."""
    low, high = (bottom, bottom + 50.0) if m > 1 else (bottom - 50.0, bottom - 1e-3)
    return brentq(mass, low, high, xtol=1e-15, rtol=1e-14)


def line(x, d: int, tilt: float, cross: float):
    """What is left of V where it is least along y."""
    return x**4 / 4 - x**2 / 2 + tilt * x - (cross * x / 2) ** 2 * (d == 2)


def energy(d: int, m: float, kappa: float, mass: float, tilt: float, cross: float, stiff: float, ends) -> tuple:
    """(C, E) by quadrature over x ∈ ends: E = CM − κ∫ρ^m, as κρ^m/(m − 1) + Vρ = Cρ − κρ^m.

    Along y, m > 1:  ∫(A − s y²)_+^q dy = A^{q+1/2} √(π/s) Γ(q+1)/Γ(q+3/2).
    """
    p, kept = 1 / (m - 1), ((m - 1) / (m * kappa)) ** (1 / (m - 1)) if m > 1 else 0.0

    def integral(c: float, q: float) -> float:
        if m < 1:
            return quad(lambda x: formula(c, line(x, d, tilt, cross), m, kappa) ** (q / p), *ends, epsabs=1e-13)[0]
        least = _bottom(d, tilt, cross, ends)
        left, right = (_edge(c, least, end, d, tilt, cross) for end in ends)
        power = q + (d - 1) / 2
        along = (math.sqrt(math.pi / stiff) * math.gamma(q + 1) / math.gamma(q + 1.5)) ** (d - 1)
        middle, half = (left + right) / 2, (right - left) / 2  # x = middle + half sin: no root at the ends

        def inside(angle: float) -> float:
            x = middle + half * math.sin(angle)
            return max(0.0, c - line(x, d, tilt, cross)) ** power * half * math.cos(angle)

        value = quad(inside, -math.pi / 2, math.pi / 2, epsabs=1e-12, limit=200)[0]
        return kept ** (q / p) * along * value

    bottom = float(line(_bottom(d, tilt, cross, ends), d, tilt, cross))
    c = constant(lambda c: integral(c, p) - mass, bottom + 1e-9 * (m > 1), m)
    return c, c * mass - kappa * integral(c, m * p)


def _bottom(d: int, tilt: float, cross: float, ends) -> float:
    x = np.linspace(*ends, 100001)
    return float(x[np.argmin(line(x, d, tilt, cross))])


def _edge(c: float, least: float, end: float, d: int, tilt: float, cross: float) -> float:
    """Where V = C between the bottom and the end, the outermost such place."""
    x = np.linspace(end, least, 20001)
    k = int(np.argmax(line(x, d, tilt, cross) < c))
    return brentq(lambda x: line(x, d, tilt, cross) - c, x[k - 1], x[k], xtol=1e-15) if k else end


# ---- the claims ---------------------------------------------


def state(d: int, m: float, half: float, kappa: float, mass: float, force: str, density: str) -> tuple[str, ...]:
    """A case on [−half, half]^d: its name and what differs."""
    return ("double_well_1d" if d == 1 else "double_well_2d", f"grid.shape={[(100, 48)[d - 1]] * d}",
            f"grid.lower={[-half] * d}", f"grid.upper={[half] * d}", f"energy.potential={force}",
            f"initial.density={density}", f"initial.mass={mass}",
            f"energy.internal={{kind='power', m={m}, kappa={kappa}}}")  # fmt: skip


def coordinates(run):
    x, y = run.centers[0], run.centers[1][:, None] if run.dim == 2 else 0.0
    return x, y, float(np.prod([edges[1] - edges[0] for edges in run.edges]))


def at_rest(potential, total: float, m: float, kappa: float):
    """The state of the cells: their sum is the total."""
    c = constant(lambda c: np.sum(formula(c, potential, m, kappa)) - total, np.min(potential), m)
    return formula(c, potential, m, kappa)


def filled(v: Validation, d: int, m: float, solver: str):
    half = 2.5 if m > 1 else 5.0
    force = f"x**4/4 - x**2/2 + {TILT}*x" + (f" + y**2 + {CROSS}*x*y" if d == 2 else "")
    bump = "exp(-4*(x - 0.5)**2" + (" - y**2)" if d == 2 else ")")
    run = v.run(*state(d, m, half, KAPPA, MASS, force, bump), "time.end=80", "output.every=80", solver)
    x, y, cell = coordinates(run)
    potential = x**4 / 4 - x**2 / 2 + TILT * x + (y**2 + CROSS * x * y if d == 2 else 0.0)
    expected = at_rest(potential, MASS / cell, m, KAPPA)
    off = cell * float(np.sum(np.abs(run.rho[-1] - expected)))
    # Rounding, after a time of 80; in 2D the last exponential of a slanted front, by JKO the root of the gap.
    bound = 1e-11 if d == 1 and solver != JKO else 1e-6
    v.at_most(f"{d}D, m = {m:g}, filled: L1 distance to the formula, C by the sum", off, bound, "at cell centres")
    if d == 1 or m > 1:  # without walls in the way of the integral along y
        _, least = energy(d, m, KAPPA, MASS, TILT, CROSS, 1.0, (-half, half))
        # Sums over centres of analytic functions, but for a kink of (C − V)^{m/(m−1)}: below order h² for any m.
        v.equal(f"{d}D, m = {m:g}, filled: energy", run.diagnostics["energy"][-1], least, cell ** (2 / d) / 20,
                "CM − κ∫ρ^m by quadrature")  # fmt: skip
    return run, expected


def found(v: Validation) -> None:
    """The same state from `wgfpde stationary`, which solves for it without a march."""
    case = state(1, 2.0, 2.5, KAPPA, MASS, f"x**4/4 - x**2/2 + {TILT}*x", "exp(-4*(x - 0.5)**2)")
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        main(["stationary", case[0], *(f"--set={change}" for change in case[1:]), "--out", str(v.runs / "states.h5"),
              "--no-plot", "--json"])  # fmt: skip
    v.about("porous medium with drift", case[0], "1D stationary")
    states = json.loads(text.getvalue())["states"]
    v.equal("1D, m = 2, filled: number of states", len(states), 1, 0, "V is connected below C")
    _, least = energy(1, 2.0, KAPPA, MASS, TILT, CROSS, 1.0, (-2.5, 2.5))
    v.equal("1D, m = 2, filled: energy of the state", states[0]["energy"], least, 0.05**2 / 20, "CM − κ∫ρ^m")


def wells(v: Validation, d: int, m: float, solver: str):
    distance = "hypot(x {} 1, y)" if d == 2 else "abs(x {} 1)"
    pools = f"where({distance.format('+')} < 0.3, {WET[0]}, where({distance.format('-')} < 0.3, {WET[1]}, 0))"
    force = "x**4/4 - x**2/2" + (" + y**2/2" if d == 2 else "")
    run = v.run(*state(d, m, 2.0, SHALLOW, sum(WET), force, pools), "time.end=160", "output.every=160", solver)
    x, y, cell = coordinates(run)
    potential = x**4 / 4 - x**2 / 2 + y**2 / 2 + 0 * x
    for side, name, ends in ((x < 0, "left", (-2.0, 0.0)), (x > 0, "right", (0.0, 2.0))):
        name, rho, ground = f"{d}D, m = {m:g}, {name} well", run.rho[-1][..., side], potential[..., side]
        mass, start = (cell * float(np.sum(run.rho[k][..., side])) for k in (-1, 0))
        # JKO steps are known to be minima up to their gap, and so is what they leave in the vacuum between the wells.
        v.equal(f"{name}: mass", mass, start, 1e-13 if solver != JKO else 1e-7, "nothing crosses")
        off = cell * float(np.sum(np.abs(rho - at_rest(ground, start / cell, m, SHALLOW))))
        # In 2D a cell whose V is hardly above C empties at a rate of 0.028: 2.5e-8 is left at 160 by steps of 0.05.
        bound = 1e-6 if solver == JKO else (1e-11 if d == 1 else 1e-7)
        v.at_most(f"{name}: L1 distance to its own formula", off, bound, "at cell centres")
        deepest = np.argmax(rho)
        level = SHALLOW * m / (m - 1) * rho.flat[deepest] ** (m - 1) + ground.flat[deepest]
        # The sum over cells of a kink (C − V)^{1/(m−1)} errs by h^{m/(m−1)} of its slope: of order h² for m = 2.
        v.equal(f"{name}: C", level, energy(d, m, SHALLOW, start, 0.0, 0.0, 0.5, ends)[0], cell ** (2 / d),
                "by its own mass")  # fmt: skip
    return run


def figure(one, two, shown, puddles) -> None:
    for m, (run, expected) in zip((1.5, 2, 3, 4), shown, strict=True):
        one.plot(run.centers[0], expected, "k-", lw=0.6)
        one.plot(run.centers[0], run.rho[-1], ".", ms=3, label=f"$m = {m:g}$")
    one.set(xlabel="$x$", ylabel=r"$\rho$", title="one component (lines: formula)")
    one.legend(frameon=False)
    x = puddles.centers[0]
    well = x**4 / 4 - x**2 / 2
    two.plot(x, well, "k-", lw=0.8, label="$V$")
    level = 2 * SHALLOW * puddles.rho[-1] + well
    two.fill_between(x, well, level, alpha=0.4, lw=0, label=r"$V + U'(\rho)$")
    two.set(xlabel="$x$", ylim=(-0.3, 0.3), xlim=(-2, 2), title="two wells, two levels, $m = 2$")
    two.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
