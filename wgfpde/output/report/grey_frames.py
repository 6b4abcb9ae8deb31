"""Densities in 2D as small grey pictures that a page colours: one PNG per snapshot, a byte per pixel.

Each PNG holds the density twice, one above the other, linear and logarithmic:

    level 0   ρ = 0, and nothing else: vacuum stays vacuum, however faint the tail beside it
    levels 1 … 255   linear:  1 + 254 ρ/top, cut at 255; where that would hide a snapshot, each up to its own peak
                     logarithmic:  1 + 254 ln(ρ/low)/ln(high/low), cut at 1 and 255

Pixels are equal; where the cells are not, or are too many, a pixel is the average over what it covers.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...grid import Array
from ...store import Run
from ..shown_values import density_of, hidden

BUDGET = 4 * 2**20
"""Bytes, in base64, that all frames of a page may take."""
MOST_PIXELS = 640
"""Along an axis: about what a page shows."""
DECADES = 10
"""What the logarithmic scale spans at most; what is smaller, but not zero, has the colour of its lower end."""
MAGMA = (
    "0000040303120a0822130d341d114729115a36106b440f7651127c5d177f6a1c81762181832681902a819c2e7faa337db73779c43c75d0416f"
    "dc4869e75263ef5d5ef56b5cf9795dfc8961fd9869fea772feb67cfec488fed395fde2a3fcf0b2fcfdbf"
)
"""The colour map of that name at 33 equal steps, red green blue in hexadecimal; linear between (CC0, Matplotlib)."""


@dataclass(frozen=True)
class Scale:
    """What levels mean.   top : of the linear scale.   low, high : of the logarithmic one.

    zero : whether ρ = 0 occurs.   peak : the largest density, which may lie above `top`.   tops : of each density the
    end of its own linear scale, where one scale would hide some; else ().
    """

    top: float
    low: float
    high: float
    peak: float
    zero: bool
    tops: tuple[float, ...] = ()

    def linear(self, rho: Array, place: int) -> Array:
        """place : of the density among those that the scale is made for."""
        return _levels(rho, rho / (self.tops[place] if self.tops else self.top))

    def logarithmic(self, rho: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return _levels(rho, np.log(rho / self.low) / math.log(self.high / self.low))


def _levels(rho: Array, share: Array) -> Array:
    """Bytes: 0 where there is no density, else 1 … 255 for shares from 0 to 1."""
    raised = 1.0 + np.rint(254.0 * np.clip(share, 0.0, 1.0))
    return np.where(rho > 0, raised, 0.0).astype(np.uint8)


def scale_of(densities: Iterator[Array]) -> Scale:
    """One scale for all densities, oldest first.

    Where the start is far higher than all that follows, the linear scale is that of the later half.  Where a density
    would still be hidden by another each has its own.
    """
    peaks, least, zero = [], math.inf, False
    for rho in densities:
        positive = rho[(rho > 0) & np.isfinite(rho)]
        peaks.append(float(positive.max(initial=0.0)))
        least = min(least, float(positive.min(initial=math.inf)))
        zero = zero or positive.size < rho.size
    peak = max(peaks)
    if peak == 0:
        return Scale(1.0, 0.1, 1.0, 0.0, zero)
    later = max(peaks[len(peaks) // 2 :])
    top = 1.25 * later if 0 < 2 * later < peak else peak
    low = max(least, peak * 10.0**-DECADES)
    return Scale(top, min(low, 0.5 * peak), peak, peak, zero, tuple(peaks) if hidden(peaks, top) else ())


@dataclass(frozen=True)
class Frames:
    """Pictures of snapshots.   pngs : base64.   width, height : of the density in each.   still : the last, coloured,
    as a PNG file."""

    pngs: list[str]
    width: int
    height: int
    still: bytes


def frames(run: Run, picks: Sequence[int], scale: Scale, budget: int = BUDGET) -> Frames:
    """The snapshots `picks` of a run in 2D, as many pixels as `budget` bytes allow; the y axis points up."""
    width, height = (pixels(edges) for edges in run.edges)
    places = list(range(len(picks)))
    sample = sorted({0, len(picks) // 2, len(picks) - 1})
    while True:
        trial = _encode(run, picks, sample, scale, width, height)
        needed = sum(map(len, trial)) / len(trial) * len(picks)
        if needed <= 0.95 * budget:
            pngs = trial if sample == places else _encode(run, picks, places, scale, width, height)
            if sum(map(len, pngs)) <= budget:
                break
        shrink = max(1.15, math.sqrt(needed / budget))
        width, height = max(8, int(width / shrink)), max(8, int(height / shrink))
        if width == height == 8:
            pngs = _encode(run, picks, places, scale, width, height)
            break
    last = averaged(density_of(run, picks[-1]), run.edges, (width, height))
    return Frames(pngs, width, height, _coloured(scale.linear(last[::-1], len(picks) - 1)))


def pixels(edges: Array) -> int:
    """Pixels for an axis: one a cell, two where the cells differ in size, and not too many."""
    widths = np.diff(edges)
    equal = np.ptp(widths) <= 1e-9 * np.max(np.abs(edges))
    return min(len(widths) * (1 if equal else 2), MOST_PIXELS)


def averaged(rho: Array, edges: Sequence[Array], sizes: Sequence[int]) -> Array:
    """Averages over equal pixels, `sizes` per axis with x first; zero only where all that a pixel covers is zero.

    rho : (nx,) or (ny, nx).   edges : per axis, x first.
    """
    for k, (axis, size) in enumerate(zip(edges, sizes, strict=True)):
        place = rho.ndim - 1 - k
        if size != rho.shape[place] or np.ptp(np.diff(axis)) > 1e-9 * np.max(np.abs(axis)):
            rho = np.moveaxis(np.tensordot(_shares(axis, size), rho, axes=(1, place)), 0, place)
    return rho


def _shares(edges: Array, size: int) -> Array:
    """(size, n): the part of each pixel that lies in each cell."""
    target = np.linspace(edges[0], edges[-1], size + 1)
    upper = np.minimum(target[1:, None], edges[None, 1:])
    lower = np.maximum(target[:-1, None], edges[None, :-1])
    return np.maximum(upper - lower, 0.0) / np.diff(target)[:, None]


def _encode(run: Run, picks: Sequence[int], places: Sequence[int], scale: Scale, width: int, height: int) -> list[str]:
    """The pictures of those snapshots of `picks` that stand at these places."""
    found = []
    for place in places:
        rho = averaged(density_of(run, picks[place]), run.edges, (width, height))[::-1]
        found.append(_png(np.concatenate([scale.linear(rho, place), scale.logarithmic(rho)])))
    return [base64.b64encode(png).decode("ascii") for png in found]


def _png(levels: Array, palette: Array | None = None) -> bytes:
    from PIL import Image

    picture, stream = Image.fromarray(levels), io.BytesIO()
    if palette is not None:
        picture.putpalette(palette.astype(np.uint8).tobytes())
    picture.save(stream, "PNG", compress_level=6)  # 9 takes twelve times as long for 5 % less
    return stream.getvalue()


def _coloured(levels: Array) -> bytes:
    return _png(levels, colours())


def colours() -> Array:
    """(256, 3) the colours of the levels."""
    nodes = np.frombuffer(bytes.fromhex(MAGMA), np.uint8).reshape(-1, 3)
    places = np.linspace(0, len(nodes) - 1, 256)
    return np.stack([np.interp(places, np.arange(len(nodes)), nodes[:, c]) for c in range(3)], axis=1).round()
