"""Blow-up: whether an energy allows it, and whether a density on a grid has come to it.

**Allowed.**  Concentrate a mass M by a factor s → 0, ρ_s = s^{−d} ρ(·/s):

    ∫U:   κ(ρ ln ρ − ρ)   −d κM ln s + const          κρ^m/(m−1)   s^{−d(m−1)} × const
    W:    W ~ χ ln r       ½χM² ln s + const          W ~ −c r^{−k}   −s^{−k} × const

so that E has no lower bound where the attraction wins: with the entropy for χM > 2dκ (Keller–Segel, χ = 1/2π in the
plane: M > 8πκ) and for any k > 0; with a power m > 1 for k ≥ d(m−1) (at equality from some mass on); with m < 1 for
any singular attraction.  Without U an attraction W ~ c r^p gathers a crowd in finite time where ∫₀ dr/W'(r) < ∞,
that is p < 2. Elsewhere a density that is narrower than the cells is under-resolved, not singular, and is never
called a blow-up.

**Come to it.**  Let ρ₂ be the largest mean density over any block of 2^d cells, so that it does not matter whether a
peak sits in a cell or on a corner, and ρ₄ the largest over the blocks of 4^d cells that hold it.  Then

    sharpness q = ln(ρ₂/ρ₄)/ln(V₄/V₂) ∈ [0, 1]         share = largest mass of a block of 2^d cells / M

say how the peak grows as cells are split, ρ ∝ h^{−dq}: q → 0 where the cells resolve it, 1 where one block holds it
all.  The verdict is given where q ≥ ¾, the share is ≥ 10 %, both have grown in the last step, and W∗ρ rises at least as
much as V from the fullest cell to those two further on: else V is what made the density narrower than the cells.

Measured, M = 12π, variance ¼ (the singularity comes before t = ¼), steps of 0.001 on [−3, 3]²: with 64², 96², 128²
cells the verdict falls at t = 0.170, 0.172, 0.172; there the second moment has left its law by 10 % (64²) to 4 %
(128²).  At 4π and 8π there is none.

References: Blanchet, Dolbeault, Perthame (2006), Electron. J. Differential Equations 44; Bertozzi, Carrillo, Laurent
(2009), DOI 10.1088/0951-7715/22/3/009.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..energy.energy import Energy
from ..energy.flow import Flow
from ..grid import Array, Grid

LEAST_SHARE, LEAST_SHARPNESS = 0.1, 0.75
NEAR = ((1e-5, 1e-6), (1e-4, 1e-5), (1e-3, 1e-4))
"""Distances at which the kernel's behaviour at the origin is read, relative to the box: the first pair where it changes
by more than rounding."""
RESOLVED = 1e-12
"""Change of the kernel, relative to it, that is more than rounding."""
MOMENTS = 9
EQUAL = 0.02
"""How far an exponent may lie from a whole case: below the distances above the next term of a kernel is smaller."""


@dataclass(frozen=True)
class Peak:
    """How concentrated a density is.   share : of the mass, in the fullest block of 2^d cells.   sharpness : q."""

    share: float
    sharpness: float


def peak(grid: Grid, rho: Array) -> Peak:
    """Of cell averages ≥ 0, an array.  NaN without mass; sharpness NaN on fewer than 4 cells an axis."""
    cells, volumes = rho * grid.cell_volume, np.asarray(grid.cell_volume)
    total = float(np.sum(cells))
    if not total > 0:
        return Peak(math.nan, math.nan)
    ring = [axis.ring for axis in reversed(grid.axes)]
    blocks, sizes = _pairs(cells, 1, ring), _pairs(volumes, 1, ring)
    share = float(blocks.max()) / total
    if min(grid.shape) < 4:
        return Peak(share, math.nan)
    top = np.unravel_index(np.argmax(blocks / sizes), blocks.shape)
    wide, wide_sizes = _pairs(blocks, 2, ring), _pairs(sizes, 2, ring)
    around = np.ix_(*(_window(int(i), n, closed) for i, n, closed in zip(top, wide.shape, ring, strict=True)))
    k = np.unravel_index(np.argmax(wide[around] / wide_sizes[around]), wide[around].shape)
    ratio = float(blocks[top] / sizes[top] * wide_sizes[around][k] / wide[around][k])
    return Peak(share, math.log(ratio) / math.log(float(wide_sizes[around][k] / sizes[top])))


def _window(i: int, count: int, closed: int) -> Array:
    """Numbers of the blocks of 4 that hold the block of 2 with number i."""
    places = np.arange(i - 2, i + 1)
    return places % count if closed else places[(places >= 0) & (places < count)]


def _pairs(values: Array, shift: int, ring: list[int]) -> Array:
    """Sums of entries `shift` apart along each axis in turn, (ny, nx)."""
    for k, closed in enumerate(ring):
        if closed:
            values = values + np.roll(values, -shift, axis=k)
        else:
            count = values.shape[k] - shift
            values = np.take(values, range(count), k) + np.take(values, range(shift, count + shift), k)
    return values


class Watch:
    """Looks for the blow-up of a flow that allows it.   reason : why it does, as part of a sentence."""

    def __init__(self, flow: Flow, reason: str) -> None:
        self._flow, self._grid, self.reason = flow, flow.grid, reason

    def judge(self, rho: Array, before: Array | None, t: float = 0.0) -> Array:
        """(share, sharpness, whether it has blown up) after a step; `before` is what was said after the last one.

        t : when, of an energy that depends on time.   All are 0 where no cell is full enough for them to matter.
        """
        volume = self._grid.cell_volume
        fullest, mass = float(np.max(rho * volume)), float(np.sum(rho * volume))
        if 2**self._grid.dim * fullest < LEAST_SHARE * mass:
            return np.zeros(3)
        found = peak(self._grid, rho)
        share, sharpness = found.share, found.sharpness
        grown = before is not None and share > before[0] and sharpness > before[1]
        sharp = grown and sharpness >= LEAST_SHARPNESS and share >= LEAST_SHARE
        return np.array([share, sharpness, float(sharp and self._attracts(rho, t))])

    def _attracts(self, rho: Array, t: float) -> bool:
        """Whether the attraction holds the peak together, rather than the potential."""
        flow = self._flow.at(t)
        potential, interaction = flow.potential, flow.interaction
        if potential is None or interaction is None:
            return interaction is not None
        top = tuple(int(k) for k in np.unravel_index(np.argmax(rho * self._grid.cell_volume), rho.shape))
        return self._rise(interaction.apply(rho), top) >= self._rise(potential, top)

    def _rise(self, values: Array, top: tuple[int, ...]) -> float:
        """From a cell to those two further on along each axis, a mean."""
        rises = []
        for k, axis in enumerate(reversed(self._grid.axes)):
            for i in (top[k] - 2, top[k] + 2):
                if axis.ring or 0 <= i < axis.size:
                    rises.append(float(values[(*top[:k], i % axis.size, *top[k + 1 :])] - values[top]))
        return float(np.mean(rises)) if rises else 0.0

    def sentence(self, t: float, judged: Array) -> str:
        """What to tell of a blow-up at time t."""
        power = self._grid.dim * judged[1]
        return (
            f"blow-up at t = {t:.6g}: {2**self._grid.dim} cells hold {100 * judged[0]:.3g} % of the mass, and the peak "
            f"grows like h^-{power:.2g} as cells are split; {self.reason}. What came later would be of the grid, not "
            'of the equation; solver.blow_up = "ignore" marches on.'
        )


def make_watch(flow: Flow, mass: float, span: tuple[float, float] | None = None) -> Watch | None:
    """A watch over a flow whose energy allows a blow-up at this mass, else None.

    span : the times of a march; where W or κ depend on time, the energy is looked at at MOMENTS of them.
    """
    if span is None or flow.driven.isdisjoint({"interaction", "kappa"}):
        reason = reason_to_blow_up(flow, mass)
    else:
        moments = (flow.energy_at(float(t)) for t in np.linspace(*span, MOMENTS))
        reason = next((found for energy in moments if (found := _reason(energy, flow.grid, mass))), "")
    return Watch(flow, reason) if reason else None


def reason_to_blow_up(flow: Flow, mass: float) -> str:
    """Why the energy has no lower bound as this mass concentrates, or ""."""
    return _reason(flow.energy, flow.grid, mass)


def _reason(energy: Energy, grid: Grid, mass: float) -> str:
    kernel = energy.interaction
    if kernel is None:
        return ""
    strength, exponent = _attraction(kernel, grid)
    if not strength > 0:
        return ""
    dim, internal = grid.dim, energy.internal
    logarithmic, singular = abs(exponent) <= EQUAL, exponent < -EQUAL
    words = f"W ~ r^{exponent:.2g}" if not logarithmic else "W ~ ln r"
    growth = internal.law.growth(internal)
    if growth is None:
        return ""
    if growth == 0:
        return f"{words} draws a crowd together in finite time" if exponent < 2 - EQUAL else ""
    if growth > 1:
        wins = singular and -exponent >= dim * (growth - 1) - EQUAL
        return f"{words} outweighs diffusion with m = {growth:g} at small distances" if wins else ""
    if growth < 1:
        return f"{words} outweighs fast diffusion at small distances" if singular or logarithmic else ""
    critical = 2 * dim * internal.kappa / (strength / math.log(2))
    if singular or (logarithmic and mass > critical):
        bound = "" if singular else f" at masses above {critical:.6g}"
        return f"the energy has no lower bound{bound} ({words}; mass {mass:.6g})"
    return ""


def _attraction(kernel: Callable[..., Array], grid: Grid) -> tuple[float, float]:
    """W(2r) − W(r) near the origin, a mean over directions, and the exponent p of its growth r^p.

    A logarithm has χ ln 2 and p = 0; the first is < 0 for a repulsion, 0 where it is lost in rounding.  NaN for what is
    neither.
    """
    size = min(axis.length for axis in grid.axes)
    angles = np.arange(8) * (np.pi / 4) if grid.dim == 2 else np.array([0.0, np.pi])

    def mean(distance: Array) -> Array:
        x, y = distance[:, None] * np.cos(angles), distance[:, None] * np.sin(angles)
        place = {"x": x} if grid.dim == 1 else {"x": x, "y": y}
        with np.errstate(all="ignore"):
            return np.mean(np.broadcast_to(np.asarray(kernel(**place), dtype=float), x.shape), axis=1)

    for pair in NEAR:
        r = size * np.array(pair)
        near, far = mean(r), mean(2 * r)
        rises = far - near
        if not np.all(np.abs(rises) > RESOLVED * np.maximum(np.abs(near), np.abs(far))):
            continue
        if not np.all(rises > 0):
            return float(rises[-1]), math.nan
        return float(rises[-1]), float(np.log(rises[0] / rises[1]) / np.log(r[0] / r[1]))
    return 0.0, math.nan
