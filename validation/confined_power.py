"""Porous medium in a trap, or held together by attraction: profiles that move, breathe and come to rest.

In V = λ|x|²/2 a profile ρ = M R^{−d}F((x − c)/R), F(y) = [(m − 1)(b² − |y|²)_+/2m]^{1/(m−1)}, keeps its form:

    R' = −λR + κM^{m−1}R^{−d(m−1)−1},    c = c(0)e^{−λt}

and W = θ|x|²/2 acts on R as λ = θM and leaves c.  Fronts move against the grid while the support grows or shrinks, with
vacuum on both sides of a drift; mean mobilities lose the sign there, upwind ones the order.

For m < 2 the L1 error is held against what the scheme's fluxes F_h let in, with no fitted constant.  With ρ̄ the exact
averages over cells of width h, e the errors, ΔF = F_h(ρ̄ + e) − F_h(ρ̄), and hτ the divergence of F_h(ρ̄) − F,

    h e_i' = −(ΔF_{i+½} − ΔF_{i−½}) − hτ_i,

and times sign e_i, summed by parts over the faces,

    d/dt ‖e‖₁ ≤ ‖τ‖₁ + Σ ΔF_{i+½} (sign e_{i+1} − sign e_i).

So ‖e(t)‖₁ ≤ ∫₀^t ‖τ‖₁ where no face takes ΔF from an error of one sign up to one of the other.  Monotone fluxes never
do; those of 1.4 < m < 2 are monotone where the drift points to the higher density, but where ρ_i ≪ ρ_{i+1} and M is
near the donor.  That no face does is therefore a claim of its own, at the snapshots.  Steps in time add 1 % to e.

No multiple of (h²/12)‖Δρ‖₁ stands in for it: M turns to the donor where |ΔΦ| > 2 min p', which is some cells of every
front that recedes (five for R = 2 in 1D), as diffusion is weak there.  In ‖τ‖₁ they count O(h²) like those inside, but
for R = 2 twice as much.

For m > 2, p = 1/(m − 1), the relative error of the flux has no bound near a front, ρ = A s^p at the distance s.  Where
the pressure pushes it outward at the speed c and the drift pulls inward at g, Taylor's formula for ρ̄, p and M_e gives

    F_h(ρ̄) − F = −(1 − p)(2p g + (1 − 2p) c) A h² s^{p−2}/24,      F = A s^p (g − c).

A perturbation q of U' follows q_t = (m − 1) c s^{1−p} (s^p q_s)_s: it is at rest in cells up to s = (m − 1)∫c, where
the flux must be F again, so that ρ q_s = F_h(ρ̄) − F and δρ/ρ = β h²/s², β = p(1 − p)(2p g/c + 1 − 2p)/24.  Over the
outermost cells, of mass A h^{p+1}/(p + 1) each, that is (p + 1) β Σ k^{p−2} over those cells, and as much again where
this mass is missing.  A front that recedes has g > c: for R = 2, β is ten times that of a front at rest, and more
cells are at rest the smaller they are, so that the error over the outermost cells rises with refinement to a limit.
The cell of the front itself, which Taylor's formula does not reach, has ½: a convention, up to 0.46 is found (m = 2).

At rest ρ_i = ρ(x_i), but for a constant in U' that restores the mass: ‖e‖₁ = (h²/24)‖Δρ‖₁ and what fronts add.  For
m = 1.5, ρ = A s², Σ h ρ(x_i) misses 0.016 Ah³ of the mass at each front at most (Bernoulli's polynomial B₃), and the
cell of the front errs by 0.02 Ah³ more than its part of h²|ρ''|/24: less than Ah³/12 each, a quarter of the rim.

Σ|x|²ρ/M errs by 2∫Σ h|x (F_h(ρ̄) − F)|/M at most: what takes mass outward raises it and lowers ∫p, as p' falls outward,
and both λ and p then take it back.

Source: Carrillo, Toscani (2000), Indiana Univ. Math. J. 49, 113–142; Carrillo, McCann, Villani (2003), DOI
10.4171/RMI/376; Crandall, Tartar (1980), Proc. AMS 78, 385–390 (contraction in L1).  Closed forms of
`wgfpde.energy.equations`, which the script barenblatt holds against quadrature.
"""

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np

