"""The verb stationary."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import CaseError
from ...runs.progress import StatusLine, status_line
from ..arguments import Verbs, case_of, count_of, figure_of, study_options
from ..printing import print_json, say

if TYPE_CHECKING:
    from ...cases.schema import Case
    from ...studies.stationary import Diagram, End

HELP = """
States are stationary under the finite-volume scheme: U'(rho) + V + W*rho is constant on the support.  The search starts
from the initial density, from the Gibbs state of V and from Gaussians at the minima of V, and goes on from whatever is
unstable and between what is stable; states that it does not find are not excluded, and where some are known to be
missing it says so.  The rate is the largest growth rate of small perturbations,
those that only shift a state left out.  Between open walls that let mass in, the one state is found with the flux by
each exit (entropy without interaction); with a force on a periodic axis (no interaction) the one steady state has a
current: its velocity, effective diffusivity and entropy production are printed, in 2D by axis, x first.  With --vary
the states are followed as branches, round folds too: the values at which one gains or loses stability are located, at
which two that are stable have the same energy, and at which one ends, in a fold or in a pitchfork on another branch.
CASE-stationary.h5 and its picture replace those of an earlier search.
"""


def add(verbs: Verbs) -> None:
    sub = verbs.add("stationary", _stationary, "find stationary states directly, and whether they are stable", HELP)
    case_of(sub)
    sub.add_argument(
        "--vary", metavar="KEY=A:B:N", action="append", default=[],
        help="a diagram of branches over this key, e.g. energy.internal.kappa=0.3:0.6:31",
    )  # fmt: skip
    sub.add_argument("--measure", metavar="NAME", default="", help="order parameter: the name of a diagnostic")
    sub.add_argument(
        "--branches", metavar="N", type=count_of("states"), default=12, help="most states at one value (default: 12)"
    )
    study_options(sub, "stationary")


def _stationary(args: argparse.Namespace) -> int:
    from ...cases.limits.cost import check_asked, cost_of
    from ...cases.loading import load
    from ...store import check_place
    from ...studies.stationary import KINDS, check_case

    case = load(args.case, args.overrides)
    check_case(case)
    check_asked(case, cost_of(case).of_formulas, args.yes)
    file = args.out or Path(f"{case.name}-stationary.h5")
    check_place(file, *KINDS)
    picture = figure_of(args, file)
    with status_line() as line:
        record = _vary(args, case, file, line) if args.vary else _search(args, case, file, line)
    if picture is not None:
        from ...output.plots import draw_study

        draw_study(file, picture)
    ends = {"file": str(file), "figure": None if picture is None else str(picture)}
    if args.json:
        print_json(record | ends)
        return 0
    say()
    for name, end in ends.items():
        if end is not None:
            say(f"  {name:<10}{end}")
    return 0


def _search(args: argparse.Namespace, case: Case, file: Path, line: StatusLine) -> dict[str, Any]:
    """All states of one case."""
    from ...cases.building import build
    from ...store import save_study
    from ...studies.stationary import (
        KINDS,
        branches,
        default_measures,
        lacking,
        measured,
        starts,
        states_record,
        states_study,
    )

    problem = build(case)
    flow, rho = problem.flow, problem.initial.rho
    measures = [args.measure] if args.measure else default_measures(flow)
    for name in measures:
        measured(flow, rho, name)  # a mistake is told before the work
    mass = flow.mass(rho)
    states = branches(flow, mass, starts(flow, mass, rho), limit=args.branches, progress=line)
    line.clear()
    save_study(file, states_study(case, flow, states, measures[0]), *KINDS)
    record: dict[str, Any] = states_record(case, flow, mass, states, measures)
    record["lacking"] = lacking(flow, states, args.branches)
    record["complete"] = not record["lacking"]
    if not args.json:
        _print_states(record, measures)
    return record


def _vary(args: argparse.Namespace, case: Case, file: Path, line: StatusLine) -> dict[str, Any]:
    """Branches over a parameter."""
    from ...cases.varying import vary
    from ...store import save_study
    from ...studies.stationary import KINDS, continuation, diagram_record, diagram_study

    varied = vary(args.vary, case)
    if len(varied) > 1:
        raise CaseError("--vary is given once here: a diagram has one parameter.")
    diagram = continuation(case, varied[0], measure=args.measure, limit=args.branches, progress=line)
    line.clear()
    save_study(file, diagram_study(case, diagram), *KINDS)
    if not args.json:
        _print_diagram(case, diagram)
    record: dict[str, Any] = diagram_record(case, diagram)
    return record


def _print_states(record: dict[str, Any], measures: list[str]) -> None:
    cells = " x ".join(str(n) for n in record["cells"])
    given = any(state["flux"] for state in record["states"])  # by the walls, whatever the mass of the start
    say(f"{record['title']}: " + ("" if given else f"mass {record['mass']:g}, ") + f"{cells} cells")
    say()
    say(f"  {'state':>5}{'energy':>20}" + "".join(f"{name:>16}" for name in measures) + f"{'rate':>14}  verdict")
    for k, state in enumerate(record["states"]):
        values = "".join(f"{_plain(state['measures'][name]):>16.9g}" for name in measures)
        say(f"  {k:>5}{state['energy']:>20.12g}{values}{state['eigenvalue']:>14.6g}  {_verdict(record, k)}")
    for state in record["states"]:
        if state["velocity"] is not None:
            say()
            for name in ("current", "velocity", "diffusivity", "entropy_production"):
                _print_numbers(name.replace("_", " "), state[name])
        if state["flux"]:
            say()
            for name, flux in state["flux"].items():
                say(f"  flux      {name:<12}{_plain(flux):>20.12g}  mass/time, out")
    for k, state in enumerate(record["states"]):
        for note in state["notes"]:
            say()
            say(f"  state {k}: {note}")
    if any(state["translations"] for state in record["states"]):
        say()
        say("  states that differ by a translation or a reflection count once")
    if not record["complete"]:
        say()
        say(f"  {record['lacking']}")


def _print_numbers(name: str, values: Any) -> None:
    """A number, a row by axis, or a matrix with a line for each axis."""
    rows = values if isinstance(values, list) and isinstance(values[0], list) else [values]
    for k, row in enumerate(rows):
        words = f"{row:.12g}" if isinstance(row, float) else "".join(f"{_plain(value):<20.12g}" for value in row)
        say(f"  {'' if k else name:<20}{words.rstrip()}")


def _plain(value: float) -> float:
    """0 for what rounding leaves of it."""
    return 0.0 if abs(value) < 1e-14 else value


def _verdict(record: dict[str, Any], k: int) -> str:
    """ "stable up to translations in x, lowest found"."""
    states = record["states"]
    state = states[k]
    text = str(state["verdict"])
    if text == "unstable":
        count = state["unstable_directions"]
        least = "" if state["unstable_directions_counted"] else "at least "
        text += f" in {least}{count} direction{'s' if count > 1 else ''}"
    if state["translations"]:
        text += f", up to translations in {' and '.join(state['translations'])}"
    low = states[0]["energy"]
    if len(states) > 1 and state["energy"] - low <= 1e-10 * max(abs(low), abs(states[-1]["energy"])):
        text += ", lowest found"
    return text


def _print_diagram(case: Case, diagram: Diagram) -> None:
    key = diagram.key
    say(f"{case.title}: stationary states over {key} = {diagram.values[0]:g} to {diagram.values[-1]:g}")
    say()
    say(f"  {'branch':>6}{'from':>14}{'to':>14}{'points':>8}  {diagram.measure:>12} from, to{'':6}  verdict")
    for branch in diagram.branches:
        line = branch.line
        ends = f"{_plain(line[0].measure):>12.6g} {_plain(line[-1].measure):>12.6g}"
        words = ", then ".join(dict.fromkeys(point.state.verdict for point in line))
        first, last = line[0].parameter, line[-1].parameter
        say(f"  {branch.number:>6}{first:>14.8g}{last:>14.8g}{len(line):>8}  {ends}  {words}")
    size = max(abs(point.measure) for branch in diagram.branches for point in branch.line)
    for one in diagram.critical:
        place = f"{diagram.measure} = {one.measure if abs(one.measure) > 1e-4 * size else 0.0:.6g}"
        say()
        say(f"  critical  {key} = {one.parameter:.12g} on branch {one.branch}, {place}, rate {one.eigenvalue:.1e}")
    for same in diagram.equal:
        say()
        both = f"of branches {same.branch} and {same.other}, {diagram.measure} = {same.measure:.6g} and "
        say(f"  equal energies {both}{_plain(same.other_measure):.6g}: {key} = {same.parameter:.12g}")
    for end in diagram.ends:
        say()
        say(f"  {_end(key, end)}")
    for note in diagram.notes:
        say()
        say(f"  {note}")


def _end(key: str, end: End) -> str:
    """ "branch 1 ends at params.b = 0.4 in a fold, where it meets branch 2"."""
    near = "near" if end.kind == "end" else "at"
    place = f"{end.parameter:.{6 if near == 'near' else 10}g}"
    text = f"branch {end.branch} {'ends' if end.side > 0 else 'begins'} {near} {key} = {place}"
    if end.kind == "pitchfork":
        return f"{text} in a branch point (pitchfork)" + (f" on branch {end.meets}" if end.meets >= 0 else "")
    if end.kind == "fold":
        return f"{text} in a fold" + (f", where it meets branch {end.meets}" if end.meets >= 0 else "")
    return f"{text}; why is not known"
