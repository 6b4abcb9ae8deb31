"""Fast diffusion, m < 1: algebraic tails, free and in a trap, in 1D and 2D.

    ρ = M R^{−d}F(|x|/R),   F(y) = [(1 − m)(b² + y²)/2m]^{−p},   p = 1/(1 − m),   R' = −λR + M^{m−1}R^{d(1−m)−1}

solves ∂t ρ = Δρ^m + λ∇·(xρ).  F falls like |y|^{−2p}: a box [−L, L]^d holds all but a part of its mass, and walls send
back what would leave.  That part is integrated here and allowed for; everything else errs at order h².

Source: Carrillo, Vázquez (2003), Comm. Partial Differential Equations 28, 1023–1056.  Mass and constants by quadrature.
"""

import math

import numpy as np
from scipy.integrate import quad

from wgfpde.claims import Validation, fitted_order
from wgfpde.cli import validate_script
from wgfpde.energy.equations import profile_constant, profile_second_moment, self_similar, self_similar_radius

TABLE = {
    (1, 0.50): (1.845270148644, 0.345000851412, 3.405021921477),
    (1, 0.75): (2.776610650116, 0.366847125558, 1.541913340468),
    (2, 0.75): (3.327404527836, 0.086250212853, 5.535810445932),
    (2, 0.60): (3.196101651142, 0.046741238900, 20.430131528861),
}
"""(d, m): b, F(0) and c₂ = ∫|y|²F."""
BOXES = {(1, 0.5): (40.0, (200, 400), 800), (1, 0.75): (20.0, (100, 200), 400),
         (2, 0.75): (12.0, (32, 64), 128), (2, 0.6): (20.0, (48, 80), 128)}  # fmt: skip
"""L, cells of the quick set, and finer ones."""
MASS, START = 2.0, 0.6


def check(v: Validation) -> None:
    constants(v)
    families = TABLE if v.full else list(TABLE)[:3]
    shown = [flow(v, d, m, lam) for (d, m) in families for lam in (1.0, 0.0)]
    v.draw(figure, shown[2], shown[4], panels=2)


def constants(v: Validation) -> None:
    v.about("fast diffusion", "", "closed forms")
    tabled, forms = [], []
    for (d, m), row in TABLE.items():
        p, sphere = 1 / (1 - m), 2 * math.pi ** (d - 1)
        whole, square = (sphere * quad(lambda y, k=k, p=p: y**k * (1 + y**2) ** -p, 0, np.inf, epsabs=0)[0]
                         for k in (d - 1, d + 1))  # fmt: skip
        # ∫F = ((1 − m)/2m)^{−p} b^{d−2p} whole = 1
        b = (((1 - m) / (2 * m)) ** p / whole) ** (1 / (d - 2 * p))
        found = b, ((1 - m) / (2 * m) * b**2) ** -p, b**2 * square / whole
        tabled += [abs(value / other - 1) for value, other in zip(found, row, strict=True)]
        closed = (profile_constant(m, d), float(self_similar(np.zeros(1), 1.0, m, d)[0]),
                  profile_second_moment(m, d))  # fmt: skip
        forms += [abs(value / other - 1) for value, other in zip(closed, found, strict=True)]
    v.at_most("b, F(0) and c₂ by quadrature: off the digits tabled, relative", max(tabled), 1e-10, "table")
    v.at_most("closed forms of b, F(0), c₂: off quadrature, relative", max(forms), 1e-10, "scipy")


def flow(v: Validation, d: int, m: float, lam: float):
    box, cells, finer = BOXES[d, m]
    cells = (*cells, finer) if v.full else cells
    runs = [solve(v, d, m, lam, n) for n in cells]
    name = f"{d}D, m = {m:g}, {'trap' if lam else 'free'}"
    widths = [2 * box / n for n in cells]
    lost = 2 * tail(d, m, box / radius_of(d, m, lam, runs[0].t))  # what is outside, and what the walls send back
    for n, h, run in zip(cells, widths, runs, strict=True):
        error = np.max((run.diagnostics["error_l1"] / (curved(d, m) * (h / START) ** 2 / 12 + lost))[1:])
        v.at_most(f"{name}, {n} cells: L1 error over (h²/12)‖Δρ‖₁ + 2 tails, largest", error, 0.5, "closed form")
    if d == 1 and lam:  # here the tails are too small to be seen
        ends = [run.diagnostics["error_l1"][-1] for run in runs]
        v.at_least(f"{name}: order of the L1 error", fitted_order(widths, ends), 1.85, "order 2")
    laws(v, name, d, m, lam, runs[-1])
    return d, m, lam, runs[-1]


def solve(v: Validation, d: int, m: float, lam: float, n: int):
    box, n_, k = BOXES[d, m][0], d * (m - 1) + 2, MASS ** (m - 1)
    squared = (f"(({k / lam!r} + ({START**n_ - k / lam!r})*exp(-{n_ * lam!r}*TIME))**{2 / n_!r})" if lam
               else f"(({START**n_!r} + {n_ * k!r}*TIME)**{2 / n_!r})")  # fmt: skip
    a, b, p = (1 - m) / (2 * m), profile_constant(m, d), 1 / (1 - m)
    rho = f"{MASS!r}*({a!r}*({b**2!r} + r**2/{squared}))**(-{p!r})/{squared}**{d / 2}"
    sides = {key: ", ".join([str(value)] * d) for key, value in (("shape", n), ("lower", -box), ("upper", box))}
    return v.run("barenblatt_1d_m2" if d == 1 else "barenblatt_2d_m3",
                 *(f"grid.{key}=[{value}]" for key, value in sides.items()), f"energy.internal.m={m}",
                 *([f"energy.potential={lam!r}*r**2/2"] if lam else []),
                 f"initial.density={rho.replace('TIME', '0')}", f"exact.density={rho.replace('TIME', 't')}",
                 "time.end=1", "output.every=0.1", f"solver.dt={1 / (n if d == 2 else 100)}")  # fmt: skip


