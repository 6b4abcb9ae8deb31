"""Eigenvalues at h → 0 from three grids, by Richardson's rule for errors c₂h² + c₄h⁴ + ….

    R = (4 λ_{h/2} − λ_h)/3,     λ ≈ (16 R_{h/2} − R_h)/15,     error estimate |λ − R_{h/2}|

Both orders are even: the scheme is symmetric about every face, also on a smoothly stretched grid.  The estimate is that
of the last step and as a rule far above the error that remains.
Reference: Richardson (1911), DOI 10.1098/rsta.1911.0009.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...energy.flow import Flow
from ...grid import Array
from ...runs.progress import ProgressText
from .gap_and_modes import Spectrum, spectrum

FEWEST = 16
"""Cells along an axis of the coarsest grid, at least."""


def refinements(shape: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """Three grids, each twice as fine as the one before, x first: that of the case is the last one where it can be."""
    top = 2 if all(n % 4 == 0 and n // 4 >= FEWEST for n in shape) else 1
    top = top if all(n % 2 == 0 and n // 2 >= FEWEST for n in shape) else 0
    coarse = [n // 2**top for n in shape]
    return coarse, [2 * n for n in coarse], [4 * n for n in coarse]


def extrapolate(coarse: Array, middle: Array, fine: Array) -> tuple[Array, Array]:
    """(values, estimated errors) at h → 0, from the same eigenvalues on grids of h, h/2 and h/4."""
    first, second = (4.0 * middle - coarse) / 3.0, (4.0 * fine - middle) / 3.0
    values = (16.0 * second - first) / 15.0
    return values, np.abs(values - second)


def extrapolated(
    make: Callable[[list[int]], Flow], shape: Sequence[int], k: int, progress: ProgressText = None
) -> tuple[Array, Array, list[Spectrum]]:
    """(values, estimated errors, the three spectra, coarsest first).

    make : shape, x first, ↦ the flow on that many cells.   shape : that of the case.   Raises as `spectrum`.
    """
    found = [spectrum(make(cells), k, progress) for cells in refinements(shape)]
    values, errors = extrapolate(*(one.eigenvalues for one in found))
    return values, errors, found
