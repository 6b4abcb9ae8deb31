"""What the diagnostics of a run say of the inequalities along it: a stored run → plain values → lines of text.

Judged where H > 1e-10 of the mass, so that the rounding of W₂, 1e-14 of the box, and of ln ρ stays below 1e-8 of it,
and where all numbers are finite: an infinite I or a distance that was not found proves nothing.  The first three are
theorems about a density and must hold to 1e-8 of their larger side; distances in the plane are known to their gap of
1e-3 of W₂², and of half a sum of them twice that is allowed.  EVI is about the march, and holds to the error of its
steps, 1e-3 of ½W₂², and to that of its cells: the scheme dissipates D/κ² where the density has I, so that twice
|D/κ² − I|/I of what ½W₂² loses is allowed; where that is more than a fifth, nothing is judged.

An inequality that holds may still say nothing, where its constant is far too small.  It **says nothing here** if

    slack > 100 × the side that is bounded      at every snapshot judged, or
    λ < 1e-3 r,   H(t₁) = H(t₀) e^{−2r(t₁ − t₀)}    from the first snapshot judged to the last

since λ promises e^{−2λt} of the entropy, e^{−2λD_min t} where [dynamics] has D ≥ D_min, and the run shows e^{−2rt}.
The side that is bounded is H for log-Sobolev, W₂² for Talagrand, κH for HWI, and what EVI bounds by ½W₂² of the
snapshot before.  K has no such rate: with K = 0, and below, HWI and EVI may still be sharp.  A path between two
densities is no flow, and has no rate.

Only stored columns are used: `kl_gibbs`, the slacks, κ, λ and K, and where they are there `entropy_gibbs` and
`w2_gibbs`.  Without these H is that of the cells, right to O(h²), which does for the size of a side, and W₂² is
2κH/λ less its slack.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..grid import Array
from ..store import Run
from .shown_values import QUIETLY
from .stored_method import is_path

LEAST_ENTROPY = 1e-10
ROUNDING, GAP, STEPS = 1e-8, 2e-3, 1e-3
COARSE = 0.2
"""Error of the cells from which on a march says nothing of the flow."""
FAR, SLOW = 100.0, 1e-3
"""A slack of so many times what is bounded, and λ of such a part of the rate that a run shows, say nothing."""
HOLDS, VIOLATED, NOTHING, UNJUDGED = "holds", "VIOLATED", "says nothing here", "not judged"
MEANING = {
    "log-Sobolev": "H ≤ κI/2λ",
    "Talagrand": "W₂² ≤ 2κH/λ",
    "HWI": "κH ≤ κ√I W₂ − KW₂²/2",
    "EVI": "½ d/dt W₂² + KW₂²/2 ≤ −κH",
}
NAMES = {"log-Sobolev": "slack_lsi", "Talagrand": "slack_talagrand", "HWI": "slack_hwi", "EVI": "slack_evi"}
SYMBOLS = {"log-Sobolev": "λ", "Talagrand": "λ", "HWI": "K", "EVI": "K"}


@QUIETLY
def inequalities_of(run: Run) -> list[dict[str, Any]]:
    """The inequalities that a run recorded.

    A list of {name, meaning, slack, t, share, constant, source, holds, verdict, reason}: the smallest slack, when, its
    share of the larger side (EVI: of ½W₂² before), λ or K, where that comes from.   reason : why it says nothing.
    verdict : "holds", "VIOLATED", "says nothing here" or "not judged"; holds is None for the last two.
    """
    d = run.diagnostics
    if "kl_gibbs" not in d or not len(run):
        return []
    entropy = _entropy(run)
    cells, lost = _error_of_the_cells(run), _lost(run)
    found = []
    for name, (bounded, larger) in sides(run).items():
        slack, far = d[NAMES[name]], entropy > LEAST_ENTROPY * d["mass"]
        allowed = np.full(len(run), GAP if run.dim == 2 and name != "log-Sobolev" else ROUNDING)
        if name == "EVI":
            allowed = STEPS + cells * lost
            far = far & (np.arange(len(run)) > 0) & (cells <= COARSE)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = slack / (larger if name == "EVI" else np.maximum(bounded, np.abs(larger)))
        judged = np.nonzero(far & (np.isfinite(share) | (slack == -np.inf)))[0]
        constant, source = _constant(run, name)
        worst = _smallest(run.t, slack, share, judged, allowed)
        reason = _emptiness(run, name, slack[judged], bounded[judged], judged) if worst["holds"] else ""
        verdict = {None: UNJUDGED, True: NOTHING if reason else HOLDS, False: VIOLATED}[worst["holds"]]
        found.append({
            "name": name, "meaning": MEANING[name], **worst, "holds": None if reason else worst["holds"],
            "constant": constant, "source": source, "verdict": verdict, "reason": reason,
        })  # fmt: skip
    return found


def sides(run: Run) -> dict[str, tuple[Array, Array]]:
    """Of each inequality that a run recorded what is bounded and by what, (n,) each; `larger` of EVI is ½W₂² before."""
    d, kappa = run.diagnostics, run.number("kappa")
    entropy, found = _entropy(run), {}
    with np.errstate(invalid="ignore", divide="ignore"):
        if "slack_lsi" in d:
            found["log-Sobolev"] = entropy, entropy + d["slack_lsi"]
        if "slack_talagrand" in d:
            slack = d["slack_talagrand"]
            bound = 2 * kappa * entropy / _constant(run, "Talagrand")[0]
            square = d["w2_gibbs"] ** 2 if "w2_gibbs" in d else bound - slack
            found["Talagrand"] = square, square + slack
        if "slack_hwi" in d:
            found["HWI"] = kappa * entropy, kappa * entropy + d["slack_hwi"]
        if "slack_evi" in d:
            found["EVI"] = _moved(run, kappa * entropy, _constant(run, "EVI")[0]), _before(run)
    return found


def _moved(run: Run, excess: Array, k: float) -> Array:
    """e^{−|K|₋ s} ½W₂² + κH (1 − e^{−|K|s})/|K|, s the time since the snapshot before: what EVI bounds, with e^{Ks}
    for the growth of the steps."""
    s = np.diff(run.t, prepend=run.t[0])
    time = -np.expm1(-abs(k) * s) / abs(k) if k else s
    return np.asarray(np.exp(min(k, 0.0) * s) * _half(run) + excess * time)


def _entropy(run: Run) -> Array:
    return run.diagnostics.get("entropy_gibbs", run.diagnostics["kl_gibbs"])


def _half(run: Run) -> Array:
    """½W₂² to the Gibbs state."""
    distance = run.diagnostics.get("w2_gibbs", np.full(len(run), np.nan))
    return np.asarray(0.5 * distance**2)


def _before(run: Run) -> Array:
    half = _half(run)
    return np.concatenate([half[:1], half[:-1]])


def _lost(run: Run) -> Array:
    """The part of ½W₂² that is gone since the snapshot before."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.abs(_half(run) - _before(run)) / _before(run))


