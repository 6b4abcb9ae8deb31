"""U(ρ) as one writes it, of an [energy] internal table: for what reads a run, without the records and their tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def energy_formula(table: Mapping[str, Any]) -> str:
    """The formula in the case files' notation; "" for U = 0 and for what is not known."""
    kind, kappa = table.get("kind"), table.get("kappa", 1.0)
    factor = "" if kappa == 1 else f"{kappa:g}*"
    if kind == "entropy":
        return f"{factor}(ρ ln ρ - ρ)" if factor else "ρ ln ρ - ρ"
    if kind == "power":
        m = table["m"]
        share = "" if abs(m - 1) == 1 else f"/{abs(m - 1):g}"
        return f"{'−' if m < 1 else ''}{factor}ρ**{m:g}{share}"
    if kind in (None, "none"):
        return ""
    from .known import LAWS

    return LAWS[kind].text if kind in LAWS else ""
