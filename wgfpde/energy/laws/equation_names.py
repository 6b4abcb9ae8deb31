"""What equations are called, and where they come from: those of energies, and those that a method makes.

∂t ρ = ∇·(ρ ∇(U'(ρ) + V + W∗ρ)),     U = κ(ρ ln ρ − ρ)  or  κ ρ^m/(m−1)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from . import law_named


@dataclass(frozen=True)
class Equation:
    """name : short, as in the records.   formula : ∂t ρ = …   description : what moves and why.
    reference : where it is studied as a gradient flow."""

    name: str
    formula: str
    description: str
    reference: str


_JKO = "Jordan, Kinderlehrer, Otto (1998), DOI 10.1137/S0036141096303359"
_OTTO = "Otto (2001), DOI 10.1081/PDE-100002243"
_CMV = "Carrillo, McCann, Villani (2003), DOI 10.4171/RMI/376"

PLACED = "diffusion of place"
"""The equation of every flow with [dynamics]."""

_NAMED = (
    Equation("heat", "κΔρ", "linear diffusion", _JKO),
    Equation("Fokker-Planck", "κΔρ + ∇·(ρ∇V)", "linear diffusion in a potential", _JKO),
    Equation("porous medium", "κΔρ^m, m > 1", "slow diffusion with moving fronts", _OTTO),
    Equation(
        "porous medium with drift", "κΔρ^m + ∇·(ρ∇V), m > 1", "slow diffusion in a potential",
        "Carrillo, Toscani (2000), Indiana Univ. Math. J. 49, 113–142",
    ),
    Equation("fast diffusion", "κΔρ^m, m < 1", "diffusion with algebraic tails", _OTTO),
    Equation(
        "fast diffusion with drift", "κΔρ^m + ∇·(ρ∇V), m < 1", "diffusion with algebraic tails in a potential", _OTTO,
    ),
    Equation(
        "drift", "∇·(ρ∇V)", "every particle rolls down the potential on its own",
        "Ambrosio, Gigli, Savaré (2008), DOI 10.1007/978-3-7643-8722-8",
    ),
    Equation("McKean-Vlasov", "κΔρ + ∇·(ρ∇(V + W∗ρ))", "linear diffusion of interacting particles", _CMV),
    Equation(
        "aggregation-diffusion", "κΔρ^m + ∇·(ρ∇(V + W∗ρ))", "nonlinear diffusion against interaction",
        "Carrillo, Craig, Yao (2019), DOI 10.1007/978-3-030-20297-2_3",
    ),
    Equation("aggregation", "∇·(ρ∇(V + W∗ρ))", "interaction without diffusion", _CMV),
    Equation("nonlinear diffusion", "∇·(ρ∇U'(ρ))", "diffusion by an internal energy of its own", _CMV),
    Equation(
        "nonlinear diffusion with drift", "∇·(ρ∇(U'(ρ) + V))",
        "diffusion by an internal energy of its own in a potential", _CMV,
    ),
    Equation(
        PLACED, "∇·(D(x)ρ∇(U'(ρ) + V + W∗ρ))", "any of these with a diffusion that depends on place",
        "Lisini (2009), DOI 10.1051/cocv:2008044",
    ),
)  # fmt: skip
EQUATIONS = {equation.name: equation for equation in _NAMED}


GEODESIC = Equation(
    "Wasserstein geodesic", "−∇·(ρ∇φ), ∂t φ + ½|∇φ|² = 0", "the shortest path between two densities",
    "Benamou, Brenier (2000), DOI 10.1007/s002110050002",
)  # fmt: skip
WASSERSTEIN_FISHER_RAO = Equation(
    "Wasserstein-Fisher-Rao", "∇·(ρ∇ξ) − cρ(ξ − ⟨ξ⟩)", "mass moves, and grows and decays where it is",
    "Liero, Mielke, Savaré (2018), DOI 10.1007/s00222-017-0759-8",
)  # fmt: skip
FISHER_RAO = Equation(
    "Fisher-Rao", "−cρ(ξ − ⟨ξ⟩)", "mass grows and decays where it is",
    "Gallouët, Monsaingeon (2017), DOI 10.1137/16M106666X",
)  # fmt: skip
STEIN = Equation(
    "Stein variational gradient flow", "∇·(ρ K(ρ∇ξ)), (Kj)(x) = ∫k(x,y)j(y)dy",
    "transport along a gradient smoothed by a kernel", "Liu (2017), arXiv 1704.07520",
)  # fmt: skip
GAME = Equation(
    "potential mean field game", "νΔρ + ∇·(ρ∇u), −∂t u − νΔu + ½|∇u|² = ξ(ρ)",
    "the cheapest way of a crowd that wanders, each of whom reacts to all others",
    "Lasry, Lions (2007), DOI 10.1007/s11537-007-0657-8",
)  # fmt: skip
BRIDGE = Equation(
    "Schroedinger bridge", "κΔρ + ∇·(ρ∇(V + u)), ∂t u + κΔu − ∇V·∇u = ½|∇u|²",
    "of all diffusions with two given ends, the one nearest to that of the energy", "Léonard (2014), arXiv 1308.0215",
)  # fmt: skip
GAUSSIAN = Equation(
    "Gaussian variational flow", "∇·(ρ Π∇ξ), Π onto affine velocities", "E falls among Gaussians and their mixtures",
    "Lambert, Chewi, Bach, Bonnabel, Rigollet (2022), arXiv 2205.15902",
)  # fmt: skip
ACCELERATED = Equation(
    "accelerated flow", "−∇·(ρv), ∂t v + v·∇v = −αv − ∇ξ", "flow with inertia and friction",
    "Wang, Li (2022), DOI 10.1007/s10915-021-01709-3",
)  # fmt: skip
_OWN = (GEODESIC, BRIDGE, GAME, WASSERSTEIN_FISHER_RAO, FISHER_RAO, STEIN, GAUSSIAN, ACCELERATED)
OF_METHODS = {equation.name: equation for equation in _OWN}
"""What is solved where the method, not the energy alone, makes the equation."""


class Parts(Protocol):
    """What a name depends on: an `Energy` has it, and so has the [energy] table of a case."""

    @property
    def internal(self) -> Any: ...
    @property
    def potential(self) -> Any: ...
    @property
    def interaction(self) -> Any: ...


def name_equation(energy: Parts) -> Equation:
    """The equation that an energy gives."""
    p = energy.internal
    features = getattr(energy, "features", None) is not None
    drift, interaction = (energy.potential is not None or features), (energy.interaction is not None or features)
    return EQUATIONS[law_named(p.kind).equation(p, drift, interaction)]