from wgfpde.claims import Validation, fitted_order
from wgfpde.cli import validate_script
from wgfpde.energy.equations import profile_constant, profile_second_moment, self_similar, self_similar_radius

FAMILIES = tuple((d, m) for d in (1, 2) for m in (1.5, 2.0, 3.0, 4.0))
QUICK = tuple(family for family in FAMILIES if family not in ((2, 1.5), (2, 4.0)))
CELLS = {1: (64, 128), 2: (32, 64)}
FINER = {1: (64, 128, 256, 512), 2: (32, 64, 128)}
FIRST_ORDER = ((1.5, 160, 9.2e-4), (2.0, 160, 7.95e-4), (3.0, 320, 8.8e-4), (4.0, 320, 2.0e-3))
"""m, cells, and the L1 error that implicit Euler steps of dt ∝ h² with the same fluxes leave in such a trap: a second
order scheme in time must not do worse."""


@dataclass(frozen=True)
class Flow:
    """A profile of mass M in V = λ|x|²/2, or W = θ|x|²/2 with λ = θM, from R = start and the centre c(0)."""

    d: int
    m: float
    start: float
    centre: tuple[float, ...]
    lam: float = 0.8
    mass: float = 1.5
    kappa: float = 0.7
    attraction: bool = False
    end: float = 1.0

    def radius(self, t):
        return self_similar_radius(np.asarray(t), self.start, self.m, self.d, self.lam, self.mass, self.kappa)

    def decay(self, t):
        return np.exp(-self.lam * np.asarray(t) * (not self.attraction))

    @property
    def formula(self) -> str:
        """The density in x, y and TIME."""
        n, k = self.d * (self.m - 1) + 2, self.kappa * self.mass ** (self.m - 1) / self.lam
        squared = f"(({k!r} + ({self.start**n - k!r})*exp(-{n * self.lam!r}*TIME))**({2 / n!r}))"
        shrink = "1" if self.attraction else f"exp(-{self.lam!r}*TIME)"
        distance = " + ".join(f"({x} - ({c!r})*{shrink})**2" for x, c in zip("xy", self.centre, strict=False))
        a, b = (self.m - 1) / (2 * self.m), profile_constant(self.m, self.d)
        inside = f"maximum(0, {a!r}*({b**2!r} - ({distance})/{squared}))"
        return f"{self.mass!r}*{inside}**({1 / (self.m - 1)!r})/{squared}**{self.d / 2}"

    def fronts(self, h: float, t):
        """m ≥ 2: the L1 error over `unit` up to the times t, ½ + 2(p + 1)βΣk^{p−2} with the largest β so far."""
        p, b, times = 1 / (self.m - 1), profile_constant(self.m, self.d), np.linspace(0, self.end, 401)
        radius = self.radius(times)
        push = b * self.kappa * self.mass ** (self.m - 1) * radius ** (-self.d * (self.m - 1) - 1)
        pull = self.lam * (b * radius + math.hypot(*self.centre) * self.decay(times) * (not self.attraction))
        largest = np.maximum.accumulate(p * (1 - p) / 24 * (2 * p * pull / push + 1 - 2 * p))
        way = (self.m - 1) * np.concatenate([[0], np.cumsum(push[1:] + push[:-1]) * times[1] / 2])
        cells = np.ceil(np.minimum(way, b * radius) / h).astype(int)
        sums = np.concatenate([[0], np.cumsum(np.arange(1.0, np.max(cells) + 1) ** (p - 2))])[cells]
        return np.interp(t, times, 0.5 + 2 * (p + 1) * largest * sums)

    def rim(self, h: float, t):
        """The mass of the outermost cells, ∫₀^h ρ from the front."""
        b, p, sphere = profile_constant(self.m, self.d), 1 / (self.m - 1), 2 if self.d == 1 else 2 * math.pi
        at_front = sphere * b ** (self.d - 1) * ((self.m - 1) / self.m * b) ** p / (p + 1)
        return self.mass * at_front * (h / self.radius(t)) ** (p + 1)

    def unit(self, h: float, t):
        """m ≥ 2: the mass of the outermost cells, ∫₀^h ρ from the front.   m < 2: (h²/12)∫|Δρ|, largest over t."""
        b, sphere = profile_constant(self.m, self.d), 2 if self.d == 1 else 2 * math.pi
        radius = self.radius(t)
        if self.m >= 2:
            return self.rim(h, t)
        y = np.linspace(0, b, 4001)
        slope = np.abs(np.gradient(self_similar(y, 1.0, self.m, self.d), y))
        return self.mass * 2 * sphere * np.max(y ** (self.d - 1) * slope) * (h / np.min(radius)) ** 2 / 12


