"""Random problems at the edge of what can be written down, for the hunts: a `Wild` is plain numbers and builds itself.

Hypothesis draws them (`wild`), and a NumPy generator does (`random_wild`), by one recipe.  A failing one prints as it
can be pasted into a test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from strategies import ROUGH, Numbers, rough

from wgfpde.energy.energy import Energy
from wgfpde.energy.flow import Flow
from wgfpde.grid import Array, Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes

EXPONENTS = (0.3, 0.5, 0.75, 0.95, 0.999, 1.001, 1.05, 1.3, 1.4, 1.5, 1.9, 2.0, 2.5, 3.0, 4.0, 6.0)
KINDS: tuple[str | float, ...] = ("entropy", "none", *EXPONENTS)
POTENTIALS = ("none", "smooth", "steep", "step", "noise", "spike")
INTERACTIONS = (
    "none", "gauss", "minus gauss", "log", "minus log", "abs", "minus abs", "inverse root", "morse",
    "repulsive-attractive", "saddle", "quadratic", "minus quadratic",
)  # fmt: skip
DATA = ("smooth", "random", "blocks", "dirac", "spread", "tails", "subnormal", "constant", "hump")


@dataclass(frozen=True)
class Wild(Numbers):
    """As Numbers.   stretch : largest over smallest cell width.

    lower, length : of the axes.   steepness : largest |ΔV|/κ between neighbours, to which `offset` κ is added.
    strength : of W relative to κ/mass.   dt : absolute; `adaptive` starts with it.   seed : of everything random.
    """

    shape: tuple[int, ...] = (4,)
    periodic: tuple[bool, ...] = (False,)
    stretch: tuple[float, ...] = (1.0,)
    lower: tuple[float, ...] = (0.0,)
    length: tuple[float, ...] = (1.0,)
    kappa: float = 1.0
    potential: str = "none"
    steepness: float = 1.0
    offset: float = 0.0
    interaction: str = "none"
    strength: float = 1.0
    data: str = "smooth"
    mass: float = 1.0
    order: int = 2
    dt: float = 0.01
    adaptive: bool = False
    seed: int = 0

    def grid(self) -> Grid:
        upper = [a + b for a, b in zip(self.lower, self.length, strict=True)]
        return Grid(self.lower, upper, self.shape, list(self.periodic), [stretched(r) for r in self.stretch])

    def build(self) -> tuple[Flow, Array]:
        """The flow and the density at the start."""
        grid = self.grid()
        rng = np.random.default_rng(self.seed)
        phases = rng.uniform(0, 2 * np.pi, 2)
        values = self.potential_values(grid, rng, phases)
        potential = None if values is None else at_centres(values)
        flow = Flow(grid, Energy(self.law(self.kappa), potential, self.kernel()))
        return flow, self.density(grid, rng, phases)

    def potential_values(self, grid: Grid, rng: np.random.Generator, phases: Array) -> Array | None:
        """V at the cell centres, None for none."""
        if self.potential == "none":
            return None
        values = np.zeros(grid.shape)
        if self.potential in ("smooth", "steep"):
            for k, s in enumerate(positions(grid)):
                values = values + (np.cos(2 * np.pi * s + phases[k]) if self.periodic[k] else 4 * (s - 0.4) ** 2)
        elif self.potential == "step":
            values = np.where(rng.random(grid.shape) < 0.5, 1.0, 0.0)
        elif self.potential == "noise":
            values = rng.random(grid.shape)
        else:
            values.flat[rng.integers(grid.size)] = rng.choice([-1.0, 1.0])
        jump = max(float(np.max(np.abs(np.diff(values, axis=k)))) for k in range(grid.dim))
        return self.kappa * (values * (self.steepness / jump if jump > 1e-9 else self.steepness) + self.offset)

    def kernel(self) -> Any:
        """W as a function of the displacement, None for none."""
        if self.interaction == "none":
            return None
        height, size = self.kappa * self.strength / self.mass, max(self.length)
        if self.interaction == "saddle":
            if len(self.shape) == 1:
                return lambda x: -height * (x / size) ** 2
            return lambda x, y: height * ((x / size) ** 2 - (y / size) ** 2)

        def radial(r2):
            r = np.sqrt(r2) / size
            return height * RADIAL[self.interaction](r)

        return self.radial(radial)

    def density(self, grid: Grid, rng: np.random.Generator, phases: Array) -> Array:
        """The density of mass `mass`, ≥ 0 and not zero."""
        rho = np.ones(grid.shape)
        if self.data == "smooth":
            for k, s in enumerate(positions(grid)):
                rho = rho * (1.1 + np.sin(2 * np.pi * s + phases[k]))
        elif self.data in ROUGH:
            rho = rough(self.data, grid.shape, rng)
        elif self.data == "spread":
            rho = 10.0 ** rng.uniform(-100, 0, grid.shape)
        elif self.data == "hump":
            for k, s in enumerate(positions(grid)):
                rho = rho * np.exp(-(((s - 0.5) / 0.08) ** 2)) if k == 0 else rho * np.exp(-(((s - 0.3) / 0.2) ** 2))
        elif self.data in ("tails", "subnormal"):
            rho = np.where(rng.random(grid.shape) < 0.5, 1.0, 1e-300 if self.data == "tails" else 5e-321)
        if np.max(rho) < 1e-200:
            rho = np.array(rho)
            rho.flat[rng.integers(grid.size)] = 1.0
        faint = rho < 1e-290
        scaled = rho * (self.mass / float(np.sum(rho * grid.cell_volume)))
        return np.where(faint, rho, scaled) if self.data in ("tails", "subnormal") else scaled


RADIAL = {
    "gauss": lambda r: np.exp(-8 * r**2),
    "minus gauss": lambda r: -np.exp(-8 * r**2),
    "log": lambda r: np.log(r),
    "minus log": lambda r: -np.log(r),
    "abs": lambda r: r,
    "minus abs": lambda r: -r,
    "inverse root": lambda r: r**-0.5,
    "morse": lambda r: 2 * np.exp(-5 * r) - np.exp(-2 * r),
    "repulsive-attractive": lambda r: r**4 / 4 - r**2 / 2,
    "quadratic": lambda r: r**2 / 2,
    "minus quadratic": lambda r: -(r**2) / 2,
}


def stretched(ratio: float) -> Any:
    """A mapping of s ∈ [0, 1] whose steps grow by `ratio` from end to end; None for 1."""
    if ratio == 1.0:
        return None
    return lambda s: np.expm1(np.log(ratio) * s) / (ratio - 1.0)


def positions(grid: Grid) -> list[Array]:
    """s ∈ (0, 1) at the cell centres of each axis, broadcastable."""
    places = zip(grid.axes, grid.coordinates().values(), strict=True)
    return [(centers - axis.lower) / axis.length for axis, centers in places]


def at_centres(values: Array) -> Any:
    """A function that gives these values at the cell centres, and nothing unfit elsewhere."""

    def function(**coords: Array) -> Array:
        shape = np.broadcast_shapes(*(np.shape(c) for c in coords.values()))
        return values if shape == values.shape else np.zeros(shape)

    return function


def embed(problem: Wild, cells: int, length: float = 1.0, periodic: bool = False) -> Wild:
    """A 1D problem with a second axis."""
    return replace(
        problem,
        shape=(*problem.shape, cells),
        periodic=(*problem.periodic, periodic),
        stretch=(*problem.stretch, 1.0),
        lower=(*problem.lower, 0.0),
        length=(*problem.length, length),
    )


def stepper_of(problem: Wild, flow: Flow, threads: int = 1) -> FiniteVolumes:
    """The finite-volume scheme that a problem asks for."""
    if problem.adaptive:
        return FiniteVolumes(flow, problem.order, "adaptive", first_dt=problem.dt, threads=threads)
    return FiniteVolumes(flow, problem.order, problem.dt, threads=threads)


def steady_power(problem: Wild) -> tuple[Flow, Array]:
    """The flow of a power law, without W, and its steady state [((m−1)/(mκ)) (C − V)]_+^{1/(m−1)}; V varies."""
    flow, _ = replace(problem, interaction="none", offset=0.0).build()
    assert flow.potential is not None and isinstance(problem.kind, float)
    m, height = problem.kind, flow.potential / problem.kappa
    span = float(np.ptp(height))
    level = np.min(height) + (0.6 * span + 0.1 if m > 1 else -0.3 * (1 + span))
    base = (m - 1) / m * (level - height)
    return flow, np.where(base > 0, np.abs(base), 0.0 if m > 1 else np.nan) ** (1 / (m - 1))


class Dice:
    """Draws from a NumPy generator what `recipe` asks for."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def pick(self, options: Sequence[Any]) -> Any:
        return options[int(self._rng.integers(len(options)))]

    def between(self, low: float, high: float) -> float:
        return float(self._rng.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        return int(self._rng.integers(low, high + 1))


class Drawn:
    """Draws from Hypothesis what `recipe` asks for."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def pick(self, options: Sequence[Any]) -> Any:
        return self._draw(st.sampled_from(options))

    def between(self, low: float, high: float) -> float:
        return self._draw(st.floats(low, high))

    def whole(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))


def recipe(
    source: Dice | Drawn, kinds: Sequence[Any] = KINDS, potentials: Sequence[str] = POTENTIALS,
    interactions: Sequence[str] = INTERACTIONS, data: Sequence[str] = DATA, dims: Sequence[int] = (1, 2),
) -> Wild:  # fmt: skip
    """One random problem."""

    def power_of_ten(low: float, high: float) -> float:
        return float(f"{10.0 ** source.between(low, high):.3g}")

    dim = source.pick(dims)
    sizes = (2, 3, 4, 5, 8, 17, 33) if dim == 1 else (2, 3, 4, 9, 11)
    kind = source.pick([k for k in kinds if not (isinstance(k, float) and k < 1 - 1 / dim)])
    size = source.pick((1.0, 1.0, 1e-3, 1e3))
    aspect = source.pick((1.0, 1.0, 1e3, 1e6)) if dim == 2 else 1.0
    where = source.pick((0.0, 0.0, -1.0, 1e6 * size / aspect))  # cells must be told apart beside their place
    each = range(dim)
    potential = source.pick(potentials)
    return Wild(
        kind=kind,
        shape=tuple(source.pick(sizes) for _ in each),
        periodic=tuple(source.pick((False, True)) for _ in each),
        stretch=tuple(source.pick((1.0, 1.0, 3.0, 1e3)) for _ in each),
        lower=tuple(where for _ in each),
        length=(size, size / aspect)[:dim],
        kappa=source.pick((1.0, 1.0, 0.05, 1e-8, 1e8)),
        potential=potential,
        steepness=power_of_ten(2, 6) if potential == "steep" else power_of_ten(-3, 4),
        offset=source.pick((0.0, 0.0, 0.0, 1e8)),
        interaction=source.pick(interactions),
        strength=power_of_ten(-6, 4) if source.pick((True, False)) else power_of_ten(-2, 1),
        data=source.pick(data),
        mass=source.pick((1.0, 1.0, 1e-12, 1e12, 0.3)),
        order=source.pick((1, 2)),
        dt=power_of_ten(-12, 9) if source.pick((True, False)) else power_of_ten(-4, 1),
        adaptive=source.pick((False, False, False, True)),
        seed=source.whole(0, 2**31),
    )


@st.composite
def wild(draw, **choices) -> Wild:
    """Strategy of random problems; `choices` as for `recipe`."""
    return recipe(Drawn(draw), **choices)


def random_wild(rng: np.random.Generator, **choices) -> Wild:
    """The same, drawn evenly with a NumPy generator: for counts."""
    return recipe(Dice(rng), **choices)


def log_size(problem: Wild) -> float:
    """How far a problem is from plain numbers: for sorting failures, simplest first."""
    far = sum(
        abs(math.log10(v)) for v in (problem.kappa, problem.mass, problem.steepness, problem.strength, *problem.stretch)
    )
    return math.prod(problem.shape) + far
