"""Names, and exact solutions: reference numbers, masses by quadrature, residuals of the equations."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad

from wgfpde.energy import equations as eq
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.laws.equation_names import EQUATIONS, name_equation

# ---- names ----


@pytest.mark.parametrize(
    ("internal", "potential", "interaction", "name"),
    [
        (Internal("entropy"), False, False, "heat"),
        (Internal("entropy"), True, False, "Fokker-Planck"),
        (Internal("entropy"), True, True, "McKean-Vlasov"),
        (Internal("power", m=2.0), False, False, "porous medium"),
        (Internal("power", m=2.0), True, False, "porous medium with drift"),
        (Internal("power", m=0.5), False, False, "fast diffusion"),
        (Internal("power", m=0.5), True, False, "fast diffusion with drift"),
        (Internal("power", m=2.0), False, True, "aggregation-diffusion"),
        (Internal("none"), True, False, "drift"),
        (Internal("none"), True, True, "aggregation"),
    ],
)
def test_name(internal, potential, interaction, name):
    energy = Energy(internal, np.zeros_like if potential else None, np.zeros_like if interaction else None)
    assert name_equation(energy) is EQUATIONS[name]


def test_every_equation_is_described():
    for name, equation in EQUATIONS.items():
        assert equation.name == name
        assert equation.formula and equation.description
        assert "(" in equation.reference  # a year


# ---- the equations hold: ∂t ρ = ∇·(ρ∇ξ) by central differences ----


def residual_1d(density, pressure, force, t, x, h=1e-3):
    """max |∂t ρ − (p(ρ)_x + ρ f)_x| over max|∂t ρ|, for f = Φ_x; density(t, x)."""

    def flux(y):
        gradient = (pressure(density(t, y + h / 2)) - pressure(density(t, y - h / 2))) / h
        return gradient + density(t, y) * force(y)

    rate = (density(t + h, x) - density(t - h, x)) / (2 * h)
    return np.max(np.abs(rate - (flux(x + h / 2) - flux(x - h / 2)) / h)) / np.max(np.abs(rate))


def residual_radial(density, pressure, lam, d, t, r, h=1e-3):
    """The same for radial ρ in d dimensions and the force λr."""

    def flux(s):
        gradient = (pressure(density(t, s + h / 2)) - pressure(density(t, s - h / 2))) / h
        return s ** (d - 1) * (gradient + lam * s * density(t, s))

    rate = (density(t + h, r) - density(t - h, r)) / (2 * h)
    divergence = (flux(r + h / 2) - flux(r - h / 2)) / (h * r ** (d - 1))
    return np.max(np.abs(rate - divergence)) / np.max(np.abs(rate))


X = np.linspace(-1.5, 1.5, 41)


def test_heat_kernel_solves_the_heat_equation():
    def density(t, x):
        return eq.heat_kernel(t, x, kappa=0.7, s0=0.3)

    assert residual_1d(density, lambda rho: 0.7 * rho, np.zeros_like, 0.4, X) < 1e-5


def test_heat_kernel_in_the_plane_is_a_product():
    x, y = X, X[::5, None]
    plane = eq.heat_kernel(0.4, x, y, kappa=0.7, s0=0.3, mass=2.0)
    product = 2 * eq.heat_kernel(0.4, x, kappa=0.7, s0=0.3) * eq.heat_kernel(0.4, y, kappa=0.7, s0=0.3)
    assert plane == pytest.approx(product, rel=1e-13, abs=0)


@pytest.mark.parametrize("t", [1e-3, 0.05, 2.0])
def test_heat_kernel_box_keeps_mass_and_closes_the_walls(t):
    def density(x):
        return eq.heat_kernel_box(t, x, kappa=0.5, s0=1e-3, x0=0.3, lower=-1.0, upper=1.0)

    assert quad(density, -1, 1, points=[0.3], epsabs=1e-13)[0] == pytest.approx(1, abs=1e-11)
    for wall in (-1.0, 1.0):
        assert density(np.array(wall + 1e-4)) == pytest.approx(density(np.array(wall - 1e-4)), abs=1e-12)
    if t == 2.0:  # cosine series
        k = np.arange(1, 40) * np.pi / 2
        amplitudes = np.cos(k * 1.3) * np.exp(-(k**2) * (0.5 * t + 0.5e-3))
        series = 0.5 + np.cos(np.outer(X[14:28] + 1, k)) @ amplitudes
        assert density(X[14:28]) == pytest.approx(series, rel=1e-12, abs=0)


def test_wrapped_gaussian_is_its_fourier_series():
    n, x = np.arange(1, 60), np.linspace(0, 2 * np.pi, 50)
    for t in (0.02, 0.5, 3.0):
        s = 0.01 + 2 * 0.7 * t
        series = (1 + 2 * np.cos(np.outer(x - 5, n)) @ np.exp(-(n**2) * s / 2)) / (2 * np.pi)
        assert eq.wrapped_gaussian(t, x, kappa=0.7, s0=0.01, x0=5.0) == pytest.approx(series, abs=1e-14)


def test_gaussian_with_covariance():
    cov = np.array([[0.5, 0.2], [0.2, 0.3]])
    x, y = np.array([0.7]), np.array([-0.4])
    z = np.array([0.7 - 0.1, -0.4 + 0.2])
    wanted = 1.5 * np.exp(-z @ np.linalg.inv(cov) @ z / 2) / (2 * np.pi * np.sqrt(np.linalg.det(cov)))
    assert eq.gaussian(x, y, mean=(0.1, -0.2), cov=cov, mass=1.5)[0] == pytest.approx(wanted, rel=1e-14, abs=0)


def test_ornstein_uhlenbeck_numbers():
    mean, var = eq.ornstein_uhlenbeck(1.0, 2.0, 0.25)
    assert (mean, var) == pytest.approx((2 * math.exp(-1), 0.898498), abs=1e-6)

    matrix = np.array([[2, 0.6], [0.6, 1]])
    mean2, cov = eq.ornstein_uhlenbeck_2d(0.7, (1, -0.5), np.array([[0.3, -0.1], [-0.1, 0.2]]), matrix, 0.5)
    assert mean2 == pytest.approx([0.35208305, -0.42051739], abs=5e-9)
    wanted = [[0.287701067852, -0.134937645159], [-0.134937645159, 0.479942095582]]
    assert cov == pytest.approx(np.array(wanted), abs=1e-12)


def test_ornstein_uhlenbeck_solves_its_equation():
    def density(t, x):
        mean, var = eq.ornstein_uhlenbeck(t, 0.8, 0.4, lam=1.3, kappa=0.6)
        return eq.gaussian(x, mean=mean, cov=var)

    assert residual_1d(density, lambda rho: 0.6 * rho, lambda x: 1.3 * x, 0.3, X) < 1e-5


def test_mckean_vlasov_numbers():
    mean, var = eq.mckean_vlasov_quadratic(0.5, 1.5, 0.8, lam=1.0, theta=2.0, kappa=0.5)
    assert (mean, var) == pytest.approx((0.909795990, 0.198198477), abs=1e-9)


# ---- self-similar family ----

PROFILES = [  # d, m, b, F(0), c2
    (1, 1.5, 2.021411608540, 0.463784810594, 0.583729270163),
    (1, 2, 1.442249570307, 0.520020955763, 0.416016764610),
    (1, 3, 1.050075135809, 0.606261162328, 0.275664447711),
    (1, 4, 0.890435254870, 0.667439625651, 0.216238620850),
    (2, 1.5, 1.803207259534, 0.293683865497, 0.812889105209),
    (2, 2, 1.263237555492, 0.398942280401, 0.531923040535),
    (2, 3, 0.938643487427, 0.541926070139, 0.352420638596),
    (2, 4, 0.819722612495, 0.631618777746, 0.287976497758),
    (1, 0.5, 1.845270148644, 0.345000851412, 3.405021921477),
    (1, 0.75, 2.776610650116, 0.366847125558, 1.541913340468),
    (2, 0.75, 3.327404527836, 0.086250212853, 5.535810445932),
    (2, 0.6, 3.196101651142, 0.046741238900, 20.430131528861),
]


@pytest.mark.parametrize(("d", "m", "b", "peak", "c2"), PROFILES)
def test_profile_numbers(d, m, b, peak, c2):
    assert eq.profile_constant(m, d) == pytest.approx(b, abs=1e-11)
    assert eq.self_similar(np.array(0.0), 1.0, m, d) == pytest.approx(peak, abs=1e-11)
    assert eq.profile_second_moment(m, d) == pytest.approx(c2, abs=1e-10)


@pytest.mark.parametrize(("d", "m"), [(d, m) for d, m, *_ in PROFILES])
@pytest.mark.parametrize("mass", [1.0, 2.5])
def test_profile_mass_and_second_moment(d, m, mass):
    radius = 0.8
    end = radius * eq.profile_constant(m, d) if m > 1 else np.inf

    def moment(power):
        weight = 2.0 if d == 1 else 2 * np.pi
        return (
            weight * quad(lambda r: r ** (d - 1 + power) * eq.self_similar(r, radius, m, d, mass), 0, end, limit=200)[0]
        )

    assert moment(0) == pytest.approx(mass, rel=1e-7, abs=0)
    assert moment(2) == pytest.approx(mass * radius**2 * eq.profile_second_moment(m, d), rel=1e-5, abs=0)


@pytest.mark.parametrize(("d", "m"), [(1, 2), (1, 3), (2, 2), (2, 3), (1, 0.5), (2, 0.75)])
@pytest.mark.parametrize(("lam", "mass", "kappa"), [(0.0, 1.0, 1.0), (1.3, 2.5, 0.6), (-0.4, 0.7, 2.0)])
def test_self_similar_solution_solves_its_equation(d, m, lam, mass, kappa):
    def density(t, r):
        return eq.self_similar(r, float(eq.self_similar_radius(t, 0.7, m, d, lam, mass, kappa)), m, d, mass)

    front = eq.profile_constant(m, d) * float(eq.self_similar_radius(0.2, 0.7, m, d, lam, mass, kappa))
    r = np.linspace(0.05, 0.8 * front, 30)
    assert residual_radial(density, lambda rho: kappa * rho**m, lam, d, 0.2, r) < 1e-4


@pytest.mark.parametrize(
    ("d", "m", "constant", "front"),
    [
        (1, 2, 0.360562392577, 2.080083823052),
        (1, 3, 0.183776298474, 1.485030498571),
        (1, 4, 0.113201963128, 1.228559932755),
        (2, 2, 0.199471140201, 1.786487683476),
        (2, 3, 0.088943166629, 1.265297198025),
        (2, 4, 0.052972151015, 1.063048707725),
    ],
)
def test_barenblatt_numbers(d, m, constant, front):
    alpha = d / (d * (m - 1) + 2)
    k = alpha * (m - 1) / (2 * m * d)
    assert eq.barenblatt_constant(m, d) == pytest.approx(constant, abs=1e-11)
    assert math.sqrt(eq.barenblatt_constant(m, d) / k) == pytest.approx(front, abs=1e-11)
    t, kappa, mass = 0.6, 0.5, 3.0
    s, r = kappa * t, np.linspace(0, 2, 9)
    standard = s**-alpha * np.maximum(0, eq.barenblatt_constant(m, d, mass) - k * r**2 * s ** (-2 * alpha / d)) ** (
        1 / (m - 1)
    )
    assert eq.barenblatt(t, r, m, d, mass, kappa) == pytest.approx(standard, rel=1e-11, abs=1e-14)


def test_self_similar_radius_limits():
    assert eq.self_similar_radius(0.0, 0.3, 2, 1, lam=1.0) == pytest.approx(0.3, rel=1e-9, abs=0)
    assert eq.self_similar_radius(50.0, 0.3, 3, 2, lam=1.0) == pytest.approx(1.0, rel=1e-9, abs=0)
    assert eq.self_similar_radius(1.0, 1.0, 2, 1) == pytest.approx(1.587401051968, abs=1e-12)
    close = eq.self_similar_radius(1.0, 0.5, 2, 1, lam=1e-9)
    assert close == pytest.approx(float(eq.self_similar_radius(1.0, 0.5, 2, 1)), rel=1e-8, abs=0)


@pytest.mark.parametrize(("m", "d"), [(1, 1), (0, 1), (-0.5, 1), (0.3, 3)])
def test_no_profile_without_mass(m, d):
    with pytest.raises(ValueError, match="finite mass"):
        eq.profile_constant(m, d)


def test_second_moment_may_be_infinite():
    assert eq.profile_second_moment(0.5, 2) == math.inf
    assert eq.profile_second_moment(1 / 3, 1) == math.inf


# ---- interacting particles ----


def test_desai_zwanzig_numbers():
    assert eq.desai_zwanzig_critical_noise(1.0) == pytest.approx(0.456946581044, abs=1e-12)
    closed = 4 * (math.gamma(0.75) / math.gamma(0.25)) ** 2
    assert eq.desai_zwanzig_critical_noise(1.0) == pytest.approx(closed, abs=1e-13)
    assert eq.desai_zwanzig_mean(0.3) == pytest.approx(0.705495273209, abs=1e-11)
    assert eq.desai_zwanzig_mean(0.46) == 0.0


@pytest.mark.parametrize("theta", [0.2, 1.0, 5.0])
def test_desai_zwanzig_mean_falls_to_zero_at_the_critical_noise(theta):
    critical = eq.desai_zwanzig_critical_noise(theta)
    means = [eq.desai_zwanzig_mean(factor * critical, theta) for factor in (0.3, 0.7, 0.99, 0.9999, 1.0)]
    assert all(a > b for a, b in itertools.pairwise(means))
    assert means[-1] == 0
    assert means[2] / means[3] == pytest.approx(10, rel=0.05, abs=0)  # a square root


@pytest.mark.parametrize("kappa", [1e-3, 1e-2, 0.1])
def test_desai_zwanzig_little_noise(kappa):
    """Around x = 1 the well is lopsided: 0 = ⟨V'⟩ ≈ 2⟨z⟩ + 3⟨z²⟩ with ⟨z²⟩ ≈ κ/(2 + θ)."""
    assert eq.desai_zwanzig_mean(kappa) == pytest.approx(1 - 1.5 * kappa / (2 + 1), abs=6 * kappa**2)


