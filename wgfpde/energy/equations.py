"""Exact solutions to compare with.

    ∂t ρ = ∇·(ρ ∇(U'(ρ) + V + W∗ρ)),     U = κ(ρ ln ρ − ρ)  or  κ ρ^m/(m−1)

Plain functions of arrays; x and y broadcast, r is a distance, everything is dimensionless.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray
Numbers = float | Array


# ---- Gaussians: ∂t ρ = κΔρ + ∇·(ρ∇(xᵀAx/2)) ------------------------------------------------------------------


def gaussian(
    x: Array, y: Array | None = None, *, mean: Numbers | Sequence[float] = 0.0, cov: Any = 1.0, mass: float = 1.0
) -> Array:
    """Normal density of a given mass.

        ρ = M exp(−½ zᵀ C⁻¹ z) / √((2π)^d det C),    z = (x, y) − mean

    x, y : coordinates, broadcast together; without y in 1D.
    mean : number in 1D, (mx, my) in 2D (a number there means both).
    cov : variance C in 1D; (2, 2) covariance in 2D (a number there means that variance on each axis).
    """
    if y is None:
        s = float(cov)
        return mass * np.exp(-((np.asarray(x) - mean) ** 2) / (2 * s)) / np.sqrt(2 * np.pi * s)
    mx, my = np.broadcast_to(np.asarray(mean, dtype=float), (2,))
    c = np.asarray(cov, dtype=float)
    c = c * np.eye(2) if c.ndim == 0 else c
    det = c[0, 0] * c[1, 1] - c[0, 1] * c[1, 0]
    u, v = np.asarray(x) - mx, np.asarray(y) - my
    square = (c[1, 1] * u**2 - (c[0, 1] + c[1, 0]) * u * v + c[0, 0] * v**2) / det
    return mass * np.exp(-square / 2) / (2 * np.pi * np.sqrt(det))


def heat_kernel(
    t: float, x: Array, y: Array | None = None, kappa: float = 1.0, s0: float = 0.0, mass: float = 1.0
) -> Array:
    """Heat kernel of the line (without y) or the plane, begun with variance s0 per axis: N(0, (s0 + 2κt) I).

    The variance must be positive.  Source: elementary (Fourier).
    """
    return gaussian(x, y, cov=s0 + 2 * kappa * t, mass=mass)


def heat_kernel_box(
    t: float, x: Array, kappa: float = 1.0, s0: float = 0.0, x0: float = 0.0, lower: float = 0.0, upper: float = 1.0
) -> Array:
    """Heat kernel on [lower, upper] with no-flux walls, unit mass, by the method of images.

        ρ = Σ_k N(x − x0 − 2kL; s) + N(x − (2 lower − x0) − 2kL; s),    s = s0 + 2κt,  L = upper − lower

    In 2D multiply one for each axis.  As many images as matter at 1e-16.  Source: elementary.
    """
    period = 2 * (upper - lower)
    return wrapped_gaussian(t, x, kappa, s0, x0, period) + wrapped_gaussian(t, x, kappa, s0, 2 * lower - x0, period)


def wrapped_gaussian(
    t: float, x: Array, kappa: float = 1.0, s0: float = 0.0, x0: float = 0.0, length: float = 2 * math.pi
) -> Array:
    """Heat kernel on a circle of the given length, unit mass: Σ_k N(x − x0 − kL; s0 + 2κt).

    On the circle of length 2π it is (1/2π)(1 + 2 Σ_{n≥1} e^{−n² s/2} cos n(x − x0)).  Source: elementary.
    """
    s = s0 + 2 * kappa * t
    shift = np.asarray(x, dtype=float) - x0
    shift = shift - length * np.round(shift / length)
    count = math.ceil(9 * math.sqrt(s) / length + 0.5)
    total = np.zeros_like(shift)
    for k in sorted(range(-count, count + 1), key=abs, reverse=True):  # small terms first
        total += gaussian(shift - k * length, cov=s)
    return total


def ornstein_uhlenbeck(t: float, mean: float, var: float, lam: float = 1.0, kappa: float = 1.0) -> tuple[float, float]:
    """Mean and variance at time t of a Gaussian in V = λx²/2, λ ≠ 0, in 1D.

        m(t) = m e^{−λt},    s(t) = κ/λ + (s − κ/λ) e^{−2λt}

    Reference: Uhlenbeck, Ornstein (1930), DOI 10.1103/PhysRev.36.823.
    """
    return mean * math.exp(-lam * t), kappa / lam + (var - kappa / lam) * math.exp(-2 * lam * t)


def ornstein_uhlenbeck_2d(
    t: float, mean: Sequence[float] | Array, cov: Array, matrix: Array, kappa: float = 1.0
) -> tuple[Array, Array]:
    """Mean (2,) and covariance (2, 2) at time t of a Gaussian in V = ½xᵀAx, A symmetric and invertible.

        m(t) = e^{−At} m,    Σ(t) = κA⁻¹ + e^{−At}(Σ − κA⁻¹)e^{−At}

    by the eigenvectors of A; any dimension.  Reference: Gardiner (2009), Stochastic Methods.
    """
    values, vectors = np.linalg.eigh(np.asarray(matrix, dtype=float))
    decay = (vectors * np.exp(-t * values)) @ vectors.T
    rest = (vectors * (kappa / values)) @ vectors.T
    return decay @ np.asarray(mean, dtype=float), rest + decay @ (np.asarray(cov, dtype=float) - rest) @ decay


def mckean_vlasov_quadratic(
    t: float, mean: float, var: float, lam: float, theta: float, kappa: float = 1.0, mass: float = 1.0
) -> tuple[float, float]:
    """Mean and variance at time t of a Gaussian with V = λx²/2 and W = θx²/2, per axis; λ + θM ≠ 0.

        m(t) = m e^{−λt},    s' = 2κ − 2(λ + θM)s

    Reference: Carrillo, McCann, Villani (2003), DOI 10.4171/RMI/376.
    """
    return mean * math.exp(-lam * t), ornstein_uhlenbeck(t, 0.0, var, lam + theta * mass, kappa)[1]


# ---- self-similar solutions: ∂t ρ = κΔρ^m + λ∇·(xρ), m > 1 and 1 − 2/(d+2) < m < 1 ---------------------------


def self_similar(r: Array, radius: float, m: float, d: int, mass: float = 1.0) -> Array:
    """Barenblatt's profile at a given scale.

        ρ = M R^{−d} F(r/R),    F(y) = [(|m−1|/2m)(b² ∓ y²)]_+^{1/(m−1)},    ∫F = 1

    with − for m > 1 (support r ≤ bR) and + for m < 1.   r : distance from the centre.   radius : R > 0.
    Reference: Vázquez (2007), section 4.4, DOI 10.1093/acprof:oso/9780198569039.001.0001.
    """
    a, sign = abs(m - 1) / (2 * m), 1 if m > 1 else -1
    base = np.maximum(0.0, a * (profile_constant(m, d) ** 2 - sign * (np.asarray(r) / radius) ** 2))
    return mass * radius**-d * base ** (1 / (m - 1))


def self_similar_radius(
    t: Numbers, radius: float, m: float, d: int, lam: float = 0.0, mass: float = 1.0, kappa: float = 1.0
) -> Any:
    """Scale R(t) of a profile that starts at R(0) = radius ≥ 0 in V = λ|x|²/2; the centre is c(0) e^{−λt}.

        R' = −λR + κM^{m−1} R^{−d(m−1)−1},    R^n = R(0)^n e^{−nλt} + κM^{m−1}(1 − e^{−nλt})/λ,   n = d(m−1) + 2

    W = θ|x|²/2 acts on R as λ = θM, and leaves the centre.  λ = 0: R^n = R(0)^n + nκM^{m−1}t.
    Reference: Carrillo, Toscani (2000), Indiana Univ. Math. J. 49, 113–142.
    """
    n = d * (m - 1) + 2
    t = np.asarray(t, dtype=float)
    clock = n * t if lam == 0 else -np.expm1(-n * lam * t) / lam
    return (radius**n * np.exp(-n * lam * t) + kappa * mass ** (m - 1) * clock) ** (1 / n)


def profile_constant(m: float, d: int) -> float:
    """The b that gives F unit mass, from

        ∫(b² − |y|²)_+^p = b^{2p+d} π^{d/2} Γ(p+1)/Γ(p+1+d/2),    ∫(b² + |y|²)^{−p} = b^{d−2p} π^{d/2} Γ(p−d/2)/Γ(p)

    with p = 1/|m−1|.   Raises ValueError for m = 1 and for m ≤ 1 − 2/d, where no profile has finite mass.
    """
    if m == 1 or m <= 0 or m <= 1 - 2 / d:
        raise ValueError(f"a profile of finite mass needs m > max(0, 1 − 2/d) and m ≠ 1; found m = {m}, d = {d}.")
    p, a = 1 / abs(m - 1), abs(m - 1) / (2 * m)
    if m > 1:
        log_mass = p * math.log(a) + math.lgamma(p + 1) - math.lgamma(p + 1 + d / 2)
        return math.exp(-(log_mass + d / 2 * math.log(math.pi)) / (2 * p + d))
    log_mass = -p * math.log(a) + math.lgamma(p - d / 2) - math.lgamma(p)
    return math.exp((log_mass + d / 2 * math.log(math.pi)) / (2 * p - d))


def profile_second_moment(m: float, d: int) -> float:
    """c₂ = ∫|y|²F; then ∫|x−c|²ρ = c₂MR², ∫ρ^m/(m−1) = c₂/(d(m−1)) M^m R^{−d(m−1)}, and W₂ = √(c₂M)|R₁ − R₂|.

    Infinite for m ≤ 1 − 2/(d+2).
    """
    b, p = profile_constant(m, d), 1 / abs(m - 1)
    if m > 1:
        return b**2 * d / (2 * p + 2 + d)
    return b**2 * d / (2 * p - d - 2) if 2 * p > d + 2 else math.inf


def barenblatt(t: float, r: Array, m: float, d: int, mass: float = 1.0, kappa: float = 1.0) -> Array:
    """Barenblatt's solution of ∂t ρ = κΔρ^m from a point source of the given mass, at t > 0.

        ρ = s^{−α}(C − k r² s^{−2β})_+^{1/(m−1)},   s = κt,  α = d/(d(m−1)+2),  β = α/d,  k = α(m−1)/(2md)

    r : distance from the source, x itself in 1D.   C : see `barenblatt_constant`.
    Reference: Vázquez (2007), section 4.4, DOI 10.1093/acprof:oso/9780198569039.001.0001.
    """
    return self_similar(r, float(self_similar_radius(t, 0.0, m, d, mass=mass, kappa=kappa)), m, d, mass)


def barenblatt_constant(m: float, d: int, mass: float = 1.0) -> float:
    """The C of Barenblatt's formula; the front stands at r = √(C/k) (κt)^β."""
    n = d * (m - 1) + 2
    unit = n ** (-d * (m - 1) / n) * abs(m - 1) / (2 * m) * profile_constant(m, d) ** 2
    return unit * mass ** (2 * (m - 1) / n)


