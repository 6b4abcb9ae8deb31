"""Energies of features: least squares of expectations, as of a network of infinitely many neurons.

    E_f(ρ) = ½ Σ_j w_j (∫φ_j dρ − b_j)²,      δE_f/δρ = Σ_j w_j (⟨φ_j, ρ⟩ − b_j) φ_j

With φ_j(x) = φ(x; s_j) a neuron of parameters x on the datum s_j and b_j what it should say there, E_f is the loss of
the network ∫φ dρ, and its Wasserstein gradient flow is the limit of gradient descent on the neurons.  E_f is a
symmetric form of rank r, ½⟨ρ, ΦᵀWΦρ⟩, a linear part −Σ w_j b_j φ_j, and a constant, by which E_f ≥ 0: the form joins
W∗ρ, and the linear part V, so that schemes see nothing new.  Cost of an application: 4 r operations a cell.

Features are sampled at cell centres, as V is: order 2.
Reference: Mei, Montanari, Nguyen (2018), DOI 10.1073/pnas.1806579115.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import CaseError
from ..grid import Array, Grid
from ..grid.checked_values import sampled
from ..grid.public_arguments import public

Function = Callable[..., Array]


@public
@dataclass(frozen=True, eq=False)
class Features:
    """What an energy of features is made of.

    functions : φ_j, called as φ(x=…[, y=…]).   targets : b_j.   weights : w_j > 0.   text : how the user wrote them.
    Raises CaseError where their numbers differ, there are none, or a number is not finite.
    """

    functions: Sequence[Function] = field(repr=False)
    targets: Sequence[float]
    weights: Sequence[float]
    text: str = ""

    def __post_init__(self) -> None:
        count = len(self.functions)
        if count == 0 or len(self.targets) != count or len(self.weights) != count:
            raise CaseError(
                f"features need as many targets and weights as functions, and one at least; found {count} functions, "
                f"{len(self.targets)} targets, {len(self.weights)} weights."
            )
        if not np.all(np.isfinite(self.targets)):
            raise CaseError("the targets of features must be finite numbers.")
        if not np.all(np.isfinite(self.weights)) or not np.all(np.asarray(self.weights) > 0):
            raise CaseError("the weights of features must be positive, finite numbers.")

    def on(self, grid: Grid) -> FeaturesOnGrid:
        """The features at the cell centres.  Raises CaseError as for a potential."""
        phi = [sampled(function, grid, f"feature {k + 1}") for k, function in enumerate(self.functions)]
        targets, weights = (np.array(values, dtype=float) for values in (self.targets, self.weights))
        return FeaturesOnGrid(np.array(phi), targets, weights, grid)


class FeaturesOnGrid:
    """Features on the cells of a grid: an `Interaction`, a potential, and the loss.

    phi : (r, *shape).   targets, weights : (r,).   Sums are taken without BLAS: threads change no bit.
    """

    def __init__(self, phi: Array, targets: Array, weights: Array, grid: Grid) -> None:
        self.phi, self.targets, self.weights = phi, targets, weights
        self._flat = phi.reshape(len(phi), -1)
        self._volume = np.ravel(grid.cell_volume)
        self._shape = grid.shape

    def means(self, rho: Array) -> Array:
        """⟨φ_j, ρ⟩, (r,): what the network says of each datum."""
        return np.asarray(np.einsum("ji,i->j", self._flat, np.ravel(rho) * self._volume))

    def residuals(self, rho: Array) -> Array:
        """⟨φ_j, ρ⟩ − b_j, (r,)."""
        return self.means(rho) - self.targets

    def apply(self, rho: Array) -> Array:
        """ΦᵀWΦρ, array of the grid's shape; energy/mass."""
        return self.combined(self.weights * self.means(rho))

    def linear(self) -> Array:
        """−Σ w_j b_j φ_j, array of the grid's shape; energy/mass."""
        return self.combined(-self.weights * self.targets)

    def combined(self, amounts: Array) -> Array:
        """Σ a_j φ_j, array of the grid's shape.   amounts : (r,)."""
        return np.asarray(np.einsum("j,ji->i", amounts, self._flat)).reshape(self._shape)

    def loss(self, rho: Array) -> float:
        """E_f(ρ) ≥ 0."""
        return 0.5 * float(np.sum(self.weights * self.residuals(rho) ** 2))


class Together:
    """The sum of several operators ρ ↦ W∗ρ."""

    def __init__(self, *parts: object) -> None:
        self._parts = parts

    def apply(self, rho: Array) -> Array:
        """Their sum, array of the grid's shape; energy/mass."""
        return np.asarray(sum(part.apply(rho) for part in self._parts))  # type: ignore[attr-defined]
