"""JKO steps of power laws: Barenblatt's profiles follow the exact recursion of their widths, for m from 3/4 to 4.

Among the profiles ρ = M R^{−d}F((x − c)/R) the distance is W₂² = M(c₂(R − Rₙ)² + |c − cₙ|²), and the minimiser of
½W₂²(ρⁿ, ·) + τE with V = λ|x|²/2 is one of them:

    (R − Rₙ)/τ + λR − M^{m−1}R^{−d(m−1)−1} = 0,    c = cₙ/(1 + λτ)

One inner step takes the density of the transport at its mid-point.  A step then errs by a part (ΔR/R)² of ΔR: 0.2 of
that for m = 2, 0.9 for m = 3 and 1.4 for m = 4 were measured, 10 to 100 times less than what the recursion differs from
the equation.  More inner steps, of the first-order method, leave none.

Source: Otto (2001), DOI 10.1081/PDE-100002243; Jordan, Kinderlehrer, Otto (1998), DOI 10.1137/S0036141096303359.
"""

import numpy as np
from scipy.optimize import brentq

from wgfpde.claims import Validation
from wgfpde.cli import validate_script
from wgfpde.energy.equations import profile_constant, profile_second_moment, self_similar

MASS, START, COUNT, CENTRE = 2.0, 0.75, 8, 0.3
LINE = ((1, 1.5, 1.0), (1, 2.0, 1.0), (1, 3.0, 0.0), (1, 0.75, 1.0))
PLANE = ((2, 2.0, 1.0),)
MORE = ((1, 4.0, 1.0), (2, 1.5, 0.0), (2, 3.0, 1.0), (1, 1.5, 0.0), (1, 3.0, 1.0), (1, 4.0, 0.0), (2, 1.5, 1.0),
        (2, 3.0, 0.0), (2, 4.0, 1.0))  # fmt: skip
"""d, m, λ."""
DISC = (0.250082, 1e-3, 0.324562891)
"""R₀, τ and R₁ of a paraboloid ρ = 2(1 − |x|²/R²)₊/πR², m = 2 in 2D: (R₁ − R₀)/3τ = 8/(3πR₁³)."""


def check(v: Validation) -> None:
    shown = [recursion(v, d, m, lam) for d, m, lam in (*LINE, *PLANE, *(MORE if v.full else ()))]
    for d, m in ((1, 1.5), (1, 2.0), (1, 3.0), (1, 4.0), (2, 3.0), *(((2, 1.5), (2, 2.0), (2, 4.0)) if v.full else ())):
        dilation(v, d, m)
    inner_steps(v)
    v.draw(figure, shown[1], shown[2], panels=2)


def profile(d: int, m: float, radius: float, centre: float) -> str:
    """The density in x and y of a profile around (centre, 0)."""
    a, b, sign = abs(m - 1) / (2 * m), profile_constant(m, d), "-" if m > 1 else "+"
    square = f"(x - {centre})**2" + (" + y**2" if d == 2 else "")
    return f"{MASS}*maximum(0, {a!r}*({b**2!r} {sign} ({square})/{radius**2!r}))**({1 / (m - 1)!r})/{radius**d!r}"


def solve(v: Validation, case: str, d: int, n: int, box: float, *changes: str):
    sides = {"shape": [n] * d, "lower": [-box] * d, "upper": [box] * d}
    return v.run(case, *(f"grid.{key}={value}" for key, value in sides.items()), *changes)


def recursion(v: Validation, d: int, m: float, lam: float):
    """COUNT steps of which the first would change R by a tenth at its first speed."""
    power, k, c2 = -d * (m - 1) - 1, MASS ** (m - 1), profile_second_moment(m, d)
    tau = 0.1 * START / (k * START**power - lam * START)
    widths = [START]
    for _ in range(COUNT):
        widths.append(brentq(lambda r, last=widths[-1]: (r - last) / tau + lam * r - k * r**power, 0.5 * START,
                             2 * START, xtol=1e-14))  # fmt: skip
    box = 1.2 * profile_constant(m, d) * max(widths) + CENTRE if m > 1 else 25.0
    coarse, fine = (solve(v, "jko_gaussian_1d" if d == 1 else "jko_barenblatt_2d", d, n, box,
                          f"energy.internal={{kind='power', m={m}}}", f"energy.potential={lam}*r**2/2",
                          f"initial.density={profile(d, m, START, CENTRE)}",
                          f"solver={{method='jko', tau={tau!r}, tolerance=1e-9}}", f"time.end={COUNT * tau!r}",
                          f"output.every={tau!r}") for n in ({1: (200, 400), 2: (48, 96)}[d]))  # fmt: skip
    first, second = (np.sqrt(sum(run.diagnostics[f"variance_{x}"] for x in "xy"[:d]) / c2) for run in (coarse, fine))
    found, name = (4 * second - first) / 3, f"{d}D, m = {m:g}, λ = {lam:g}"  # averages widen a profile by h²/12
    change, size = np.abs(np.diff(widths)), np.minimum(widths[1:], widths[:-1])
    # The mid-point, twice what was measured for m = 2 and half as much again for m = 4; a tail below 1e-4 of R.
    at = 0.15 * m**2 * np.sum(change**3 / size**2)
    v.equal(f"{name}: R after {COUNT} steps", found[-1], widths[-1], at, "recursion")
    centres = CENTRE / (1 + lam * tau) ** np.arange(COUNT + 1)
    moved = np.abs(np.diff(centres))
    # Likewise of a shift; and the root of the gap, 3e-5, of one on which little depends.
    v.equal(f"{name}: centre after {COUNT} steps", fine.diagnostics["mean_x"][-1], centres[-1],
            0.15 * m**2 * np.sum(moved * (change**2 + moved**2) / size**2) + 3e-5, "c/(1 + λτ)ⁿ")  # fmt: skip
    return d, m, widths, fine


