"""The fixed point x = G(x) of a map each value of which costs a solve: Anderson mixing, then Newton's method.

Where G contracts, Anderson mixing needs a few values.  Where it does not, as for the drive W∗ρ of a long step with a
singular repulsion, whose G' is large and negative, x ↦ x − G(x) is still well posed, and Newton's method solves

    (I − G'(x)) s = G(x) − x,     G'(x) v ≈ (G(x + εv) − G(x))/ε,

by GMRES, with a line search on the largest |G(x) − x|.  It begins at the best point that mixing has found.

The end.  Mixing stops when |G(x) − x| ≤ tol · scale.  Newton's method stops when |s| ≤ tol · scale: s is the distance
to the fixed point, and where I − G' is large the rounding of G alone is many times that.

Reference: Knoll, Keyes (2004), DOI 10.1016/j.jcp.2003.08.010; Walker, Ni (2011), DOI 10.1137/10078356X.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..grid import Array
from .mixing import Anderson

MIXED = 40
"""Most values of G that mixing takes, and after TRIED of them it is given up where it would take more than that."""
TRIED = 8
NEWTON = 30
KRYLOV = 60
NEAR, FAR = 1e-12, 1e-7
"""Smallest and largest |εv|, relative to the scale of x.  Between them it is as large as the steps are: where G has
kinks, as at a change of the donor cell, a longer one looks across kinks that the step does not reach."""
SHORTEST = 1.0 / 16.0
"""Shortest part of Newton's step that is tried."""


class NotFound(Exception):
    """No fixed point was reached.   change : the smallest |G(x) − x|, relative to the scale."""

    def __init__(self, change: float) -> None:
        super().__init__(f"change {change:.1e}")
        self.change = change


@dataclass(frozen=True)
class FixedPoint:
    """x, its image G(x) and the number of values of G that were taken.  G was last evaluated at x."""

    x: Array
    image: Array
    values: int


class FixedPointSolver:
    """Solves x = G(x).   tolerance : relative to max|G(x)| + offset.

    no_value : exceptions of this type, raised by G, shorten Newton's steps, which may be too long; at the first points
    they end the search.   near, far : smallest and largest |εv|, relative.   accepts(x, image) : ends the search at any
    point but the first; for what the fixed point is wanted for may need less than the tolerance.
    enough : (nearly, judge); a change ≤ nearly, relative as the tolerance, ends the search where judge(G(x) − x) holds.
    """

    def __init__(
        self,
        image: Callable[[Array], Array],
        tolerance: float,
        offset: float,
        no_value: type[Exception],
        near: float = NEAR,
        far: float = FAR,
        accepts: Callable[[Array, Array], bool] | None = None,
        enough: tuple[float, Callable[[Array], bool]] | None = None,
    ) -> None:
        self._image, self._tolerance, self._offset, self._no_value = image, tolerance, offset, no_value
        self._near, self._far, self._accepts, self._enough = near, far, accepts, enough
        self._values = 0

    def solve(self, start: Array) -> FixedPoint:
        """The fixed point near `start`, by mixing and, where that does not converge, by Newton's method.

        Raises NotFound.
        """
        x, mixer = start, Anderson()
        changes: list[float] = []
        best, best_image = start, start
        for count in range(1, MIXED + 1):
            image = self._value(x)
            residual = image - x
            change, scale = _largest(residual), self._scale(image)
            if not math.isfinite(change):
                break
            if change <= self._tolerance * scale or self._suffices(residual, change, scale):
                return FixedPoint(x, image, self._values)
            if not changes or change < min(changes):
                best, best_image = x, image
            changes.append(change)
            if count >= TRIED and hopeless(changes, self._tolerance * scale, MIXED):
                break
            x = mixer.mix(x, image, residual)
        if not changes:
            raise NotFound(math.nan)
        return self.newton(best, best_image)

    def newton(self, x: Array, image: Array) -> FixedPoint:
        """The fixed point near x, whose image is known.  Raises NotFound."""
        forcing, before, reach = 0.1, math.inf, _largest(image - x)
        for _ in range(NEWTON):
            residual = image - x
            change, scale = _largest(residual), self._scale(image)
            if math.isfinite(before):
                forcing = min(0.1, max(1e-3, (change / before) ** 2))
            step = self._linear(x, image, residual, min(max(reach, self._near * scale), self._far * scale), forcing)
            if _largest(step) <= self._tolerance * scale:
                return FixedPoint(x, self._value(x), self._values)
            before, reach = change, _largest(step)
            x, image = self._search(x, step, change, scale)
            if self._accepts is not None and self._accepts(x, image):
                return FixedPoint(x, image, self._values)
        raise NotFound(before / self._scale(image))

    def _linear(self, x: Array, image: Array, residual: Array, reach: float, rtol: float) -> Array:
        """s of (I − G')s = residual, by GMRES without restarts.   reach : |εv|."""
        from scipy.sparse.linalg import LinearOperator, gmres

        def apply(flat: Array) -> Array:
            v = flat.reshape(x.shape)
            size = _largest(v)
            if size == 0.0:
                return flat
            epsilon = reach / size
            try:
                return (v - (self._value(x + epsilon * v) - image) / epsilon).ravel()
            except self._no_value as error:
                raise NotFound(_largest(residual) / self._scale(image)) from error

        operator = LinearOperator((x.size, x.size), matvec=apply, dtype=float)
        found, _ = gmres(operator, residual.ravel(), rtol=rtol, restart=min(KRYLOV, x.size), maxiter=1)
        return np.asarray(found).reshape(x.shape)

    def _search(self, x: Array, step: Array, change: float, scale: float) -> tuple[Array, Array]:
        """The first of 1, ½, ¼ … of the step that lowers |G(x) − x|, and its image."""
        size = 1.0
        while size >= SHORTEST:
            trial = x + size * step
            try:
                image = self._value(trial)
            except self._no_value:
                image = np.full_like(x, np.nan)
            if _largest(image - trial) <= (1.0 - 1e-4 * size) * change:
                return trial, image
            size *= 0.5
        raise NotFound(change / scale)

    def _suffices(self, residual: Array, change: float, scale: float) -> bool:
        """Whether the residual at the point where G was last evaluated is enough."""
        return self._enough is not None and change <= self._enough[0] * scale and self._enough[1](residual)

    def _value(self, x: Array) -> Array:
        self._values += 1
        return self._image(x)

    def _scale(self, image: Array) -> float:
        return _largest(image) + self._offset


def hopeless(changes: list[float], target: float, most: int) -> bool:
    """Whether mixing at the mean rate of its second half needs more than `most` values, or has gone far astray."""
    if changes[-1] > 1e3 * min(changes):
        return True
    half = len(changes) // 2
    rate = (min(changes[half:]) / min(changes[:half])) ** (1.0 / (len(changes) - half))
    return rate >= 1.0 or len(changes) + math.log(target / min(changes)) / math.log(rate) > most


def _largest(values: Array) -> float:
    return max(float(np.max(values)), -float(np.min(values)))
