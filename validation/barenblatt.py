"""Porous medium: Barenblatt's solutions for m = 3/2, 2, 3 and 4 in 1D and 2D; fronts that move at the right speed.

From a point source of mass M (κ = 1; n = d(m − 1) + 2, p = 1/(m − 1))

    ρ = t^{−d/n}(C − k|x|²t^{−2/n})_+^p = M R^{−d}F(|x|/R),    R^n = nM^{m−1}t,    k = (m − 1)/2mn,

with F(y) = [(m − 1)(b² − y²)_+/2m]^p, solves the equation exactly and ends in a front.  There schemes for degenerate
diffusion tend to fail: the front freezes, or the density ahead of it turns negative.  Its place, the moments, energies
and the distance travelled are followed over the whole run.  All constants are integrals of F that are done here.

Source: Vázquez (2007), The Porous Medium Equation, section 4.4, DOI 10.1093/acprof:oso/9780198569039.001.0001;
Otto (2001), DOI 10.1081/PDE-100002243, for |ρ'|² = c₂MR'² = −dE/dt.
"""

import math

import numpy as np
from scipy.integrate import quad, solve_ivp

from wgfpde.claims import Validation, fitted_order
from wgfpde.cli import validate_script
from wgfpde.energy.equations import (
    barenblatt,
    barenblatt_constant,
    profile_constant,
    profile_second_moment,
    self_similar,
    self_similar_radius,
)

# (d, m): b, F(0), c₂ = ∫|y|²F and A = ∫F^m/(m − 1); C of unit mass, by another hand.
TABLE = {
    (1, 1.5): (2.021411608540, 0.463784810594, 0.583729270163, 1.167458540326, 0.566983288817),
    (1, 2.0): (1.442249570307, 0.520020955763, 0.416016764610, 0.416016764610, 0.360562392577),
    (1, 3.0): (1.050075135809, 0.606261162328, 0.275664447711, 0.137832223855, 0.183776298474),
    (1, 4.0): (0.890435254870, 0.667439625651, 0.216238620850, 0.072079540283, 0.113201963128),
    (2, 1.5): (1.803207259534, 0.293683865497, 0.812889105209, 0.812889105209, 0.375750550596),
    (2, 2.0): (1.263237555492, 0.398942280401, 0.531923040535, 0.265961520268, 0.199471140201),
    (2, 3.0): (0.938643487427, 0.541926070139, 0.352420638596, 0.088105159649, 0.088943166629),
    (2, 4.0): (0.819722612495, 0.631618777746, 0.287976497758, 0.047996082960, 0.052972151015),
}  # fmt: skip
MASS, START, END = 2.0, 0.75, 1.25
"""The scale R runs from START to END."""
VACUUM = 1e-3
"""Cells above this part of the peak belong to the support.  Beyond the front an implicit step leaves a tail that
falls doubly exponentially, ρ_{j+1} ∝ ρ_j^m h²/dt: two or three cells above rounding, none above this."""


class Family:
    """The integrals of F by quadrature: ∫₀¹ y^j (1 − y²)^q, with the singular factor (1 − y)^q as its weight."""

    def __init__(self, d: int, m: float) -> None:
        self.d, self.m, self.p, self.a, self.n = d, m, 1 / (m - 1), (m - 1) / (2 * m), d * (m - 1) + 2
        sphere = 2.0 if d == 1 else 2 * math.pi
        whole, square, power = (_beta(j, q) for j, q in ((d - 1, self.p), (d + 1, self.p), (d - 1, m * self.p)))
        self.b = (sphere * self.a**self.p * whole) ** (-1 / (2 * self.p + d))
        self.peak = (self.a * self.b**2) ** self.p
        self.c2, self.energy = self.b**2 * square / whole, self.peak ** (m - 1) / (m - 1) * power / whole
        self.k = (m - 1) / (2 * m * self.n)
        self.c = (sphere * self.k ** (-d / 2) * whole) ** (-1 / (self.p + d / 2))  # of unit mass
        y = np.linspace(0, 1, 10001)[:-1]  # ∫|ΔF| is twice the greatest flux, where F has a second derivative
        self.bend = 2 * sphere * np.max(y ** (d - 1) * 2 * y * (1 - y**2) ** (self.p - 1)) * self.p * self.peak
        self.bend *= self.b ** (d - 2)
        self.rim = sphere * self.b ** (d - 1) * (2 * self.a * self.b) ** self.p / (self.p + 1)

    def unit(self, h: float, radius):
        """m ≥ 2: the mass of the outermost cells, ∫₀^h ρ from the front.

        m < 2: (h²/12)∫|Δρ| of the start, the error of second differences, as ρ has a second derivative.
        """
        if self.m < 2:
            return MASS * self.bend * (h / START) ** 2 / 12
        return MASS * self.rim * (h / radius) ** (self.p + 1)