def solve(v: Validation, f: Flow, n: int, *more: str, box: float | None = None):
    """A run of 10 snapshots, with more steps than cells along an axis, in a box a quarter larger than what it holds."""
    reach = profile_constant(f.m, f.d) * float(np.max(f.radius([0, f.end])))
    box = 1.25 * reach + float(np.max(np.abs(f.centre))) if box is None else box
    sides = {key: ", ".join([str(value)] * f.d) for key, value in (("shape", n), ("lower", -box), ("upper", box))}
    force = f"interaction={f.lam / f.mass!r}*r**2/2" if f.attraction else f"potential={f.lam!r}*r**2/2"
    dt = f.end / (n if f.m < 2 else 2 * n)
    return v.run("barenblatt_1d_m2" if f.d == 1 else "barenblatt_2d_m3",
                 *(f"grid.{key}=[{value}]" for key, value in sides.items()),
                 f"energy.internal={{kind='power', m={f.m}, kappa={f.kappa}}}", f"energy.{force}",
                 f"initial.density={f.formula.replace('TIME', '0')}",
                 f"exact.density={f.formula.replace('TIME', 't')}", f"time.end={f.end}",
                 f"output.every={f.end / 10!r}", f"solver.dt={dt!r}", *more)  # fmt: skip


@dataclass(frozen=True)
class Fluxes:
    """Fluxes, times h^{d−1}, of a flow with 1.4 < m < 2 on a grid of n^d cubes; axes as in a run: x, or y and x."""

    f: Flow
    edges: np.ndarray

    @property
    def h(self) -> float:
        return self.edges[1] - self.edges[0]

    @property
    def nodes(self):
        """Of Gauss, four a cell."""
        middles = 0.5 * (self.edges[1:] + self.edges[:-1])
        return (middles[:, None] + 0.5 * self.h * np.polynomial.legendre.leggauss(4)[0]).ravel()

    def centre(self, t):
        return np.array(self.f.centre[::-1]) * self.f.decay(t)

    def means(self, t, points):
        """Of ρ at `points` along each axis, averaged over cells along those whose points are the nodes."""
        f, radius = self.f, float(self.f.radius(t))
        squares = [((x - c) / radius) ** 2 for x, c in zip(points, self.centre(t), strict=True)]
        inside = np.maximum(0, profile_constant(f.m, f.d) ** 2 - reduce(np.add.outer, squares))
        rho = f.mass / radius**f.d * ((f.m - 1) / (2 * f.m) * inside) ** (1 / (f.m - 1))
        for axis, x in enumerate(points):
            if x.size == 4 * (self.edges.size - 1):
                parts = np.moveaxis(rho, axis, -1)
                weighted = parts.reshape(*parts.shape[:-1], -1, 4) @ np.polynomial.legendre.leggauss(4)[1] / 2
                rho = np.moveaxis(weighted, -1, axis)
        return rho

    def scheme(self, rho, axis: int, t):
        """h^d F_h = −h^{d−1} M Δξ on inner faces, M = (1 − ω)M_e + ω ρ_donor, ω = max(0, 1 − 1/q), last axis = axis."""
        f = self.f
        rho = np.moveaxis(rho, axis, -1)
        a, b = rho[..., :-1], rho[..., 1:]
        middles = 0.5 * (self.edges[1:] + self.edges[:-1]) - f.attraction * self.centre(t)[axis]
        rise = f.lam * np.diff(middles**2) / 2
        low, high = np.minimum(a, b) ** (f.m - 1), np.maximum(a, b) ** (f.m - 1)
        near = high - low <= 1e-6 * high
        stolarsky = (f.m - 1) / f.m * np.abs(b**f.m - a**f.m) / np.where(near, 1.0, high - low)
        mean = np.where(near, (a + b) / 2, stolarsky)
        slope = f.kappa * f.m / (f.m - 1) * (high - low) * np.sign(b - a) + rise
        share = np.minimum(1, 2 * f.kappa * f.m * low / np.maximum(np.abs(rise), 1e-300))  # 1/q
        return -(self.h ** (f.d - 1)) * (share * mean + (1 - share) * np.where(slope < 0, a, b)) * slope / self.h

    def wrong(self, t):
        """F_h(ρ̄) − F on inner faces, along each axis."""
        f, inner, radius = self.f, self.edges[1:-1], float(self.f.radius(t))
        speed = -f.lam + f.kappa * f.mass ** (f.m - 1) * radius ** (-f.d * (f.m - 1) - 2)  # R'/R
        for axis, c in enumerate(self.centre(t)):
            points = [inner if k == axis else self.nodes for k in range(f.d)]
            velocity = speed * (inner - c) - f.lam * c * (not f.attraction)
            exact = np.moveaxis(self.means(t, points), axis, -1) * velocity * self.h ** (f.d - 1)
            yield self.scheme(self.means(t, [self.nodes] * f.d), axis, t) - exact

    def let_in(self, t):
        """‖τ‖₁ and 2Σ h|x F_err|, at a time."""
        total, moment = 0.0, 0.0
        for axis, flux in enumerate(self.wrong(t)):
            total = total + np.moveaxis(np.diff(flux, prepend=0, append=0), -1, axis)
            moment += 2 * self.h * np.sum(np.abs(flux * self.edges[1:-1]))
        return np.sum(np.abs(total)), moment

    def since(self, t):
        """∫₀^t of both, at the times t; (2, times)."""
        times = np.linspace(0, self.f.end, 401 if self.f.d == 1 else 61)
        rates = np.array([self.let_in(s) for s in times]).T
        sums = np.cumsum((rates[:, 1:] + rates[:, :-1]) / 2 * np.diff(times), axis=1)
        return np.array([np.interp(t, times, [0, *part]) for part in sums])

    def parted(self, t, rho):
        """Σ max(ΔF (sign e_{i+1} − sign e_i), 0): what faces add to ‖e‖₁ per time."""
        exact = self.means(t, [self.nodes] * self.f.d)
        total = 0.0
        for axis in range(self.f.d):
            change = self.scheme(rho, axis, t) - self.scheme(exact, axis, t)
            total += np.sum(np.maximum(change * np.diff(np.moveaxis(np.sign(rho - exact), axis, -1)), 0))
        return total


