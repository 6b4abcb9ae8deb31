"""How long it takes to leave, where, and how it goes there: one question about a Fokker–Planck equation with exits.

    start   the density of the case, or with --from the Gibbs state within a region
    exits   those of the case (open walls, sinks), and with --to REGION one more

The process ends when it leaves by any exit: `mean_time` and `second_moment` are those of that moment, `exits` says
where, `conditional_times` how long it took those who left there.  With --from and --to the committor is the probability
to reach the target before the region --from, and `rate` the number of such passages per time in equilibrium.
Everything is found directly, without time steps, by elimination without subtraction: for barriers of 100 kT too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...energy.flow import Flow
from ...energy.openings.sinks import Sink
from ...errors import CaseError
from ...grid import Array, Grid
from ..study_views import Shown, numbers
from . import regions
from .killed_chain import KilledChain, check_linear, log_gibbs
from .late_decay import quasi_stationary
from .passage_moments import Passage, check_start, check_target, passage
from .reactive_paths import Paths, transition_paths
from .survival import Survival, survive, times_of

SLOW_CELLS = 150_000
"""With more cells than this the elimination lasts a second or more."""
SUMS = 1e-9
"""Probabilities of all exits add up to 1 within this, or a note says so."""


@dataclass(frozen=True, eq=False)
class Exits(Shown):
    """What was found.

    mean_time, second_moment : of the time to leave, from the start: ⟨ρ⁰, T⟩/∫ρ⁰, time and time².
    exits, conditional_times : by name, the probability to leave there, and the mean time of those who do.
    committor : at the start, None without --from and --to.   rate : reactive passages, 1/time, None likewise.
    rate_spread : its relative spread over cuts.   passage_time : mean duration of a passage.
    quasi_stationary_rate : 1/time.   quasi_stationary_residual : in L¹ of mass 1.
    fields : arrays of the grid's shape: mean_time, second_moment, exit_NAME, start, occupation, quasi_stationary, and
    with --from and --to also committor, reactive_density, reactive_current_x (and _y); inf where mass never leaves.
    survival : over time, None where no times were asked for.   targets : the exits that are meant by --to.
    """

    grid: Grid
    mean_time: float
    second_moment: float
    exits: dict[str, float]
    conditional_times: dict[str, float]
    quasi_stationary_rate: float
    quasi_stationary_residual: float
    fields: dict[str, Array] = field(repr=False)
    targets: tuple[str, ...] = ()
    committor: float | None = None
    rate: float | None = None
    rate_spread: float | None = None
    passage_time: float | None = None
    survival: Survival | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def standard_deviation(self) -> float:
        """Of the time to leave, from the start."""
        return float(np.sqrt(max(self.second_moment - self.mean_time**2, 0.0)))

    def __repr__(self) -> str:
        leaving = ", ".join(f"{name} {share:.6g}" for name, share in self.exits.items())
        return f"Exits(mean_time={self.mean_time:.10g}, {leaving}, on {self.grid})"

    def _rows(self) -> list[tuple[str, object]]:
        rows: list[tuple[str, object]] = [("mean time", f"{self.mean_time:.10g}")]
        rows += [(f"leaves by {name}", f"{share:.6g}") for name, share in self.exits.items()]
        known = ("standard_deviation", "quasi_stationary_rate", "committor", "rate", "passage_time")
        found = {name: getattr(self, name) for name in known}
        rows += [(name.replace("_", " "), numbers([value])) for name, value in found.items() if value is not None]
        return [*rows, ("grid", repr(self.grid)), *(("note", note) for note in self.notes)]


@dataclass(frozen=True)
class _Asked:
    """The chains of a question.

    start : region --from, (cells,) or None.   reactive : the chain that it absorbs, too.   domain : (cells,), where the
    equilibrium is that passages are counted in: all cells outside the sinks of the case, A and B included.
    """

    chain: KilledChain
    domain: Array
    start: Array | None
    targets: tuple[str, ...]
    reactive: KilledChain | None
    start_name: str = regions.FROM


def find_exits(
    flow: Flow,
    rho: Array,
    start: regions.Region | None = None,
    target: str | regions.Region | None = None,
    times: Any = None,
    progress: Callable[[str], None] | None = None,
) -> Exits:
    """Answer the question for a flow and its initial density, an array of the grid's shape.

    start, target : --from and --to; a target as a text is the name of an exit.   times : for survival, see `times_of`.

    Raises CaseError for an equation that is not linear, no exit, regions that are empty, overlap or cover all, a name
    that is none, and a target that cannot be reached; SolverError where double precision does not hold the rates.
    """
    tell = progress or (lambda words: None)
    asked = _asked(flow, start, target)
    chain = asked.chain
    density, initial = _start(chain, asked, rho), rho.ravel()
    what = "[initial]" if asked.start is None else "the region --from"
    weight = chain.volume * density
    check_start(chain, weight, what)
    factors = chain.eliminated(tell)
    found = passage(chain, factors)
    mass = float(np.sum(weight))
    exits = {name: float(np.sum(weight * p)) / mass for name, p in found.exits.items()}
    for name in asked.targets if target is not None else ():
        words = name
        if callable(target):
            words = f'--to "{text}"' if (text := getattr(target, "text", "")) else "--to"
        check_target(chain, weight, words, exits[name])
    occupation = factors.solve_forward(np.where(chain.kept, weight, 0.0) / mass)
    limit = quasi_stationary(chain, factors, occupation, tell)
    fields = _fields(chain, found) | {
        "start": density / mass, "occupation": occupation, "quasi_stationary": limit.density
    }  # fmt: skip
    mean = _mean(weight, found.time)
    more: dict[str, Any] = {}
    if times is not None:
        more["survival"] = survive(chain, factors, density, times_of(times, mean), tell)
    if asked.reactive is not None:
        del factors  # its memory is needed
        tell("committor")
        paths, extra = _paths(asked, initial)
        fields |= extra
        more |= paths
    return Exits(
        grid=flow.grid,
        mean_time=mean,
        second_moment=_mean(weight, found.second),
        exits=exits,
        conditional_times={name: _conditional(weight, found, name) for name in exits},
        quasi_stationary_rate=limit.rate,
        quasi_stationary_residual=limit.residual,
        fields={name: values.reshape(flow.grid.shape) for name, values in fields.items()},
        targets=asked.targets,
        notes=tuple(_notes(chain, asked, exits)),
        **more,
    )


def _asked(flow: Flow, start: regions.Region | None, target: str | regions.Region | None) -> _Asked:
    """Check regions and names, and build the chains."""
    check_linear(flow)
    name, sinks = None, []
    if isinstance(target, str):
        name = regions.exit_named(target, regions.open_exits(flow))
        if name is None:
            raise CaseError(f"to: expected the name of an exit or a function of the coordinates, found {target!r}")
    goal = regions.cells_of(target, flow.grid, "--to") if callable(target) else None
    origin = None if start is None else regions.cells_of(start, flow.grid, "--from")
    if origin is not None and not np.any(origin := origin & flow.allowed.ravel()):
        raise CaseError("--from holds forbidden cells alone, where the table of the potential has no value")
    regions.check_apart(flow, origin, goal)
    if callable(target):
        name = regions.free_name(regions.TO, flow.exits)
        sinks = [Sink(name, region=target, text=getattr(target, "text", ""))]
    ended = flow.with_sinks(sinks)
    chain = KilledChain(ended)
    domain = ~flow.empty.ravel()
    targets = chain.names if name is None else (name,)
    if start is None or target is None:
        return _Asked(chain, domain, origin, targets, None)
    origin_name = regions.free_name(regions.FROM, ended.exits)
    both = ended.with_sinks([Sink(origin_name, region=start, text=getattr(start, "text", ""))])
    return _Asked(chain, domain, origin, targets, KilledChain(both), origin_name)


def _start(chain: KilledChain, asked: _Asked, rho: Array) -> Array:
    """The density at the start, (cells,): [initial], or the Gibbs state within the region --from."""
    if asked.start is None:
        chain.flow.check_allowed(np.reshape(rho, chain.grid.shape))
        return np.array(rho, dtype=float).ravel()
    return np.exp(log_gibbs(chain.flow, asked.start))


def _fields(chain: KilledChain, found: Passage) -> dict[str, Array]:
    return {
        "mean_time": found.time,
        "second_moment": found.second,
        **{f"exit_{name}": p for name, p in found.exits.items()},
    }


def _paths(asked: _Asked, initial: Array) -> tuple[dict[str, Any], dict[str, Array]]:
    """Numbers and fields of the passages from --from to --to.   initial : (cells,) of the case, where h_B is told."""
    chain = asked.reactive
    assert chain is not None
    found: Paths = transition_paths(
        chain, chain.eliminated(lambda words: None), log_gibbs(chain.flow, asked.domain), asked.start_name,
        list(asked.targets),
    )  # fmt: skip
    weight = chain.volume * initial
    numbers = {
        "committor": float(np.sum(weight * found.committor) / np.sum(weight)),
        "rate": found.rate, "rate_spread": found.spread, "passage_time": found.duration(chain.volume),
    }  # fmt: skip
    nowhere = ~chain.flow.allowed.ravel()
    fields = {"committor": np.where(nowhere, np.nan, found.committor), "reactive_density": found.density}
    return numbers, fields | {f"reactive_current_{name}": values for name, values in found.current.items()}


def _mean(weight: Array, values: Array) -> float:
    """The mean of a field over a start; cells without mass do not count, also where the field is infinite."""
    there = weight > 0
    return float(np.sum(weight[there] * values[there]) / np.sum(weight[there]))


def _conditional(weight: Array, found: Passage, name: str) -> float:
    share = float(np.sum(weight * found.exits[name]))
    return float(np.sum(weight * found.weighted[name])) / share if share > 0 else np.nan


def _notes(chain: KilledChain, asked: _Asked, exits: Mapping[str, float]) -> list[str]:
    """What is worth knowing about an answer."""
    notes = []
    if np.any(chain.endless):
        notes.append(
            f"some mass that starts in {int(np.sum(chain.endless))} cells never leaves: the times there are infinite"
        )
    total = sum(exits.values())
    if abs(total - 1.0) > SUMS:
        notes.append(f"the probabilities of the exits add up to {total:.12g}")
    if any(np.any(gain > 0) for gain in chain.flow.gains.values()):
        notes.append("what comes in by walls with a density or an inflow does not count: only the start is followed")
    others = [name for name in exits if name not in asked.targets and exits[name] > 0]
    if others:
        notes.append(f"the times are those of leaving by any exit, by {', '.join(others)} too")
    return notes
