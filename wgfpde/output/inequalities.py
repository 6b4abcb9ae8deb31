"""What the diagnostics of a run say of the inequalities along it: a stored run → plain values → lines of text.

Judged where H > 1e-10 of the mass, so that the rounding of W₂, 1e-14 of the box, and of ln ρ stays below 1e-8 of it,
and where all numbers are finite: an infinite I or a distance that was not found proves nothing.  The first three are
theorems about a density (`diagnostics.certificates`) and must hold to 1e-8 of their larger side; distances in the
plane are known to their gap of 1e-3 of W₂², and of half a sum of them twice that is allowed.  EVI is about the march,
and holds to the error of its steps, 1e-3 of ½W₂², and to that of its cells: the scheme dissipates D/κ² where the
density has I, so that twice |D/κ² − I|/I of what ½W₂² loses is allowed; where that is more than a fifth, nothing is
judged.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..grid import Array
from ..store import Run

LEAST_ENTROPY = 1e-10
ROUNDING, GAP, STEPS = 1e-8, 2e-3, 1e-3
COARSE = 0.2
"""Error of the cells from which on a march says nothing of the flow."""
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
    kappa = float(run.attributes.get("kappa", np.nan))
    entropy = d.get("entropy_gibbs", d["kl_gibbs"])
    half = 0.5 * d["w2_gibbs"] ** 2 if "w2_gibbs" in d else np.full(len(run), np.nan)
    before = np.concatenate([half[:1], half[:-1]])
    cells = _error_of_the_cells(run, kappa)
    with np.errstate(invalid="ignore", divide="ignore"):
        lost = np.abs(half - before) / before
    smaller = {"log-Sobolev": entropy, "Talagrand": 2 * half, "HWI": kappa * entropy}
    found = []
    for name, column in NAMES.items():
        if column not in d:
            continue
        slack, far = d[column], entropy > LEAST_ENTROPY * d["mass"]
        with np.errstate(invalid="ignore", divide="ignore"):
            other = before if name == "EVI" else np.maximum(smaller[name], np.abs(smaller[name] + slack))
            share = slack / other
        allowed = np.full(len(run), GAP if run.dim == 2 and name != "log-Sobolev" else ROUNDING)
        if name == "EVI":
            allowed = STEPS + cells * lost
            far = far & (np.arange(len(run)) > 0) & (cells <= COARSE)
        of_sobolev = name in ("log-Sobolev", "Talagrand")
        found.append({
            "name": name, "meaning": MEANING[name], **_smallest(run.t, slack, share, far, allowed),
            "constant": float(run.attributes.get("sobolev" if of_sobolev else "convexity", np.nan)),
            "source": str(run.attributes.get("sobolev_source" if of_sobolev else "convexity_source", "")),
        })  # fmt: skip
    return found


def _error_of_the_cells(run: Run, kappa: float) -> Array:
    """2 |D/κ² − I|/I, the error in space of the rate at which a run comes to rest; 0 where it is unknown."""
    d = run.diagnostics
    if "dissipation" not in d or "fisher_gibbs" not in d:
        return np.zeros(len(run))
    with np.errstate(invalid="ignore", divide="ignore"):
        error = 2 * np.abs(d["dissipation"] / kappa**2 / d["fisher_gibbs"] - 1)
    return np.where(np.isfinite(error), error, 0.0)


def _smallest(t: Array, slack: Array, share: Array, far: Array, allowed: Array) -> dict[str, Any]:
    """The judged snapshot that fails by most, else the one with the smallest share of slack."""
    places = np.nonzero(far & (np.isfinite(share) | (slack == -np.inf)))[0]
    if not len(places):
        return {"slack": np.nan, "t": np.nan, "share": np.nan, "holds": None}
    values = np.where(slack[places] == -np.inf, -np.inf, share[places])
    beyond = values + allowed[places]
    k = int(np.argmin(beyond if np.any(beyond < 0) else values))
    return {
        "slack": float(slack[places[k]]), "t": float(t[places[k]]), "share": float(values[k]),
        "holds": bool(beyond[k] >= 0),
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
