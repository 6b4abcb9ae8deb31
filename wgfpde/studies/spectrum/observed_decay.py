"""The decay of a run beside the gap of its operator.

    χ(t) = (∫(ρ − Mπ)²/π)^{1/2},     a_k(t) = ∫ρ φ_k,     χ² = Σ a_k²  over all modes

In continuous time a_k ∝ e^{−λ_k t}.  The first mode m with an amplitude above rounding (or the group of equal
eigenvalues that it belongs to) decays last.  Since −d ln χ/dt = Σ λ_j a_j²/χ², a straight line is fitted to ln χ where
that exceeds λ_m by less than IMPURE λ_m, back from the last snapshot above rounding.  Where a run ends before that, the
line is that of ln |a_m|.  Where symmetry kills a_1, m is a later mode, and the run decays faster than the gap.

Steps of a finite size decay at a rate of their own, −ln R(λ dt)/dt with R the amplification that the method declares,
which explains what the observed rate lacks of λ_m; `Observed.stepped` is that rate for the steps of the run.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import CaseError
from ...grid import Array
from ...methods import METHODS
from ...output.stored_method import traits_of
from ...store import Run
from .gap_and_modes import Spectrum

ROUNDING = {"float64": 1e-12, "float32": 1e-6}
"""χ/M below this is what rounding left: of the stored densities, and of the steps before them."""
IMPURE = 1e-4
PRESENT = 1e-9
"""A mode is there where |∫ρ φ| is above this share of ∫ρ|φ|, of float64 densities."""
EQUAL = 1e-6
"""Eigenvalues this near, relatively, count as one."""
FEWEST = 3
MORE = "write them more often: --set output.every=…"


@dataclass(frozen=True, eq=False)
class Observed:
    """How a run decays.

    t, chi : (n,) times of the snapshots and distances χ from the Gibbs state.   amplitudes : (n, k+1) the a_k.
    mode : the number m of the mode that decays (the first of equal ones), 0 where there is none.
    rate : observed, 1/time; NaN where `reason` says why.   expected : λ_m.   stepped : the rate that the steps of the
    run give that mode; NaN where they are not those of 1D finite volumes.   window : (first, last) time of the fit.
    note : what is worth knowing, such as modes that symmetry kills.
    """

    t: Array
    chi: Array
    amplitudes: Array
    mode: int = 0
    rate: float = np.nan
    expected: float = np.nan
    stepped: float = np.nan
    window: tuple[float, float] = (np.nan, np.nan)
    reason: str = ""
    note: str = ""


def observed_rate(run: Run, spectrum: Spectrum) -> Observed:
    """The late decay of a run towards its Gibbs state.

    Raises CaseError where the run is on another grid than the spectrum.
    """
    grid = spectrum.grid
    same = len(run.edges) == grid.dim and all(
        len(edges) == len(axis.edges) and np.allclose(edges, axis.edges, rtol=1e-9, atol=1e-9 * axis.length)
        for edges, axis in zip(run.edges, grid.axes, strict=True)
    )
    if not same:
        raise CaseError(f"{run.path} is on another grid than the spectrum; compute the spectrum of its own case")
    tables = tomllib.loads(run.resolved_toml)
    solver = tables.get("solver", {})
    rounding = ROUNDING.get(tables.get("output", {}).get("precision", "float64"), ROUNDING["float32"])
    chi, amplitudes, sizes, mass = _measure(run, spectrum)
    found = Observed(np.asarray(run.t, dtype=float), chi, amplitudes)
    if (traits := traits_of(run)) is None or not traits.tends_to_gibbs:
        return replace(found, reason="the run does not tend to the Gibbs state")
    if len(run) < FEWEST:
        return replace(found, reason=f"a rate needs {FEWEST} snapshots and the run holds {len(run)} ({MORE})")
    distinct = chi > rounding * mass
    if not distinct[0]:
        return replace(found, reason="the run starts at equilibrium")
    if distinct.sum() < FEWEST:
        return replace(found, reason=f"the run is at equilibrium after {distinct.sum()} snapshots ({MORE})")
    present = (np.abs(amplitudes) > PRESENT * rounding / ROUNDING["float64"] * sizes) & distinct[:, None]
    return _fitted(run, found, spectrum, present, solver)


def _measure(run: Run, spectrum: Spectrum) -> tuple[Array, Array, Array, float]:
    """(χ, a_k, ∫ρ|φ_k|, M): (n,), (n, k+1), (n, k+1) and the mass."""
    grid, pi = spectrum.grid, spectrum.pi
    volume = np.array(grid.cell_volume)
    weighted = (volume * spectrum.modes).reshape(len(spectrum.modes), -1)
    chi, (amplitudes, sizes) = np.empty(len(run)), np.empty((2, len(run), len(weighted)))
    mass = float((volume * run.rho[0]).sum()) if len(run) else 0.0
    for k, rho in enumerate(run.rho):
        amplitudes[k], sizes[k] = weighted @ rho.ravel(), np.abs(weighted) @ rho.ravel()
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            apart = np.where(pi > 0, (rho - mass * pi) / np.sqrt(pi), np.where(rho > 0, np.inf, 0.0))
            chi[k] = np.sqrt((volume * apart**2).sum())
    return chi, amplitudes, sizes, mass


def _fitted(run: Run, found: Observed, spectrum: Spectrum, present: Array, solver: Mapping[str, Any]) -> Observed:
    """The rate of the first mode that is there in the last snapshots that hold one.   present : (n, k+1)."""
    chi, values = found.chi, spectrum.eigenvalues
    rows = np.flatnonzero(present[:, 1:].any(axis=1))
    lasting = present[rows[-FEWEST:], 1:].all(axis=0) if len(rows) >= FEWEST else np.zeros(len(values) - 1, bool)
    if not lasting.any():
        text = f"the start has nothing of mode{_span(len(values))} that lasts: compute more (--modes), or {MORE}"
        return replace(found, reason=text)
    m = 1 + int(np.argmax(lasting))
    group = np.flatnonzero(np.abs(values - values[m]) <= EQUAL * values[m])
    size = np.linalg.norm(found.amplitudes[:, group], axis=1)
    usable = np.asarray(present[:, group].any(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        impure = np.where(usable & np.isfinite(chi), 1.0 - (size / chi) ** 2, 1.0)
        shares = (found.amplitudes[:, 1:] / chi[:, None]) ** 2
    unknown = np.abs(1.0 - shares.sum(axis=1)) * values[-1]  # or faster, but nearly nothing
    excess = (shares * np.maximum(values[1:] / values[m] - 1.0, 0.0)).sum(axis=1) + unknown / values[m]
    stretch = _last_stretch(np.logical_and(usable, excess <= IMPURE))
    notes = []
    if m > 1:
        notes.append(f"the start has nothing of mode{_span(m)}: the run decays with mode {m}")
    if len(stretch) < FEWEST:
        stretch = _last_stretch(usable)
        stretch = stretch[-max(FEWEST, len(stretch) // 2) :]
        if len(stretch) < FEWEST:
            return replace(found, reason=f"mode {m} is not seen in {FEWEST} snapshots one after the other ({MORE})")
        rest = max(float(impure[stretch[-1]]), 0.0)
        others = f"{100 * rest:.2g} % of χ²" if rest < 0.99 else "nearly all of χ²"
        notes.append(f"the run ends while other modes hold {others}: the rate is that of a_{m} = ∫ρφ_{m}")
        fitted = size
    else:
        fitted = chi
    t = found.t[stretch]
    window, expected = (float(t[0]), float(t[-1])), float(values[m])
    return replace(
        found, mode=m, rate=-float(np.polyfit(t - t[0], np.log(fitted[stretch]), 1)[0]), expected=expected,
        stepped=_stepped(run, expected, window, solver), window=window, note="; ".join(notes),
    )  # fmt: skip


def _span(m: int) -> str:
    """The modes before m, as the end of "mode"."""
    return " 1" if m == 2 else f"s 1 to {m - 1}"


def _last_stretch(good: Array) -> Array:
    """The last stretch of neighbouring rows that are good."""
    rows = np.flatnonzero(good)
    return np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)[-1]


def _stepped(run: Run, value: float, window: tuple[float, float], solver: Mapping[str, Any]) -> float:
    """The rate that the steps of the run between two times give a mode; NaN where the method does not know it.

    In 2D steps are split by direction, and it is not known either.
    """
    method = METHODS.get(str(solver.get("method")))
    if method is None or method.amplification is None or run.dim != 1:
        return np.nan
    chosen = (run.steps["t"] > window[0] + 1e-12) & (run.steps["t"] <= window[1] * (1 + 1e-12))
    with np.errstate(divide="ignore"):
        total = float(np.log(method.amplification(solver, value * run.steps["dt"][chosen])).sum())
    return -total / (window[1] - window[0])
