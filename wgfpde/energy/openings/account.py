"""The account of mass where it may leave: what a march let go by every exit since its start.

    ∫ρ + Σ_exits (what left, less what came in) = mass at the start,      S = ∫ρ / mass at the start

It travels with snapshots as a field, also into checkpoints: (exits + 1, 2), first the mass at the start and all that
came in, gross, then for each exit what left by it and the carry of that sum (Neumaier's), so that many steps add no
rounding of their own.  What
[initial] has inside a region sink has left by it at the start.

Reference: Neumaier (1974), DOI 10.1002/zamm.19740540106.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...errors import CaseError
from ...grid import Array
from ..flow import Flow
from ..snapshot import Column
from .sinks import regions_of

EXITS = "exits"
"""Field of a snapshot."""


def opened(flow: Flow, rho: Array) -> dict[str, Array]:
    """The fields of a start: the density outside regions, and its account begun; {} without exits."""
    if not flow.exits:
        return {}
    account = np.zeros((len(flow.exits) + 1, 2))
    account[0, 0] = flow.mass(rho)
    if flow.inside is None:
        return {"rho": rho, EXITS: account}
    owner = regions_of(flow.sinks, flow.grid)
    volumes = np.asarray(flow.grid.cell_volume)
    for k, sink in enumerate(flow.sinks):
        if sink.region is not None:
            row = 1 + flow.exits.index(sink.name)
            account[row, 0] = float(np.sum((volumes * rho)[owner == k]))
    return {"rho": np.where(flow.inside, 0.0, rho), EXITS: account}


def check_start(flow: Flow, fields: Mapping[str, Array]) -> dict[str, float]:
    """What a start has in region sinks, by name, where it has any.  Raises CaseError where that is all of it."""
    if EXITS not in fields:
        return {}
    gone, mass = left(fields[EXITS]), at_start(fields[EXITS])
    if mass > 0 and not np.any(fields["rho"] > 0):
        raise CaseError(
            f"all of the mass lies inside sinks ({', '.join(s.name for s in flow.sinks)}), and is gone at the start; "
            "move the density or make the regions smaller"
        )
    return {name: float(x) for name, x in zip(flow.exits, gone, strict=True) if x > 0}


def columns_of(flow: Flow) -> tuple[Column, ...]:
    """Columns of the table of steps: what each step let go by every exit."""
    return tuple(
        Column(f"exit_{name}", "1", f"mass gone by {name}", f"Mass that left by {name} in the step, net.")
        for name in flow.exits
    )


def entered(account: Array, gone: Array, came: float = 0.0) -> Array:
    """An account after a step that let go so much by each exit, (exits,), and let in so much, gross."""
    found = account.copy()
    found[0, 1] += came
    sums = found[1:, 0]
    total = sums + gone
    larger = np.abs(sums) >= np.abs(gone)
    found[1:, 1] += np.where(larger, (sums - total) + gone, (gone - total) + sums)
    found[1:, 0] = total
    return found


def left(account: Array) -> Array:
    """(exits,) what left by each since the start, net."""
    return np.asarray(account[1:, 0] + account[1:, 1])


def came_in(account: Array) -> float:
    """All that came in since the start, gross: what the account is right relative to."""
    return float(account[0, 1])


def at_start(account: Array) -> float:
    """The mass at the start."""
    return float(account[0, 0])
