"""What is measured: for each problem and package, ladders of resolutions, and single runs as whole processes.

A ladder is one way of one package to solve one problem, at resolutions whose errors overlap with those of the others.
Steps of fixed-step methods: explicit ones take the largest stable step (`_stable`); those of implicit ones of order 2
grow with n so that neither space nor time dominates; first order in time takes what it needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from problems import PROBLEMS

SAMPLES = 8
"""Times along a run at which sign, mass and energy are looked at; steps of explicit methods are a multiple of it."""


@dataclass(frozen=True)
class Ladder:
    """problem, peer : what and who.   way : in words, as in the tables.   rungs : options of each job, smallest first.

    points : whether the package's unknowns are values at the centres.   common : options of all jobs.
    estimate : seconds on two cores, for the line that says how long it will take.   threads : None, as by default.
    """

    problem: str
    peer: str
    way: str
    rungs: tuple[dict[str, Any], ...]
    common: dict[str, Any] = field(default_factory=dict)
    points: bool = False
    estimate: float = 10.0
    threads: int | None = None

    @property
    def key(self) -> str:
        return f"{self.problem} / {self.peer} / {self.way}"

    @property
    def adapter(self) -> str:
        return self.peer.replace("-", "")

    def jobs(self, repeats: int, count: int | None = None) -> list[dict[str, Any]]:
        """The jobs as a worker reads them; `count` the first rungs only."""
        problem = PROBLEMS[self.problem]
        fixed = {
            "adapter": self.adapter, "problem": problem.name, "kind": problem.kind, "lower": problem.lower,
            "upper": problem.upper, "start": problem.start, "end": problem.end, "m": problem.m, "tau": problem.tau,
            "potential": problem.potential, "gradient": problem.gradient, "laplacian": problem.laplacian,
            "normal": problem.normal, "samples": SAMPLES if problem.kind == "flow" else 1, "repeats": repeats,
            "options": {},
        }  # fmt: skip
        return [fixed | self.common | rung | {"key": str(k)} for k, rung in enumerate(self.rungs[:count])]


def rungs(*pairs: tuple[int, int]) -> tuple[dict[str, Any], ...]:
    """Cells along an axis and steps."""
    return tuple({"n": n, "steps": steps} for n, steps in pairs)


def sizes(*counts: int, **more: Any) -> tuple[dict[str, Any], ...]:
    return tuple({"n": n, **more} for n in counts)


def _stable(problem: str, counts: Iterable[int], limit: float) -> tuple[dict[str, Any], ...]:
    """Explicit Euler at `limit` of 1/Σ 2D/h², D = 1 or 2 max ρ (m = 2), and dt ≤ 2 limit/|∇V|² in the well."""
    p, found = PROBLEMS[problem], []
    for n in counts:
        diffusivity = 3.4 if p.m == 2 else 1.0
        rate = sum(2 * diffusivity * (n / (b - a)) ** 2 for a, b in zip(p.lower, p.upper, strict=True))
        rate = max(rate, 0.5 * max((v * v for v in p.normal), default=0.0))
        steps = (p.end - p.start) * rate / limit
        found.append({"n": n, "steps": SAMPLES * math.ceil(steps / SAMPLES)})
    return tuple(found)


def eps(*pairs: tuple[int, float], **more: Any) -> tuple[dict[str, Any], ...]:
    """Cells along an axis and the blur of entropic transport."""
    return tuple({"n": n, "options": {"eps": e, "tolerance": 1e-7, **more}} for n, e in pairs)


def iterations(*pairs: tuple[int, int]) -> tuple[dict[str, Any], ...]:
    """Cells along an axis and iterations of a method that goes on until it is told to stop."""
    return tuple({"n": n, "options": {"iterations": count}} for n, count in pairs)


def reg(*pairs: tuple[int, float], way: str, **more: Any) -> tuple[dict[str, Any], ...]:
    return tuple({"n": n, "way": way, "options": {"reg": e, "stopThr": 1e-6} | more} for n, e in pairs)


ADAPTIVE = {"adaptive": True, "tolerance": 1e-6}
OURS_HEAT = (
    (32, 3),
    (36, 3),
    (40, 3),
    (48, 4),
    (64, 5),
    (80, 6),
    (96, 8),
    (128, 10),
    (160, 12),
    (256, 18),
    (288, 20),
    (320, 24),
    (512, 36),
)
OURS_WELL = ((32, 30), (48, 36), (64, 40), (80, 46), (96, 50), (128, 60), (192, 80), (256, 100), (512, 200))
OURS_OU = ((50, 8), (70, 10), (100, 14), (140, 20), (200, 28), (280, 40), (400, 56), (800, 110), (1600, 220))
OURS_BARENBLATT = (
    (80, 10),
    (100, 14),
    (120, 18),
    (140, 20),
    (200, 30),
    (280, 50),
    (400, 60),
    (430, 64),
    (560, 85),
    (800, 120),
    (1600, 250),
)
"""Closer than those of the others, so that equal errors are close to equal; steps where both errors are alike."""

LADDERS = (
    Ladder("heat", "wgfpde", "order 2", rungs(*OURS_HEAT), estimate=8),
    Ladder("heat", "wgfpde", "order 2, 1 thread", rungs(*OURS_HEAT[6:]), estimate=10, threads=1),
    Ladder("heat", "py-pde", "Euler", _stable("heat", (32, 64, 128, 256), 0.8), {"solver": "euler"}, True, 70),
    Ladder("heat", "py-pde", "Euler, 1 thread", _stable("heat", (256,), 0.8), {"solver": "euler"}, True, 25, threads=1),
    Ladder("heat", "py-pde", "Euler, JAX", _stable("heat", (32, 64, 128), 0.8),
           {"solver": "euler", "backend": "jax"}, True, 40),
    Ladder("heat", "py-pde", "Euler, PyTorch", _stable("heat", (32, 64), 0.8),
           {"solver": "euler", "backend": "torch"}, True, 40),
    Ladder("heat", "numpy", "explicit Euler", _stable("heat", (32, 64, 128, 256), 0.8), estimate=20),
    Ladder("heat", "py-pde", "Runge–Kutta, adaptive", sizes(64), {"solver": "runge-kutta", "options": ADAPTIVE},
           True, 45),
    Ladder("heat", "fipy", "implicit Euler, CG", rungs((32, 40), (64, 80)), {"scheme": "euler", "solver": "cg"},
           estimate=15),
    Ladder("heat", "fipy", "midpoint, CG", rungs((32, 8), (64, 12), (128, 16), (256, 24)),
           {"scheme": "midpoint", "solver": "cg"}, estimate=20),
    Ladder("heat", "fipy", "midpoint, LU", rungs((32, 8), (64, 12), (128, 16)), {"scheme": "midpoint", "solver": "lu"},
           estimate=20),
    Ladder("heat", "fplanck", "exponential", sizes(32, 64, 128, 256), estimate=20),
    Ladder("well", "wgfpde", "order 2", rungs(*OURS_WELL), estimate=30),
    Ladder("well", "wgfpde", "order 2, 1 thread", rungs(*OURS_WELL[5:8]), estimate=20, threads=1),
    Ladder("well", "py-pde", "Euler", _stable("well", (64, 96), 0.8), {"solver": "euler"}, True, 40),
    Ladder("well", "py-pde", "Euler, for ρe^V", _stable("well", (64, 96), 0.8), {"solver": "euler", "gibbs": True},
           True, 50),
    Ladder("well", "numpy", "explicit Euler", _stable("well", (64, 96), 0.8), estimate=30),
    Ladder("well", "fipy", "exponential, midpoint, LU", rungs((32, 30), (64, 40), (96, 50)),
           {"scheme": "midpoint", "solver": "lu", "convection": "exponential"}, estimate=40),
    Ladder("well", "fipy", "exponential, midpoint, BiCGSTAB", rungs((32, 30), (64, 40), (128, 60)),
           {"scheme": "midpoint", "solver": "bicgstab", "convection": "exponential"}, estimate=40),
    Ladder("well", "fipy", "power law, implicit Euler, LU", rungs((32, 100), (64, 100)),
           {"scheme": "euler", "solver": "lu", "convection": "power law"}, estimate=30),
    Ladder("well", "fplanck", "exponential", sizes(64, 96), estimate=25),
    Ladder("barenblatt", "wgfpde", "order 2", rungs(*OURS_BARENBLATT), estimate=10),
    Ladder("barenblatt", "py-pde", "Euler", _stable("barenblatt", (100, 200, 400, 800), 0.8), {"solver": "euler"}, True,
           20),
    Ladder("barenblatt", "py-pde", "LSODA, banded", sizes(100, 200, 400, 800),
           {"solver": "scipy", "options": {"method": "LSODA", "lband": 1, "uband": 1, "rtol": 1e-5, "atol": 1e-7}},
           True, 20),
    Ladder("barenblatt", "numpy", "explicit Euler", _stable("barenblatt", (100, 200, 400), 0.8), estimate=10),
    Ladder("barenblatt", "fipy", "midpoint, LU", rungs((100, 25), (200, 40), (400, 60)),
           {"scheme": "midpoint", "solver": "lu"}, estimate=30),
    Ladder("barenblatt", "fipy", "implicit Euler, LU", rungs((100, 50), (200, 100)),
           {"scheme": "euler", "solver": "lu"}, estimate=30),
    Ladder("ou", "wgfpde", "order 2", rungs(*OURS_OU), estimate=5),
    Ladder("ou", "pyddm", "implicit Euler, C", rungs((101, 200), (201, 400), (401, 800), (401, 3200)), {"solver": "c"},
           True, 10),
    Ladder("ou", "pyddm", "implicit Euler", rungs((101, 200), (201, 400), (401, 800)), {"solver": "implicit"},
           True, 10),
    Ladder("ou", "numpy", "explicit Euler", _stable("ou", (50, 100, 200, 400), 0.8), estimate=10),
    Ladder("ou", "fipy", "exponential, midpoint, LU", rungs((100, 14), (200, 28), (400, 56)),
           {"scheme": "midpoint", "solver": "lu", "convection": "exponential"}, estimate=10),
    Ladder("ou", "fplanck", "exponential", sizes(100, 200, 400), estimate=10),
    Ladder("jko-gauss", "wgfpde", "W₂ itself", sizes(64, 128, 256, 512, options={"algorithm": "exact"}), estimate=8),
    Ladder("jko-gauss", "wgfpde", "Newton", sizes(16, 32, 64, 128, 256), estimate=8),
    Ladder("jko-gauss", "entropic", "Sinkhorn", eps((64, 0.1), (64, 0.05), (64, 0.02), (128, 0.01), (128, 0.005)),
           estimate=8),
    Ladder("jko-gauss", "pot", "semi-relaxed Sinkhorn", eps((24, 0.2), (32, 0.1), (32, 0.05), (48, 0.02)), estimate=20),
    Ladder("jko-gauss-10", "wgfpde", "Newton", sizes(16, 32, 64, 128), estimate=12),
    Ladder("jko-gauss-10", "entropic", "Sinkhorn", eps((64, 0.1), (64, 0.05), (64, 0.02), (128, 0.01)), estimate=20),
    Ladder("jko-power", "wgfpde", "Newton", sizes(32, 64, 128, 256), estimate=15),
    Ladder("jko-power", "wgfpde", "W₂ itself", sizes(64, 128, 256, 512, 1024, options={"algorithm": "exact"}),
           estimate=20),
    Ladder("jko-power", "wgfpde", "first order, 4 inner steps",
           sizes(32, 64, 128, options={"algorithm": "pdhg", "inner_steps": 4, "tolerance": 1e-4}), estimate=20),
    Ladder("jko-power", "wgfpde", "first order, 8 inner steps",
           sizes(64, 128, 256, options={"algorithm": "pdhg", "inner_steps": 8, "tolerance": 1e-4}), estimate=30),
    Ladder("jko-power", "entropic", "Sinkhorn", eps((64, 1e-3), (64, 3e-4), (128, 1e-4)), estimate=20),
    Ladder("jko-power", "back-and-forth", "potentials",
           iterations((64, 10), (64, 20), (128, 20), (128, 50), (256, 50), (256, 100)), estimate=30),
    Ladder("w2-1d", "wgfpde", "quantiles", sizes(64, 256, 320, 1024, 1280, 4096, 5120, 16384, 65536), estimate=3),
    Ladder("w2-1d", "pot", "emd2_1d", sizes(64, 256, 1024, 4096, 16384, way="emd"), estimate=3),
    Ladder("w2-1d", "pot", "Sinkhorn",
           reg((64, 0.2), (128, 0.05), (256, 0.02), way="sinkhorn", numItermax=2000), estimate=30),
    Ladder("w2-1d", "pot", "Sinkhorn divergence",
           reg((64, 0.5), (128, 0.2), (256, 0.1), way="divergence", numIterMax=2000), estimate=30),
    Ladder("w2-2d", "wgfpde", "potentials", sizes(16, 32, 64, 128, 256, 512), estimate=5),
    Ladder("w2-2d", "wgfpde", "potentials, 64² cells at most", sizes(24, 32, 64, options={"cells": 4096}), estimate=2),
    Ladder("w2-2d", "wgfpde", "potentials, 32² cells at most", sizes(16, 24, 32, options={"cells": 1024}), estimate=1),
    Ladder("w2-2d", "pot", "emd2", sizes(16, 24, 32, 40, way="emd"), estimate=30),
    Ladder("w2-2d", "pot", "Sinkhorn divergence",
           reg((16, 0.5), (24, 0.5), (32, 0.5), (32, 0.2), way="divergence", numIterMax=2000),
           estimate=30),
    Ladder("w2-2d", "ott-jax", "grid, blur of two cells", sizes(32, 64, 128, options={"blur": 2.0}), estimate=40),
    Ladder("w2-2d", "ott-jax", "grid, blur of a cell", sizes(32, 64, options={"blur": 1.0}), estimate=20),
    Ladder("w2-2d", "geomloss", "blur of a cell, scaling 0.5",
           sizes(16, 32, 48, options={"blur": 1.0, "scaling": 0.5}), estimate=30),
    Ladder("w2-2d", "back-and-forth", "potentials", iterations((16, 20), (32, 20), (64, 40), (128, 60), (256, 60)),
           estimate=10),
)  # fmt: skip

PROCESSES = {
    ("heat", "wgfpde", "order 2"): 8, ("heat", "py-pde", "Euler"): 1, ("heat", "fipy", "midpoint, CG"): 2,
    ("heat", "fplanck", "exponential"): 2, ("well", "wgfpde", "order 2"): 5,
    ("well", "fipy", "exponential, midpoint, BiCGSTAB"): 2, ("barenblatt", "wgfpde", "order 2"): 4,
    ("barenblatt", "fipy", "midpoint, LU"): 1, ("ou", "wgfpde", "order 2"): 6, ("ou", "pyddm", "implicit Euler, C"): 2,
}  # fmt: skip
"""Which rung of which ladder is also timed as a whole process."""
