"""The pull of an energy of features on particles: of neurons towards what their network should say.

    ∇δE_f/δρ (X_i) = Σ_j w_j ((M/N) Σ_l φ_j(X_l) − b_j) ∇φ_j(X_i),      replica by replica

Cost: r N, with N particles and r features; no sums over pairs.
Reference: Mei, Montanari, Nguyen (2018), DOI 10.1073/pnas.1806579115.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...energy.flow import Flow
from ...formulas.gradients import gradient_of
from ...grid import Array

Pull = Callable[[Array], Array]


class FeaturePull:
    """places (n, dim) ↦ pull (n, dim), for `replicas` crowds of equal numbers, each of that mass."""

    def __init__(self, flow: Flow, mass: float, replicas: int) -> None:
        features = flow.energy.features
        assert features is not None
        self.mass, self.replicas, self.grid = mass, replicas, flow.grid
        self.functions = features.functions
        self.slopes = [gradient_of(function, flow.grid) for function in features.functions]
        self.targets, self.weights = features.targets, features.weights

    def __call__(self, places: Array) -> Array:
        at = {axis.name: places[:, k] for k, axis in enumerate(self.grid.axes)}
        pull = np.zeros_like(places)
        rows = zip(self.functions, self.slopes, self.targets, self.weights, strict=True)
        with np.errstate(all="ignore"):
            for function, slopes, target, weight in rows:
                said = np.broadcast_to(function(**at), len(places)).reshape(self.replicas, -1).mean(axis=1)
                amount = np.repeat(weight * (self.mass * said - target), len(places) // self.replicas)
                for k, slope in enumerate(slopes):
                    pull[:, k] += amount * slope(**at)
        return pull


def with_features(pull: Pull | None, flow: Flow, mass: float, replicas: int) -> Pull | None:
    """The pull of W and that of the features together; either may be missing."""
    if flow.energy.features is None:
        return pull
    features = FeaturePull(flow, mass, replicas)
    return features if pull is None else lambda places: pull(places) + features(places)