def _constant(run: Run, name: str) -> tuple[float, str]:
    """λ or K, and where it comes from."""
    key = "sobolev" if SYMBOLS[name] == "λ" else "convexity"
    return run.number(key), str(run.attributes.get(f"{key}_source", ""))


def _error_of_the_cells(run: Run) -> Array:
    """2 |D/κ² − I|/I, the error in space of the rate at which a run comes to rest; 0 where it is unknown."""
    d, kappa = run.diagnostics, run.number("kappa")
    if "dissipation" not in d or "fisher_gibbs" not in d:
        return np.zeros(len(run))
    with np.errstate(invalid="ignore", divide="ignore"):
        error = 2 * np.abs(d["dissipation"] / kappa**2 / d["fisher_gibbs"] - 1)
    return np.where(np.isfinite(error), error, 0.0)


def _smallest(t: Array, slack: Array, share: Array, judged: Array, allowed: Array) -> dict[str, Any]:
    """The judged snapshot that fails by most, else the one with the smallest share of slack."""
    if not len(judged):
        return {"slack": np.nan, "t": np.nan, "share": np.nan, "holds": None}
    values = np.where(slack[judged] == -np.inf, -np.inf, share[judged])
    beyond = values + allowed[judged]
    k = int(np.argmin(beyond if np.any(beyond < 0) else values))
    return {
        "slack": float(slack[judged[k]]), "t": float(t[judged[k]]), "share": float(values[k]),
        "holds": bool(beyond[k] >= 0),
    }  # fmt: skip


def _emptiness(run: Run, name: str, slack: Array, bounded: Array, judged: Array) -> str:
    """Why an inequality that holds says nothing, or ""."""
    constant, symbol = _constant(run, name)[0], SYMBOLS[name]
    if symbol == "λ" and constant * least_diffusion(run) < SLOW * (rate := shown_rate(run, judged)):
        return f"λ = {constant:.3g}, and the run shows a rate of {rate:.3g}"
    if np.all(slack > FAR * bounded):
        return f"{symbol} = {constant:.3g}, and its bound is {1 + np.min(slack / bounded):.3g} times what it bounds"
    return ""


def least_diffusion(run: Run) -> float:
    """D_min of a run's dynamics; 1 without."""
    return run.number("diffusion_least", 1.0)


def shown_rate(run: Run, judged: Array) -> float:
    """r of H = H₀ e^{−2rt} from the first to the last of the snapshots at these places; NaN where there is none."""
    if len(judged) < 2 or is_path(run):
        return np.nan
    first, last = judged[0], judged[-1]
    entropy = _entropy(run)
    if not (entropy[first] > 0 and entropy[last] > 0 and run.t[last] > run.t[first]):
        return np.nan
    return float(0.5 * np.log(entropy[first] / entropy[last]) / (run.t[last] - run.t[first]))


@QUIETLY
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
    """A line on the inequalities that hold, one on those that say nothing, and one on each that fails."""
    lines = []
    for label, verdict, end in (("certified", HOLDS, ""), ("vacuous", NOTHING, f": {NOTHING}")):
        if some := [c for c in found if c["verdict"] == verdict]:
            constants = dict.fromkeys(f"{SYMBOLS[c['name']]} = {c['constant']:.4g} from {c['source']}" for c in some)
            lines.append(f"{label:<12}{', '.join(c['name'] for c in some)} ({', '.join(constants)}){end}")
    bad = [c for c in found if c["verdict"] == VIOLATED]
    return lines + [f"VIOLATED    {c['name']}: {c['meaning']}, by {-c['slack']:.3g} at t = {c['t']:.6g}" for c in bad]