def dilation(v: Validation, d: int, m: float) -> None:
    """W₂² = c₂M(R₁ − R₂)²: exact between cells in 1D; by Benamou and Brenier in 2D, errors of order h² and 1/N²."""
    ends = 0.5, 0.8
    box = 1.25 * profile_constant(m, d) * ends[1]
    expected, values = profile_second_moment(m, d) * MASS * (ends[1] - ends[0]) ** 2, []
    for n in (100, 200) if d == 1 else (24, 48):
        inner = f"solver.inner_steps={n // 4}"
        run = solve(v, "double_well_1d" if d == 1 else "double_well_2d", d, n, box, "solver={method='geodesic'}", inner,
                    f"initial.density={profile(d, m, ends[0], 0.0)}", f"initial.mass={MASS}",
                    f"target.density={profile(d, m, ends[1], 0.0)}", "time.end=1", "output.every=1")  # fmt: skip
        values.append(float(np.sum(np.sqrt(2 * run.steps["transport"]))) ** 2)
    # 1D: averages, taken for constant on cells, widen by h²/6 each: relative h²/(6c₂R₁R₂).  The rule leaves a part.
    h = 2 * box / 200
    part = h**2 / (30 * profile_second_moment(m, d) * ends[0] * ends[1]) if d == 1 else 0.01
    v.equal(f"{d}D, m = {m:g}: W₂² of a dilation, extrapolated", (4 * values[1] - values[0]) / 3, expected,
            part * expected, "c₂M(R₁ − R₂)²")  # fmt: skip


def inner_steps(v: Validation) -> None:
    """A step of 30 %: with eight inner steps its mid-point errs 64 times less, from 1.5e-3; in h order 2, removed."""
    runs = [v.run("jko_barenblatt_2d", f"grid.shape=[{n}, {n}]", f"params.q={DISC[0] ** 4!r}",
                  f"solver={{method='jko', tau={DISC[1]}, algorithm='pdhg', inner_steps=8, tolerance=1e-5}}",
                  f"time.end={DISC[1]}", f"output.every={DISC[1]}")
            for n in ((32, 64, 128) if v.full else (32, 64))]  # fmt: skip
    width = [np.sqrt(3 * run.diagnostics["second_moment"][-1]) for run in runs]  # c₂ = R²/3 of a paraboloid
    v.equal("2D, m = 2: R after a step of 30 %, 8 inner steps, extrapolated", (4 * width[-1] - width[-2]) / 3, DISC[2],
            3e-5, "(R₁ − R₀)/3τ = 8/(3πR₁³)")  # fmt: skip
    peak = [run.diagnostics["max"][-1] for run in runs]
    # Of 1 − r²/R² the averages beside the centre lie h²(1/2 + 1/12 · 2)/R² below 1: removed likewise.
    v.equal("2D, m = 2: peak after it, extrapolated", (4 * peak[-1] - peak[-2]) / 3, 2 / (np.pi * DISC[2] ** 2), 2e-3,
            "2/πR₁²")  # fmt: skip


def figure(left, right, one, two) -> None:
    for axes, (d, m, widths, run) in ((left, one), (right, two)):
        x = np.linspace(*run.edges[0][[0, -1]], 2001)
        lam = run.diagnostics["mean_x"][-1] / CENTRE
        for k in (0, 1, 4, COUNT):
            centre = CENTRE * lam ** (k / COUNT)
            axes.plot(x, self_similar(np.abs(x - centre), widths[k], m, d, MASS), "k-", lw=0.6)
            axes.plot(run.centers[0][::4], run.rho[k][::4], ".", ms=4, label=f"step {k}")
        axes.set(xlabel="$x$", ylabel=r"$\rho$", title=f"JKO steps, $m = {m:g}$ (lines: recursion)")
        axes.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
