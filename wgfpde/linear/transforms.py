"""Real transforms that diagonalise the five-point Laplacian on uniform grids, whatever the boundary of each axis.

    −Δ_h = Cᵀ Λ C,     Λ = λ_x + λ_y,     λ = (2/h sin(πk/2n))²  no-flux,     (2/h sin(πk/n))²  ring,   k = 0 … n−1

C is orthogonal: per axis the cosine transform of type II where there is a wall, the Hartley transform
Σ_i u_i (cos + sin)(2πki/n)/√n, its own inverse, where the axis closes.  Both take and give real arrays of one
shape, so that mixed boundaries need nothing new.

Reference: Strang (1999), The discrete cosine transform, DOI 10.1137/S0036144598336745; Bracewell (1983), DOI
10.1364/JOSA.73.001832.
"""

from __future__ import annotations

import ducc0
import numpy as np

from ..errors import CaseError
from ..grid import Array, Axis, Grid
from .threads import SERIAL_CELLS, share


class Cosine:
    """The transform C of a uniform grid.

    shape : (ny, nx), a 1D grid being one row.   eigenvalues : (ny, nx) Λ ≥ 0, zero for the constant only.
    threads : of the transforms; they change no value.

    `forward` and `backward` act on the last two axes of an array (…, ny, nx), in place.
    Raises CaseError for a stretched axis.
    """

    def __init__(self, grid: Grid, threads: int = 1) -> None:
        self.check(grid)
        self.threads = threads
        self._rings = [axis.ring for axis in reversed(grid.axes)]
        values = [_eigenvalues(axis) for axis in reversed(grid.axes)]
        self.eigenvalues = values[0][None, :] if grid.dim == 1 else values[0][:, None] + values[1][None, :]
        self.shape = self.eigenvalues.shape

    @staticmethod
    def check(grid: Grid) -> None:
        """Raise CaseError for a stretched axis."""
        for axis in grid.axes:
            if not axis.uniform:
                raise CaseError(
                    f"cosine transforms need cells of one size, but axis {axis.name} is stretched; "
                    "remove the mapping of that axis."
                )

    def forward(self, a: Array) -> Array:
        """C a, in place."""
        return self._transform(a, 2)

    def backward(self, a: Array) -> Array:
        """Cᵀ a = C⁻¹ a, in place."""
        return self._transform(a, 3)

    def solve(self, f: Array, shift: float = 0.0) -> Array:
        """u with (shift − Δ_h) u = f, f (…, ny, nx); for shift = 0 the mean of f is dropped and u has mean zero."""
        scale = self.eigenvalues + shift
        inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
        return self.backward(self.forward(np.array(f, dtype=float)) * inverse)

    def _transform(self, a: Array, kind: int) -> Array:
        """All at once, or a slab at a time where there are many cells, each by one thread.

        The library's own threads would change bits: where its ranges of lines end decides how they are rounded.
        """
        if a.size < SERIAL_CELLS:
            self._transform_one(a, kind)
            return a
        slabs = [a[place] for place in np.ndindex(a.shape[: a.ndim - len(self._rings)])]

        def transform(begin: int, end: int) -> None:
            for slab in slabs[begin:end]:
                self._transform_one(slab, kind)

        share(transform, len(slabs), a.size, self.threads)
        return a

    def _transform_one(self, a: Array, kind: int) -> None:
        first = a.ndim - len(self._rings)
        if 0 in self._rings:
            walls = [first + axis for axis, ring in enumerate(self._rings) if not ring]
            ducc0.fft.dct(a, type=kind, axes=walls, inorm=1, out=a)
        if 1 in self._rings:
            circles = [first + axis for axis, ring in enumerate(self._rings) if ring]
            ducc0.fft.separable_fht(a, axes=circles, inorm=1, out=a)


def _eigenvalues(axis: Axis) -> Array:
    n, h = axis.size, axis.length / axis.size
    return (2.0 / h * np.sin(np.pi * np.arange(n) / (n if axis.ring else 2 * n))) ** 2
