"""Positive definite kernels k(x, y) and what particles need of them.

    k = f(r²):   gaussian f = e^{−r²/2ℓ²},   inverse multiquadric f = (1 + r²/ℓ²)^{−1/2};       linear k = x·y + 1

On a ring r is the chord of the circle of radius R = L/2π,  r² = Σ 2R² (1 − cos θ),  θ = (x − y)/R,  so that k stays
positive definite, and smooth.  With δ = ½ ∂r²/∂x = x − y, on a ring R sin θ,

    ∇_y k = −2f' δ,      ∇_x·∇_y k = −Σ (4f'' δ² + 2f' ∂δ/∂x),      ∂δ/∂x = 1, on a ring cos θ

    gaussian: f' = −f/2ℓ², f'' = f/4ℓ⁴         inverse multiquadric: f' = −f³/2ℓ², f'' = 3f⁵/4ℓ⁴

Velocity of n particles of mass M, and its divergence, at X_i:

    v_i = (M/n) Σ_j [−k G_j + κ∇_{X_j} k],      ∇·v_i = (M/n) Σ_j [−∇_x k·G_j + κ ∇_x·∇_y k],      G = ∇(V + W∗ρ)

    ⟨J, KJ⟩ = (M/n) Σ_i [−G_i·v_i + κ ∇·v_i]      (the squared Stein discrepancy, where κ = M = 1)

Every i has sums of its own, so that threads change no bit.
Reference: Liu, Wang (2016), arXiv 1608.04471; Berg, Christensen, Ressel (1984), DOI 10.1007/978-1-4612-1128-0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ....base.kernel_cache import njit
from ....errors import CaseError
from ....grid import Array, Axis, Grid
from ....linear.threads import share

GAUSSIAN, INVERSE_MULTIQUADRIC = 0, 1
CODES = {"gaussian": GAUSSIAN, "inverse-multiquadric": INVERSE_MULTIQUADRIC}
TILE = 2**15
"""Pairs that are weighed at once: a quarter of a megabyte."""
SUMS = {"reassoc", "contract"}
"""Sums over j may be taken in several parts, side by side; which, depends on the number of particles alone."""
MEDIAN_OF = 2000
"""Particles whose distances give the median, every so many-th of a larger crowd: 2 million pairs."""


@dataclass(frozen=True)
class Kernel:
    """kind : "gaussian", "inverse-multiquadric" or "linear".   bandwidth : ℓ > 0, "median", or None (linear)."""

    kind: str
    bandwidth: float | str | None = None

    def check(self, grid: Grid, particles: bool) -> None:
        """Refuse what has no meaning on a grid.  Raises CaseError."""
        if self.kind == "linear":
            if ring := next((axis for axis in grid.axes if axis.ring), None):
                raise CaseError(
                    f"solver.kernel: x·y + 1 is not periodic, axis {ring.name} is; take kind = "
                    '"gaussian" or "inverse-multiquadric"'
                )
        elif not particles and self.bandwidth == "median":
            raise CaseError(
                'solver.kernel.bandwidth: "median" divides by the logarithm of the number of particles; '
                "give a number, or particles"
            )
        elif not particles:
            widest = max(float(axis.widths.max()) for axis in grid.axes)
            assert isinstance(self.bandwidth, float | int)
            if self.bandwidth < widest:
                raise CaseError(
                    f"solver.kernel.bandwidth: expected at least the width of a cell, {widest:.6g}, found "
                    f"{self.bandwidth:g}; refine the grid, or enlarge the bandwidth"
                )


def kernel_function(kernel: Kernel, grid: Grid) -> Callable[..., Array]:
    """k as a function of displacements, k(x=…[, y=…]), for kernels of the distance."""
    assert isinstance(kernel.bandwidth, float | int)
    scale, gaussian = 1.0 / float(kernel.bandwidth) ** 2, CODES[kernel.kind] == GAUSSIAN
    axes = {axis.name: axis for axis in grid.axes}

    def value(**shift: Array) -> Array:
        square = sum(_chord_square(axes[name], np.asarray(by, dtype=float)) for name, by in shift.items()) * scale
        return np.asarray(np.exp(-0.5 * square) if gaussian else 1.0 / np.sqrt(1.0 + square))

    return value


def _chord_square(axis: Axis, shift: Array) -> Array:
    if not axis.ring:
        return shift**2
    return np.asarray((axis.length / math.pi * np.sin(math.pi * shift / axis.length)) ** 2)


# ---- particles --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Driven:
    """Velocities of particles, (n, dim), and (1/n) Σ [−G·v + κ∇·v], a discrepancy per mass."""

    velocity: Array
    discrepancy: float


def drive(
    kernel: Kernel, places: Array, force: Array, kappa: float, grid: Grid, width: float, threads: int = 1
) -> Driven:
    """v and its discrepancy for mass 1.   places, force (G) : (n, dim).   width : ℓ, where the kernel has one."""
    if kernel.kind == "linear":
        velocity, divergence = _linear(places, force, kappa)
    else:
        velocity, divergence = _pairs(kernel, places, force, kappa, grid, width, threads)
    work = np.sum(force * velocity, axis=1)
    return Driven(velocity, float(np.sum(kappa * divergence - work)) / len(places))


def _linear(places: Array, force: Array, kappa: float) -> tuple[Array, Array]:
    """k = x·y + 1:  v_i = −⟨G⟩ − ⟨G Xᵀ⟩X_i + κX_i,   ∇·v = −tr⟨G Xᵀ⟩ + κ dim."""
    n, dim = places.shape
    pull = force.T @ places / n
    velocity = -force.mean(axis=0) - places @ pull.T + kappa * places
    return velocity, np.full(n, kappa * dim - np.trace(pull))


def _pairs(
    kernel: Kernel, places: Array, force: Array, kappa: float, grid: Grid, width: float, threads: int
) -> tuple[Array, Array]:
    n, dim = places.shape
    sides = [_Side(places[:, k], force[:, k], axis) for k, axis in enumerate(grid.axes)]
    x, y = sides[0], sides[1] if dim == 2 else _Side(np.zeros(n), np.zeros(n), None)
    out = np.zeros((n, 3))
    code, scale = CODES[kernel.kind], width**-2
    rows = max(1, TILE // n)

    def sums(first: int, last: int) -> None:
        tile = np.empty((rows, n))
        for start in range(first, last, rows):
            end = min(start + rows, last)
            part = tile[: end - start]
            _squares(start, x.place, y.place, x.cos, x.sin, y.cos, y.sin, x.radius, y.radius, scale, part)
            if code == GAUSSIAN:
                part *= -0.5
                np.exp(part, out=part)
            ends = x.place, y.place, x.force, y.force, x.cos, x.sin, y.cos, y.sin, x.radius, y.radius
            _sums(start, *ends, dim, code, scale, kappa, part, out)

    share(sums, n, n * n, threads)
    return out[:, :dim] / n, out[:, 2] / n


class _Side:
    """One axis of a crowd: places, forces, and on a ring cosines and sines of the angle; radius 0 off a ring."""

    def __init__(self, place: Array, force: Array, axis: Axis | None) -> None:
        self.place, self.force = np.ascontiguousarray(place), np.ascontiguousarray(force)
        self.radius = axis.length / (2 * math.pi) if axis is not None and axis.ring else 0.0
        self.cos = np.cos(self.place / self.radius) if self.radius else self.place
        self.sin = np.sin(self.place / self.radius) if self.radius else self.place


def median_width(places: Array, grid: Grid) -> float:
    """ℓ with 2ℓ² = (median distance)²/ln n, over pairs of particles; 0 where they all stand in one place."""
    n = len(places)
    if n < 2:
        return 1.0
    some = places[:: -(-n // MEDIAN_OF)]
    square: Array = np.zeros((1, 1))
    for k, axis in enumerate(grid.axes):
        square = square + _chord_square(axis, some[:, k, None] - some[None, :, k])
    above = np.asarray(square)[np.triu_indices(len(some), 1)]
    return float(np.median(np.sqrt(above))) / math.sqrt(2 * math.log(n))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=SUMS)
def _squares(start, x, y, cx, sx, cy, sy, rx, ry, scale, out):
    """r²/ℓ² between particles start … and all, (rows, n)."""
    for k in range(out.shape[0]):
        i = start + k
        if rx > 0.0:
            for j in range(x.size):
                out[k, j] = scale * rx * rx * ((cx[i] - cx[j]) ** 2 + (sx[i] - sx[j]) ** 2)
        else:
            for j in range(x.size):
                out[k, j] = scale * (x[i] - x[j]) ** 2
        if ry > 0.0:
            for j in range(x.size):
                out[k, j] += scale * ry * ry * ((cy[i] - cy[j]) ** 2 + (sy[i] - sy[j]) ** 2)
        else:
            for j in range(x.size):
                out[k, j] += scale * (y[i] - y[j]) ** 2


@njit(cache=True, nogil=True, error_model="numpy", fastmath=SUMS)
def _sums(start, x, y, gx, gy, cx, sx, cy, sy, rx, ry, dim, code, scale, kappa, known, out):
    """Σ_j of v and of its divergence, (rows, 3), for particles start …

    known : f of the Gaussian, r²/ℓ² of the other.   r, c, s : radius of a ring or 0, cosines and sines of angles.
    """
    second = 1.0 if dim == 2 else 0.0
    for k in range(known.shape[0]):
        i = start + k
        vx, vy, divergence = 0.0, 0.0, 0.0
        for j in range(x.size):
            f = known[k, j]
            slope, bend = f, f  # −2f'ℓ² and 4f''ℓ⁴
            if code == 1:
                f = 1.0 / math.sqrt(1.0 + f)
                slope = f * f * f
                bend = 3.0 * slope * f * f
            dx, ex = x[i] - x[j], 1.0
            if rx > 0.0:
                dx, ex = rx * (sx[i] * cx[j] - cx[i] * sx[j]), cx[i] * cx[j] + sx[i] * sx[j]
            dy, ey = y[i] - y[j], second
            if ry > 0.0:
                dy, ey = ry * (sy[i] * cy[j] - cy[i] * sy[j]), cy[i] * cy[j] + sy[i] * sy[j]
            slope *= scale
            vx += kappa * slope * dx - f * gx[j]
            vy += kappa * slope * dy - f * gy[j]
            divergence += slope * (dx * gx[j] + dy * gy[j])
            divergence += kappa * (slope * (ex + ey) - bend * scale * scale * (dx * dx + dy * dy))
        out[i, 0] = vx
        out[i, 1] = vy
        out[i, 2] = divergence
