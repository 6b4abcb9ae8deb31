"""What a run solved, in words and formulas, from the case that its file keeps.

    ∂t ρ = ∇·(ρ ∇(U'(ρ) + V + W∗ρ)),   with the case's own U, V, W

A run that was put together in Python has functions for these, which no file holds: then the words say less.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from ...base.toml import flat
from ...energy.laws import LAWS
from ...energy.laws.equation_names import EQUATIONS, OF_METHODS
from ...store import Run
from ..stored_method import is_path

SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def question(run: Run) -> dict[str, Any]:
    """{name, formula, description, reference, path, energy, params, initial, target, exact}; "" or {} where it is
    silent.

    path : whether it follows no energy but leads from a density to another.
    energy : {"U": …, "V": …, "W": …}, those that the case has, as readable text.
    """
    case = tomllib.loads(run.resolved_toml)
    name = str(run.attributes.get("equation", ""))
    known = (EQUATIONS | OF_METHODS).get(name)
    terms = _terms(case.get("energy", {}))
    return {
        "name": name,
        "formula": known.formula if known else "",
        "description": known.description if known else "",
        "reference": known.reference if known else "",
        "path": is_path(run),
        "energy": {key: text for key, text in terms.items() if text},
        "params": case.get("params", {}),
        "initial": _density(case.get("initial", {})),
        "target": _density(case.get("target", {})),
        "terminal": ", ".join(f"{key} = {text}" for key, text in _terms(case.get("terminal", {})).items() if text),
        "exact": readable(case.get("exact", {}).get("density", "")),
    }


def _terms(energy: Mapping[str, Any]) -> dict[str, str]:
    """The parts of an energy, by their letters."""
    terms = {"U": readable(internal(energy.get("internal", {})))}
    terms |= {key: _source_text(energy.get(name)) for key, name in (("V", "potential"), ("W", "interaction"))}
    terms["φ"] = readable(features_text(energy.get("features")))
    return terms


def _density(table: Mapping[str, Any]) -> str:
    """The one source that a density has."""
    if table.get("density"):
        return readable(table["density"])
    kinds = ("file", "samples", "image")
    key = next((key for key in kinds if table.get(key)), "")
    return f"{key} {table[key] if isinstance(table[key], str) else _source_text(table[key])}" if key else ""


def _source_text(source: Any) -> str:
    """A formula as it is, a table by its file and what else is said of it."""
    if not isinstance(source, Mapping):
        return readable(source or "")
    more = [f"{key} {value}" for key, value in source.items() if key in ("column", "dataset", "interpolation")]
    return f"a table, {', '.join([str(source.get('file', '')).rpartition('/')[2], *more])}"


def features_text(table: Any) -> str:
    """The formulas of the features of a case; "" without."""
    if not table:
        return ""
    items = table if isinstance(table, list) else [table]
    return ", ".join(str(item.get("formula", "")) for item in items)


def internal(table: Mapping[str, Any]) -> str:
    """U(ρ) of an [energy] internal table, as a formula; "" for none."""
    return LAWS[table["kind"]].formula(table) if table.get("kind") in LAWS else ""


def readable(formula: str) -> str:
    """A formula as one writes it: x⁴/4 − theta·x for x**4/4 - theta*x."""
    text = re.sub(r"\bpi\b", "π", formula).replace(" - ", " − ").replace("(-", "(−")
    text = re.sub(r"\*\*(\d+)(?![\d.])", lambda match: match[1].translate(SUPERSCRIPT), text)
    return re.sub(r"\s*\*\s*", "·", text.replace("**", "^"))


def parameters(run: Run) -> list[dict[str, str]]:
    """Every value that the run was given or took by default: {key, value, source}; source "" where it is unknown."""
    from ...base.toml import to_value

    values = flat(tomllib.loads(run.resolved_toml))
    return [{"key": key, "value": to_value(value), "source": _source(key, run.sources)} for key, value in values]


def _source(key: str, sources: Mapping[str, str]) -> str:
    """Where a value comes from: its own entry, or that of the table it was given in."""
    while key and key not in sources:
        key = key.rpartition(".")[0]
    return str(sources.get(key, ""))
