"""The energy of a Wasserstein gradient flow, free of any grid.

    E(ρ) = ∫U(ρ) + ∫Vρ + ½∬W(x−y)ρ(x)ρ(y),      ∂t ρ = ∇·(ρ ∇(U'(ρ) + V + W∗ρ))

and, where they are given, the loss of features, ½ Σ w_j (∫φ_j dρ − b_j)² (module `features`).

Reference: Carrillo, McCann, Villani (2003), eqs (1.1)–(1.2), DOI 10.4171/RMI/376.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..base.case_table import Table
from ..base.toml import shortened
from ..grid.public_arguments import public
from ..grid.tables.objects import holds_table, table_of_object
from ..grid.tables.radial_table import RadialTable
from ..grid.tables.tabulated import Tabulated
from .driving.in_time import frozen, number_at, takes_time
from .features import Features
from .laws import Law, law_named

Array = np.ndarray


@public
@dataclass(frozen=True)
class Internal:
    """The internal energy density U: a law (module `laws`) and its parameters.

    kind : "entropy" U = κ(ρ ln ρ − ρ);  "power" U = κ ρ^m/(m−1);  "none" U = 0;  or a law that was registered.
    kappa : diffusivity κ > 0, energy units.   m : exponent, m > 0, m ≠ 1 (power; 1 where the law has none).
    more : further parameters of a registered law, as pairs.

    Raises CaseError for κ ≤ 0, m ≤ 0 or m = 1, and for a kind that is not known.
    """

    kind: str = "entropy"
    kappa: float = 1.0
    m: float = 1.0
    more: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        self.law.check(self)
        if "m" not in self.law.table.model_fields:
            object.__setattr__(self, "m", 1.0)

    @classmethod
    def of(cls, table: Table, **instead: float) -> Internal:
        """The internal energy of an [energy] internal table.   instead : values in place of its own."""
        values = table.model_dump() | instead
        known = {name: values.pop(name) for name in ("kind", "kappa", "m") if name in values}
        return cls(**known, more=tuple(values.items()))

    @property
    def law(self) -> Law:
        """The record of its law."""
        return law_named(self.kind)

    @property
    def code(self) -> int | None:
        """By which kernels know the law; None where it has no kernels."""
        return self.law.code

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters in its table, by name."""
        values = {"kappa": self.kappa, "m": self.m, **dict(self.more)}
        return {name: float(values[name]) for name in self.law.table.model_fields if name in values}

    @property
    def in_case(self) -> dict[str, str | float]:
        """As the table [energy] internal of a case file says it."""
        return {"kind": self.kind, **self.parameters}

    @property
    def empties(self) -> bool:
        """Whether U'(0) is finite, so that cells may be empty where ξ is high."""
        return self.law.empties(self)

    def check_dimension(self, dim: int) -> None:
        """Refuse parameters with which E is not displacement convex in this dimension.

        Reference: McCann (1997), DOI 10.1006/aima.1997.1634.
        """
        self.law.check_dimension(self, dim)

    def density(self, rho: Array) -> Array:
        """U(ρ), elementwise; U(0) = 0."""
        return self.law.density(rho, self)

    def derivative(self, rho: Array) -> Array:
        """U'(ρ), elementwise; −inf at ρ = 0 for the entropy and for m < 1."""
        return self.law.derivative(rho, self)


@public
@dataclass(frozen=True, repr=False)
class Energy:
    """U + V + W.  `potential(x=…[, y=…])` and `interaction(x=…[, y=…])` are vectorised functions or None.

    Tables of pandas or xarray may stand for them: V at places, W at distances r.

    interaction : even function of the displacement; it may be singular at 0.
    potential_text, interaction_text : how the user wrote them, for records and messages.
    sobolev : λ of the logarithmic Sobolev inequality of e^{−V/κ}, where the user knows it.
    kappa : κ(t=…), in place of that of `internal`, or None.
    tilt : a constant force f per axis, energy/length, of the drift f − ∇V; () for none.
    force : the same as a function f(x=…) in 1D, or None.   A force needs periodic axes.
    features : of the energy of features, or None.

    V, W, κ and f may depend on time: a Python function does that has a parameter t, a formula that uses t.
    """

    internal: Internal = field(default_factory=Internal)
    potential: Callable[..., Array] | None = None
    interaction: Callable[..., Array] | None = None
    potential_text: str = ""
    interaction_text: str = ""
    sobolev: float | None = None
    kappa: Callable[..., Any] | None = None
    tilt: tuple[float, ...] = ()
    force: Callable[..., Array] | None = None
    features: Features | None = None

    @cached_property
    def driven(self) -> frozenset[str]:
        """What depends on time, of "potential", "interaction", "force" and "kappa"."""
        names = ("potential", "interaction", "force")
        found = {name for name in names if takes_time(getattr(self, name))}
        return frozenset(found | ({"kappa"} if self.kappa is not None else set()))

    @property
    def tilted(self) -> bool:
        """Whether a force drives a current that no potential has."""
        return self.force is not None or any(self.tilt)

    def at(self, t: float) -> Energy:
        """The energy at a time; itself where nothing depends on time.  Raises CaseError for κ(t) ≤ 0."""
        if not self.driven:
            return self
        internal = self.internal
        if self.kappa is not None:
            internal = replace(internal, kappa=number_at(self.kappa, t, "kappa"))
        v, w, f = (None if g is None else frozen(g, t) for g in (self.potential, self.interaction, self.force))
        return replace(self, internal=internal, kappa=None, potential=v, interaction=w, force=f)

    def __post_init__(self) -> None:
        if holds_table(self.potential):
            object.__setattr__(self, "potential", Tabulated(table_of_object(self.potential)))
        if holds_table(self.interaction):
            object.__setattr__(self, "interaction", RadialTable(table_of_object(self.interaction, dim=1)))

    def __repr__(self) -> str:
        terms = [repr(self.internal)]
        texts = {"V": (self.potential, self.potential_text), "W": (self.interaction, self.interaction_text)}
        for name, (function, text) in texts.items():
            if function is not None:
                text = text or getattr(function, "text", "") or getattr(function, "__name__", "a function")
                terms.append(f"{name} = {shortened(text)}")
        if self.features is not None:
            terms.append(f"{len(self.features.functions)} features")
        if self.kappa is not None:
            terms.append("kappa(t)")
        if self.tilted:
            terms.append(f"tilt = {list(self.tilt)}" if self.force is None else "a force")
        return f"Energy({', '.join(terms)})"