def _beta(j: int, q: float) -> float:
    return quad(lambda y: (1 + y) ** q, 0, 1, weight="alg", wvar=(j, q), epsabs=0, epsrel=1e-13)[0]


def check(v: Validation) -> None:
    constants(v)
    shown = {}
    for (d, m), _ in TABLE.items():
        f, name = Family(d, m), f"{d}D, m = {m:g}"
        cells = {1: (64, 128), 2: (32, 64)}[d] if not v.full else {1: (64, 128, 256, 512), 2: (32, 64, 128)}[d]
        runs = [solve(v, f, n) for n in cells]
        widths = [run.edges[0][1] - run.edges[0][0] for run in runs]
        for n, h, run in zip(cells, widths, runs, strict=True):
            # What the kink of the front spoils is a part of the outermost cells; a scheme of order 1 there, such as
            # an upwind one, loses several of them, and a frozen front all that is outside, 0.3.
            error = np.max((run.diagnostics["error_l1"] / f.unit(h, scale(f, run.t)))[1:])
            of = "(h²/12)‖Δρ‖₁" if m < 2 else "the outermost cells"
            v.at_most(f"{name}, {n} cells: L1 error over {of}, largest", error, 0.5, "closed form")
        if m == 1.5:  # smooth: ρ and its slope vanish at the front
            v.at_least(f"{name}: order of the L1 error", fitted_order(widths, [e_end(run) for run in runs]), 1.9)
        laws(v, name, f, runs[-1])
        shown[d, m] = f, runs[-1]
    v.draw(figure, shown, panels=3)


def constants(v: Validation) -> None:
    """The closed forms of `wgfpde.energy.equations` that other scripts take, and the tabled digits, by quadrature."""
    v.about("porous medium", "", "closed forms")
    tabled, forms = [], []
    for (d, m), row in TABLE.items():
        f = Family(d, m)
        found = f.b, f.peak, f.c2, f.energy, f.c
        tabled += [abs(value - other) for value, other in zip(found, row, strict=True)]
        closed = (profile_constant(m, d), float(self_similar(np.zeros(1), 1.0, m, d)[0]),
                  profile_second_moment(m, d), barenblatt_constant(m, d))  # fmt: skip
        forms += [abs(value / other - 1) for value, other in zip(closed, (*found[:3], f.c), strict=True)]
        for lam in (0.0, 0.7):
            ode = solve_ivp(lambda t, r, d=d, m=m, lam=lam: -lam * r + MASS ** (m - 1) * r ** (-d * (m - 1) - 1),
                            (0, 1), [START], rtol=1e-12, atol=1e-13)  # fmt: skip
            radius = float(self_similar_radius(1.0, START, m, d, lam, MASS))
            forms.append(abs(radius / ode.y[0, -1] - 1))
    v.at_most("b, F(0), c₂, A and C by quadrature: off the 12 decimals tabled", max(tabled), 5.1e-13, "table")
    v.at_most("closed forms of b, F(0), c₂, C and R(t): off quadrature and the ODE of R", max(forms), 1e-10, "scipy")


def solve(v: Validation, f: Family, n: int):
    """ρ as t^{−α}(C − k|x|²t^{−2β})^p from t₀ on, where R = START."""
    first, last = (r**f.n / (f.n * MASS ** (f.m - 1)) for r in (START, END))
    c = f.c * MASS ** (2 * (f.m - 1) / f.n)
    rho = f"maximum(0, {c!r} - {f.k!r}*r**2*TIME**{-2 / f.n!r})**{f.p!r}*TIME**{-f.d / f.n!r}"
    box = 1.25 * f.b * END
    sides = {key: ", ".join([str(value)] * f.d) for key, value in (("shape", n), ("lower", -box), ("upper", box))}
    return v.run("barenblatt_1d_m2" if f.d == 1 else "barenblatt_2d_m3",
                 *(f"grid.{key}=[{value}]" for key, value in sides.items()), f"energy.internal.m={f.m}",
                 f"initial.density={rho.replace('TIME', f'({first!r})')}", f"exact.density={rho.replace('TIME', 't')}",
                 f"time.start={first!r}", f"time.end={last!r}", f"output.every={(last - first) / 10!r}",
                 f"solver.dt={(last - first) / n!r}",
                 f"output.diagnostics={['w2_previous'] if f.d == 1 else []}")  # fmt: skip


def scale(f: Family, t):
    return (f.n * MASS ** (f.m - 1) * t) ** (1 / f.n)


def e_end(run) -> float:
    return float(run.diagnostics["error_l1"][-1])


