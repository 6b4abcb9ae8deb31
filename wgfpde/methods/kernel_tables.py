"""The case table of a kernel that smooths a velocity: a positive definite function k(x, y).

    gaussian               k = e^{−r²/2ℓ²}
    inverse-multiquadric   k = (1 + r²/ℓ²)^{−1/2}
    linear                 k = x·y + 1

ℓ is the bandwidth, r the distance; on a ring r is the chord of the circle, (L/π) sin(π|x − y|/L), so that k stays
positive definite there.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from ..base.case_table import Table, fail, positive_or

_SCHEMA = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "median"}]}
Bandwidth = Annotated[float | Literal["median"] | None, BeforeValidator(positive_or("median")), WithJsonSchema(_SCHEMA)]


class KernelTable(Table):
    """The kernel of `method = "svgd"`."""

    kind: Literal["gaussian", "inverse-multiquadric", "linear"] = Field(
        description='"gaussian" e^(−r²/2ℓ²), "inverse-multiquadric" (1 + r²/ℓ²)^(−1/2), or "linear" x·y + 1'
    )
    bandwidth: Bandwidth = Field(
        default=None,
        description='ℓ, a length no smaller than a cell; of n particles also "median": 2ℓ² = (median distance)²/ln n',
    )

    @model_validator(mode="after")
    def _fits(self) -> KernelTable:
        if self.kind == "linear" and self.bandwidth is not None:
            raise fail("x·y + 1 has no bandwidth; remove it")
        if self.kind != "linear" and self.bandwidth is None:
            raise fail(f'kind = "{self.kind}" needs a bandwidth, a positive number or "median"')
        return self
