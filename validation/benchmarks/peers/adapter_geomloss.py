"""GeomLoss (PyTorch): the debiased Sinkhorn divergence of weights at the centres of cells, by dense matrices.

Its routine for images depends on KeOps, which is no wheel that installs everywhere.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from geomloss import SamplesLoss

Array = np.ndarray


class Divergence:
    def __init__(self, job: dict[str, Any], start: dict[str, Array]) -> None:
        n, self.steps, options = job["n"], 1, job["options"]
        self._weights = [torch.as_tensor((start[name] / start[name].sum()).ravel()) for name in "ab"]
        axes = [(np.arange(n) + 0.5) / n] * len(job["lower"])
        self._places = torch.as_tensor(np.stack([mesh.ravel() for mesh in np.meshgrid(*axes, indexing="ij")], axis=1))
        self._side = job["upper"][0] - job["lower"][0]
        self._loss = SamplesLoss(
            "sinkhorn", p=2, blur=options["blur"] / n, scaling=options["scaling"], backend="tensorized"
        )

    def march(self, times: list[float]) -> list[Array]:
        a, b = self._weights
        half = float(self._loss(a, self._places, b, self._places))
        return [np.array(self._side * math.sqrt(max(2 * half, 0.0)))] * len(times)


def prepare(job: dict[str, Any], start: dict[str, Array]) -> Divergence:
    return Divergence(job, start)