def check(v: Validation) -> None:
    shown = [trap(v, d, m, 0.75) for d, m in (FAMILIES if v.full else QUICK)]
    shown += [trap(v, d, m, 2.0) for d, m in (FAMILIES if v.full else ((1, 2.0),))]
    for m, n, bound in FIRST_ORDER:
        f = Flow(1, m, 0.5, (0.5,), lam=1.0, mass=1.0, kappa=1.0)
        run = solve(v, f, n, box=3.0)
        v.at_most(f"1D, m = {m:g}, {n} cells on [−3, 3]: L1 error at the end", run.diagnostics["error_l1"][-1], bound,
                  "implicit Euler, dt ∝ h²")  # fmt: skip
    rest(v)
    for d, m in ((1, 2.0), *(((2, 2.0), (1, 3.0), (2, 3.0), (1, 1.5)) if v.full else ())):
        swarm(v, d, m)
    drawn = {(f.d, f.m): (f, run) for f, run in reversed(shown)}
    v.draw(figure, drawn[1, 2.0], drawn[2, 3.0], panels=2)


def name_of(f: Flow) -> str:
    return f"{f.d}D, m = {f.m:g}, R from {f.start:g}"


def trap(v: Validation, d: int, m: float, start: float):
    f = Flow(d, m, start, (0.4, -0.2)[:d])
    cells = (FINER if v.full else CELLS)[d]
    runs = [solve(v, f, n) for n in cells]
    errors(v, f, cells, runs)
    laws(v, f, runs[-1])
    return f, runs[-1]