# ---- interacting particles ---------------------------------------------------------------------------------


def desai_zwanzig_mean(kappa: float, theta: float = 1.0) -> float:
    """Mean m ≥ 0 of the stable steady state for V = x⁴/4 − x²/2, W = θx²/2, unit mass; 0 above the critical noise.

        m = ∫x e^{−(V + θ(x−m)²/2)/κ} dx / ∫e^{−(V + θ(x−m)²/2)/κ} dx

    Reference: Dawson (1983), DOI 10.1007/BF01010922.
    """
    from scipy.optimize import brentq

    if kappa >= desai_zwanzig_critical_noise(theta):
        return 0.0

    def excess(m: float) -> float:
        return _quartic_mean(lambda x: x, kappa, theta, m) - m

    low = 1e-6
    return float(brentq(excess, low, 2.0, xtol=1e-14, rtol=1e-14)) if excess(low) > 0 else 0.0


def desai_zwanzig_critical_noise(theta: float = 1.0) -> float:
    """The κ below which the Desai–Zwanzig model has an ordered state: θ⟨x²⟩ = κ at mean 0.

    For θ = 1 it is 4 (Γ(3/4)/Γ(1/4))².   Reference: Dawson (1983), DOI 10.1007/BF01010922.
    """
    from scipy.optimize import brentq

    def excess(kappa: float) -> float:
        return theta * _quartic_mean(lambda x: x**2, kappa, theta, 0.0) - kappa

    return float(brentq(excess, 1e-3 * min(theta, 1.0), 1.0 + theta, xtol=1e-14, rtol=1e-14))


