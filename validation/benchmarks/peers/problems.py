"""The problems of the comparison and their solutions, from NumPy and SciPy alone.

    heat         ∂t ρ = Δρ on [−4, 4]², no flux, heat kernel t = 0.1 → 0.5            sum of images
    well         ∂t ρ = ∇·(∇ρ + ρ∇V), V = (x² − 1)² + y²/2, N(0, 0.05 I), t = 0 → 5   product of two 1D solutions
    barenblatt   ∂t ρ = ∂xx ρ² on [−1.5, 1.5], mass 1, t = 0.01 → 0.11                 Barenblatt
    ou           ∂t ρ = ∂x(∂xρ + xρ) on [−7, 7], N(1, 0.25), t = 0 → 1              Gaussian
    jko-gauss    JKO steps of ∫ρ ln ρ + |x|²/2 from a Gaussian, τ = 0.1                Gaussian
    jko-power    JKO steps of ∫ρ² from a paraboloid, τ = 1e-3                          paraboloid
    w2-1d, w2-2d W₂ between two round Gaussians                                        W₂² = |Δm|² + d (Δσ)²

Each is given, and its solution asked for, as averages over n (n × n) equal cells, or as values at their centres for a
solver whose unknowns are values.  V is a sum and the start a product, so that the solution of the double well is
ρˣ(x, t) ρʸ(y, t); each factor, with ψ = ρ e^{V/2}, is the flow of the symmetric form

    a(ψ, χ) = ∫ (ψ' + ½V'ψ)(χ' + ½V'χ) dx,

whose natural boundary condition is no flux: 120 Legendre polynomials leave 1e-9 (`well_factor`).

The exact JKO steps.  Gaussian:    σ₁ = [σ₀ + √(σ₀² + 4(1 + τ)τ)] / (2(1 + τ)),  mean₁ = mean₀/(1 + τ)
                      paraboloid:  (R₁ − R₀)/(3τ) = 8/(3πR₁³),  ρ = (2/πR²)(1 − |x − c|²/R²)₊
References: Jordan, Kinderlehrer, Otto (1998), DOI 10.1137/S0036141096303359; Vázquez (2007), DOI
10.1093/acprof:oso/9780198569039.001.0001.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.polynomial import legendre
from scipy.special import erf

Array = np.ndarray
GAUSS_START = ((1.0, -0.5), 0.5)
"""Mean and variance at the start of jko-gauss."""
R0, CENTRE = 0.250082, 0.5
"""Radius and centre (the same in x and y) at the start of jko-power."""
W2_PAIR = (((-0.5, 0.0), 0.6), ((0.5, 0.3), 0.8))
"""Means and standard deviations; w2-1d takes the first coordinates."""


@dataclass(frozen=True)
class Problem:
    """A problem on a box; `state(n, t, points)` is its solution, where t counts the steps of a JKO problem.

    kind : "flow", "jko" or "w2".   potential, gradient, laplacian : V and its derivatives as formulas in x, y.
    m : U is κρ ln ρ (m = 1) or κρ^m/(m − 1).
    """

    name: str
    title: str
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    start: float
    end: float
    state: Callable[[int, float, bool], Array]
    kind: str = "flow"
    m: float = 1.0
    tau: float = 0.0
    potential: str = ""
    gradient: tuple[str, ...] = ()
    laplacian: str = ""
    normal: tuple[float, ...] = field(default=())
    """∂V/∂n on the faces of each axis, the same on both: what a solver without fluxes needs for no flux."""

    @property
    def dim(self) -> int:
        return len(self.lower)

    def edges(self, n: int) -> list[Array]:
        return [np.linspace(a, b, n + 1) for a, b in zip(self.lower, self.upper, strict=True)]

    def volume(self, n: int) -> float:
        """Of one cell."""
        return math.prod((b - a) / n for a, b in zip(self.lower, self.upper, strict=True))

    def energy(self, rho: Array) -> float:
        """E(ρ) by the mid-point rule, V at the cell centres, for every solver alike; ρ ≤ 0 counts as 0 in U."""
        n = rho.shape[0]
        safe = np.where(rho > 0, rho, 1.0)
        internal = safe * np.log(safe) if self.m == 1 else np.maximum(rho, 0.0) ** self.m / (self.m - 1)
        total = np.where(rho > 0, internal, 0.0)
        if self.potential:
            total = total + rho * formula(self.potential, [centres(e) for e in self.edges(n)])
        return float(np.sum(total)) * self.volume(n)


def centres(edges: Array) -> Array:
    return 0.5 * (edges[1:] + edges[:-1])


def formula(text: str, axes: list[Array]) -> Array:
    """A formula in x (and y), written in this file, on the product of the axes."""
    mesh = dict(zip("xy", np.meshgrid(*axes, indexing="ij"), strict=False))
    return np.asarray(eval(text, {"__builtins__": {}}, mesh)) + np.zeros([axis.size for axis in axes])


def gaussian(edges: Array, mean: float, variance: float, points: bool) -> Array:
    """A 1D Gaussian: cell averages by error functions, or values at the centres."""
    if points:
        return np.exp(-((centres(edges) - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
    return np.diff(0.5 * erf((edges - mean) / math.sqrt(2 * variance))) / np.diff(edges)


def heat(n: int, t: float, points: bool = False) -> Array:
    edges = np.linspace(-4.0, 4.0, n + 1)
    factor = sum(gaussian(edges, 8.0 * image, 2 * t, points) for image in range(-4, 5))
    return np.outer(factor, factor)


@cache
def _well_modes(lower: float, upper: float, axis: str, degree: int) -> tuple[Array, Array]:
    """Eigenvalues of the form a and its eigenvectors in orthonormal Legendre polynomials."""
    nodes, weights = legendre.leggauss(2 * degree)
    half = 0.5 * (upper - lower)
    x = lower + half * (1 + nodes)
    drift = 4 * x * (x**2 - 1) if axis == "x" else x
    scale = np.sqrt((np.arange(degree) + 0.5) / half)
    values = legendre.legvander(nodes, degree - 1) * scale
    slopes = np.stack([legendre.legval(nodes, legendre.legder(row)) for row in np.eye(degree)], axis=1) * scale / half
    test = slopes + 0.5 * drift[:, None] * values
    rates, modes = np.linalg.eigh(test.T @ (test * (weights * half)[:, None]))
    rates[0] = 0.0  # the Gibbs state's, which rounding leaves at 1e-10
    return rates, modes


def well_factor(edges: Array, t: float, axis: str, points: bool = False, degree: int = 120) -> Array:
    """ρˣ or ρʸ at t > 0: cell averages (Gauss–Legendre, 6 nodes a cell) or values at the centres."""
    lower, upper = float(edges[0]), float(edges[-1])
    half = 0.5 * (upper - lower)
    rates, modes = _well_modes(lower, upper, axis, degree)

    def potential(x: Array) -> Array:
        return (x**2 - 1) ** 2 if axis == "x" else 0.5 * x**2

    def basis(x: Array) -> Array:
        scale = np.sqrt((np.arange(degree) + 0.5) / half)
        return legendre.legvander((x - lower) / half - 1, degree - 1) * scale

    nodes, weights = legendre.leggauss(600)
    x = lower + half * (1 + nodes)
    start = np.exp(-(x**2) / 0.1 + 0.5 * potential(x)) / math.sqrt(0.1 * math.pi)
    decayed = modes @ (np.exp(-rates * t) * (modes.T @ (basis(x).T @ (weights * half * start))))

    def density(x: Array) -> Array:
        return np.exp(-0.5 * potential(x)) * (basis(x) @ decayed)

    return density(centres(edges)) if points else _averages(density, edges)


def _averages(density: Callable[[Array], Array], edges: Array, count: int = 6) -> Array:
    nodes, weights = legendre.leggauss(count)
    x = centres(edges)[:, None] + 0.5 * np.diff(edges)[:, None] * nodes
    return density(x.ravel()).reshape(x.shape) @ (0.5 * weights)


def well(n: int, t: float, points: bool = False) -> Array:
    ex, ey = PROBLEMS["well"].edges(n)
    if t == 0:
        return np.outer(gaussian(ex, 0.0, 0.05, points), gaussian(ey, 0.0, 0.05, points))
    return np.outer(well_factor(ex, t, "x", points), well_factor(ey, t, "y", points))


def barenblatt(n: int, t: float, points: bool = False) -> Array:
    """ρ = t^{−1/3}(C − x²/(12 t^{2/3}))₊, C = (√3/8)^{2/3}; averages from its antiderivative."""
    edges = np.linspace(-1.5, 1.5, n + 1)
    height, spread = (math.sqrt(3) / 8) ** (2 / 3), t ** (1 / 3)
    if points:
        return np.maximum(height - centres(edges) ** 2 / (12 * spread**2), 0.0) / spread
    radius = math.sqrt(12 * height) * spread
    x = np.clip(edges, -radius, radius)
    return np.diff((height * x - x**3 / (36 * spread**2)) / spread) / np.diff(edges)


def ornstein_uhlenbeck(n: int, t: float, points: bool = False) -> Array:
    """N(e^{−t}, 1 + (¼ − 1)e^{−2t}); the walls are seven deviations away."""
    return gaussian(PROBLEMS["ou"].edges(n)[0], math.exp(-t), 1.0 - 0.75 * math.exp(-2 * t), points)


def jko_gauss(n: int, steps: float, points: bool = False, tau: float = 0.1) -> Array:
    (mx, my), variance = GAUSS_START
    std = math.sqrt(variance)
    for _ in range(int(steps)):
        std = (std + math.sqrt(std**2 + 4 * (1 + tau) * tau)) / (2 * (1 + tau))
    shrink = (1 + tau) ** -int(steps)
    ex, ey = PROBLEMS["jko-gauss"].edges(n)
    return np.outer(gaussian(ex, mx * shrink, std**2, points), gaussian(ey, my * shrink, std**2, points))


def next_radius(radius: float, tau: float) -> float:
    """R₁ from (R₁ − R₀)/(3τ) = 8/(3πR₁³), by Newton."""
    found = radius
    for _ in range(100):
        value = (found - radius) / (3 * tau) - 8 / (3 * math.pi * found**3)
        found -= value / (1 / (3 * tau) + 8 / (math.pi * found**4))
    return found


def jko_power(n: int, steps: float, points: bool = False, tau: float = 1e-3) -> Array:
    radius = R0
    for _ in range(int(steps)):
        radius = next_radius(radius, tau)
    fine = 1 if points else 16
    x = (np.arange(n * fine) + 0.5) / (n * fine) - CENTRE
    rho = 2 / (math.pi * radius**2) * np.maximum(1 - (x[:, None] ** 2 + x**2) / radius**2, 0.0)
    return rho.reshape(n, fine, n, fine).mean(axis=(1, 3))


def w2_pair(name: str) -> Callable[[int, float, bool], Array]:
    """The two densities of w2-1d or w2-2d as t = 0 and t = 1."""

    def state(n: int, t: float, points: bool = False) -> Array:
        mean, std = W2_PAIR[int(t)]
        factors = [gaussian(e, m, std**2, points) for e, m in zip(PROBLEMS[name].edges(n), mean, strict=False)]
        rho = factors[0] if len(factors) == 1 else np.outer(*factors)
        return rho / (rho.sum() * PROBLEMS[name].volume(n))

    return state


def exact_w2(name: str) -> float:
    (a, s), (b, r) = W2_PAIR
    dim = PROBLEMS[name].dim
    return math.sqrt(sum((p - q) ** 2 for p, q in list(zip(a, b, strict=True))[:dim]) + dim * (s - r) ** 2)


WELL: dict[str, object] = {
    "potential": "(x**2 - 1)**2 + y**2/2",
    "gradient": ("4*x*(x**2 - 1)", "y"),
    "laplacian": "12*x**2 - 3",
    "normal": (96.0, 4.0),
}
PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem("heat", "2D heat kernel", (-4, -4), (4, 4), 0.1, 0.5, heat),
        Problem("well", "2D double well", (-3, -4), (3, 4), 0.0, 5.0, well, **WELL),  # type: ignore[arg-type]
        Problem("barenblatt", "1D porous medium, m = 2", (-1.5,), (1.5,), 0.01, 0.11, barenblatt, m=2.0),
        Problem("ou", "1D Ornstein–Uhlenbeck", (-7,), (7,), 0.0, 1.0, ornstein_uhlenbeck, potential="x**2/2",
                gradient=("x",), laplacian="1 + 0*x", normal=(7.0,)),
        Problem("jko-gauss", "JKO steps, entropy and V = |x|²/2", (-5, -5), (5, 5), 0, 1, jko_gauss, "jko", 1.0, 0.1,
                "(x**2 + y**2)/2"),
        Problem("jko-power", "JKO steps, porous medium m = 2", (0, 0), (1, 1), 0, 1, jko_power, "jko", 2.0, 1e-3),
        Problem("w2-1d", "W₂ of two Gaussians, 1D", (-8,), (8,), 0, 1, w2_pair("w2-1d"), "w2"),
        Problem("w2-2d", "W₂ of two Gaussians, 2D", (-5, -5), (5, 5), 0, 1, w2_pair("w2-2d"), "w2"),
    )
}  # fmt: skip
PROBLEMS["jko-gauss-10"] = replace(PROBLEMS["jko-gauss"], name="jko-gauss-10", end=10)
