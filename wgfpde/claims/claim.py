"""What is claimed, what was measured, and one table of both, by equation.

A claim is `measured = expected ± tolerance`, `measured ≤ expected` or `measured ≥ expected`, about runs of one
equation by one solver.  A number that is not one never holds.  The promises of all runs are claims as well:

    |M(t) − M(0)| ≤ 1e-12 M(0),      min ρ ≥ 0,      energy, gaps and residuals within their bounds
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..energy.laws.equation_names import EQUATIONS, OF_METHODS
from ..output.promises import LEAST, promises_of
from ..store import Run

__all__ = ["PROMISES", "Claim", "Subject", "Table", "promises_kept", "subject_of"]

LONGEST = 68
"""A claim in more letters than this does not widen the table."""
ACCOUNT = "mass account"
"""The promise that takes the place of the mass drift where mass may leave."""
PROMISES = "promises"
"""In the place of a script: the claims about all runs."""
OTHER = "other"
ORDER = (*EQUATIONS, *OF_METHODS, OTHER)
"""Equations in the order of the table."""


@dataclass(frozen=True)
class Subject:
    """What a claim is about.

    equation : its short name, of `equation_names.EQUATIONS`.   case : the case file's name.   solver : as in "2D jko".
    """

    equation: str = OTHER
    case: str = ""
    solver: str = ""


def subject_of(run: Run, case: str) -> Subject:
    """The subject of a stored run."""
    equation = str(run.attributes.get("equation", ""))
    return Subject(equation if equation in ORDER else OTHER, case, f"{run.dim}D {run.attributes.get('method', '')}")


@dataclass(frozen=True)
class Claim:
    """measured = expected ± tolerance, measured ≤ expected, or measured ≥ expected.

    script : where it is made.   claim : in words.   source : where the expected number comes from.
    equation, case, solver : what it is about; several cases and solvers are separated by commas.
    Not a number never holds.
    """

    script: str
    claim: str
    measured: float
    relation: str
    expected: float
    tolerance: float = 0.0
    source: str = ""
    equation: str = OTHER
    case: str = ""
    solver: str = ""

    @property
    def holds(self) -> bool:
        if self.relation == "=":
            return abs(self.measured - self.expected) <= self.tolerance
        return self.measured <= self.expected if self.relation == "≤" else self.measured >= self.expected

    @property
    def columns(self) -> tuple[str, str, str, str]:
        """(measured, relation and expected, tolerance, off by); the last two are empty for a bound."""
        if self.relation != "=":
            digits = 4 if self.holds else 10  # enough to see why it does not
            return f"{self.measured:.{digits}g}", f"{self.relation} {self.expected:.{digits}g}", "", ""
        off = abs(self.measured - self.expected)
        return _number(self.measured), f"= {_number(self.expected)}", f"{self.tolerance:.2g}", f"{off:.1e}"

    @property
    def row(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"holds": self.holds}


@dataclass
class Table:
    """The claims of some scripts.   titles, texts, paths, seconds : by script; texts hold what follows the title."""

    claims: list[Claim] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return bool(self.claims) and all(claim.holds for claim in self.claims)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [claim.row for claim in self.claims]

    @property
    def summary(self) -> str:
        """How many claims hold, and where one does not."""
        failed = [claim for claim in self.claims if not claim.holds]
        total = f"{len(self.claims) - len(failed)} of {len(self.claims)} claims hold"
        places = ", ".join(dict.fromkeys(claim.script for claim in failed))
        return total + (f"; see {places}" if failed else "")

    @property
    def groups(self) -> dict[str, dict[str, list[Claim]]]:
        """equation → script → claims: equations in the order of `ORDER`, the promises of all runs last in each."""
        found: dict[str, dict[str, list[Claim]]] = {}
        for equation in ORDER:
            claims = [claim for claim in self.claims if claim.equation == equation]
            if claims:
                scripts = dict.fromkeys(claim.script for claim in claims)
                found[equation] = {name: [c for c in claims if c.script == name] for name in scripts}
        return found

    def of(self, script: str) -> list[Claim]:
        return [claim for claim in self.claims if claim.script == script]

    def __str__(self) -> str:
        """One aligned table by equation, a block per script in it, and the total in its last line."""
        width = max((len(claim.claim) for claim in self.claims if len(claim.claim) <= LONGEST), default=0)
        solvers = max((len(claim.solver) for claim in self.claims), default=0)
        blank = f"{'':{width + 2}}  {'':{solvers}}"
        lines = [f"{blank}  {'measured':>15}   {'expected':<16}{'tolerance':>9}{'off by':>9}  verdict"]
        for equation, scripts in self.groups.items():
            lines += ["", heading(equation)]
            for script, claims in scripts.items():
                seconds = f"  ({self.seconds[script]:.1f} s)" if script in self.seconds else ""
                lines.append(f" {script}: {self.titles.get(script, '')}{seconds}")
                for claim in claims:
                    measured, expected, tolerance, off = claim.columns
                    numbers = f"{measured:>15}   {expected:<16}{tolerance:>9}{off:>9}"
                    verdict = "holds" if claim.holds else "FAILS"
                    lines.append(f"  {claim.claim:<{width}}  {claim.solver:<{solvers}}  {numbers}  {verdict}")
        return "\n".join([*lines, "", f"{self.summary}  ({sum(self.seconds.values()):.1f} s)"])


def heading(equation: str) -> str:
    """The name of an equation and what ∂t ρ is in it."""
    known = (EQUATIONS | OF_METHODS).get(equation)
    return f"{equation}: ∂t ρ = {known.formula}" if known else equation


def promises_kept(runs: Iterable[tuple[Subject, Run]]) -> list[Claim]:
    """Claims on what all runs promise, for each equation and solver: mass, sign, and all other promises."""
    groups: dict[tuple[str, str], list[tuple[str, Run]]] = {}
    for subject, run in runs:
        groups.setdefault((subject.equation, subject.solver), []).append((subject.case, run))
    claims = []
    for (equation, solver), members in groups.items():
        kept = [promise for _, run in members for promise in promises_of(run)]
        where = f"{len(members)} run{'s' if len(members) > 1 else ''}"
        about = {"equation": equation, "solver": solver, "case": ", ".join(dict.fromkeys(case for case, _ in members))}
        for name, words, source, sign in (
            ("mass drift", f"largest relative mass drift of {where}", "conservation", 1),
            (ACCOUNT, f"largest error of the mass account of {where}", "conservation", 1),
            (LEAST, f"smallest density of {where}", "positivity", -1),
        ):
            found = [promise for promise in kept if promise["name"] == name]
            if not found:  # a run without exits keeps no account, one with exits no mass
                continue
            worst = max(found, key=lambda promise: (not promise["kept"], sign * promise["measured"]))
            claims.append(
                Claim(PROMISES, words, worst["measured"], worst["sign"], worst["bound"], 0.0, source, **about)
            )
        others = [promise for promise in kept if promise["name"] not in ("mass drift", ACCOUNT, LEAST)]
        if others:
            names = ", ".join(dict.fromkeys(promise["name"] for promise in others))
            broken = sum(not promise["kept"] for promise in others)
            words = f"bounds broken in {where}: {names}"
            claims.append(Claim(PROMISES, words, broken, "≤", 0.0, 0.0, "descent", **about))
    return claims


def _number(value: float) -> str:
    return f"{value:.10g}" if 1e-3 <= abs(value) < 1e6 or value == 0 else f"{value:.3g}"
