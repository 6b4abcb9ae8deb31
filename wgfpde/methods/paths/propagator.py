"""The propagator of a path: one step of a Fokker–Planck equation as a linear map K, and its adjoint.

    forward    ρ ↦ Kρ,    mass/volume:   Σ h Kρ = Σ h ρ
    backward   φ ↦ K*φ,   a function:    K*1 = 1,      Σ h (Kρ) φ = Σ h ρ (K*φ)

K is the step of the finite volumes, of order 2 in h and dt (in 2D the palindrome x(dt/2) y(dt) x(dt/2)), at one dt, so
that its factors are kept.  Its rates balance in the Gibbs state π = e^{−V/κ}, hence K*φ = π⁻¹K(πφ); but π is never
formed: the adjoint is the transposed elimination (module `propagator_kernels`), exact where π underflows as well.
Where V = 0, K is a step of the heat equation, and K* = K.

At order 1 (backward Euler, in 2D the same palindrome) Kρ ≥ 0 for ρ ≥ 0 and every dt.  At order 2 it may be negative
where ρ is narrow against √(κ dt).  The finite volumes then repair their step, which is linear no longer; here `scaled`
raises NotPositive, and the whole path is to be sought at order 1, see `in_order`.

A path multiplies what K makes by small and large numbers.  Being linear, each step starts from a field brought to the
largest value 1, and the logarithm of the factor is kept beside it: `march`.

Reference: Scharfetter, Gummel (1969), DOI 10.1109/T-ED.1969.16566; Alexander (1977), DOI 10.1137/0714068; Strang
(1968), DOI 10.1137/0705041.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

import numpy as np

from ...energy.energy import Energy, Internal
from ...energy.flow import Flow
from ...energy.rates import Rates
from ...errors import CaseError, SolverError
from ...grid import Array, Grid
from ...linear.lines import Lines, lines_of
from ...linear.threads import share
from ..finite_volumes.linear_sweep import GAMMA
from .propagator_kernels import carry, factors

Found = TypeVar("Found")
FIRST_ORDER = "solved at first order in time: steps of second order gave negative values; take a smaller dt"


class NotPositive(Exception):
    """A step of second order made a negative value of a field that has none."""


class Propagator:
    """K and K*, for fields of the grid's shape.

    flow : the entropy with any potential and any D, closed; its κ is that of K.   dt : > 0.   order : 1 or 2.
    threads : that share a step.   repeats : steps of dt/repeats that make one.

    Linear to rounding; forward keeps the mass and the Gibbs state, backward constants; each is the adjoint of the
    other.  Order 2 in h, `order` in dt.   Holds 3 arrays of the grid's size for each axis, 5 for a ring.
    Raises CaseError for a flow that is no Fokker–Planck equation in a closed box, and for options out of range.
    """

    def __init__(self, flow: Flow, dt: float, order: int = 2, threads: int = 1, repeats: int = 1) -> None:
        if order not in (1, 2):
            raise CaseError(f"order must be 1 or 2; found {order}.")
        if not (math.isfinite(dt) and dt > 0):
            raise CaseError(f"dt must be a positive number; found {dt}.")
        if repeats < 1:
            raise CaseError(f"a step is made of at least 1 step; found {repeats}.")
        if not flow.is_linear or flow.exits or flow.driven:
            raise CaseError(
                "a propagator needs an equation that is linear and the same at all times: the entropy, no "
                "interaction, a closed box, and no t in the energy."
            )
        self.flow, self.dt, self.order, self.repeats = flow, dt, order, repeats
        self._threads = threads
        self._rows = (1, flow.grid.size) if flow.grid.dim == 1 else flow.grid.shape
        axes = lines_of(flow.grid, flow.mobility)
        rates = Rates(flow.grid, axes, threads, flow.push)
        phi = np.zeros(flow.grid.shape) if flow.potential is None else flow.potential
        rates.scharfetter_gummel(np.ascontiguousarray(phi, dtype=float).reshape(self._rows), flow.internal.kappa)
        spans = [dt / repeats] if len(axes) == 1 else [0.5 * dt / repeats, dt / repeats]
        sweeps = [self._eliminated(rates, lines, span) for lines, span in zip(axes, spans, strict=True)]
        self._sweeps = sweeps if len(axes) == 1 else [*sweeps, sweeps[0]]

    def forward(self, rho: Array) -> Array:
        """Kρ, a new array."""
        return self._apply(rho, transposed=False)

    def backward(self, phi: Array) -> Array:
        """K*φ, a new array."""
        return self._apply(phi, transposed=True)

    def _eliminated(self, rates: Rates, lines: Lines, span: float) -> tuple[Lines, tuple[Array, ...]]:
        """What a sweep over a span needs: e, f, g, u, v."""
        chain = [lines.coefficients() for _ in range(3)]
        ring = [lines.coefficients() if lines.ring else np.zeros((1, 1, 1)) for _ in range(2)]
        step = span if self.order == 1 else GAMMA * span
        share(
            factors, lines.blocks, self.flow.grid.size, self._threads,
            *rates.along(lines), lines.volumes, step, lines.ring, *chain, *ring,
        )  # fmt: skip
        return lines, (*chain, *ring)

    def _apply(self, field: Array, transposed: bool) -> Array:
        """A palindrome of sweeps, so that its transpose has them in the same order."""
        out = np.array(field, dtype=float, order="C").reshape(self._rows)
        weight = 0.0 if self.order == 1 else (1.0 - GAMMA) / GAMMA
        for _ in range(self.repeats):
            for lines, (e, f, g, u, v) in self._sweeps:
                kept = (f, e, g, v, u) if transposed else (e, f, g, u, v)
                share(
                    carry, lines.blocks, out.size, self._threads,
                    out, lines.direction, *kept, lines.volumes, lines.ring, weight, out,
                )  # fmt: skip
        return out.reshape(self.flow.grid.shape)


def heat_propagator(
    grid: Grid, kappa: float, dt: float, order: int = 2, threads: int = 1, repeats: int = 1
) -> Propagator:
    """K = K* of ∂tρ = κΔρ over dt: a smoothing by the variance 2κ dt, with no-flux walls or rings as the grid has."""
    return Propagator(Flow(grid, Energy(Internal("entropy", kappa))), dt, order, threads, repeats)


def warm_up(flow: Flow, order: int = 2) -> None:
    """Compile, or load, the kernels of a propagator of that flow: one step each way on four cells per axis."""
    from ...energy.flow import small_flow

    small = Propagator(small_flow(flow, 4), 1e-3, order)
    small.backward(small.forward(np.ones(small.flow.grid.shape)))


def scaled(values: Array) -> tuple[Array, float]:
    """(values / top, ln top), with the largest value top.

    Raises NotPositive where one is negative; SolverError where all are zero, or one is no number.
    """
    low, top = float(values.min()), float(values.max())
    if low < 0:
        raise NotPositive
    if not 0 < top < math.inf:
        what = "vanished" if top == 0 else "is not finite"
        raise SolverError(f"a field of the path {what}: what it holds spans more than double precision does.")
    return values / top, math.log(top)


def march(step: Callable[[Array], Array], fields: Array, log: float = 0.0, last_first: bool = False) -> Array:
    """Fill fields (K+1, …) by a step from the first on, or from the last back.  Returns logarithms, (K+1,).

    step : `Propagator.forward` or `backward`.   fields[0], or fields[-1] : the start, over e^log.
    Field k is fields[k] e^{logs[k]}, and the largest value of fields[k] is 1 (but for the start, which stays as it is).
    Raises NotPositive, and SolverError, as `scaled`.
    """
    logs = np.full(len(fields), float(log))
    order = range(len(fields))
    order = order[::-1] if last_first else order
    for before, k in pairwise(order):
        fields[k], gained = scaled(step(fields[before]))
        logs[k] = logs[before] + gained
    return logs


def in_order(work: Callable[[int], Found], order: int) -> tuple[Found, str]:
    """What work(order) makes, and a remark: where steps of second order are not positive, at order 1."""
    try:
        return work(order), ""
    except NotPositive:
        if order == 1:  # rounding alone makes no negative value: nothing is subtracted
            raise SolverError("a step of first order gave a negative value; the start holds one.") from None
    return in_order(work, 1)[0], FIRST_ORDER
