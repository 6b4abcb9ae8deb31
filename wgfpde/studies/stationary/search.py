"""All stationary states that a search finds: from several starts, and on from every unstable state.

    starts    the initial density; the equilibrium of V alone; Gaussians at the minima of V, in 2D at its saddles too,
              or in the middle of the grid where there is no V
    onwards   from each unstable state ρ along its unstable modes, ρ e^{±a η/ρ}: the damped iteration lowers the energy
              and leads elsewhere
    between   from combinations of two stable states, by Newton's method (module `guesses`): passes that no symmetry and
              no descent leads to

Where V does not vary along an axis, every state comes with all its translations: these count once, as do mirror images
there (module `copies`).  A search proves nothing about states that it does not find: the lowest is the lowest found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...energy.flow import Flow
from ...errors import CaseError, SolverError
from ...grid import Array, Axis
from ...runs.progress import ProgressText
from .between_exits import open_state
from .copies import same
from .drive_equation import MeanField
from .guesses import between, missing
from .mean_field import Steady, corrected, stationary, under_force

LIMIT = 12
"""States that a search stops at."""
GAUSSIANS = 9
WIDTH = 0.05
"""Of the Gaussians, relative to the grid."""
AMPLITUDE = 0.3
MOST_MODES = 3
"""Unstable modes of one state that are followed."""


def starts(flow: Flow, mass: float, initial: Array | None = None) -> list[Array]:
    """Densities to search from, each of the grid's shape."""
    if flow.exits:
        return []
    field = MeanField(flow, mass)
    found = [] if initial is None else [initial]
    found.append(field.image(np.zeros(flow.grid.shape)).rho)
    if flow.interaction is None:
        return found
    return found + [_gaussian(flow, place) for place in _places(flow)]


def branches(
    flow: Flow, mass: float, begin: Sequence[Array] | None = None, *, limit: int = LIMIT, progress: ProgressText = None
) -> list[Steady]:
    """The stationary states found from the given starts (default `starts`), by energy, the lowest first.

    limit : how many at most.   progress : called with a few words before each start.
    With exits there is one, that of module `between_exits`, whatever the mass is.
    Raises CaseError where there is no internal energy or a limit below 1; SolverError where none is found.
    """
    if flow.push is not None:
        check_limit(limit)
        return [under_force(flow, mass)]
    if flow.exits:
        return [open_state(flow)]
    found = explore(flow, mass, starts(flow, mass) if begin is None else begin, limit=limit, progress=progress)
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
    progress: ProgressText = None,
) -> list[Steady]:
    """States that are not among those known: from the given starts, on from what is unstable, the known included, and
    between what is stable.

    Raises CaseError for a limit below 1.
    """
    check_limit(limit)
    found: list[Steady] = []
    queue = [*begin, *(start for state in known for start in onwards(flow, state))]
    while len(known) + len(found) < limit:
        if progress is not None:
            progress(f"{len(known) + len(found)} states found, {len(queue)} starts left")
        if queue:
            state = _descended(flow, mass, queue.pop(0), [*known, *found])
        else:
            state = _between(flow, mass, [*known, *found])
            if state is None:
                break
        if state is not None:
            found.append(state)
            queue += onwards(flow, state)
    return found


def check_limit(limit: int) -> None:
    """Raise CaseError unless a search may find a state."""
    if isinstance(limit, bool) or not isinstance(limit, int | np.integer) or limit < 1:
        raise CaseError(f"limit: expected a number of states, at least 1; found {limit!r}.")


def _descended(flow: Flow, mass: float, start: Array, known: Sequence[Steady]) -> Steady | None:
    """The state below a start, with its growth rates; None where it is known, or there is none."""
    try:
        state = stationary(flow, mass, start, analyse=False)
    except SolverError:  # from this start; others may lead to a state
        return None
    return None if any(same(flow, state, other) for other in known) else analysed(flow, mass, state)


def _between(flow: Flow, mass: float, known: Sequence[Steady]) -> Steady | None:
    """A new state between two stable ones, with its growth rates; None where none is missing, or found."""
    if not missing(known):
        return None
    for guess in between(flow, known):
        try:
            state = corrected(flow, mass, guess, analyse=False)
        except SolverError:  # from this guess
            continue
        if not any(same(flow, state, other) for other in known):
            return analysed(flow, mass, state)
    return None


def analysed(flow: Flow, mass: float, state: Steady) -> Steady:
    """The state with its growth rates."""
    from .growth_rates import stability

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


def _gaussian(flow: Flow, cell: tuple[int, ...]) -> Array:
    """A Gaussian around the extremum of V near a cell, across the seam of a periodic axis."""
    exponent = np.zeros(flow.grid.shape)
    for k, (axis, coordinate) in enumerate(zip(flow.grid.axes, flow.grid.coordinates().values(), strict=True)):
        along = flow.grid.dim - 1 - k
        index: list[slice | int] = list(cell)
        index[along] = slice(None)
        line = np.zeros(axis.size) if flow.potential is None else flow.potential[tuple(index)]
        shift = coordinate - axis.centers[cell[along]] - _vertex(axis, line, cell[along])
        if axis.ring:
            shift = shift - axis.length * np.round(shift / axis.length)
        exponent = exponent - 0.5 * (shift / (WIDTH * axis.length)) ** 2
    return np.exp(exponent)


def _vertex(axis: Axis, line: Array, i: int) -> float:
    """How far from centre i the parabola through three neighbours is extremal; a symmetric V so has its own centre."""
    if not axis.ring and i in (0, axis.size - 1):
        return 0.0
    back, front = axis.distances[i - 1], axis.distances[i]
    before, after = (line[i] - line[i - 1]) / back, (line[(i + 1) % axis.size] - line[i]) / front
    bend = (after - before) / (back + front)
    return float(-0.5 * back - 0.5 * before / bend) if bend != 0 else 0.0


def _places(flow: Flow) -> list[tuple[int, ...]]:
    """Cells at which V has a minimum along every axis, then those with a maximum along some; the lowest first.

    Along an axis on which V does not vary, the cell in the middle.
    """
    grid = flow.grid
    potential = np.zeros(grid.shape) if flow.potential is None else flow.potential
    low, saddle = np.ones(grid.shape, dtype=bool), np.ones(grid.shape, dtype=bool)
    for k, axis in enumerate(grid.axes):
        along = grid.dim - 1 - k
        if not np.any(np.ptp(potential, axis=along)):
            shape = [1] * grid.dim
            shape[along] = axis.size
            valley = hill = (np.arange(axis.size) == axis.size // 2).reshape(shape)
        else:
            before, after = (_neighbour(potential, along, step, axis.ring) for step in (1, -1))
            valley = (potential < before) & (potential <= after)
            hill = (potential > before) & (potential >= after)
        low, saddle = low & valley, saddle & (valley | hill)
    chosen: list[tuple[int, ...]] = []
    for kind in (low, saddle & ~low) if grid.dim == 2 else (low,):
        cells = [tuple(int(n) for n in cell) for cell in np.argwhere(kind)]
        chosen += sorted(cells, key=lambda cell: float(potential[cell]))
    return chosen[:GAUSSIANS]


def _neighbour(values: Array, along: int, step: int, ring: int) -> Array:
    """The value in the next cell on one side; inf beyond a wall."""
    shifted = np.roll(values, step, along)
    if not ring:
        index: list[slice | int] = [slice(None)] * values.ndim
        index[along] = 0 if step == 1 else -1
        shifted[tuple(index)] = np.inf
    return shifted
