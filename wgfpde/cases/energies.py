"""The energy of a case: its formulas compiled and its tables read, with what in them depends on time.

Formulas of V, W, κ and a force may use t.  A case whose formulas do not is the same as ever.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..energy.dynamics import Dynamics
from ..energy.energy import Energy, Internal
from ..energy.snapshot import Traits
from ..errors import CaseError
from ..formulas.compile import Expression
from .case_densities import function_of, space_of
from .loading import located
from .schema import Case
from .sources.feature_data import features_of
from .sources.file_tables import DiffusionFile, in_words, tabulated
from .sources.free_energies import interaction_of, potential_of

if TYPE_CHECKING:
    from ..energy.flow import Flow


def energy_of(case: Case) -> Energy:
    """The energy of a case.  Raises CaseError, with the key path, for formulas that are none."""
    if case._code is not None:
        return case._code.energy
    table = case.energy
    internal, kappa = _internal(case)
    v = potential_of(case, None if kappa is not None else internal.kappa)
    w = interaction_of(case)
    f = None if table.force is None else function_of(case, table.force, (*space_of(case), "t"), "energy.force")
    texts = in_words(table.potential), in_words(table.interaction)
    return Energy(internal, v, w, *texts, table.sobolev, kappa, _tilt(case), f, features_of(case))


def build_dynamics(case: Case) -> Dynamics | None:
    """The dynamics of a case, where it has some."""
    table = case.dynamics
    if case._code is not None or table is None:
        return None if case._code is None else case._code.dynamics
    if isinstance(table.diffusion, DiffusionFile):
        with located(case.path, "dynamics.diffusion"):
            function = tabulated(table.diffusion, case.dim)
        return Dynamics((function,), table.convention, table.faces, (function.text,))
    texts = [table.diffusion] if isinstance(table.diffusion, str) else table.diffusion
    variables = (*space_of(case), "t")
    functions = tuple(function_of(case, text, variables, "dynamics.diffusion") for text in texts)
    return Dynamics(functions, table.convention, table.faces, tuple(texts))


def _internal(case: Case) -> tuple[Internal, Expression | None]:
    """The internal energy at the start, and κ(t) where that depends on time."""
    table = case.energy.internal
    text = getattr(table, "kappa", None)
    if not isinstance(text, str):
        return Internal.of(table), None
    kappa = function_of(case, text, ("t",), "energy.internal.kappa")
    with located(case.path, "energy.internal.kappa"):
        value = float(kappa(t=case.time.start))
        internal = Internal.of(table, kappa=value)
    return internal, kappa if "t" in kappa.variables else None


def _tilt(case: Case) -> tuple[float, ...]:
    tilt = case.energy.tilt
    if tilt is None:
        return ()
    given = [float(tilt)] if isinstance(tilt, int | float) else [float(f) for f in tilt]
    if len(given) != case.dim:
        wanted = "1 number" if case.dim == 1 else "a list of 2 numbers, x first"
        raise CaseError(f"{case.path}: energy.tilt: expected {wanted}, one per axis, found {tilt}")
    return tuple(given)


def traits_of_flow(traits: Traits, flow: Flow) -> Traits:
    """What is true of a march of this flow: driven, or under a force, it is no gradient flow of one energy."""
    if not flow.driven and flow.push is None:
        return traits
    return replace(traits, wasserstein=False, tends_to_gibbs=False, lowers_energy=False)


def check_drive(case: Case, flow: Flow) -> None:
    """Refuse what a method, or a stop, cannot do with a flow that is driven; and an energy that fails at its end."""
    if not flow.driven and flow.push is None:
        return
    method, what = case.method, "formulas with t" if flow.driven else "a force"
    if (flow.driven and not method.driven) or (flow.push is not None and not method.pushed):
        raise CaseError(
            f'{case.path}: solver.method: method = "{case.solver.method}" takes no {what.removeprefix("a ")} in the '
            'energy; take method = "fv"'
        )
    if flow.driven and case.method.stationary(case.solver) is not None:
        raise CaseError(
            f"{case.path}: solver.stationary: a flow with {what} never comes to rest; remove the key (on the command "
            "line: --set solver.stationary=)"
        )
    for t in (*(case.time.breakpoints or []), case.time.end):
        with located(case.path, f"energy, at t = {t:g}"):
            flow.at(t)


def refuse_driving(case: Case, what: str) -> None:
    """Refuse formulas with t.   what : the question that has no answer then, as "a spectrum".   Raises CaseError."""
    dynamics = build_dynamics(case)
    keys = [f"energy.{'internal.kappa' if name == 'kappa' else name}" for name in sorted(energy_of(case).driven)]
    if dynamics is not None and dynamics.driven:
        keys.append("dynamics.diffusion")
    if keys:
        raise CaseError(
            f"{case.path}: {' and '.join(keys)}: {what} is of an energy that does not depend on time, found a formula "
            f"with t; put a number in its place, or run the case: wgfpde run {case.path.stem}"
        )


def refuse_force(case: Case, what: str) -> None:
    """Refuse a force.   what : as above.   Raises CaseError."""
    if energy_of(case).tilted:
        key = "tilt" if case.energy.tilt is not None else "force"
        raise CaseError(
            f"{case.path}: energy.{key}: {what} is of a flow without a force; remove it (on the command line: "
            f"--set energy.{key}=)"
        )
