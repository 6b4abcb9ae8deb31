"""JKO steps far beyond everyday numbers: a handful of plain numbers, so that one can be pasted as it is printed."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from hypothesis import event
from hypothesis import strategies as st
from strategies import ROUGH, Numbers, filled, logarithmic, rough

from wgfpde.energy.energy import Energy
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.grid import Grid

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
class Step(Numbers):
    """As Numbers; of a power κ is taken over (mean density)^{m−1}.   lengths : x first.

    stretch : ln of the largest over the smallest cell.   height, offset : of V, in units of κ.   strength : of W in
    units of κ/mass.   tau : in units of (longest side)²/κ.
    """

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
        of_mean = 1.0 if isinstance(self.kind, str) else (self.mass / grid.volume) ** (self.kind - 1)
        flow = Flow(
            grid, Energy(self.law(self.kappa / of_mean), self._potential(rng.normal(size=grid.shape)), self._kernel())
        )
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
        return self.radial(lambda r2: size * kernel(r2 / square))

    def _density(self, grid, rng):
        phase, shape = rng.uniform(0, 2 * np.pi, 2), grid.shape
        s = [c / n for c, n in zip(grid.coordinates().values(), self.lengths, strict=True)]
        rho = {
            "smooth": lambda: math.prod(1.1 + np.sin(2 * np.pi * v + a) for v, a in zip(s, phase, strict=False)),
            "uniform": lambda: np.ones(shape),
            "nearly": lambda: 1 + 1e-7 * rng.normal(size=shape),
            **{data: partial(rough, data, shape, rng) for data in ROUGH},
            "rough": lambda: 10.0 ** rng.uniform(-12, 0, shape),
            "tails": lambda: 10.0 ** rng.uniform(-100, 0, shape),
            "far": lambda: np.exp(-600 * sum((v - 0.3 * np.sin(a)) ** 2 for v, a in zip(s, phase, strict=False))),
            "vacuum": lambda: math.prod(np.maximum(0.15 - (v + 0.1) ** 2, 0.0) for v in s),
        }[self.data]()
        return filled(rho, rng)


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
