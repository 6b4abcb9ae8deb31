"""Hunts for a broken promise of JKO steps, distances, spectra and stationary states, far beyond everyday numbers.

A `Step` is a handful of plain numbers, so that a failing one can be pasted as it is printed.  A step may be refused
with a sentence; what it gives is proved again here, in extended precision and from the definitions.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from strategies import logarithmic

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import SolverError
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
from wgfpde.methods.jko.convex import ConvexStep
from wgfpde.methods.jko.method import FALLBACK_GAP
from wgfpde.methods.jko.minimise import Minimiser
from wgfpde.methods.jko.stepper import Jko
from wgfpde.studies.spectrum import spectrum
from wgfpde.studies.stationary import branches
from wgfpde.transport import geodesic, w2
from wgfpde.transport.line import Coupling

pytestmark = pytest.mark.nightly
HUNT = settings(settings.get_profile("hunt"))
Wide = np.longdouble
KINDS = ("entropy", 1.2, 1.5, 2.0, 3.0, 4.0, 8.0, 0.8, "none")
POTENTIALS = ("none", "linear", "quadratic", "wells", "jump", "noise")
KERNELS = {
    "quadratic": lambda s: s / 2,
    "attractive": lambda s: -np.exp(-8 * s),
    "repulsive": lambda s: np.exp(-8 * s),
    "log": lambda s: 0.5 * np.log(s),
    "minus log": lambda s: -0.5 * np.log(s),
    "abs": np.sqrt,
    "minus abs": lambda s: -np.sqrt(s),
    "wave": lambda s: np.cos(12 * np.sqrt(s)),
}
DATA = ("smooth", "uniform", "nearly", "random", "blocks", "dirac", "rough", "tails", "far", "vacuum")


@dataclass(frozen=True)
class Step:
    """kind : "entropy", "none" or an exponent m; κ is taken over (mean density)^{m−1}.   shape, lengths : x first.

    stretch : ln of the largest over the smallest cell.   height, offset : of V, in units of κ.   strength : of W in
    units of κ/mass.   tau : in units of (longest side)²/κ.
    """

    kind: str | float = "entropy"
    shape: tuple[int, ...] = (16,)
    lengths: tuple[float, ...] = (1.0,)
    periodic: tuple[bool, ...] = (False,)
    stretch: tuple[float, ...] = (0.0,)
    kappa: float = 1.0
    potential: str = "none"
    height: float = 1.0
    offset: float = 0.0
    interaction: str = "none"
    strength: float = 1.0
    data: str = "smooth"
    mass: float = 1.0
    tau: float = 0.01
    seed: int = 0

    @property
    def step(self):
        return self.tau * max(self.lengths) ** 2 / self.kappa

    def build(self):
        """The flow and the density."""
        rng = np.random.default_rng(self.seed)
        maps = [(lambda s, a=a: np.expm1(a * s) / np.expm1(a)) if a else None for a in self.stretch]
        grid = Grid([-0.5 * n for n in self.lengths], [0.5 * n for n in self.lengths], self.shape, self.periodic, maps)
        if isinstance(self.kind, str):
            internal = Internal(self.kind, self.kappa)
        else:
            internal = Internal("power", self.kappa / (self.mass / grid.volume) ** (self.kind - 1), self.kind)
        flow = Flow(grid, Energy(internal, self._potential(rng.normal(size=grid.shape)), self._kernel()))
        rho = self._density(grid, rng)
        return flow, rho * (self.mass / np.sum(grid.cell_volume * rho))

    def _potential(self, noise):
        if self.potential == "none":
            return None

        def one(s, wraps):
            return {
                "linear": np.cos(2 * np.pi * s) if wraps else s,
                "quadratic": np.sin(np.pi * s) ** 2 if wraps else 4 * s**2,
                "wells": np.cos(4 * np.pi * s) if wraps else (16 * s**2 - 1) ** 2,
                "jump": np.where(np.abs(s) < 0.2, 1.0, 0.0),
                "noise": 0.0 * s,
            }[self.potential]

        def value(**place):
            total = sum(one(v / n, w) for v, n, w in zip(place.values(), self.lengths, self.periodic, strict=True))
            if self.potential == "noise" and np.shape(total) == noise.shape:
                total = noise
            return self.kappa * (self.height * total + self.offset)

        return (lambda x: value(x=x)) if len(self.shape) == 1 else (lambda x, y: value(x=x, y=y))

    def _kernel(self):
        if self.interaction == "none":
            return None
        size, square = self.strength * self.kappa / self.mass, sum(n * n for n in self.lengths)
        kernel = KERNELS[self.interaction]
        if len(self.shape) == 1:
            return lambda x: size * kernel(x**2 / square)
        return lambda x, y: size * kernel((x**2 + y**2) / square)

    def _density(self, grid, rng):
        phase, shape = rng.uniform(0, 2 * np.pi, 2), grid.shape
        s = [c / n for c, n in zip(grid.coordinates().values(), self.lengths, strict=True)]
        rho = {
            "smooth": lambda: math.prod(1.1 + np.sin(2 * np.pi * v + a) for v, a in zip(s, phase, strict=False)),
            "uniform": lambda: np.ones(shape),
            "nearly": lambda: 1 + 1e-7 * rng.normal(size=shape),
            "random": lambda: rng.random(shape),
            "blocks": lambda: np.where(rng.random(shape) < 0.4, rng.integers(1, 3, shape), 0.0),
            "dirac": lambda: np.zeros(shape),
            "rough": lambda: 10.0 ** rng.uniform(-12, 0, shape),
            "tails": lambda: 10.0 ** rng.uniform(-100, 0, shape),
            "far": lambda: np.exp(-600 * sum((v - 0.3 * np.sin(a)) ** 2 for v, a in zip(s, phase, strict=False))),
            "vacuum": lambda: math.prod(np.maximum(0.15 - (v + 0.1) ** 2, 0.0) for v in s),
        }[self.data]()
        if not rho.any():
            rho = np.zeros(shape)
            rho.flat[rng.integers(rho.size)] = 1.0
        return rho


@st.composite
def steps(draw, kinds=KINDS, interactions=("none",), stretched=True, taus=(1e-8, 1e4)):
    dim = draw(st.sampled_from((1, 2)))
    interaction = draw(st.sampled_from(interactions))
    sizes = st.sampled_from((2, 3, 4, 5, 7, 16, 17, 33) if dim == 1 else (2, 3, 4, 5, 8, 11))
    length = draw(logarithmic(0.1, 10))
    wraps = st.booleans() if interaction in ("none", "attractive", "repulsive") else st.just(False)
    thin = draw(st.sampled_from((1.0, 1.0, 0.1, 1e-3)))
    return Step(
        kind=draw(st.sampled_from(kinds)),
        shape=tuple(draw(sizes) for _ in range(dim)),
        lengths=(length, length * thin)[:dim],
        periodic=tuple(draw(wraps) for _ in range(dim)),
        stretch=tuple(draw(st.sampled_from((0.0, 1.0, 4.0) if stretched else (0.0,))) for _ in range(dim)),
        kappa=draw(logarithmic(1e-6, 1e4)),
        potential=draw(st.sampled_from(POTENTIALS)),
        height=draw(logarithmic(0.1, 1e3)),
        offset=draw(st.sampled_from((0.0, 0.0, 1e3, -1e3, 1e8))),
        interaction=interaction,
        strength=draw(logarithmic(1e-2, 10)),
        data=draw(st.sampled_from(DATA)),
        mass=draw(st.sampled_from((1.0, 1e-10, 1e-3, 1e10, math.e))),
        tau=draw(logarithmic(*taus)),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


def start(rho):
    return Snapshot(0.0, 0, {"rho": rho})


def sentence(failure):
    text = str(failure)
    assert text.endswith(".") and len(text) > 60 and "nan" not in text.split("tried")[0]
    event("refused")


# ------------------------------------------------------------------------------ the proof of a step, written out anew


def conjugate(internal, tau, y):
    """(τU)*(y), elementwise."""
    c = Wide(tau) * Wide(internal.kappa)
    if internal.kind == "entropy":
        return c * np.exp(y / c)
    m = Wide(internal.m)
    if m > 1:
        return c * (np.maximum(y, 0) * (m - 1) / (c * m)) ** (m / (m - 1))
    inside = y < 0
    return np.where(inside, c * (np.where(inside, -y, 1) * (1 - m) / (c * m)) ** (m / (m - 1)), np.inf)


def written_out(flow, rho0, end, tau, phi):
    """(primal, dual, scale, size of all terms) from fluxes and φ, in extended precision."""
    grid, shape = flow.grid, end.rho.shape
    hx, dx = np.asarray(grid.x.widths, Wide), np.asarray(grid.x.distances, Wide)
    hy, dy = np.ones(1, Wide), np.full(1, np.inf, Wide)
    if grid.dim == 2:
        hy, dy = np.asarray(grid.y.widths, Wide), np.asarray(grid.y.distances, Wide)
    volume, a, b, p = np.outer(hy, hx), rho0.reshape(shape).astype(Wide), end.rho.astype(Wide), phi.astype(Wide)
    v = np.zeros(shape, Wide) if flow.potential is None else flow.potential.reshape(shape).astype(Wide)
    faces = ((end.flux_x.astype(Wide), dx[None, :], 1), (end.flux_y.astype(Wide), dy[:, None], 0))
    left, transport, speeds = volume * (b - a), Wide(0), np.zeros(shape, Wide)
    largest = np.max(volume * np.maximum(a, b)) + sum(np.max(np.abs(f)) for f, _, _ in faces)
    for flux, distance, axis in faces:
        left += flux - np.roll(flux, 1, axis)
        assert not np.any(np.where(np.isinf(distance), flux, 0))
        held = volume * (a + b) / 2
        weight, moves = (held + np.roll(held, -1, axis)) / 2 / distance**2, flux != 0
        assert np.all(weight[moves] > 0)
        transport += np.sum(flux[moves] ** 2 / (2 * weight[moves]))
        slope = (np.roll(p, -1, axis) - p) / distance
        speeds += (slope**2 + np.roll(slope, 1, axis) ** 2) / 8
    assert np.max(np.abs(left)) <= 1e-14 * largest
    c, filled = Wide(tau) * Wide(flow.internal.kappa), np.where(b > 0, b, 1)
    inner = np.zeros(shape, Wide)
    if flow.internal.kind == "entropy":
        inner = c * (b * np.log(filled) - b)
    elif flow.internal.kind == "power":
        inner = c / (Wide(flow.internal.m) - 1) * np.where(b > 0, filled ** Wide(flow.internal.m), 0)
    y = speeds - p - Wide(tau) * v
    if flow.internal.kind == "none":
        dual = -np.sum(volume * a * (p + np.max(y) + speeds))
    else:
        dual = -np.sum(volume * conjugate(flow.internal, tau, y)) - np.sum(volume * a * (p + speeds))
    energies = np.sum(volume * inner), Wide(tau) * np.sum(volume * v * b)
    height, m = Wide(tau) * (v - np.min(v)), Wide(flow.internal.m)
    pressure = {"entropy": c * b, "power": c * np.where(b > 0, filled**m, 0), "none": 0 * b}[flow.internal.kind]
    mean = np.sum(volume * height * b) / np.sum(volume * b)
    scale = transport + np.sum(volume * (pressure + np.abs(height - mean) * b + height * b / 1000))
    size = transport + np.sum(volume * (np.abs(inner) + Wide(tau) * np.abs(v) * b + a * (np.abs(p) + speeds)))
    if flow.internal.kind == "entropy":
        size += c * np.sum(volume * b)
    return transport + sum(energies), dual, scale, size, transport


@HUNT
@given(problem=steps(), guess=logarithmic(1e-6, 1e2))
def test_a_step_is_proved_again_from_the_definitions(problem, guess):
    flow, rho = problem.build()
    tau = problem.step
    minimiser = Minimiser(flow, "newton", 1, 1e-8, None, None, 1)
    try:
        end = minimiser.solve(rho.reshape(minimiser.shape), tau, {})
    except SolverError:
        event("refused")
        return
    new, numbers = end.rho.reshape(flow.grid.shape), end.numbers
    assert np.all(np.isfinite(new)) and new.min() >= 0
    assert flow.mass(new) == pytest.approx(flow.mass(rho), rel=1e-14, abs=0)
    assert numbers["gap"] <= 1e-8
    potential = np.zeros(flow.grid.shape) if flow.potential is None else flow.potential
    step = ConvexStep(
        minimiser.stagger, flow.internal, rho.reshape(minimiser.shape), potential.reshape(end.rho.shape), tau
    )
    phi = step.best_dual(end.fields["phi"], end.rho)[0]
    primal, dual, scale, size, transport = written_out(flow, rho, end, tau, phi)
    assert (
        abs(primal - numbers["primal"]) <= 1e-14 * size and abs(transport - numbers["transport"]) <= 1e-12 * transport
    )
    assert numbers["primal"] - numbers["dual"] >= -1e-14 * size
    assert numbers["dual"] >= dual - 1e-8 * scale - 1e-13 * size
    noise = guess * np.sqrt(float(transport) / problem.mass + 1e-30) * max(problem.lengths)
    other = phi + noise * np.random.default_rng(problem.seed).normal(size=phi.shape)
    wild = written_out(flow, rho, end, tau, other)
    assert wild[1] <= primal + 1e-15 * (size + (wild[3] if np.isfinite(wild[3]) else 0))
    before, after = flow.parts(rho), flow.parts(new)
    whole = float(transport) / tau + sum(abs(part) for part in after)
    rounding = 1e-13 * (whole + sum(abs(part) for part in before))
    assert sum(after) + float(transport) / tau <= sum(before) + max(numbers["gap"], 0) * whole + rounding


def promises(flow, old, new, tolerance, bound=None):
    assert np.all(np.isfinite(new.rho)) and new.rho.min() >= 0
    assert flow.mass(new.rho) == pytest.approx(flow.mass(old.rho), rel=1e-13, abs=0)
    assert new.report.gap <= tolerance
    assert ("step shortened" in new.report.note) == (new.report.rejected > 0)
    if bound is not None:
        assert new.rho.max() <= bound * (1 + 1e-12)


@HUNT
@given(problem=steps(interactions=tuple(KERNELS)))
def test_steps_with_interaction(problem):
    flow, rho = problem.build()
    try:
        new = Jko(flow, problem.step, threads=1).step(start(rho), problem.step)
    except SolverError as failure:
        return sentence(failure)
    promises(flow, start(rho), new, 1e-8)
    report = new.report
    assert report.drive_residual <= 1e-8
    before, after = flow.parts(rho), flow.parts(new.rho)
    whole = report.transport / new.dt + sum(abs(part) for part in after)
    slack = (max(report.gap, 0) + report.drive_residual) * whole + 1e-13 * (whole + sum(abs(part) for part in before))
    assert sum(after) + report.transport / new.dt <= sum(before) + slack


@HUNT
@given(problem=steps(interactions=("none", *KERNELS), taus=(1e-6, 1e2)))
def test_extrapolated_steps_never_raise_the_energy(problem):
    flow, rho = problem.build()
    try:
        new = Jko(flow, problem.step, scheme="extrapolated", threads=1).step(start(rho), problem.step)
    except SolverError as failure:
        return sentence(failure)
    promises(flow, start(rho), new, 1e-8)
    before, after = flow.parts(rho), flow.parts(new.rho)
    assert sum(after) <= sum(before) + 2e-13 * (sum(map(abs, before)) + sum(map(abs, after)))


@HUNT
@given(
    problem=steps(stretched=False, taus=(1e-4, 1.0)),
    inner=st.sampled_from((1, 2, 5)),
    room=st.sampled_from((0, 1.001, 3)),
)
def test_steps_by_the_first_order_method(problem, inner, room):
    problem = replace(problem, offset=0.0, height=min(problem.height, 30.0))
    flow, rho = problem.build()
    bound = room * problem.mass / flow.grid.volume if room else None
    options = {"inner_steps": inner, "tolerance": 1e-3, "max_iterations": 300, "congestion": bound, "threads": 1}
    try:
        new = Jko(flow, problem.step, "pdhg", **options).step(start(rho), problem.step)
    except SolverError as failure:
        return sentence(failure)
    promises(flow, start(rho), new, 1e-3, bound)
    if inner == 1 and bound is None:
        try:
            other = Jko(flow, problem.step, threads=1).step(start(rho), problem.step)
        except SolverError:
            return
        if other.dt == new.dt:  # both enclose one minimum
            size = 1e-12 * abs(new.report.primal) + 1e-12 * problem.mass * problem.kappa * new.dt
            assert other.report.dual <= new.report.primal + size and new.report.dual <= other.report.primal + size


@HUNT
@given(problem=steps(taus=(1e-4, 1.0)), factor=st.sampled_from((1e-10, 1e5)))
def test_units_of_mass_space_energy_and_origin_do_not_matter(problem, factor):
    """ρ ↦ aρ, x ↦ ax, κ ↦ aκ, and V ↦ V + 10κ: the same step."""
    one = replace(problem, height=min(problem.height, 30.0), offset=0.0)
    others = (
        replace(one, mass=one.mass * factor),
        replace(one, lengths=tuple(factor * n for n in one.lengths)),
        replace(one, kappa=one.kappa * factor),
        replace(one, offset=10.0),
    )
    found = []
    for p in (one, *others):
        flow, rho = p.build()
        try:
            new = Jko(flow, p.step, threads=1, tolerance=1e-8 if p.kind == "none" else 1e-10).step(start(rho), p.step)
        except SolverError:
            return
        if new.report.rejected:
            return
        found.append(new.rho * flow.grid.cell_volume / p.mass)
    for other in found[1:]:
        assert np.sum(np.abs(other - found[0])) <= (2e-3 if one.kind == "none" else 1e-3)


def test_few_steps_are_given_up():
    """Of the wildest problems at most one in thirty is refused."""
    rng, refused = np.random.default_rng(7), 0
    for _ in range(300):
        problem = steps_at_random(rng)
        flow, rho = problem.build()
        try:
            Jko(flow, problem.step, threads=1).step(start(rho), problem.step)
        except SolverError as failure:
            assert str(failure).endswith(".")
            refused += 1
    assert refused <= 10


def steps_at_random(rng):
    dim = int(rng.integers(1, 3))

    def pick(options):
        return options[rng.integers(len(options))]

    length = float(10 ** rng.uniform(-1, 1))
    return Step(
        kind=pick(KINDS),
        shape=tuple(pick((2, 3, 5, 8, 17)) for _ in range(dim)),
        lengths=(length, length * pick((1.0, 0.1)))[:dim],
        periodic=tuple(bool(rng.random() < 0.4) for _ in range(dim)),
        stretch=tuple(pick((0.0, 1.0, 4.0)) for _ in range(dim)),
        kappa=float(10 ** rng.uniform(-6, 4)),
        potential=pick(POTENTIALS),
        height=float(10 ** rng.uniform(-1, 2)),
        offset=pick((0.0, 1e3, 1e8)),
        data=pick(DATA),
        mass=pick((1.0, 1e-10, 1e10)),
        tau=float(10 ** rng.uniform(-8, 1)),
        seed=int(rng.integers(2**32)),
    )


# --------------------------------------------------------------------------------------------- distances on lines


@st.composite
def lines(draw):
    """(grid, three densities of one mass)."""
    n, stretch = draw(st.sampled_from((2, 3, 4, 8, 17, 33))), draw(st.sampled_from((0.0, 1.0, 5.0)))
    length, lower = draw(logarithmic(1e-3, 1e3)), draw(st.sampled_from((0.0, -1.0, 1e3)))
    maps = [(lambda s: np.expm1(stretch * s) / np.expm1(stretch)) if stretch else None]
    grid = Grid([lower], [lower + length], [n], draw(st.booleans()), maps)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mass, found = draw(logarithmic(1e-10, 1e10)), []
    for _ in range(3):
        rho = draw(
            st.sampled_from(
                (
                    rng.random(n),
                    np.where(rng.random(n) < 0.4, 1.0, 0.0),
                    np.eye(n)[n // 2],
                    10 ** rng.uniform(-300, 0, n),
                )
            )
        )
        rho = rho if rho.any() else np.eye(n)[0]
        found.append(rho * (mass / np.sum(rho * grid.x.widths)))
    return grid, mass, found


@HUNT
@given(case=lines(), turn=st.integers(1, 30))
def test_distances_in_1d(case, turn):
    grid, mass, (a, b, c) = case
    length, h = grid.x.length, grid.x.widths
    noise = 3e-8 * length * np.sqrt(mass)  # W₂² is known to 1e-16
    ab, bc, ca = w2(grid, a, b), w2(grid, b, c), w2(grid, c, a)
    assert w2(grid, a, a) <= noise and abs(w2(grid, b, a) - ab) <= noise + 1e-9 * ab
    assert ab <= bc + ca + noise
    line = Grid([grid.x.lower], [grid.x.upper], [grid.size], mapping=[lambda s: (grid.x.edges - grid.x.lower) / length])
    assert ab <= w2(line, a, b) + noise
    if grid.x.ring:
        round_ = Coupling(grid.x.edges, a * h, grid.x.edges, b * h, True)
        for shift in np.linspace(-1, 1, 21):
            u, first, last = round_._pieces(shift)
            d = first - last
            cost = np.sum(np.diff(u) * (d[:, 0] ** 2 + d[:, 0] * d[:, 1] + d[:, 1] ** 2)) / 3
            assert ab**2 <= mass * cost * (1 + 1e-9) + noise**2
        if grid.uniform:
            k = turn % grid.size
            assert abs(w2(grid, np.roll(a, k), np.roll(b, k)) - ab) <= noise + 1e-9 * ab
            assert w2(grid, a, np.roll(a, k)) <= min(k, grid.size - k) * h[0] * np.sqrt(mass) * (1 + 1e-9) + noise
    times = np.array([0.0, 0.3, 0.5, 1.0])
    for s, rho in zip(times, geodesic(grid, a, b, times), strict=True):
        assert rho.min() >= 0 and np.sum(rho * h) == pytest.approx(mass, rel=1e-13, abs=0)
        assert abs(w2(grid, a, rho) - s * ab) <= h.max() * np.sqrt(mass) + noise


# ------------------------------------------------------------------------------------ spectra and stationary states


@HUNT
@given(
    shape=st.tuples(*[st.sampled_from((2, 3, 5, 9, 14))] * 2),
    heights=st.tuples(logarithmic(1e-2, 60), logarithmic(1e-2, 60)),
    lengths=st.tuples(logarithmic(1e-2, 10), logarithmic(1e-2, 10)),
    kappa=logarithmic(1e-4, 1e3),
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 8),
)
def test_the_spectrum_of_a_sum_is_that_of_its_parts(shape, heights, lengths, kappa, seed, k):
    """V(x) + W(y): sums of the eigenvalues of two chains, which bisection finds to full relative accuracy."""
    rng = np.random.default_rng(seed)
    noise = [kappa * h * rng.uniform(0, 1, n) for h, n in zip(heights, shape, strict=True)]
    entropy = Internal("entropy", kappa)
    chains = [
        spectrum(
            Flow(Grid([0.0], [n], [cells]), Energy(entropy, lambda x, v=v: v if np.shape(x) == v.shape else 0 * x)),
            cells - 1,
        )
        for n, cells, v in zip(lengths, shape, noise, strict=True)
    ]
    plane = Grid([0.0, 0.0], lengths, shape)
    flow = Flow(plane, Energy(entropy, lambda x, y: noise[0] + noise[1][:, None]))
    k = min(k, plane.size - 1)
    expected = np.sort(np.add.outer(chains[0].eigenvalues, chains[1].eigenvalues).ravel())[: k + 1]
    try:
        found = spectrum(flow, k)
    except SolverError as failure:
        assert "the gap lies below" in str(failure)
        return
    np.testing.assert_allclose(found.eigenvalues[1:], expected[1:], rtol=1e-8)
    weight = (plane.cell_volume * found.pi).ravel()
    modes = found.modes.reshape(k + 1, -1)
    np.testing.assert_allclose((modes * weight) @ modes.T, np.eye(k + 1), atol=1e-8)


@HUNT
@given(problem=steps(kinds=("entropy", 1.5, 2.0, 4.0, 0.8), interactions=("none", *KERNELS), taus=(1e-4, 1e-2)))
def test_stationary_states_stay(problem):
    """Energy, mass, and one step of the finite volumes."""
    problem = replace(problem, height=min(problem.height, 30.0), offset=min(problem.offset, 1e3))
    flow, rho = problem.build()
    try:
        states = branches(flow, problem.mass, [rho, np.ones(flow.grid.shape)], limit=4)
    except SolverError:
        event("none found")
        return
    for state in states:
        assert state.rho.min() >= 0 and flow.mass(state.rho) == pytest.approx(problem.mass, rel=1e-12, abs=0)
        assert abs(state.energy - flow.value(state.rho)) <= 1e-12 * sum(map(abs, flow.parts(state.rho)))
        new = FiniteVolumes(flow, 1, problem.step, threads=1).step(start(state.rho), problem.step)
        growth = math.exp(min(max(state.eigenvalue, 0.0) * problem.step, 20.0))
        assert flow.integral(np.abs(new.rho - state.rho)) <= 1e-9 * problem.mass * growth


@HUNT
@given(problem=steps(interactions=("none", "quadratic", "attractive", "repulsive")))
def test_exact_steps_keep_their_promises(problem):
    """A gap in 1D, a backward error in 2D or the gap of inner steps, and E + ½W₂²/τ ≤ E(ρ⁰) to rounding."""
    dim = len(problem.shape)
    if dim == 2:
        problem = replace(problem, stretch=(0.0,) * dim)
    if dim == 2 and (min(problem.shape) < 4 or problem.kind in ("none", 0.8)):
        return
    flow, rho = problem.build()
    try:
        new = Jko(flow, problem.step, "exact", threads=1).step(start(rho), problem.step)
    except SolverError as failure:
        return sentence(failure)
    report = new.report
    assert np.all(np.isfinite(new.rho)) and new.rho.min() >= 0
    assert flow.mass(new.rho) == pytest.approx(flow.mass(rho), rel=1e-13, abs=0)
    if dim == 1:
        assert report.gap <= 1e-8
    else:
        assert report.gap <= FALLBACK_GAP if "taken by" in report.note else report.more["backward_error"] <= 2e-2
    before, after = flow.parts(rho), flow.parts(new.rho)
    whole = report.transport / new.dt + sum(abs(part) for part in (*before, *after))
    assert sum(after) + report.transport / new.dt <= sum(before) + 2e-13 * whole
