"""A space–time transport problem, its coarser versions, and how a solution of one starts another.

The iteration of `pdhg` spends most of its work far out, where there is little mass, and on long waves.  Both are
settled as well, and far more cheaply, on a coarser grid with fewer inner steps: each level halves what is long enough
and starts from the level below, by linear interpolation of (ρ, m, φ); the finest is left with what the coarse grid
cannot know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...energy.dynamics import Dynamics
from ...energy.energy import Internal
from ...errors import CaseError
from ...grid import Array, Grid
from .operators import Staggering
from .pdhg_end import End
from .proximal import FIXED

SMALLEST = 24
"""Axes with fewer cells are not halved."""


@dataclass(frozen=True)
class Problem:
    """grid, uniform.   rho0 : (ny, nx) start.   end : terminal term.   steps : inner steps N.   dynamics : or None."""

    grid: Grid
    rho0: Array
    end: End
    steps: int
    dynamics: Dynamics | None = None

    def faces(self, threads: int = 1) -> Staggering:
        """The faces of the grid, with the diffusion on them."""
        return Staggering(self.grid, threads, None if self.dynamics is None else self.dynamics.on_faces(self.grid))

    @property
    def mean_diffusion(self) -> float:
        """The mean of D over all faces; 1 without."""
        faces = self.faces()
        parts = [faces.dx, *([faces.dy] if self.grid.dim == 2 else [])]
        return float(np.mean([part.mean() for part in parts]))

    @property
    def mass(self) -> float:
        return self.end.volume * float(self.rho0.sum(axis=1).sum())

    @cached_property
    def apart(self) -> float:
        """‖ρ_0 − ρ₁‖₁/M where the end is prescribed, at most 1; else 1."""
        if self.end.code != FIXED:
            return 1.0
        return min(self.end.volume * float(np.abs(self.rho0 - self.end.v).sum()) / self.mass, 1.0)

    def coarser(self) -> Problem | None:
        """The problem on a grid halved where it has SMALLEST cells, with half the inner steps; None for the coarsest.

        Densities and potentials are averaged: mass is kept.
        """
        shape = [(n + 1) // 2 if n >= SMALLEST else n for n in (axis.size for axis in self.grid.axes)]
        if shape == [axis.size for axis in self.grid.axes]:
            return None
        axes = self.grid.axes
        grid = Grid([a.lower for a in axes], [a.upper for a in axes], shape, [a.boundary for a in axes])
        volume = grid.volume / grid.size
        end = self.end.with_values(_average(self.end.v, grid), volume)
        return Problem(grid, _average(self.rho0, grid), end, (self.steps + 1) // 2, self.dynamics)


@dataclass(frozen=True)
class EnergyStep:
    """A JKO step: argmin ½W₂²(ρ0, ρ) + τE(ρ), optionally with ρ ≤ congestion, W₂ with `inner_steps` inner steps.

    rho0, potential : (ny, nx), or (nx,) in 1D; the potential may be a number.
    dynamics : the diffusion D of the metric inf ∫m²/(Dρ), in place of W₂.
    """

    grid: Grid
    rho0: Array
    internal: Internal
    potential: Array
    tau: float
    inner_steps: int
    congestion: float | None = None
    dynamics: Dynamics | None = None

    @property
    def problem(self) -> Problem:
        """Raises CaseError without inner steps, or for a congestion below the mean density."""
        volume, rho0 = start_of(self.grid, self.rho0, self.inner_steps)
        mean = float(rho0.mean())
        if self.congestion is not None and not self.congestion > mean:
            raise CaseError(
                f"congestion must exceed the mean density, else no density fits; found {self.congestion:g} with mean "
                f"{mean:g}. Raise congestion, or enlarge the grid."
            )
        rows = np.reshape(self.potential, rho0.shape) if np.ndim(self.potential) else self.potential
        potential = np.ascontiguousarray(np.broadcast_to(rows, rho0.shape), dtype=float)
        end = End.of_energy(self.internal, potential, self.tau, self.congestion, volume)
        return Problem(self.grid, rho0, end, self.inner_steps, self.dynamics)


def start_of(grid: Grid, rho0: Array, inner_steps: int) -> tuple[float, Array]:
    """The volume of a cell, and rho0 as (ny, nx)."""
    if inner_steps < 1:
        raise CaseError(f"inner_steps must be at least 1; found {inner_steps}.")
    rho0 = np.ascontiguousarray(rho0, dtype=float).reshape((1, -1) if grid.dim == 1 else grid.shape)
    return grid.volume / grid.size, rho0


@dataclass(frozen=True)
class Guess:
    """Where the iteration starts: rho (N, ny, nx) densities ρ_1 … ρ_N, momentum (2, N, ny, nx), phi (N, ny, nx)."""

    rho: Array
    momentum: Array
    phi: Array


def at_rest(problem: Problem) -> Guess:
    """Nothing moves: ρ_k = ρ_0."""
    shape = (problem.steps, *problem.rho0.shape)
    return Guess(np.broadcast_to(problem.rho0, shape).copy(), np.zeros((2, *shape)), np.zeros(shape))


def carried(guess: Guess, rho0: Array, problem: Problem) -> Guess:
    """A guess for `problem` from one made on another grid or with other inner steps, whose start was rho0."""
    rho = np.concatenate([rho0[None], guess.rho])
    moved = Guess(_in_time(rho, problem.steps, 0.0)[1:], _in_time(guess.momentum, problem.steps, 0.5, axis=1),
                  _in_time(guess.phi, problem.steps, 0.5))  # fmt: skip
    shape = problem.rho0.shape
    if guess.phi.shape[1:] == shape:
        return moved
    wraps = [0, *(axis.ring for axis in reversed(problem.grid.axes))][-2:]
    momentum = np.empty((2, problem.steps, *shape))
    for part in range(2):
        momentum[part] = _in_space(moved.momentum[part], shape, wraps, face=1 - part)
    result = replace(
        moved, momentum=momentum, rho=_in_space(moved.rho, shape, wraps), phi=_in_space(moved.phi, shape, wraps)
    )
    faces = Staggering(problem.grid)
    result.momentum[0] *= faces.ax > 0
    result.momentum[1] *= (faces.ay > 0)[:, None]
    return result


def _average(field: Array, grid: Grid) -> Array:
    """Averages over the cells of a grid on the same box, exact for a piecewise constant field (ny, nx)."""
    for place, axis in zip((1, 0), grid.axes, strict=False):
        n, size = field.shape[place], axis.size
        edges = np.arange(size + 1) * (n / size)
        whole = np.minimum(np.floor(edges).astype(int), n)
        sums = np.concatenate([np.zeros_like(np.take(field, [0], place)), np.cumsum(field, axis=place)], axis=place)
        part = _along(edges - whole, place, 2) * np.take(field, np.minimum(whole, n - 1), place)
        field = np.diff(np.take(sums, whole, place) + part, axis=place) * (size / n)
    return np.ascontiguousarray(field)


def _in_time(field: Array, steps: int, offset: float, axis: int = 0) -> Array:
    """Linear interpolation along the inner time; points sit at (k + offset)/N.  With offset 0 both ends are points."""
    size = field.shape[axis] - (offset == 0.0)
    count = steps + (offset == 0.0)
    if size == steps or field.shape[axis] == 1:
        return np.repeat(field, count, axis) if field.shape[axis] == 1 else field.copy()
    place = (np.arange(count) + offset) * (size / steps) - offset
    return _interpolate(field, place, axis, 0)


def _in_space(field: Array, shape: tuple[int, ...], wraps: list[int], face: int = -1) -> Array:
    """Bilinear interpolation of (N, ny, nx) cell values, or of values on the faces across array axis `face`."""
    for d in range(2):
        n, size = field.shape[1 + d], shape[d]
        if n != size:
            shift = 1.0 if d == face else 0.5
            place = (np.arange(size) + shift) * (n / size) - shift
            field = _interpolate(field, place, 1 + d, wraps[d])
    return np.ascontiguousarray(field)


def _interpolate(field: Array, place: Array, axis: int, wraps: int) -> Array:
    """Linear interpolation at fractional indices; outside: round the circle, or extended linearly."""
    n = field.shape[axis]
    lower = np.floor(place).astype(int)
    if not wraps:
        lower = np.clip(lower, 0, n - 2)
    weight = _along(place - lower, axis, field.ndim)
    return np.take(field, lower % n, axis) * (1.0 - weight) + np.take(field, (lower + 1) % n, axis) * weight


def _along(values: Array, axis: int, ndim: int) -> Array:
    """A vector shaped to multiply along one axis of an array with ndim axes."""
    return values.reshape([-1 if k == axis else 1 for k in range(ndim)])
