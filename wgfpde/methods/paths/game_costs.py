"""Costs of a game, of one time: E(m), its variation f = δE/δm, and the Fenchel gap that certifies a pair (m, f).

    E(m) + E*(f) − ⟨f, m⟩ ≥ 0,     E*(f) = sup_n ⟨f, n⟩ − E(n),     0 where f = δE/δm

With E = ∫U(m) + ∫Φm + ½⟨m, Wm⟩ and any n, ½⟨·, W·⟩ lies above its tangent at n, so that for a convex quadratic form

    E*(f) ≤ ∫U*(f − Φ − Wn) + ½⟨n, Wn⟩

is a bound that differs from E* by the square of what n is off.  Where there is U, the unknown of the iteration is
x = f, and n = m:

    gap = ∫ U(m) + U*(η) − ηm,   η = U'(m) − r,   r = δE/δm − f

Where there is none, the unknown is x = n, f = Φ + Wn, and the gap is ½⟨m − n, W(m − n)⟩; without W either, f = Φ is
known.  A form that is not convex on differences of densities of one mass, such as that of W = r²/2 (its energy is
−½|∫xδ|² there), has no such bound: then the gap is not a number.
"""

from __future__ import annotations

import numpy as np

from ...energy.flow import Flow
from ...errors import CaseError
from ...grid import Array

LANCZOS = 60
"""Vectors among which the smallest value of the form is sought."""
CONVEX = 1e-8
"""Share of its largest value by which the form may be negative, for rounding."""
LEAST = np.finfo(float).tiny
"""Stands for a density that underflows in ξ = U' + …; its cells have no mass."""


class Cost:
    """E on a grid.   flow : of its energy.   what : key of the case, for messages.

    known : whether f does not depend on m.   mixes_density : whether the unknown is a density.   convex : see above.
    Raises CaseError for laws of which no conjugate is known.
    """

    def __init__(self, flow: Flow, what: str) -> None:
        law = flow.internal.law
        if not (law.vanishes or law.conjugate) or flow.internal.m < 1:
            m = f" with m = {flow.internal.m:g}" if flow.internal.m < 1 else ""
            raise CaseError(
                f'{what}.internal: a game needs internal energy "entropy", "power" with m > 1, or "none", '
                f'found "{flow.internal.kind}"{m}'
            )
        self.flow = flow
        self.mixes_density = law.vanishes
        self.known = law.vanishes and flow.interaction is None
        self.convex = flow.interaction is None or smallest_share(flow) >= -CONVEX

    def potential(self, x: Array | None) -> Array:
        """f of the unknown, array of the grid's shape.   x : None where f is known."""
        if not self.mixes_density:
            assert x is not None
            return x
        f = np.zeros(self.flow.grid.shape) if self.flow.potential is None else self.flow.potential
        if self.flow.interaction is None:
            return f
        assert x is not None
        return np.asarray(f + self.flow.interaction.apply(x))

    def image(self, m: Array) -> Array:
        """What the unknown should be, given m."""
        return m if self.mixes_density else self.flow.variation(np.maximum(m, LEAST))

    def judged(self, m: Array, change: Array) -> tuple[Array, float]:
        """δE/δm − f, and the gap, NaN where the form is not convex.   change : the image of m less the unknown."""
        residual = change
        if self.mixes_density:
            assert self.flow.interaction is not None
            residual = self.flow.interaction.apply(change)
            return residual, 0.5 * self.flow.integral(change * residual) if self.convex else np.nan
        if not self.convex:
            return residual, np.nan
        density = self.flow.internal.law.fenchel_gap(np.maximum(m, LEAST), -residual, self.flow.internal)
        return residual, self.flow.integral(density)

    def value(self, m: Array) -> tuple[float, float]:
        """E(m), and the size of the parts of which it is the sum."""
        parts = self.flow.parts(m)
        return sum(parts), sum(map(abs, parts))


def smallest_share(flow: Flow) -> float:
    """The smallest value of ⟨δ, Wδ⟩/⟨δ, δ⟩ with Σ h δ = 0, over the largest size of any: by Lanczos' method.

    It sees what a few dozen products see: a part of the form that is negative and hidden among many other values is
    as small as these.  Reference: Lanczos (1950), J. Res. Natl. Bur. Stand. 45, 255–282.
    """
    grid, w = flow.grid, flow.interaction
    assert w is not None
    root = np.sqrt(np.broadcast_to(grid.cell_volume, grid.shape))
    unit = (root / np.linalg.norm(root)).ravel()

    def apply(v: Array) -> Array:
        return np.asarray(root * w.apply(v.reshape(grid.shape) / root)).ravel()

    v = np.random.default_rng(0).standard_normal(grid.size)
    v -= unit * _dot(unit, v)
    basis, form = [v / np.sqrt(_dot(v, v))], np.zeros((LANCZOS, LANCZOS))
    for n in range(min(LANCZOS, grid.size - 1)):
        image = apply(basis[-1])
        for again in range(2):
            shares = np.array([_dot(other, image) for other in basis])
            if not again:
                form[: n + 1, n] = form[n, : n + 1] = shares
            for share, other in zip(shares, basis, strict=True):
                image -= share * other
            image -= unit * _dot(unit, image)  # what is left may be little more than rounding
        size = float(np.sqrt(_dot(image, image)))
        if size <= 1e-12 * np.max(np.abs(form)):
            break
        basis.append(image / size)
    values = np.linalg.eigvalsh(form[: n + 1, : n + 1])
    largest = float(np.max(np.abs(values)))
    return float(values[0]) / largest if largest > 0 else 0.0


def _dot(a: Array, b: Array) -> float:
    return float(np.einsum("i,i->", a, b))
