"""Exits along lines for laws whose flux is not linear in the density: absorbing walls and regions, and decay.

    h dρ/dt + ∂F + F(ρ, 0)/d + k h ρ = 0        the flux of the law from the cell to a place without any density

What left in a sweep comes in three kinds, (blocks, 3, n, LANES): by the face below the cell, by that above, by decay.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...grid import Array
from ...linear.lines import Lines
from ..flow import Flow
from .line_exits import LineExits, Part

DECAY = 2
"""The place of what decays, after the two sides."""


class VacuumExits(LineExits):
    """Of one axis.

    inverse_d, rise : (blocks, 2, n, lanes) conductance of the face to the outside below and above a cell, 0 where there
    is none, and ΔΦ to there.   decay : (blocks, n, lanes) k h.   taken : (blocks, 3, n, lanes), for what a sweep takes.
    """

    def __init__(self, flow: Flow, lines: Lines) -> None:
        super().__init__(flow, lines)
        blocks, n, lanes = lines.coefficients().shape if self.opened else (1, 1, 1)
        self.inverse_d, self.rise = np.zeros((blocks, 2, n, lanes)), np.zeros((blocks, 2, n, lanes))
        self.decay, self.taken = np.zeros((blocks, n, lanes)), np.zeros((blocks, 3, n, lanes))
        self._block, self._lines = n * lanes, lines
        for part in self._parts:
            if part.opening is None:
                np.add.at(self.decay.reshape(-1), part.places, part.loss)
            else:
                opening = part.opening
                across = opening.area / part.across * opening.mobility / opening.distance
                np.add.at(self.inverse_d.reshape(-1), self._faces(part), across)

    def fill(self, phi: Array) -> None:
        flat = phi.ravel()
        base = np.zeros(len(flat)) if self.flow.external is None else self.flow.external.ravel()
        for part in self._parts:
            if part.opening is not None:
                part.rise = part.opening.rise(flat, base)
                self.rise.reshape(-1)[self._faces(part)] = part.rise

    def per_line(self) -> tuple[Array, Array, Array]:
        """inverse_d, rise (2, n, lines) and decay (n, lines)."""
        sides = [np.stack([self._lines.rows(both[:, side]) for side in (0, 1)]) for both in (self.inverse_d, self.rise)]
        return sides[0], sides[1], self._lines.rows(self.decay)

    def put(self, gone: Array) -> None:
        """Take what left by the three kinds, (3, n, lines), as `taken`."""
        blocks, _, n, lanes = self.taken.shape
        padded = np.zeros((3, n, blocks * lanes))
        padded[:, :, : gone.shape[2]] = gone
        self.taken[:] = np.moveaxis(padded.reshape(3, n, blocks, lanes), 2, 0)

    def gone(self, dt: float) -> Array:
        found, decay = np.zeros(self.count), self.decay.reshape(-1)
        for part in self._parts:
            taken = self.taken.reshape(-1)
            if part.opening is not None:
                found[part.number] += float(np.sum(part.across * taken[self._of_kind(part, part.opening.side)]))
            else:
                share = part.loss / decay[part.places]
                found[part.number] += float(np.sum(part.across * share * taken[self._of_kind(part, DECAY)]))
        return found

    def came(self, dt: float) -> float:
        return 0.0

    def net(self, part: Part, rho: Array) -> Array:
        if part.opening is None:
            return super().net(part, rho)
        law, opening = self.flow.internal.law, part.opening
        flux, _ = law.into_vacuum(rho[part.cells], part.rise, self.flow.internal)
        return np.asarray(flux * (opening.area / part.across * opening.mobility / opening.distance))

    def _faces(self, part: Part) -> Array:
        """Places in (blocks, 2, n, lanes) of the faces of an opening."""
        assert part.opening is not None
        return self._among(part, 2, part.opening.side)

    def _of_kind(self, part: Part, kind: int) -> Array:
        """Places in (blocks, 3, n, lanes)."""
        return self._among(part, 3, kind)

    def _among(self, part: Part, kinds: int, kind: int) -> Array:
        block, rest = np.divmod(part.places, self._block)
        return np.asarray((block * kinds + kind) * self._block + rest)


def exits_of(flow: Flow, axes: Sequence[Lines]) -> dict[int, LineExits]:
    """The exits of every axis, by its direction."""
    kind = VacuumExits if flow.nonlinear else LineExits
    return {lines.direction: kind(flow, lines) for lines in axes}
