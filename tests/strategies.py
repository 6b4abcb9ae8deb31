"""Random flows, data and step sizes for the promises: Hypothesis draws a `Problem`, `build` turns it into arrays.

A Problem is a handful of plain numbers, so that a failing one can be pasted into a test as it is printed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid

LOWER, LENGTH = (-1.0, 0.5), (2.0, 3.0)
POWERS = (2.0, 3.0, 4.0, 2.5, 1.5, 0.6, 0.75)
KINDS = ("entropy", "none", *POWERS)
POTENTIALS = ("none", "smooth", "steep")
INTERACTIONS = ("none", "attractive", "repulsive", "log", "minus log")
DATA = ("smooth", "random", "blocks", "dirac", "spread")
ROUGH = ("random", "blocks", "dirac")


@dataclass(frozen=True)
class Numbers:
    """What problems here, in `wild` and in `wild_steps` share.   kind : "entropy", "none" or an exponent m.

    shape : x first.
    """

    kind: str | float = "entropy"
    shape: tuple[int, ...] = (16,)

    def law(self, kappa: float) -> Internal:
        return Internal(self.kind, kappa) if isinstance(self.kind, str) else Internal("power", kappa, self.kind)

    def radial(self, function: Callable) -> Callable:
        """W of the displacement from a function of the square of its length."""
        return (lambda x: function(x**2)) if len(self.shape) == 1 else (lambda x, y: function(x**2 + y**2))


def rough(data: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Densities that change from cell to cell; of "dirac" the cell is drawn by `filled`."""
    if data == "random":
        return rng.random(shape)
    return np.where(rng.random(shape) < 0.4, rng.integers(1, 3, shape), 0.0) if data == "blocks" else np.zeros(shape)