def errors(v: Validation, f: Flow, cells, runs) -> None:
    widths = [run.edges[0][1] - run.edges[0][0] for run in runs]
    for n, h, run in zip(cells, widths, runs, strict=True):
        name = f"{name_of(f)}, {n} cells"
        if f.m < 2:
            let_in(v, f, name, run)
            continue
        error = np.max((run.diagnostics["error_l1"] / f.unit(h, run.t) / f.fronts(h, run.t))[1:])
        v.at_most(f"{name}: L1 error over what the fronts let in, largest", error, 1.0, "closed form")
    if f.m < 2:  # smooth: ρ and its slope vanish at the front
        ends = [run.diagnostics["error_l1"][-1] for run in runs]
        v.at_least(f"{name_of(f)}: order of the L1 error", fitted_order(widths, ends), 1.9, "order 2")


def let_in(v: Validation, f: Flow, name: str, run) -> None:
    fluxes = Fluxes(f, run.edges[0])
    error = np.max(run.diagnostics["error_l1"][1:] / fluxes.since(run.t)[0, 1:])
    v.at_most(f"{name}: L1 error over what the fluxes let in, largest", error, 1.0, "∫‖τ‖₁")
    apart = max(fluxes.parted(t, run.rho[k]) / fluxes.let_in(t)[0] for k, t in enumerate(run.t) if k)
    v.at_most(f"{name}: what faces add to ‖e‖₁ over ‖τ‖₁, largest", apart, 1e-3, "contraction")


def laws(v: Validation, f: Flow, run) -> None:
    h, q, d = run.edges[0][1] - run.edges[0][0], f.d * (f.m - 1), run.diagnostics
    radius, decay, c2 = f.radius(run.t), f.decay(run.t), profile_second_moment(f.m, f.d)
    # Averages over cells widen a profile by h²/12 per axis, and the drift sees cell centres: moments err by as much.
    # The kink of the front adds a part of the outermost cells, which lie at the distance bR.
    reach = profile_constant(f.m, f.d) * radius
    kink = 0.1 * f.unit(h, run.t) / f.mass * (f.m >= 2)
    at = (kink * reach)[-1] + h**2 / 12
    v.equal(f"{name_of(f)}: centre at the end", d["mean_x"][-1], f.centre[0] * decay[-1], at, "c(0)e^{−λt}")
    spread = (d["variance_x"] + (d["variance_y"] if f.d == 2 else 0.0))[-1]
    if f.m < 2:
        off = f.d * h**2 / 12 + Fluxes(f, run.edges[0]).since(run.t)[1, -1] / f.mass
    else:
        off = f.d * h**2 / 6 + (kink * reach**2)[-1]
    v.equal(f"{name_of(f)}: variance at the end", spread, c2 * radius[-1] ** 2, off, "c₂R²")
    # By convexity averages have less energy, by (h²/24)m∫ρ^{m−2}|∇ρ|² = (dh²/24)κM^m R^{−q−2}, q = d(m − 1), and a
    # relative error δ of R² costs qδ/2.
    law = c2 / q * f.kappa * f.mass**f.m * radius[-1] ** -q
    tolerance = q / (c2 * radius[-1] ** 2) * (f.d * h**2 / 20 + off / 2)
    v.equal(f"{name_of(f)}: internal energy over its law", d["energy_internal"][-1] / law, 1.0, tolerance, "A R^−q")
    # |ρ'|² = c₂MR'² + M|c'|² = −dE/dt, against the scheme's own Σ M|Δξ|²/d; a term of order h from the front.
    speed = -f.lam * radius + f.kappa * f.mass ** (f.m - 1) * radius ** (-q - 1)
    moved = (f.lam * decay) ** 2 * sum(c * c for c in f.centre) * (not f.attraction)
    law, k = c2 * speed**2 + moved, 3
    v.equal(f"{name_of(f)}: dissipation at t = {run.t[k]:.1f}", d["dissipation"][k] / f.mass, law[k],
            law[k] * h / (2 * reach[k]), "c₂R'² + |c'|²")  # fmt: skip