def laws(v: Validation, name: str, f: Family, run) -> None:
    h, q, d, m = run.edges[0][1] - run.edges[0][0], f.d * (f.m - 1), run.diagnostics, f.m
    radius = scale(f, run.t)
    # Where ρ falls below VACUUM of its peak, a little inside the front: in the outermost cell above that, or beside it.
    front = math.sqrt(f.c / f.k * (1 - VACUUM ** (m - 1))) * MASS ** ((m - 1) / f.n) * run.t ** (1 / f.n)
    off = max((wet_radius(run, k) - front[k] for k in range(len(run))), key=abs)
    v.equal(f"{name}: front minus √(C/k) t^β, worst of {len(run)} times", off, 0.0, 2 * h, "two cells")
    # Averages over cells have a second moment larger by dMh²/12, and the scheme keeps d/dt ∫|x|²ρ = 2d ∫ρ^m: what
    # is left at the end is of that size, of either sign.  Steep fronts, m > 2, add a part of their outermost cells.
    steep = f.unit(h, radius) * (f.b * radius) ** 2 / 20 if m > 2 else 0 * radius
    moment, off = f.c2 * MASS * radius**2, f.d * MASS * h**2 / 6
    v.equal(f"{name}: ∫|x|²ρ at the end", d["second_moment"][-1], moment[-1], off + steep[-1], "c₂MR²")
    # By convexity averages have less energy, by (h²/24)m∫ρ^{m−2}|∇ρ|² = (dh²/24) M^m R^{−q−2} with q = d(m − 1).  That
    # is so at the start; later the width, which lags behind for the same reason, makes up for a part of it.
    law = f.energy * MASS**m * radius**-q
    spread = f.d * h**2 / 20 * MASS**m * radius ** (-q - 2) + q / 2 * law * steep / moment
    k = np.argmax(np.abs(d["energy"] - law) / spread)
    v.equal(f"{name}: energy over A M^m R^(−d(m−1)), worst", d["energy"][k] / law[k], 1.0, spread[k] / law[k],
            "A by quadrature")  # fmt: skip
    # |ρ'|² = c₂MR'² = −dE/dt; the scheme's own Σ M|Δξ|²/d, less exact near the front, an O(h²) of the strip there.
    speed = f.c2 * MASS * (MASS ** (m - 1) * radius ** (-q - 1)) ** 2
    v.equal(f"{name}: dissipation over c₂MR'² at the end", d["dissipation"][-1] / speed[-1], 1.0,
            h / (4 * f.b * radius[-1]), "identity")  # fmt: skip
    if f.d == 1:
        # A geodesic: steps of the path add up.  Averages, constant on cells, are wider by δR = h²/(12 c₂R).
        path = np.sum(d["w2_previous"][1:])
        v.equal(f"{name}: W₂ travelled", path, math.sqrt(f.c2 * MASS) * (radius[-1] - radius[0]),
                math.sqrt(f.c2 * MASS) * h**2 / (12 * f.c2 * START), "√(c₂M)|R₁ − R₀|")  # fmt: skip


def wet_radius(run, k: int) -> float:
    """The outer edge of the cells above VACUUM, measured along the x axis."""
    rho = run.rho[k] if run.dim == 1 else np.max(run.rho[k], axis=0)
    wet = np.flatnonzero(rho > VACUUM * np.max(rho))
    return float(run.edges[0][wet[-1] + 1] - run.edges[0][wet[0]]) / 2


def figure(line, plane, moments, shown) -> None:
    for axes, d, m in ((line, 1, 2.0), (plane, 2, 3.0)):
        f, run = shown[d, m]
        x = np.linspace(*run.edges[0][[0, -1]], 2001)
        row = run.rho[0].shape[0] // 2 if d == 2 else None
        y = 0.0 if row is None else run.centers[1][row]
        for k in (0, 1, 4, -1):
            exact = barenblatt(run.t[k], np.hypot(x, y), m, d, MASS)
            axes.plot(x, exact, "k-", lw=0.6)
            values = run.rho[k] if row is None else run.rho[k][row]
            axes.plot(run.centers[0], values, ".", ms=3, label=f"$R = {scale(f, run.t[k]):.2g}$")
        axes.set(xlabel="$x$", ylabel=r"$\rho$" if d == 1 else r"$\rho(x, y \approx 0)$",
                 title=f"{d}D, $m = {m:g}$ (lines: Barenblatt)")  # fmt: skip
        axes.legend(frameon=False)
    for k, ((d, m), (f, run)) in enumerate(shown.items()):
        radius = scale(f, run.t)
        moments.plot(radius, run.diagnostics["second_moment"], "o" if d == 1 else "s", ms=4, c=f"C{k % 4}",
                     label=f"{d}D, $m = {m:g}$")  # fmt: skip
        moments.plot(radius, f.c2 * MASS * radius**2, "k-", lw=0.7)
    moments.set(xlabel="$R(t)$", ylabel=r"$\int|x|^2\rho$", title="second moment and $c_2MR^2$")
    moments.legend(frameon=False, ncols=2, fontsize="small")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