def filled(rho: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same density; where there is none, 1 in one cell."""
    if not rho.any():
        rho = np.zeros(rho.shape)
        rho.flat[rng.integers(rho.size)] = 1.0
    return rho


@dataclass(frozen=True)
class Problem(Numbers):
    """kind : "entropy", "none" or an exponent m.   shape : x first.   steepness : largest |ΔV|/κ between neighbours.

    strength : size of W∗ρ relative to κ.   mass : of the data.   dt : time step.   seed : of everything random.
    """

    periodic: tuple[bool, ...] = (False,)
    stretched: tuple[bool, ...] = (False,)
    kappa: float = 1.0
    potential: str = "none"
    steepness: float = 1.0
    interaction: str = "none"
    strength: float = 1.0
    data: str = "smooth"
    mass: float = 1.0
    order: int = 2
    dt: float = 0.01
    seed: int = 0

    @property
    def linear(self) -> bool:
        return not isinstance(self.kind, float)

    def build(self) -> tuple[Flow, np.ndarray]:
        """The flow and the initial density."""
        rng = np.random.default_rng(self.seed)
        grid = self.grid()
        phases = rng.uniform(0, 2 * np.pi, 2)
        potential = self._potential(grid, phases)
        flow = Flow(grid, Energy(self.law(self.kappa), potential, self._interaction()))
        return flow, self._density(grid, rng, phases)

    def grid(self) -> Grid:
        dim = len(self.shape)

        def stretch(s):
            return s + 0.12 * np.sin(2 * np.pi * s)

        return Grid(
            LOWER[:dim],
            tuple(a + b for a, b in zip(LOWER[:dim], LENGTH[:dim], strict=True)),
            self.shape,
            list(self.periodic),
            [stretch if s else None for s in self.stretched],
        )

    def _potential(self, grid, phases):
        if self.potential == "none":
            return None

        def shape(**coords):
            total = 0.0
            for k, value in enumerate(coords.values()):
                s = (value - LOWER[k]) / LENGTH[k]
                if self.periodic[k]:
                    total = total + np.cos(2 * np.pi * s + phases[k])
                else:
                    total = total + 4 * (s - 0.4) ** 2 + 0.3 * np.cos(9 * s + phases[k])
            return total

        values = grid.sample(shape)
        jump = max(np.max(np.abs(np.diff(values, axis=k))) for k in range(grid.dim))
        height = self.kappa * (self.steepness / max(jump, 1e-9) if self.potential == "steep" else self.steepness)
        if grid.dim == 1:
            return lambda x: height * shape(x=x)
        return lambda x, y: height * shape(x=x, y=y)

    def _interaction(self):
        if self.interaction == "none":
            return None
        height = self.kappa * self.strength / self.mass
        if self.interaction in ("attractive", "repulsive"):
            height = -height if self.interaction == "attractive" else height

            def radial(r2):
                return height * np.exp(-2 * r2)
        else:
            height = height if self.interaction == "log" else -height

            def radial(r2):
                return 0.5 * height * np.log(r2)

        return self.radial(radial)

    def _density(self, grid, rng, phases):
        if self.data == "smooth":
            rho = 1.0 + 0.0 * grid.cell_volume
            for k, centers in enumerate(grid.coordinates().values()):
                rho = rho * (1.1 + np.sin(2 * np.pi * (centers - LOWER[k]) / LENGTH[k] + phases[k]))
        elif self.data in ROUGH:
            rho = rough(self.data, grid.shape, rng)
        else:
            rho = 10.0 ** rng.uniform(-100, 0, grid.shape)
        rho = filled(rho, rng)
        return rho * (self.mass / grid.cell_volume / np.sum(rho))


def logarithmic(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers spread evenly in the logarithm."""
    return st.floats(math.log10(low), math.log10(high)).map(lambda e: float(10.0**e))


@st.composite
def problems(draw, kinds=KINDS, interactions=INTERACTIONS, potentials=POTENTIALS, data=DATA, dts=(1e-6, 1e3)):
    """Anything the scheme promises to handle."""
    dim = draw(st.sampled_from((1, 2)))
    sizes = st.sampled_from((2, 3, 4, 7, 16, 33)) if dim == 1 else st.sampled_from((2, 3, 5, 8, 11))

    def each(strategy):
        return tuple(draw(strategy) for _ in range(dim))

    kind = draw(st.sampled_from(kinds))
    potential = draw(st.sampled_from(potentials))
    return Problem(
        kind=kind,
        shape=each(sizes),
        periodic=each(st.booleans()),
        stretched=each(st.booleans()),
        kappa=draw(st.sampled_from((1.0, 0.05, 7.0))),
        potential=potential,
        steepness=draw(logarithmic(1, 1e3) if potential == "steep" else logarithmic(0.1, 10)),
        interaction=draw(st.sampled_from(interactions)),
        strength=draw(logarithmic(1e-2, 10)),
        data=draw(st.sampled_from(data)),
        mass=draw(st.sampled_from((1.0, 1e-6, 1e3, 0.3))),
        order=draw(st.sampled_from((1, 2))),
        dt=draw(logarithmic(*dts)),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


def random_problem(rng: np.random.Generator, **fixed) -> Problem:
    """The same, drawn evenly with a NumPy generator: for rates of success."""
    dim = int(rng.integers(1, 3))

    def pick(options):
        return options[rng.integers(len(options))]

    potential = pick(POTENTIALS)
    problem = Problem(
        kind=pick(KINDS),
        shape=tuple(pick((2, 3, 4, 7, 16, 33) if dim == 1 else (2, 3, 5, 8, 11)) for _ in range(dim)),
        periodic=tuple(bool(rng.random() < 0.5) for _ in range(dim)),
        stretched=tuple(bool(rng.random() < 0.5) for _ in range(dim)),
        kappa=pick((1.0, 0.05, 7.0)),
        potential=potential,
        steepness=float(10 ** (rng.uniform(0, 3) if potential == "steep" else rng.uniform(-1, 1))),
        interaction=pick(INTERACTIONS),
        strength=float(10 ** rng.uniform(-2, 1)),
        data=pick(DATA),
        mass=pick((1.0, 1e-6, 1e3, 0.3)),
        order=pick((1, 2)),
        dt=float(10 ** rng.uniform(-6, 3)),
        seed=int(rng.integers(2**32)),
    )
    return replace(problem, **fixed)


def size_of_terms(flow, rho):
    """S(ρ) = Σ h (|U| + |Vρ|) + ½ mass max|W∗ρ|, the size of the terms of an energy, and max|W∗ρ| · mass."""
    internal, drive = flow.internal, 0.0
    if internal.kind == "entropy":
        terms = internal.kappa * rho * (1 + np.abs(np.log(np.where(rho > 0, rho, 1.0))))
    else:
        terms = np.abs(internal.density(rho))
    if flow.potential is not None:
        terms = terms + np.abs(flow.potential * rho)
    if flow.interaction is not None:
        drive = float(np.max(np.abs(flow.interaction.apply(rho)))) * flow.mass(rho)
    return flow.integral(terms) + 0.5 * drive, drive
