"""When two stationary states are one: equal, or copies of each other by a shift or a mirror that costs nothing.

States are the same where ‖ρ − ρ'‖₁ ≤ SAME·M.  Along axes on which states may be shifted (module `shifts`) the moduli of
their Fourier coefficients are compared instead, which neither a shift nor a mirror changes.  A shift by part of a cell
does, where a density has an edge or a kink that the cells feel: of copies one may be centred on a cell and one between
two.  So states that differ by less than PINNED are put to the test: one is moved onto the other, by part of a cell too,
and Newton's method is started there.  It leads to the other where they are copies, and back where they are not.

Measured: the swarm of m = 3 under W = −e^{−x²/2}/√(2π), 51 cells wide or 52: the moduli differ by 0.014, and by 1e-13
after the test.
"""

from __future__ import annotations

import numpy as np

from ...energy.flow import Flow
from ...errors import SolverError
from ...grid import Array
from .mean_field import Steady, corrected
from .shifts import free_axes

SAME = 1e-6
SAME_MARGINAL, MARGINAL = 1e-3, 1e-6
"""Where a growth rate is below MARGINAL of the largest the residual 1e-13 leaves an error of its cubic root."""
PINNED = 0.1
"""Relative difference of moduli from which on states are no copies, whatever the cells do to them."""
NEARER = 0.1
"""Of the difference, what may be left of it once one state was moved onto the other."""


def same(flow: Flow, a: Steady, b: Steady, *, loosely: bool = True) -> bool:
    """Whether two states are equal, up to translation and reflection where these cost nothing.

    loosely : marginal states up to SAME_MARGINAL, which a search needs that finds one of them twice.
    """
    difference = apart(flow, a.rho, b.rho)
    if difference <= (SAME_MARGINAL if loosely and (_marginal(a) or _marginal(b)) else SAME):
        return True
    names = common_axes(flow, a.rho, b.rho)
    if not names or difference > PINNED:
        return False
    try:
        moved = corrected(flow, flow.mass(b.rho), aligned(flow, a.rho, b.rho, names), analyse=False)
    except SolverError:
        return False
    return apart(flow, moved.rho, b.rho) <= NEARER * difference


def apart(flow: Flow, a: Array, b: Array) -> float:
    """‖a − b‖₁/‖a‖₁; where states may be shifted, the relative distance of the moduli of their Fourier coefficients."""
    names = common_axes(flow, a, b)
    if not names:
        return flow.integral(np.abs(a - b)) / flow.integral(np.abs(a))
    axes = _array_axes(flow, names)
    first, second = (np.abs(np.fft.fftn(rho, axes=axes)) for rho in (a, b))
    return float(np.linalg.norm(first - second) / np.linalg.norm(first))


def aligned(flow: Flow, a: Array, b: Array, names: tuple[str, ...], *, whole: bool = False) -> Array:
    """a, or its mirror image, moved along the named axes to where its product with b is largest.

    The shift is by part of a cell too, of the trigonometric interpolant, from the parabola through the largest
    correlation and its neighbours; this may dip below 0 at an edge.   whole : by whole cells alone, which does not.
    """
    axes = _array_axes(flow, names)
    others = tuple(k for k in range(a.ndim) if k not in axes)
    transform = np.fft.fftn(b, axes=axes)
    best, moved = -np.inf, a
    for image in (a, np.flip(a, axes)):
        ahead = np.conj(np.fft.fftn(image, axes=axes))
        correlation = np.fft.ifftn(transform * ahead, axes=axes).real.sum(axis=others, keepdims=True)
        place = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
        if correlation[place] - best > 1e-12 * abs(best) or best == -np.inf:
            best = float(correlation[place])
            part = [0.0 if whole else _vertex(correlation, place, axis) for axis in axes]
            moved = _shifted(np.roll(image, [int(place[axis]) for axis in axes], axes), axes, part)
    return moved


def _shifted(rho: Array, axes: tuple[int, ...], cells: list[float]) -> Array:
    """The trigonometric interpolant moved ahead by so many cells along each of the axes."""
    turned = rho
    for axis, way in zip(axes, cells, strict=True):
        if way:
            waves = np.fft.rfftfreq(rho.shape[axis]).reshape([-1 if k == axis else 1 for k in range(rho.ndim)])
            wave = np.fft.rfft(turned, axis=axis) * np.exp(-2j * np.pi * waves * way)
            turned = np.fft.irfft(wave, rho.shape[axis], axis=axis)
    return turned


def _vertex(values: Array, place: tuple[np.intp, ...], axis: int) -> float:
    """Where between two cells the parabola through the largest value and its neighbours has its top."""
    line = np.roll(np.moveaxis(values, axis, 0), 1 - place[axis], axis=0)
    before, top, after = (line[k][tuple(p for n, p in enumerate(place) if n != axis)] for k in range(3))
    bend = before - 2 * top + after
    return float(0.5 * (before - after) / bend) if bend < 0 else 0.0


def common_axes(flow: Flow, a: Array, b: Array) -> tuple[str, ...]:
    """Axes along which both may be shifted."""
    return tuple(name for name in free_axes(flow, a) if name in free_axes(flow, b))


def _array_axes(flow: Flow, names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(flow.grid.dim - 1 - "xy".index(name) for name in names)


def _marginal(state: Steady) -> bool:
    """Whether the leading rate all but vanishes beside the others that were found; units of time do not matter."""
    if state.stability is None or not len(state.stability.rates):
        return False
    rates = np.abs(state.stability.rates)
    return bool(rates[0] <= MARGINAL * rates.max())
