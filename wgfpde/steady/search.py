"""All stationary states that a search finds: from several starts, and on from every unstable state.

    starts    the initial density; the equilibrium of V alone; Gaussians at the minima of V, in 2D at its saddles too,
              or in the middle of the grid where there is no V
    onwards   from each unstable state ρ along its unstable modes, ρ e^{±a η/ρ}: the damped iteration lowers the energy
              and leads elsewhere

States are the same where ‖ρ − ρ'‖₁ ≤ SAME·M.  Where V does not vary along a periodic axis, every state comes with all
its translations: these count once, as do mirror images there (the moduli of the Fourier coefficients along that axis
are compared).  A search proves nothing about states that it does not find: the lowest is the lowest found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..errors import SolverError
from ..flow import Flow
from ..grid import Array
from .solve import MeanField, Steady, stationary
from .stability import free_axes

SAME = 1e-6
LIMIT = 12
"""States that a search stops at."""
GAUSSIANS = 8
WIDTH = 0.05
"""Of the Gaussians, relative to the grid."""
AMPLITUDE = 0.3
MOST_MODES = 3
"""Unstable modes of one state that are followed."""

Tell = Callable[[str], None]


def starts(flow: Flow, mass: float, initial: Array | None = None) -> list[Array]:
    """Densities to search from, each of the grid's shape."""
    field = MeanField(flow, mass)
    found = [] if initial is None else [initial]
    found.append(field.image(np.zeros(flow.grid.shape)).rho)
    if flow.interaction is None:
        return found
    return found + [_gaussian(flow, place) for place in _places(flow)]


def branches(
    flow: Flow, mass: float, begin: Sequence[Array] | None = None, *, limit: int = LIMIT, tell: Tell | None = None
) -> list[Steady]:
    """The stationary states found from the given starts (default `starts`), by energy, the lowest first.

    limit : how many at most.   tell : called with a few words before each start.
    Raises CaseError where there is no internal energy; SolverError where none is found.
    """
    found = explore(flow, mass, starts(flow, mass) if begin is None else begin, limit=limit, tell=tell)
    if not found:
        raise SolverError(
            "no stationary state was found from any start: the interaction may be too strong for the internal energy. "
            "A weaker interaction, or more cells, may help; wgfpde run shows where the flow leads."
        )
    return sorted(found, key=lambda state: state.energy)


def explore(
    flow: Flow,
    mass: float,
    begin: Sequence[Array],
    known: Sequence[Steady] = (),
    *,
    limit: int = LIMIT,
    tell: Tell | None = None,
) -> list[Steady]:
    """States that are not among those known, from the given starts and on from what is unstable, the known included."""
    found: list[Steady] = []
    queue = [*begin, *(start for state in known for start in onwards(flow, state))]
    while queue and len(known) + len(found) < limit:
        if tell is not None:
            tell(f"{len(known) + len(found)} states found, {len(queue)} starts left")
        try:
            state = stationary(flow, mass, queue.pop(0), analyse=False)
        except SolverError:  # from this start; others may lead to a state
            continue
        if any(same(flow, state.rho, other.rho) for other in (*known, *found)):
            continue
        state = analysed(flow, mass, state)
        found.append(state)
        queue += onwards(flow, state)
    return found


def analysed(flow: Flow, mass: float, state: Steady) -> Steady:
    """The state with its growth rates."""
    from .stability import stability

    field = MeanField(flow, mass)
    return replace(state, stability=stability(flow, field.image(field.drive(state.rho))))


def onwards(flow: Flow, state: Steady) -> list[Array]:
    """Densities to both sides of an unstable state, along its unstable modes."""
    if state.stability is None or state.verdict != "unstable":
        return []
    found = []
    for mode in state.stability.modes[: min(state.stability.unstable, MOST_MODES)]:
        relative = np.divide(mode, state.rho, out=np.zeros_like(mode), where=state.rho > 0)
        size = np.sqrt(flow.integral(relative**2 * state.rho) / flow.integral(state.rho))
        exponent = AMPLITUDE * np.tanh(relative / size / 4) * 4  # bounded where the density all but vanishes
        found += [state.rho * np.exp(exponent), state.rho * np.exp(-exponent)]
    return found


def same(flow: Flow, a: Array, b: Array) -> bool:
    """Whether two densities are equal, up to translation and reflection where these cost nothing."""
    axes = [flow.grid.dim - 1 - "xy".index(name) for name in free_axes(flow)]
    if axes:
        a, b = (np.abs(np.fft.fftn(rho, axes=axes, norm="ortho")) for rho in (a, b))
        return bool(np.linalg.norm(a - b) <= SAME * np.linalg.norm(a))
    return flow.integral(np.abs(a - b)) <= SAME * flow.integral(a)


def _gaussian(flow: Flow, place: tuple[int, ...]) -> Array:
    """A Gaussian around a cell, across the seam of a periodic axis."""
    exponent = np.zeros(flow.grid.shape)
    for k, axis in enumerate(flow.grid.axes):
        shift = axis.centers - axis.centers[place[flow.grid.dim - 1 - k]]
        if axis.periodic:
            shift = shift - axis.length * np.round(shift / axis.length)
        term = (shift / (WIDTH * axis.length)) ** 2 / 2
        exponent = exponent + (term if k == flow.grid.dim - 1 or flow.grid.dim == 1 else term[None, :])
        if flow.grid.dim == 2 and k == 1:
            exponent = exponent - term + term[:, None]
    return np.exp(-exponent)


def _places(flow: Flow) -> list[tuple[int, ...]]:
    """Cells at which V has a minimum along every axis, then those where along some a maximum; the lowest first."""
    grid, potential = flow.grid, flow.potential
    if potential is None or float(np.ptp(potential)) == 0.0:
        return [tuple(n // 2 for n in grid.shape)]
    low, high = np.ones(grid.shape, dtype=bool), np.ones(grid.shape, dtype=bool)
    for k, axis in enumerate(grid.axes):
        along = grid.dim - 1 - k
        ends = {"mode": "wrap"} if axis.periodic else {"mode": "edge"}
        width = [(1, 1) if i == along else (0, 0) for i in range(grid.dim)]
        padded = np.pad(potential, width, **ends)  # type: ignore[call-overload]
        before = np.take(padded, np.arange(axis.size), along)
        after = np.take(padded, np.arange(2, axis.size + 2), along)
        valley, hill = (potential < before) & (potential <= after), (potential > before) & (potential >= after)
        inner = (before != potential) | (after != potential)
        edge = np.zeros(grid.shape, dtype=bool)
        if not axis.periodic:
            index: list[slice | list[int]] = [slice(None)] * grid.dim
            index[along] = [0, axis.size - 1]
            edge[tuple(index)] = True
            valley |= edge & inner & (potential <= before) & (potential <= after)
        low &= valley
        high &= valley | (hill & ~edge)
    chosen = []
    for kind in (low, high & ~low) if grid.dim == 2 else (low,):
        cells = np.argwhere(kind)
        order = np.argsort([potential[tuple(cell)] for cell in cells], kind="stable")
        chosen += [tuple(int(n) for n in cells[k]) for k in order]
    return chosen[:GAUSSIANS]