def radius_of(d: int, m: float, lam: float, t):
    return self_similar_radius(t, START, m, d, lam, MASS)


def curved(d: int, m: float) -> float:
    """∫|Δρ| of the start, times START²: twice the greatest flux of ∇F through a sphere."""
    y = np.linspace(0, 20, 20001)
    slope = np.abs(np.gradient(self_similar(y, 1.0, m, d, MASS), y))
    return 4 * math.pi ** (d - 1) * float(np.max(y ** (d - 1) * slope))


def tail(d: int, m: float, reach):
    """The mass farther than reach from the centre, R = 1."""
    values = [quad(lambda y: y ** (d - 1) * self_similar(np.array(y), 1.0, m, d, MASS), x, np.inf)[0] for x in reach]
    return 2 * math.pi ** (d - 1) * np.array(values)


def laws(v: Validation, name: str, d: int, m: float, lam: float, run) -> None:
    h, b, p, found = run.edges[0][1] - run.edges[0][0], profile_constant(m, d), 1 / (1 - m), run.diagnostics
    radius, box = radius_of(d, m, lam, run.t), BOXES[d, m][0]
    # The four cells, or two, around the centre lie √d h/2 away; averages and the scheme err by h²Δρ/12.
    peak = self_similar(np.sqrt(d) * h / 2, radius[-1], m, d, MASS)
    at = p * d * h**2 / (6 * b**2 * radius[-1] ** 2)
    v.equal(f"{name}: peak over M R^(−d)F at the end", found["max"][-1] / peak, 1.0, at, "R(t)")
    x = run.centers[0]
    r = np.abs(x) if d == 1 else np.hypot(x, x[:, None])
    within = [self_similar(r, scale, m, d, MASS) for scale in radius]  # sums of analytic functions: exact but for walls
    out, k = tail(d, m, box / radius), -1
    # Averages over cells have a second moment larger by dMh²/12; a tail that the walls send back was at L.
    square = h**d * np.array([np.sum(r**2 * rho) for rho in within])
    v.equal(f"{name}: ∫|x|²ρ in the box at the end", found["second_moment"][k], square[k],
            d * MASS * h**2 / 6 + out[k] * box**2, "quadrature")  # fmt: skip
    # By convexity, (h²/24)m∫ρ^{m−2}|∇ρ|² = (dh²/24)M^m R^{−d(m−1)−2}, most at the start; a tail at L has U'(ρ(L)).
    energy = -(h**d) * np.sum(within[k] ** m) / (1 - m)
    wall = m / (1 - m) * float(self_similar(np.array(box), radius[k], m, d, MASS)) ** (m - 1)
    v.equal(f"{name}: −∫ρ^m/(1 − m) in the box at the end", found["energy_internal"][k], energy,
            d * h**2 / 20 * MASS**m * START ** (-d * (m - 1) - 2) + wall * out[k], "quadrature")  # fmt: skip
    # ρ|∇ξ|² = (R'/R)²|x|²ρ.  A relative error ε of ∫|x|²ρ is one of ε/2 in R and, R'/R + λ being ∝ R^{−n}, of
    # nε(R'/R + λ)/2 in the rate itself: small differences, near rest.
    rate = -lam + MASS ** (m - 1) * radius ** (d * (1 - m) - 2)
    part = (d * MASS * h**2 / 6 + 4 * out[3] * box**2) / square[3]
    part *= 1 + (d * (m - 1) + 2) * (rate[3] + lam) / abs(rate[3]) / 2
    v.equal(f"{name}: dissipation over (R'/R)²∫|x|²ρ at t = 0.3", found["dissipation"][3] / (rate[3] ** 2 * square[3]),
            1.0, part, "−dE/dt")  # fmt: skip


def figure(line, plane, one, two) -> None:
    for axes, (d, m, lam, run) in ((line, one), (plane, two)):
        y = 0.0 if d == 1 else run.centers[1][run.rho[0].shape[0] // 2]
        x = np.linspace(*run.edges[0][[0, -1]], 2001)
        for k in (0, 3, -1):
            values = run.rho[k] if d == 1 else run.rho[k][run.rho[0].shape[0] // 2]
            axes.semilogy(run.centers[0], values, ".", ms=3, label=f"$t = {run.t[k]:.1f}$")
            exact = self_similar(np.hypot(x, y), float(radius_of(d, m, lam, run.t[k])), m, d, MASS)
            axes.semilogy(x, exact, "k-", lw=0.6)
        axes.set(xlabel="$x$", ylabel=r"$\rho$", title=f"{d}D, $m = {m:g}$, in a trap (lines: closed form)")
        axes.legend(frameon=False)


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
