"""Case tables of the kernels that smooth a velocity: positive definite functions k(x, y), told apart by `kind`.

    gaussian               k = e^{−r²/2ℓ²}
    inverse-multiquadric   k = (1 + r²/ℓ²)^{−1/2}
    linear                 k = x·y + 1

ℓ is the bandwidth, r the distance; on a ring r is the chord of the circle, (L/π) sin(π|x − y|/L), so that k stays
positive definite there.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ..base.case_table import OneOf, Table, fail
from ..base.toml import show


def _width(value: object) -> object:
    """A positive number or "median", with one message for both."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value == "median" or (number and 0 < value < math.inf):  # type: ignore[operator]
        return value
    raise fail(f'expected a positive number or "median", found {show(value)}')


Bandwidth = Annotated[float | Literal["median"], BeforeValidator(_width)]
ABOUT = 'ℓ, a length no smaller than a cell; of n particles also "median": 2ℓ² = (median distance)²/ln n, in each step'


class GaussianKernel(Table):
    """k = e^{−r²/2ℓ²}."""

    kind: Literal["gaussian"]
    bandwidth: Bandwidth = Field(description=ABOUT)


class InverseMultiquadricKernel(Table):
    """k = (1 + r²/ℓ²)^{−1/2}, which falls slowly: far particles are felt."""

    kind: Literal["inverse-multiquadric"]
    bandwidth: Bandwidth = Field(description=ABOUT)


class LinearKernel(Table):
    """k = x·y + 1, by which Gaussians stay Gaussian; not on rings."""

    kind: Literal["linear"]


KERNELS = (GaussianKernel, InverseMultiquadricKernel, LinearKernel)
KernelTable = Annotated[Any, OneOf("kind", lambda: KERNELS)]
KERNELS_IN_WORDS = (
    '{ kind = "gaussian", bandwidth = … }, { kind = "inverse-multiquadric", bandwidth = … } or { kind = "linear" }'
)
