"""Spectral gaps on given cells: those of the Scharfetter–Gummel chain itself, and the exponentially small ones.

The chain of cells has a gap of its own, which errs at order 2 and is known to as many digits as one likes; at low noise
the gap of the equation is that of a flux over a barrier, far below the rounding of the largest eigenvalue.  Other means
of the mobility give other gaps from the third digit on.
"""

import contextlib
import io
import json
import math
from decimal import Decimal, localcontext
from itertools import pairwise

from scipy.integrate import quad

from wgfpde.claims import Validation, fitted_order
from wgfpde.cli import main, validate_script
from wgfpde.energy.equations import double_well_partition

CHAIN = {50: 3.37357829e-2, 100: 3.35930276e-2, 200: 3.35572295e-2, 400: 3.35482733e-2}
"""Gaps at κ = 0.1 on cells of [−2.6, 2.6], V = x⁴/4 − x²/2, to nine digits; the gap of the equation is the next."""
LIMIT = 0.033545287308
SPRING = {50: 0.987035, 100: 0.996740, 200: 0.999184}
"""The same for Ornstein–Uhlenbeck, κ = λ = 1 on [−7, 7], to six digits; the equation has 1."""
HALF = {0.05: 2.3, 0.02: 2.0, 0.01: 1.8}
"""Walls at ±HALF, where e^{−V/κ} is below e^{−50} of its peak."""


def check(v: Validation) -> None:
    gaps = [double_well(v, n, 0.1, 2.6) for n in CHAIN]
    for (n, expected), gap in zip(CHAIN.items(), gaps, strict=True):
        v.equal(f"double well, κ = 0.1, {n} cells", gap, expected, 5e-11, "the chain, nine digits")
    errors = [gap - LIMIT for gap in gaps]
    v.at_least("its order towards that of the equation", fitted_order([1 / n for n in CHAIN], errors), 1.98, "DVR")
    for n, expected in SPRING.items():
        gap = spectrum(v, "ou_1d", f"grid.shape=[{n}]", "grid.lower=[-7]", "grid.upper=[7]", "energy.internal.kappa=1",
                       "energy.potential=x**2/2")["gap"]  # fmt: skip
        v.equal(f"Ornstein–Uhlenbeck, {n} cells", gap, expected, 5e-7, "the chain, six digits")
    # In 60 digits: 12 of them are kept, although the gap may lie below 1e-15 ‖S‖.
    for kappa, half, cells in ((0.1, 2.6, 400), (0.02, 1.7, 60), (0.01, 1.7, 60)):
        exact = gap_in_60_digits(kappa, half, cells)
        gap = double_well(v, cells, kappa, half)
        v.equal(f"gap {exact:.1e}, κ = {kappa}, {cells} cells, over that in 60 digits", gap / exact, 1, 1e-12,
                "bisection")  # fmt: skip
    barrier(v)
    v.draw(figure, gaps)


def barrier(v: Validation) -> None:
    """λ₁ = 4κ/(Z ∫₋₁¹ e^{V/κ}): mass Z/2 a side leaks at the rate of the flux over the barrier, both ways.

    The density beyond is not flat by some e^{−1/4κ}, the ratio of barrier to well; Richardson's rule leaves 1e-8.
    Laplace's method on both integrals, 1 + ¾κ + (105/32)κ² + … each, gives Kramers' rate and what follows it:
    λ₁ = (√2/π) e^{−1/4κ} (1 − (3/2)κ − (39/8)κ² − 41κ³ − …).
    """
    for kappa, half in HALF.items():
        gap = double_well(v, 1600, kappa, half, "--richardson")
        over, _ = quad(lambda x, k=kappa: math.exp((x**4 / 4 - x**2 / 2) / k), -1, 1, epsabs=0, epsrel=1e-12)
        ratio = gap * double_well_partition(kappa) * over / (4 * kappa)
        v.equal(f"κ = {kappa}: gap over 4κ/(Z ∫ e^{{V/κ}})", ratio, 1, 4 * math.exp(-0.25 / kappa) + 1e-8, "Kramers")
    series = 1 - 1.5 * kappa - 39 / 8 * kappa**2
    v.equal("κ = 0.01: gap over Kramers' rate", gap * math.pi / math.sqrt(2) * math.exp(0.25 / kappa), series,
            60 * kappa**3, "Laplace's method")  # fmt: skip


def double_well(v: Validation, cells: int, kappa: float, half: float, *options: str) -> float:
    """Its gap, or that extrapolated to h = 0."""
    found = spectrum(v, "double_well_1d", f"grid.shape=[{cells}]", f"grid.lower=[{-half}]", f"grid.upper=[{half}]",
                     f"energy.internal.kappa={kappa}", "energy.potential=x**4/4 - x**2/2", *options)  # fmt: skip
    return found["extrapolated"][1] if options else found["gap"]


def spectrum(v: Validation, case: str, *options: str) -> dict:
    """What `wgfpde spectrum CASE … --json` says.   options : flags, and overrides without their --set."""
    words = [part for text in options for part in ([text] if text.startswith("--") else ["--set", text])]
    v.runs.mkdir(parents=True, exist_ok=True)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = main(["spectrum", case, *words, "--modes", "4", "--no-plot", "--json", "--out", str(v.runs / "s.h5")])
    if code != 0:
        raise ValueError(f"wgfpde spectrum {case} ended with exit code {code}")
    v.about("Fokker-Planck", case, "1D spectrum")
    return json.loads(said.getvalue())


def gap_in_60_digits(kappa: float, half: float, cells: int) -> float:
    """λ₁ of the Scharfetter–Gummel chain of x⁴/4 − x²/2, by bisection of a Sturm count."""
    with localcontext() as context:
        context.prec = 60
        h = Decimal(2 * half) / cells
        x = [h * (Decimal(k) + Decimal("0.5")) - Decimal(half) for k in range(cells)]
        s = [(b**4 / 4 - b**2 / 2 - a**4 / 4 + a**2 / 2) / Decimal(kappa) for a, b in pairwise(x)]
        rates = [[Decimal(kappa) / h**2 * (t / (t.exp() - 1) if t else 1) for t in (step, -step)] for step in s]

        def above(value: Decimal) -> bool:
            """Whether λ₀ and λ₁ are both below the value."""
            pivot, count = -value, 0
            for q, e in rates:
                count += q + pivot < 0
                pivot = e * pivot / (q + pivot) - value
            return count + (pivot < 0) > 1

        low, high = Decimal("1e-40"), Decimal(1)
        while high > low * (1 + Decimal("1e-16")):
            middle = (low * high).sqrt()
            low, high = (low, middle) if above(middle) else (middle, high)
        return float(low)


def figure(axes, gaps) -> None:
    from wgfpde.output.plots import draw_order

    draw_order(axes, [5.2 / n for n in CHAIN], [gap - LIMIT for gap in gaps], 2, "$h$")
    axes.set(ylabel=r"$\lambda_1(h) - \lambda_1$", title=r"gap of the double well, $\kappa = 0.1$")


if __name__ == "__main__":
    raise SystemExit(validate_script(__file__))
