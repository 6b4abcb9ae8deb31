"""The two symmetric operators of the linearised flow at a stationary state, on its support.

    A' = S⁻¹ L S⁻¹,     H' = I + S W S,     S = √(h g),  g = 1/U''(ρ)

L is the graph Laplacian of the scheme's conductances (module `conductance`); module `growth_rates` says what for.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ...energy.flow import Flow
from ...energy.laws.steady_density import Equilibrium
from ...grid import Array
from .conductance import conductances


class Linearised:
    """A' and H' on the support.

    inside : flat indices of its cells.   scale : S.   network : A' as a sparse matrix.   norm : ‖A'‖∞.
    null : (cells, parts) orthonormal null vectors of A'.
    """

    def __init__(self, flow: Flow, state: Equilibrium) -> None:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        self.flow, self._shape = flow, flow.grid.shape
        response = state.response.ravel()
        filled = np.ones(response.size, dtype=bool) if state.log_rho is not None else response > 0
        self.inside = np.flatnonzero(filled)
        self.cells = len(self.inside)
        self.volume = np.ravel(flow.grid.cell_volume)[self.inside]
        self.scale = np.sqrt(self.volume * response[self.inside])
        place = np.full(filled.size, -1)
        place[self.inside] = np.arange(self.cells)
        first, second, off, to_first, to_second = conductances(flow, state)
        both = filled[first] & filled[second]
        i, j = place[first[both]], place[second[both]]
        size = (self.cells, self.cells)
        entries = np.concatenate([-off[both], -off[both], to_first[both], to_second[both]])
        where = np.concatenate([i, j, i, j]), np.concatenate([j, i, i, j])
        self.network = coo_array((entries, where), shape=size).tocsc()
        links = coo_array((np.ones(len(i)), (i, j)), shape=size)
        self.parts, labels = connected_components(links, directed=False)
        self.null = np.where(labels[:, None] == np.arange(self.parts), self.scale[:, None], 0.0)
        self.null /= np.linalg.norm(self.null, axis=0)
        self.norm = float(np.abs(self.network).sum(axis=1).max())

    def hessian(self, z: Array) -> Array:
        """H'z = z + S W S z."""
        if self.flow.interaction is None:
            return z.copy()
        field = np.zeros(self.flow.grid.size)
        field[self.inside] = self.scale * z / self.volume
        return z + self.scale * self.flow.interaction.apply(field.reshape(self._shape)).ravel()[self.inside]

    @cached_property
    def hessian_matrix(self) -> Array:
        columns = np.array([self.hessian(unit) for unit in np.eye(self.cells)])
        return 0.5 * (columns + columns.T)

    def project(self, z: Array) -> Array:
        """z without its part along the null vectors: no mass is moved in or out."""
        return z - self.null @ (self.null.T @ z)

    @cached_property
    def pseudoinverse(self) -> Any:
        """z ↦ A'⁺z, by a sparse factorisation with one cell of each part grounded."""
        from scipy.sparse.linalg import splu

        ground = set(np.argmax(self.null, axis=0).tolist())
        free = np.array([k for k in range(self.cells) if k not in ground])
        factors = splu(self.network[free][:, free].tocsc())

        def apply(z: Array) -> Array:
            found = np.zeros_like(z)
            found[free] = factors.solve(np.ascontiguousarray(self.project(z)[free]))
            return self.project(found)

        return apply

    def density(self, z: Array) -> Array:
        """z as a perturbation of the density, Σ h|η| = 1, of the grid's shape; the cell that changes most gains."""
        field = np.zeros(self.flow.grid.size)
        mass = self.scale * z
        field[self.inside] = mass / self.volume / float(np.abs(mass).sum())
        return field.reshape(self._shape) * (1.0 if mass[np.argmax(np.abs(mass))] > 0 else -1.0)
