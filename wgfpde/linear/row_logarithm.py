"""The natural logarithm of a row (module `rows`), in additions, products and one quotient.

    x = 2^k m,  √½ ≤ m < √2,      s = (m − 1)/(m + 1)
    ln m = 2 artanh s = 2s (1 + z/3 + z²/5 + …),  z = s² < 0.0295
    ln x = k ln 2 + (m − 1) − ((m − 1)²/2 − s ((m − 1)²/2 + R)),   R = 2z/3 + 2z²/5 + …

m − 1 is exact, and so is k times the upper part of ln 2, so that the sum of what is small comes first.  The series is
cut after ten terms: what is left out is below 1e-18 of ln m.  Measured: within 0.8 of a unit in the last place.
Reference: `log` of fdlibm (Sun Microsystems, 1993), for ln 2 in two parts and this order of the sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import overload

from ..base.kernel_cache import njit
from .row_code import ROW, VECTOR, operation
from .tridiagonal import LANES

LN2_UPPER, LN2_LOWER = 6.93147180369123816490e-01, 1.90821492927058770002e-10
"""Of ln 2: the first 32 bits, and the rest."""
SMALLEST, UP = 2.0**-1022, 54
"""The smallest number of full precision, and the power of two that lifts those below."""
HALF_ROOT = 0x3FE6A09E
"""The upper 32 bits of √½."""
INTS, LONGS = ir.VectorType(ir.IntType(32), LANES), ir.VectorType(ir.IntType(64), LANES)


@njit(cache=True, nogil=True, error_model="numpy")
def logarithm(x):
    """ln x of a row; NaN where x < 0 or infinite, and for 0 a finite number, so that 0 ln 0 is 0."""
    m, k = parts(x)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    half = 0.5 * (f * f)
    r = 2.0 / 19.0 + z * (2.0 / 21.0)
    for n in (17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0):
        r = 2.0 / n + z * r
    small = half - (s * (half + z * r) + k * LN2_LOWER)
    return k * LN2_UPPER - (small - f)


def parts(x):
    """(m, k), rows both, x = 2^k m and √½ ≤ m < √2 nearly; (1, −1077) for 0; m is NaN where x is not finite or < 0."""
    m, k = np.frexp(x)
    low = m < np.sqrt(0.5)
    m, k = np.where(low, 2.0 * m, m), np.where(low, k - 1.0, 1.0 * k)
    m, k = np.where(x == 0.0, 1.0, m), np.where(x == 0.0, -1077.0, k)
    return np.where((x >= 0.0) & (x < np.inf), m, np.nan), k


@overload(parts)
def _parts(x):
    return lambda x: _split(x)


@operation
def _split(typing, x):
    """By the bits of x: those of √½ are taken from them, so that what is left above the mantissa is k."""

    def code(context, builder, signature, arguments):
        x = arguments[0]
        tiny = builder.fcmp_ordered("<", x, _all(VECTOR, SMALLEST))
        lifted = builder.select(tiny, builder.fmul(x, _all(VECTOR, 2.0**UP)), x)
        bits = builder.bitcast(lifted, LONGS)
        upper = builder.trunc(builder.lshr(bits, _all(LONGS, 32)), INTS)
        k = builder.ashr(builder.sub(upper, _all(INTS, HALF_ROOT)), _all(INTS, 20))
        power = builder.shl(builder.sext(k, LONGS), _all(LONGS, 52))
        m = builder.bitcast(builder.sub(bits, power), VECTOR)
        above = builder.fcmp_ordered(">=", x, _all(VECTOR, 0.0))
        below = builder.fcmp_ordered("<", x, _all(VECTOR, np.inf))
        m = builder.select(builder.and_(above, below), m, _all(VECTOR, np.nan))
        k = builder.sub(k, builder.select(tiny, _all(INTS, UP), _all(INTS, 0)))
        return context.make_tuple(builder, signature.return_type, (m, builder.sitofp(k, VECTOR)))

    return types.UniTuple(ROW, 2)(x), code


def _all(kind: Any, value: float) -> Any:
    return ir.Constant(kind, [value] * LANES)
