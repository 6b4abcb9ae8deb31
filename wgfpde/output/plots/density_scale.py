"""Scales of densities: of lines, and of the maps of a figure or of a film.

Maps share one scale, from 0 to the highest peak.  Where that peak is so high that another map would be black beside it,
as of what concentrates, each map has its own, from 0 to its peak, which its title names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.colors import LogNorm, Normalize

from ...errors import CaseError
from ...grid import Array
from ..shown_values import hidden
from .options import Options
from .style import number

DECADES = 10
"""What a logarithmic density scale spans at most."""


class Extremes(NamedTuple):
    """Of one density: its largest and its smallest value, and the smallest above zero, inf where there is none."""

    peak: float
    least: float
    smallest: float


def extremes(rho: Array) -> Extremes:
    """What a scale needs to know of a density."""
    return Extremes(float(rho.max()), float(rho.min()), smallest_positive([rho]))


@dataclass(frozen=True)
class MapScale:
    """One scale for all maps, or each its own.

    norm : of what `shown` returns.   apart : whether each map has its own scale, from 0 to its peak.   above, below :
    whether densities lie beyond the ends.   empty : whether ρ = 0 occurs.
    """

    norm: Normalize
    apart: bool
    above: bool
    below: bool
    empty: bool

    def shown(self, rho: Array) -> Array:
        """What is coloured: ρ, or with scales apart ρ / max ρ."""
        peak = float(rho.max()) if self.apart else 0.0
        return rho / peak if peak > 0 else rho

    def title(self, t: float, rho: Array) -> str:
        """The time, and with scales apart the peak."""
        height = rf",  $\max\rho = {number(float(rho.max()), 3)}$" if self.apart else ""
        return f"$t = {number(t)}${height}"

    def label(self, picture: str = "map") -> str:
        """Of the colour bar.   picture : what has a scale of its own."""
        return rf"$\rho/\max\rho$ of each {picture}" if self.apart else density_label(self.norm, self.below)

    @property
    def extend(self) -> str:
        """Which ends of a colour bar are pointed: those beyond which there are densities."""
        names = {(False, False): "neither", (True, False): "max", (False, True): "min", (True, True): "both"}
        return names[self.above, self.below]


def map_scale(seen: Sequence[Extremes], options: Options, early: int = 1, room: float = 1.0) -> MapScale:
    """The scale of maps.

    seen : of each density, in order of time.   early : so many at the start count as one, where a peak is cut that soon
    falls: the others would be dark.   room : see `top`.   Raises CaseError where vmin lies above all densities.
    """
    peaks = [max(one.peak for one in seen[:early]), *(one.peak for one in seen[early:])]
    apart = _apart([one.peak for one in seen], top(peaks, 1.0), options)
    if apart:
        shares = [one.smallest / one.peak for one in seen if one.peak > 0]
        norm = density_norm([1.0], min(shares, default=np.inf), options.log)
    else:
        norm = density_norm(peaks, min(one.smallest for one in seen), options.log, room)
    norm.vmin, norm.vmax = options.vmin or norm.vmin, options.vmax or norm.vmax
    low, high = float(norm.vmin or 0.0), float(norm.vmax or 0.0)
    if not low < high:
        raise CaseError(f"vmin: expected less than {high:.4g}, where the scale ends, found {low:.4g}")
    above = not apart and max(one.peak for one in seen) > high
    smallest = min(shares if apart else (one.smallest for one in seen), default=np.inf)
    return MapScale(norm, apart, above, low > 0 and smallest < low, any(one.least == 0 for one in seen))


def _apart(peaks: Sequence[float], high: float, options: Options) -> bool:
    """Whether each map has a scale of its own.   high : the end of the scale that they would share."""
    if options.scale is not None or options.log or options.vmin is not None or options.vmax is not None:
        return options.scale == "each"
    return hidden(peaks, high)


def density_norm(peaks: Sequence[float], smallest: float, log: bool, room: float = 2.0) -> Normalize:
    """The scale of densities.

    peaks : the largest density of each picture, in order of time.   smallest : the smallest one above zero; a
    logarithmic scale, which needs no cut at its top, begins there or DECADES below.   room : see `top`.
    """
    high = top(peaks, np.inf if log else room)
    if not log:
        return Normalize(0.0, high)
    low = max(smallest, high * 10.0**-DECADES)
    return LogNorm(low if low < high else 0.1 * high, high)


def top(peaks: Sequence[float], room: float = 2.0) -> float:
    """The upper end of a density scale: the largest peak; a first one more than twice the later ones is cut.

    room : what then remains of it, relative to the largest later peak.
    """
    high, later = max(peaks), max(peaks[1:], default=0.0)
    if later > 0 and high > 2 * later:
        high = min(high, room * later)
    return high if high > 0 else 1.0


def smallest_positive(fields: Sequence[Array]) -> float:
    """The smallest density above zero; inf where there is none."""
    return min((float(rho[rho > 0].min()) for rho in fields if np.any(rho > 0)), default=np.inf)


def density_label(norm: Normalize, cut: bool) -> str:
    """The label of a density scale.   cut : whether there is mass below its floor, which is then named."""
    return rf"$\rho$, shown from ${number(float(norm.vmin or 0.0), 2)}$" if cut else r"$\rho$"