def _quartic_mean(function: Any, kappa: float, theta: float, m: float) -> float:
    """⟨f(x)⟩ under e^{−(x⁴/4 − x²/2 + θ(x−m)²/2)/κ}, by the trapezoidal rule, exponentially accurate here."""
    reach = math.sqrt(1 + 2 * math.sqrt(0.25 + (m**2 - 1) ** 2 / 4 + 40 * kappa))
    x = np.linspace(-reach, reach, 20001)
    exponent = -(x**4 / 4 - x**2 / 2 + theta * (x - m) ** 2 / 2) / kappa
    weight = np.exp(exponent - exponent.max())
    return float(np.sum(function(x) * weight) / np.sum(weight))


def kuramoto_order(coupling: float, kappa: float = 1.0) -> float:
    """Order parameter |⟨e^{ix}⟩| of the stable steady state for W = −K cos x on the circle of length 2π, unit mass.

        r = I₁(Kr/κ)/I₀(Kr/κ),    ρ ∝ exp((Kr/κ) cos x);    0 for K ≤ 2κ

    Reference: Sakaguchi (1988), DOI 10.1143/PTP.79.39.
    """
    from scipy.optimize import brentq
    from scipy.special import ive

    ratio = coupling / kappa
    if ratio <= 2:
        return 0.0
    low = 0.5 * math.sqrt(1 - 2 / ratio)  # below the root: r² ≥ (1 − 2/ratio) near the threshold and far above
    return float(brentq(lambda r: ive(1, ratio * r) / ive(0, ratio * r) - r, low, 1.0, xtol=1e-15, rtol=1e-14))


