"""Problems for JKO steps, drawn and built."""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from strategies import LENGTH, LOWER, Problem, logarithmic

from wgfpde.energy.energy import Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.methods.jko.stepper import Jko

KINDS = ("entropy", 1.5, 2.0, 4.0, 0.8, "none")
POTENTIALS = ("none", "quadratic", "double well", "smooth")
DATA = ("smooth", "blocks", "dirac", "random", "rough", "vacuum")


@dataclass(frozen=True)
class JkoProblem(Problem):
    """A `Problem` with more to choose from.

    potential : also "quadratic", "double well".   interaction : also "quadratic".   data : also "rough", "vacuum".
    """

    def build(self):
        flow, rho = super().build()
        if self.linear:
            return flow, rho
        internal = Internal("power", self.kappa / self.mass ** (self.kind - 1), self.kind)
        return Flow(flow.grid, replace(flow.energy, internal=internal)), rho

    def _potential(self, grid, phases):
        if self.potential not in ("quadratic", "double well"):
            return super()._potential(grid, phases)

        def one(k, value):
            s = (value - LOWER[k]) / LENGTH[k] - 0.45
            if self.periodic[k]:
                s = np.sin(np.pi * s) / 2
            return 4 * s**2 if self.potential == "quadratic" else (16 * s**2 - 1) ** 2

        height = self.kappa * self.steepness
        if grid.dim == 1:
            return lambda x: height * one(0, x)
        return lambda x, y: height * (one(0, x) + one(1, y) + (0 if any(self.periodic) else x * y / 9))

    def _interaction(self):
        if self.interaction != "quadratic":
            return super()._interaction()
        height = 0.5 * self.strength * self.kappa / self.mass
        if len(self.shape) == 1:
            return lambda x: height * x**2
        return lambda x, y: height * (x**2 + y**2)

    def _density(self, grid, rng, phases):
        if self.data == "rough":
            rho = 10.0 ** rng.uniform(-12, 0, grid.shape)
        elif self.data == "vacuum":
            rho = np.ones(grid.shape)
            for k, centers in enumerate(grid.coordinates().values()):
                rho = rho * np.maximum(0.15 - ((centers - LOWER[k]) / LENGTH[k] - 0.4) ** 2, 0.0)
        elif self.data == "dirac":
            rho = np.zeros(grid.shape)
            rho.flat[rng.integers(grid.size)] = 1.0
        else:
            return super()._density(grid, rng, phases)
        return rho * (self.mass / grid.cell_volume / np.sum(rho))


@st.composite
def problems(draw, kinds=KINDS, interactions=("none",), potentials=POTENTIALS, data=DATA):
    dim = draw(st.sampled_from((1, 2)))
    sizes = st.sampled_from((2, 3, 7, 16, 33)) if dim == 1 else st.sampled_from((2, 3, 5, 8, 11))

    def each(strategy):
        return tuple(draw(strategy) for _ in range(dim))

    interaction = draw(st.sampled_from(interactions))
    return JkoProblem(
        kind=draw(st.sampled_from(kinds)),
        shape=each(sizes),
        periodic=each(st.just(False) if interaction == "quadratic" else st.booleans()),
        stretched=each(st.booleans()),
        kappa=draw(st.sampled_from((1.0, 0.05, 7.0))),
        potential=draw(st.sampled_from(potentials)),
        steepness=draw(logarithmic(0.1, 10)),
        interaction=interaction,
        strength=draw(logarithmic(0.01, 1)),
        data=draw(st.sampled_from(data)),
        mass=draw(st.sampled_from((1.0, 1e-6, 1e3, 0.3))),
        dt=draw(logarithmic(1e-6, 1)),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


def start(rho, t=0.0):
    return Snapshot(t, 0, {"rho": rho})


def stepper_of(flow, tau, **options):
    return Jko(flow, tau, **{"threads": 1} | options)


def moved(flow, old, new):
    return flow.integral(np.abs(new - old)) / flow.mass(old)
