"""What a case asks of a machine, before anything is computed: seconds of formulas and of steps, bytes on disk.

    formulas   operations × points (`base.effort`): densities at the points of their look (`grid.quadrature`), V, D,
               forces, sinks and features at the centres, W on the lattice on which it is searched for jumps
    steps      (STEP + CELL × cells + formulas with t at the centres) × their number, where they have one size
    disk       densities and the table of steps, uncompressed

Each is a bound from below: whoever passes a limit by it passes it by the clock.  What it leaves out, such as Newton's
iterations, refinement, or the number of adaptive steps, nobody knows before.  LONG and MUCH are limits that only the
user lifts, on the command line or in a call and not in a file, since the file may be of others: `asks_too_much`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...base.amounts import duration, size_text
from ...errors import CaseError
from ...formulas.compile import Expression
from ...grid.quadrature import GAUSS, intervals
from ...store.layout import STEP_COLUMNS
from ..case_densities import function_of, space_of
from ..schema import Case
from ..times import output_times

LONG = 3600.0
"""Seconds beyond which a run is started only where the user says so."""
MUCH = 20 * 2**30
"""Bytes on disk beyond which it is."""
UNCOUNTED = 1e7
"""Steps after which a run stops whose steps nobody could count before, unless the user says so."""
STEP, CELL = 20e-6, 20e-9
"""Seconds that a step takes, and each cell in it: less than was measured of any method."""
SEARCHED = {1: 100, 2: 32}
"""Values of W for each cell that the search for its jumps takes, by dimension."""
OFTEN = 3
"""Times at which the exact density is averaged at least: twice before the run, once in it."""


@dataclass(frozen=True)
class Cost:
    """At least what a case takes.

    formulas : seconds by key, before the first step.   steps : their number, NaN where they have no size of their own.
    march : seconds of all steps, 0 where their number is not known.   disk : bytes.
    """

    formulas: dict[str, float]
    steps: float
    march: float
    disk: float

    @property
    def seconds(self) -> float:
        """Of formulas and steps together."""
        return sum(self.formulas.values()) + self.march

    @property
    def of_formulas(self) -> Cost:
        """The part of what is not marched, such as a spectrum."""
        return Cost(self.formulas, math.nan, 0.0, 0.0)

    @property
    def sentence(self) -> str:
        """What it is made of, "at least 2 h 46 min: 1e+08 steps, formulas 57 s (initial.density)"."""
        parts = [] if math.isnan(self.steps) else [f"{self.steps:.6g} steps"]
        total = sum(self.formulas.values())
        if self.formulas and total >= 0.01 * self.seconds:
            worst = max(self.formulas, key=self.formulas.__getitem__)
            parts.append(f"formulas {duration(total)}, of which {worst} {duration(self.formulas[worst])}")
        return f"at least {duration(self.seconds)}: {'; '.join(parts)}"


def cost_of(case: Case) -> Cost:
    """What a case takes at least.  Raises CaseError for formulas that are none."""
    formulas: dict[str, float] = {}
    each = STEP + (CELL * case.cells if case.method.cellwise else 0.0)
    if case._code is None:
        for key, expression, seconds in _formulas(case):
            formulas[key] = formulas.get(key, 0.0) + seconds
            each += seconds if "t" in expression.variables and key.startswith(("energy.", "dynamics.")) else 0.0
    steps, rows = steps_of(case), known_steps(case)
    size = 4 if case.output.precision == "float32" else 8
    disk = size * case.cells * len(output_times(case)) + 8 * len(STEP_COLUMNS) * rows
    return Cost(formulas, steps, each * rows, disk)


def steps_of(case: Case) -> float:
    """How many steps it takes, as a number that need not be whole; NaN where they have no size of their own."""
    step = getattr(case.solver, "dt", None) if case.traits.step is None else case.traits.step
    if not isinstance(step, float | int):
        return math.nan
    return (case.time.end - case.time.start) / step


def known_steps(case: Case) -> float:
    """The same, 0 where they have no size of their own."""
    steps = steps_of(case)
    return 0.0 if math.isnan(steps) else steps


def together_cost(cases: Sequence[Case]) -> Cost:
    """What cases that are run one after the other take at least."""
    costs = [cost_of(case) for case in cases]
    formulas: dict[str, float] = {}
    for cost in costs:
        for key, seconds in cost.formulas.items():
            formulas[key] = formulas.get(key, 0.0) + seconds
    known = [cost.steps for cost in costs if not math.isnan(cost.steps)]
    return Cost(
        formulas, sum(known) if known else math.nan, sum(cost.march for cost in costs), sum(cost.disk for cost in costs)
    )


def asks_too_much(cost: Cost, limited: bool = False, python: bool = False) -> str:
    """Why what costs so much is not begun unasked, and what to do, in a sentence; "" where it is.

    limited : whether its wall-clock time is limited already.   python : whether the caller is a program.
    """
    ended, lifted = ("wall_limit=SECONDS", "give unlimited=True") if python else ("--wall-limit HH:MM:SS", "add --yes")
    if cost.seconds > LONG and not limited:
        remedy = "shorten the formulas or take fewer cells"
        if cost.march > 0.5 * cost.seconds:
            remedy = "take longer steps or fewer cells, end a run in time with " + ended
        return (
            f"this takes {cost.sentence}. What takes more than {duration(LONG)} is begun only when asked for: "
            f"{remedy}, or {lifted}"
        )
    if cost.disk > MUCH:
        return (
            f"this writes about {size_text(cost.disk)}. More than {size_text(MUCH)} are written only when asked for: "
            f"write fewer snapshots (output.every), take longer steps, or {lifted}"
        )
    return ""


def check_asked(case: Case, cost: Cost, yes: bool, limited: bool = False, python: bool = False) -> None:
    """Raise CaseError where a case takes more than it may unasked.   yes : whether the user has said so."""
    if not yes and (trouble := asks_too_much(cost, limited, python)):
        raise CaseError(f"{case.path}: {trouble}")


# ---- formulas ------------------------------------------------------------------------------------------------


def _formulas(case: Case) -> Iterator[tuple[str, Expression, float]]:
    """Each formula of a case that is taken on its cells, by its key, with its seconds."""
    space, timed = space_of(case), (*space_of(case), "t")
    averaged = case.initial.sampling == "average"
    for key, text, names, times in (
        ("initial.density", case.initial.density, space, 1),
        ("target.density", None if case.target is None else case.target.density, space, 1),
        ("exact.density", None if case.exact is None else case.exact.density, timed, OFTEN),
    ):
        if text is not None:
            expression = function_of(case, text, names, key)
            yield key, expression, times * (_looked(case, expression) if averaged else _sampled(case, expression))
    for name, text in (case.output.averages or {}).items():
        expression = function_of(case, text, space, f"output.averages.{name}")
        yield f"output.averages.{name}", expression, _looked(case, expression)
    for part, energy in (("energy", case.energy), ("terminal", case.terminal)):
        if energy is None:
            continue
        for name in ("potential", "force"):
            text = getattr(energy, name, None)
            if isinstance(text, str):
                expression = function_of(case, text, timed, f"{part}.{name}")
                yield f"{part}.{name}", expression, _sampled(case, expression)
        if isinstance(energy.interaction, str):
            expression = function_of(case, energy.interaction, timed, f"{part}.interaction")
            yield f"{part}.interaction", expression, _searched(case, expression)
        for k, item in enumerate(energy.features if isinstance(energy.features, list) else []):
            expression = function_of(case, item.formula, space, f"{part}.features[{k}].formula")
            yield f"{part}.features", expression, _sampled(case, expression)
    moving = [] if case.dynamics is None else case.dynamics.diffusion
    for text in [moving] if isinstance(moving, str) else moving if isinstance(moving, list) else []:
        expression = function_of(case, text, timed, "dynamics.diffusion")
        yield "dynamics.diffusion", expression, _sampled(case, expression)
    for name, value in case.sinks.items():
        expression = function_of(case, value["rate"] if isinstance(value, dict) else value, space, f"sinks.{name}")
        yield f"sinks.{name}", expression, _sampled(case, expression)


def _at(expression: Expression, counts: tuple[int, ...]) -> float:
    """Seconds of one evaluation on a grid of so many points, x first."""
    shapes = {"x": (1, counts[0]), "t": ()} if len(counts) == 2 else {"x": (counts[0],), "t": ()}
    if len(counts) == 2:
        shapes["y"] = (counts[1], 1)
    return expression.seconds(**shapes)


def _sampled(case: Case, expression: Expression) -> float:
    return _at(expression, tuple(case.grid.shape))


def _looked(case: Case, expression: Expression) -> float:
    n = intervals(case.dim, case.cells)
    points = n + 1 + (GAUSS if case.dim == 1 else 0)
    return _at(expression, tuple(points * count for count in case.grid.shape))


def _searched(case: Case, expression: Expression) -> float:
    return SEARCHED[case.dim] * _sampled(case, expression)
