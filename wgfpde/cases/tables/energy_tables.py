"""The tables [energy] and [dynamics], and [terminal]: what the end of a path costs, with the keys of [energy]."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema, model_validator

from ...base.case_table import OneOf, Positive, Table, fail
from ...base.toml import show
from ...energy.laws import LAWS, law_named
from ..sources.file_tables import (
    FILE,
    DiffusionFile,
    InteractionFile,
    InteractionSource,
    PotentialFile,
    PotentialSource,
    in_words,
    text_or,
)


def _numbers(value: object) -> object:
    """A number or a list of numbers, with one message for both (a union would give two)."""
    entries = value if isinstance(value, list) else [value]
    if all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in entries) and entries:
        return value
    raise fail(f"expected a number, or a list of one number per axis, found {show(value)}")


Tilt = Annotated[float | list[float], BeforeValidator(_numbers)]
InternalTable = Annotated[Any, OneOf("kind", lambda: [law.table for law in LAWS.values()])]


def _internals() -> str:
    """'{ kind = "entropy" }, { kind = "power", m = … } or { kind = "none" }'."""
    texts = []
    for kind, law in LAWS.items():
        keys = [key for key, info in law.table.model_fields.items() if info.is_required() and key != "kind"]
        texts.append(f"{{ {', '.join([f'kind = {kind!r}', *(f'{key} = …' for key in keys)])} }}".replace("'", '"'))
    return f"{', '.join(texts[:-1])} or {texts[-1]}"


class FeatureDataTable(Table):
    """Features ½ Σ_j w_j (∫φ(x; s_j) dρ − b_j)², one for each row of a file of data."""

    formula: str = Field(description="φ, a formula in x (and y), r, the params and the columns of the data, such as s")
    data: str = Field(
        description="a .csv file, one datum a row: columns s, b (target), w (weight, default 1/n), or as a header says"
    )


class FeatureTable(Table):
    """One feature of a list, ½ w (∫φ dρ − b)²."""

    formula: str = Field(description="φ, a formula in x (and y), r and the params")
    target: float = Field(description="b, a number that ∫φ dρ should be")
    weight: Positive = Field(default=1.0, description="w, a positive number")


FeaturesTable = Annotated[
    Annotated[FeatureDataTable, Tag("data")] | Annotated[list[FeatureTable], Field(min_length=1), Tag("list")],
    Discriminator(lambda value: "list" if isinstance(value, list | tuple) else "data"),
]


class EnergyTable(Table):
    """E(ρ) = ∫U(ρ) + ∫Vρ + ½∬W(x−y)ρ(x)ρ(y) + ½Σ w_j (∫φ_j dρ − b_j)²."""

    internal: InternalTable = Field(description=_internals())
    potential: PotentialSource | None = Field(
        default=None,
        description='V, a formula in x (and y), r = |(x, y)|, t and the params, or a table: { file = "…" }',
    )
    interaction: InteractionSource | None = Field(
        default=None,
        description='W, an even formula in the displacement x (and y), r = |(x, y)| and t, or a table: { file = "…" }',
    )
    tilt: Tilt | None = Field(
        default=None,
        description="a constant force on a periodic axis, a number or one per axis; entropy only",
    )
    force: str | None = Field(
        default=None, description="a force on a periodic axis, a formula in x, t and the params; 1D, entropy only"
    )
    features: FeaturesTable | None = Field(
        default=None, description="{ formula = …, data = … }, or a list of { formula = …, target = …, weight = … }"
    )
    sobolev: Positive | None = Field(
        default=None,
        alias="lambda",
        description="a positive number λ with H ≤ (κ/2λ) I, where you know it better than V tells",
    )

    @property
    def terms(self) -> dict[str, str]:
        """What it is made of, to be read: "U", "V", "W" and "features", as far as they are there."""
        internal = ", ".join(f"{key} = {value}" for key, value in self.internal.model_dump().items())
        parts = {"V": in_words(self.potential), "W": in_words(self.interaction), "features": _text_of(self.features)}
        given = self.potential, self.interaction, self.features
        return {"U": internal} | {key: parts[key] for key, part in zip(parts, given, strict=True) if part is not None}

    @model_validator(mode="after")
    def _not_zero(self) -> EnergyTable:
        law = law_named(self.internal.kind)
        plain = self.interaction is None and self.features is None
        if law.vanishes and self.potential is None and plain:
            raise fail("the energy is zero and nothing would move; give internal, potential, interaction or features")
        if self.sobolev is not None and not (law.linear_diffusion and plain):
            raise fail('lambda: of use only with { kind = "entropy" } and neither interaction nor features; remove it')
        return self

    @model_validator(mode="after")
    def _one_force(self) -> EnergyTable:
        if self.tilt is not None and self.force is not None:
            raise fail("expected either tilt, a constant force, or force, a formula, found both; remove one")
        law = law_named(self.internal.kind)
        for key, value in (("tilt", self.tilt), ("force", self.force)):
            if value is not None and not law.linear_diffusion:
                raise fail(
                    f'{key}: of use only with {{ kind = "entropy" }}, whose fluxes stay rates with it, found kind = '
                    f'"{self.internal.kind}"; remove it'
                )
            if value is not None and self.sobolev is not None:
                raise fail(f"lambda: of use only without {key}, under which no state is a Gibbs state; remove one")
        return self


def _formulas(value: object) -> object:
    """One formula, or a list of them, with one message for both (a union would give two)."""
    texts = value if isinstance(value, list) else [value]
    if texts and len(texts) <= 2 and all(isinstance(text, str) for text in texts):
        return value
    raise fail(f'expected a formula such as "1/(1 + x**2)", or one per axis as a list, found {show(value)}')


_FORMULA = {"type": "string"}
Formulas = Annotated[
    str | list[str],
    BeforeValidator(_formulas),
    WithJsonSchema({"anyOf": [_FORMULA, {"type": "array", "items": _FORMULA, "minItems": 1, "maxItems": 2}]}),
]


def _text_of(features: FeatureDataTable | list[FeatureTable] | None) -> str:
    """The formulas, to be read; "" without."""
    if features is None:
        return ""
    if isinstance(features, list):
        return ", ".join(item.formula for item in features)
    return f"{features.formula} on {Path(features.data).name}"


class DynamicsTable(Table):
    """How fast the flow goes: ∂tρ = ∇·(D ρ ∇ξ)."""

    diffusion: text_or(DiffusionFile, Formulas) = Field(  # type: ignore[valid-type]
        description="D > 0, a factor of the flux, a formula in x (and y), r and the params, one per axis as a list, or "
        'a table: { file = "…" }'
    )
    convention: Literal["kinetic", "stratonovich", "ito"] = Field(
        default="kinetic",
        description='what the noise √(2κD) means: "kinetic" (default; the gradient flow), "stratonovich" or "ito", '
        "which add ½κ ln D or κ ln D to V (entropy only)",
    )
    faces: Literal["value", "harmonic"] = Field(
        default="value", description='D on faces: its "value" there (default), or "harmonic" means of cells, for jumps'
    )


class TerminalTable(EnergyTable):
    """The cost G(ρ) of the density at the end of a game, as an energy: ∫U(ρ) + ∫Vρ + ½∬W(x−y)ρ(x)ρ(y)."""

    model_config = ConfigDict(json_schema_extra=lambda schema: _without(schema, TerminalTable.refused))
    refused: ClassVar[frozenset[str]] = frozenset({"tilt", "force", "lambda"})

    @model_validator(mode="before")
    @classmethod
    def _a_cost_alone(cls, data: Any) -> Any:
        for key in sorted(cls.refused):
            if isinstance(data, dict) and data.get(key) is not None:
                raise fail(f"{key}: of use only in [energy]: the cost of an end moves nothing; remove it")
        return data


def _without(schema: dict[str, Any], keys: frozenset[str]) -> None:
    for key in keys:
        schema["properties"].pop(key, None)


TERMINAL = "internal, potential, interaction or features, as [energy] has them"
"""What a case that needs one, or has one in vain, is told of it."""
ENERGIES = ("energy", "terminal")
"""Places of tables that have the keys of an energy."""


def parts_of(energy: str) -> dict[tuple[str, ...], type[Table]]:
    """The tables of the parts of an energy, [energy] or [terminal]."""
    return {
        **{(energy, "internal", kind): law.table for kind, law in LAWS.items()},
        (energy, "potential", FILE): PotentialFile,
        (energy, "interaction", FILE): InteractionFile,
        (energy, "features", "data"): FeatureDataTable,
        (energy, "features", "list"): FeatureTable,
    }
