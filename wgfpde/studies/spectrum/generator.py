"""The generator of the discrete Fokker–Planck equation, as a network of rates between cells.

    vol_i dρ_i/dt = Σ_faces b ρ_j − a ρ_i,     a = (κ area/d) B(ΔV/κ),   b = (κ area/d) B(−ΔV/κ),   B(s) = s/(e^s − 1)

on every face from cell i to cell j, ΔV = V_j − V_i.  With the Gibbs state π_i ∝ e^{−V_i/κ} it is in detailed balance,
a π_i = b π_j =: w, so that ρ = π f turns it into the backward equation of the observable f = ρ/π,

    vol_i π_i df_i/dt = Σ w (f_j − f_i),      w = (κ area/d) √(π_i π_j) (s/2)/sinh(s/2),   s = ΔV/κ

and u = √(vol π) f into du/dt = −S u with the symmetric, positive semi-definite matrix

    S_ij = −(κ area/d) (s/2)/sinh(s/2)/√(vol_i vol_j),      S_ii = Σ outgoing rates/vol_i,      S √(vol π) = 0.

Preserves: mass (columns of the forward generator sum to zero), constants (rows of the backward one), symmetry.  All
three come from one a and one b for each face.  e^{±V/κ} is never formed; π enters by its logarithm.
Reference: Scharfetter, Gummel (1969), DOI 10.1109/T-ED.1969.16566.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ...energy.flow import Flow
from ...energy.rates import faces_of, sg_network
from ...errors import CaseError
from ...grid import Array
from ...transport.graphs.reversible_chain import parts_of

EPS = float(np.finfo(float).eps)


class Generator:
    """The network of a flow: its faces, rates and Gibbs state.

    Forbidden cells are left out: `cells` counts the others, and `places` are theirs in the flattened grid.
    lower, upper : (faces,) cells i and j of every face, numbered among those.
    a, b : (faces,) volume/time, times ρ_i and ρ_j the mass that crosses.   mean : (faces,) (κ area/d)(s/2)/sinh(s/2).
    volume : (cells,).   log_pi : (cells,) ln π of mass 1, finite also where π underflows.

    Raises CaseError where there is no such generator: another internal energy than the entropy, or an interaction.
    """

    def __init__(self, flow: Flow) -> None:
        check_linear(flow)
        self.grid, self.kappa = flow.grid, flow.internal.kappa
        self.places = np.flatnonzero(flow.allowed)
        self.volume = np.array(flow.grid.cell_volume, dtype=float).ravel()[self.places]
        self.log_pi = flow.unit_gibbs[1].ravel()[self.places]
        faces = faces_of(flow)
        phi = (np.zeros(flow.grid.shape) if flow.potential is None else flow.potential).ravel()
        self.a, self.b = sg_network(flow, phi)
        self.lower, self.upper = faces.lower, faces.upper
        if flow.forbidden is not None:
            phi = phi[self.places]
            self._leave_out(flow)
        self.mean = _geometric_mean(self.a, self.b, phi[self.lower] - phi[self.upper], self.kappa)

    def _leave_out(self, flow: Flow) -> None:
        """Keep the allowed cells and the faces between them.  Raises CaseError where they fall apart."""
        kept = flow.allowed.ravel()
        between = kept[self.lower] & kept[self.upper]
        number = np.cumsum(kept) - 1
        self.a, self.b = self.a[between], self.b[between]
        self.lower, self.upper = number[self.lower[between]], number[self.upper[between]]
        if parts := parts_of(self.cells, self.lower, self.upper, "cells"):
            raise CaseError(
                f"the forbidden cells cut the grid into {parts}, each with a mass of its own for ever: the gap between "
                "them is 0. Choose a grid with one part, or complete the table of the potential."
            )

    def on_grid(self, values: Array) -> Array:
        """Values (cells, …) on the whole grid, flattened, 0 on forbidden cells."""
        whole = np.zeros((self.grid.size, *values.shape[1:]))
        whole[self.places] = values
        return whole

    @property
    def cells(self) -> int:
        return len(self.volume)

    @cached_property
    def root(self) -> Array:
        """√(vol π), (cells,): the unit null vector of S."""
        root: Array = np.sqrt(self.volume) * np.exp(0.5 * self.log_pi)
        return root / np.linalg.norm(root)

    @cached_property
    def log_root(self) -> Array:
        """½ ln(vol π), (cells,), finite also where √(vol π) underflows."""
        return np.asarray(0.5 * (np.log(self.volume) + self.log_pi))

    @cached_property
    def root_weight(self) -> Array:
        """√w, (faces,)."""
        log_pair = self.log_pi[self.lower] + self.log_pi[self.upper]
        return np.asarray(np.sqrt(self.mean) * np.exp(0.25 * log_pair))

    def differences(self, f: Array) -> Array:
        """f_i − f_j on every face.   f : (cells, …)."""
        return np.asarray(f[self.lower] - f[self.upper])

    def backward(self, f: Array) -> Array:
        """(−L f)_i = Σ (rate from i to j)(f_i − f_j), 1/time: by differences, so exactly 0 for constants."""
        return np.asarray(self._outflow @ self.differences(f))

    @cached_property
    def _outflow(self):
        from scipy.sparse import csr_array

        faces = np.arange(len(self.a))
        values = np.concatenate([self.a / self.volume[self.lower], -self.b / self.volume[self.upper]])
        places = np.concatenate([self.lower, self.upper]), np.concatenate([faces, faces])
        return csr_array((values, places), shape=(self.cells, len(self.a)))

    @cached_property
    def outgoing(self) -> Array:
        """Σ of the rates out of each cell, (cells,), 1/time."""
        total = np.bincount(self.lower, self.a, self.cells) + np.bincount(self.upper, self.b, self.cells)
        return np.asarray(total / self.volume)

    def symmetric(self):
        """S as a sparse matrix in CSC form, (cells, cells), 1/time."""
        couple = -self.mean / np.sqrt(self.volume[self.lower] * self.volume[self.upper])
        return self._matrix(couple, couple)

    def rows(self):
        """−L of the backward equation as a sparse matrix in CSC form: rows sum to zero."""
        return self._matrix(-self.a / self.volume[self.lower], -self.b / self.volume[self.upper])

    def _matrix(self, forth: Array, back: Array):
        from scipy.sparse import coo_array

        every = np.arange(self.cells)
        i = np.concatenate([self.lower, self.upper, every])
        j = np.concatenate([self.upper, self.lower, every])
        values = np.concatenate([forth, back, self.outgoing])
        return coo_array((values, (i, j)), shape=(self.cells, self.cells)).tocsc()


def check_linear(flow: Flow) -> None:
    """Raise CaseError where the flow is no Fokker–Planck equation."""
    if flow.exits:
        raise CaseError(
            f"a spectrum here is that of a flow that keeps its mass; found exits: {', '.join(flow.exits)}. How fast "
            "mass leaves, and from which density: wgfpde exits CASE"
        )
    found = "an interaction" if flow.interaction is not None else f'internal energy "{flow.internal.kind}"'
    found = "a force, under which nothing is in equilibrium" if flow.push is not None else found
    if not flow.has_gibbs:
        raise CaseError(
            f'a spectrum needs a linear equation: internal energy "entropy" and no interaction; found {found}. '
            "How fast such a flow tends to a steady state is an eigenvalue there: wgfpde stationary CASE"
        )


def _geometric_mean(a: Array, b: Array, fall: Array, kappa: float) -> Array:
    """√(ab), by the rate that cannot vanish, the one downhill: max(a, b) e^{−|s|/2}, s = ΔV/κ."""
    return np.asarray(np.maximum(a, b) * np.exp(-0.5 * np.abs(fall) / kappa))