def test_kuramoto_numbers():
    assert eq.kuramoto_order(3.0) == pytest.approx(0.724158717626, abs=1e-12)
    assert eq.kuramoto_order(1.5, 0.5) == pytest.approx(0.724158717626, abs=1e-12)
    assert eq.kuramoto_energy(3.0) == pytest.approx(-1.997941067974 - 1, abs=1e-12)
    assert eq.kuramoto_energy(1.0) == pytest.approx(-1.837877066409 - 1, abs=1e-12)
    assert eq.kuramoto_order(2.0) == 0


@pytest.mark.parametrize("ratio", [2 + 1e-6, 2.01, 2.5, 4.0, 20.0, 1e4])
def test_kuramoto_order_is_a_fixed_point(ratio):
    from scipy.special import ive

    r = eq.kuramoto_order(ratio)
    assert 0 < r < 1
    assert ive(1, ratio * r) / ive(0, ratio * r) == pytest.approx(r, rel=1e-9, abs=0)


def test_keller_segel_law():
    assert eq.keller_segel_second_moment(1.0, 0.0, 4 * np.pi) == pytest.approx(25.1327412287, rel=1e-9, abs=0)
    assert eq.keller_segel_second_moment(1.0, 0.5, 8 * np.pi) == pytest.approx(0.5, rel=1e-9, abs=0)
    assert eq.keller_segel_second_moment(1.0, 0.0, 12 * np.pi) == pytest.approx(-75.398, abs=1e-3)


def test_disc_radius_solves_its_equation():
    t, h, mass = 0.4, 1e-5, 2.0
    squared = [float(eq.disc_radius(s, 0.3, mass)) ** 2 for s in (t - h, t, t + h)]
    assert (squared[2] - squared[0]) / (2 * h) == pytest.approx(2 * mass * (1 - squared[1]), rel=1e-8, abs=0)
    assert eq.disc_radius(0.0, 0.3) == pytest.approx(0.3, rel=1e-9, abs=0)


@pytest.mark.parametrize(
    ("kappa", "z"),
    [
        (1, 3.905137169857),
        (0.5, 4.165748068947),
        (0.25, 5.365160237835),
        (0.1, 15.170196173702),
        (0.05, 123.785301994824),
    ],
)
def test_double_well_partition(kappa, z):
    assert eq.double_well_partition(kappa) == pytest.approx(z, rel=1e-12, abs=0)