def rest(v: Validation) -> None:
    """R = 1 for λ = κM^{m−1}: the profile F itself, with the energy A + c₂/2, by both solvers."""
    for d, m in FAMILIES if v.full else ((1, 2.0), (2, 2.0)):
        f = Flow(d, m, 0.75, (0.4, -0.2)[:d], lam=1.0, mass=1.0, kappa=1.0, end=20.0)
        for solver in ("solver.dt=0.2", "solver={method='jko', tau=0.5}"):
            run = solve(v, f, 80 if d == 1 else 48, solver)
            h, c2 = run.edges[0][1] - run.edges[0][0], profile_second_moment(m, d)
            error = run.diagnostics["error_l1"][-1] / f.unit(h, 20.0)
            of = "(h²/12)‖Δρ‖₁" if m < 2 else "the outermost cells"
            ends = 0.25 * f.rim(h, 20.0) / f.unit(h, 20.0) if (d, m) == (1, 1.5) else 0.0
            v.at_most(f"{d}D, m = {m:g}, at rest: L1 error over {of}", error, 0.5 + ends, "R = 1")
            # An error ε in L1 of a minimum costs ε²; values at centres in place of averages (dh²/24)(κR^{−q−2} + λ).
            v.equal(f"{d}D, m = {m:g}, at rest: energy", run.diagnostics["energy"][-1], c2 / (d * (m - 1)) + c2 / 2,
                    d * h**2 / 12, "A + c₂/2")  # fmt: skip


def swarm(v: Validation, d: int, m: float) -> None:
    """W = θ|x|²/2, λ = θM."""
    f = Flow(d, m, 0.75, (0.4, -0.2)[:d], attraction=True)
    runs = [solve(v, f, n) for n in CELLS[d]]
    errors(v, f, CELLS[d], runs)
    laws(v, f, runs[-1])


def figure(line, plane, one, two) -> None:
    f, run = one
    for k in (0, 1, 3, -1):
        line.plot(run.centers[0], run.rho[k], ".", ms=3, label=f"$t = {run.t[k]:.1f}$")
        x = np.linspace(*run.edges[0][[0, -1]], 2001)
        distance = np.abs(x - f.centre[0] * f.decay(run.t[k]))
        line.plot(x, self_similar(distance, float(f.radius(run.t[k])), f.m, 1, f.mass), "k-", lw=0.6)
    line.set(xlabel="$x$", ylabel=r"$\rho$", title=f"1D, $m = {f.m:g}$ (lines: closed form)")
    line.legend(frameon=False)
    f, run = two
    for k, colour in ((0, "C0"), (3, "C1"), (-1, "k")):
        plane.contour(*run.centers, run.rho[k], levels=[0.01, 0.5], colors=colour, linewidths=0.8)
        centre = [c * f.decay(run.t[k]) for c in f.centre]
        angle, edge = np.linspace(0, 2 * np.pi, 200), profile_constant(f.m, 2) * float(f.radius(run.t[k]))
        plane.plot(centre[0] + edge * np.cos(angle), centre[1] + edge * np.sin(angle), "--", c=colour, lw=0.7)
    plane.set(aspect="equal", xlabel="$x$", ylabel="$y$", title=f"2D, $m = {f.m:g}$; dashed: front")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