def kuramoto_energy(coupling: float, kappa: float = 1.0) -> float:
    """Energy of that steady state: −κ ln(2π I₀(Kr/κ)) + Kr²/2 − κ, with U = κ(ρ ln ρ − ρ)."""
    from scipy.special import i0e

    r = kuramoto_order(coupling, kappa)
    z = coupling * r / kappa
    return float(-kappa * (math.log(2 * math.pi * i0e(z)) + z) + coupling * r**2 / 2 - kappa)


def keller_segel_second_moment(t: Numbers, second_moment: float, mass: float, kappa: float = 1.0) -> Any:
    """∫|x|²ρ at time t in the plane, with W = ln|x|/2π:  m₂(t) = m₂ + (4κM − M²/2π) t, until it blows up.

    Reference: Blanchet, Dolbeault, Perthame (2006), Electron. J. Differential Equations 44.
    """
    return second_moment + (4 * kappa * mass - mass**2 / (2 * math.pi)) * t


def disc_radius(t: Numbers, radius: float, mass: float = 1.0) -> Any:
    """Radius of a uniform disc of the given mass under W = r²/2 − ln r in the plane, without diffusion.

        (R²)' = 2M(1 − R²)   ⇒   R² = 1 + (R(0)² − 1) e^{−2Mt}

    Reference: Bertozzi, Laurent, Léger (2012), DOI 10.1142/S0218202511400057.
    """
    return np.sqrt(1 + (radius**2 - 1) * np.exp(-2 * mass * np.asarray(t, dtype=float)))


def double_well_partition(kappa: float) -> float:
    """Z = ∫exp(−V/κ) for V = x⁴/4 − x²/2; of unit mass, the Gibbs state e^{−V/κ}/Z has energy −κ ln Z − κ.

        Z = (π/2) e^{1/8κ} [I_{−1/4}(1/8κ) + I_{1/4}(1/8κ)]

    Source: elementary (integral of a quartic exponential).
    """
    from scipy.special import ive

    z = 1 / (8 * kappa)
    return float(math.pi / 2 * math.exp(2 * z) * (ive(-0.25, z) + ive(0.25, z)))
