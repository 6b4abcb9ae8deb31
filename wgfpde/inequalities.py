"""What the diagnostics of a run say of the inequalities along it: a stored run → plain values → lines of text.

Judged where H > 1e-10 of the mass: nearer to the Gibbs state the distance, known to 1e-8 of the box, decides.  The
first three are theorems about a density (`diagnostics.certificates`) and must hold to 1e-8 of their larger side;
distances in the plane are known to their gap, 1e-3 of W₂².  EVI is about the march, and holds to the error of its
steps: 1e-3 of ½W₂².
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .grid import Array
from .store import Run

LEAST_ENTROPY = 1e-10
ROUNDING, GAP, STEPS = 1e-8, 2e-3, 1e-3
MEANING = {
    "log-Sobolev": "H ≤ κI/2λ",
    "Talagrand": "W₂² ≤ 2κH/λ",
    "HWI": "κH ≤ κ√I W₂ − KW₂²/2",
    "EVI": "½ d/dt W₂² + KW₂²/2 ≤ −κH",
}
NAMES = {"log-Sobolev": "slack_lsi", "Talagrand": "slack_talagrand", "HWI": "slack_hwi", "EVI": "slack_evi"}


def certificates(run: Run) -> list[dict[str, Any]]:
    """The inequalities that a run recorded.

    A list of {name, meaning, slack, t, share, constant, source, holds}: the smallest slack, when, its share of the
    larger side (EVI: of ½W₂² before), λ or K, where that comes from; holds is None where no snapshot could be judged.
    """
    d = run.diagnostics
    if "kl_gibbs" not in d or not len(run):
        return []
    mass, plane = d["mass"], run.dim == 2
    far = d["kl_gibbs"] > LEAST_ENTROPY * mass
    half = 0.5 * d["w2_gibbs"] ** 2 if "w2_gibbs" in d else np.full(len(run), np.nan)
    before = np.concatenate([half[:1], half[:-1]])
    kappa, sobolev = (float(run.attributes.get(name, np.nan)) for name in ("kappa", "sobolev"))
    entropy = d["kl_gibbs"]
    smaller = {"log-Sobolev": entropy, "Talagrand": 2 * half, "HWI": kappa * entropy, "EVI": before}
    found = []
    for name, column in NAMES.items():
        if column not in d:
            continue
        allowed = STEPS if name == "EVI" else GAP if plane and name != "log-Sobolev" else ROUNDING
        judged = far & (np.arange(len(run)) > 0) if name == "EVI" else far
        with np.errstate(invalid="ignore", divide="ignore"):
            rest = 0.0 if name == "EVI" else np.where(np.isfinite(d[column]), d[column], 0.0)
            shares = d[column] / (smaller[name] + rest)
        of_sobolev = name in ("log-Sobolev", "Talagrand")
        found.append({
            "name": name, "meaning": MEANING[name], **_smallest(run.t, d[column], shares, judged, allowed),
            "constant": sobolev if of_sobolev else float(run.attributes.get("convexity", np.nan)),
            "source": str(run.attributes.get("sobolev_source" if of_sobolev else "convexity_source", "")),
        })  # fmt: skip
    return found


def _smallest(t: Array, slack: Array, shares: Array, judged: Array, allowed: float) -> dict[str, Any]:
    """The judged snapshot with the smallest share of slack; NaN is worse than any."""
    places = np.nonzero(judged)[0]
    if not len(places):
        return {"slack": np.nan, "t": np.nan, "share": np.nan, "holds": None}
    values = np.where(np.isinf(slack[places]), 1.0, shares[places])
    k = int(np.argmin(np.where(np.isnan(values), -np.inf, values)))
    smallest = float(values[k])
    return {
        "slack": float(slack[places[k]]), "t": float(t[places[k]]), "share": smallest, "holds": smallest >= -allowed,
    }  # fmt: skip


def balance(run: Run) -> dict[str, float] | None:
    """{defect, lost, t}: the largest |E(t) + ∫D − E(0)|, the energy lost by then, and when; None where unknown."""
    if "energy_balance" not in run.diagnostics or len(run) < 2:
        return None
    values, energy = np.abs(run.diagnostics["energy_balance"]), run.diagnostics["energy"]
    if np.any(np.isnan(values)):
        return None
    k = int(np.argmax(values))
    return {"defect": float(values[k]), "lost": float(energy[0] - energy[k]), "t": float(run.t[k])}


def sentences(found: list[dict[str, Any]]) -> list[str]:
    """One line on all inequalities, and one on each that fails."""
    judged = [c for c in found if c["holds"] is not None]
    if not judged:
        return []
    good = [c["name"] for c in judged if c["holds"]]
    symbols = {"log-Sobolev": "λ", "Talagrand": "λ", "HWI": "K", "EVI": "K"}
    constants = dict.fromkeys(f"{symbols[c['name']]} = {c['constant']:.4g} from {c['source']}" for c in judged)
    lines = [f"certified   {', '.join(good)} ({', '.join(constants)})"] if good else []
    bad = [c for c in judged if not c["holds"]]
    return lines + [f"VIOLATED    {c['name']}: {c['meaning']}, by {-c['slack']:.3g} at t = {c['t']:.6g}" for c in bad]
