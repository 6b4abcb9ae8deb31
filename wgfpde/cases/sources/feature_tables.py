"""The tables of [energy] features: a formula with a file of data, or a list of features with their targets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Discriminator, Field, Tag

from ...base.case_table import Positive, Table


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


def text_of(features: FeatureDataTable | list[FeatureTable] | None) -> str:
    """The formulas, to be read; "" without."""
    if features is None:
        return ""
    if isinstance(features, list):
        return ", ".join(item.formula for item in features)
    return f"{features.formula} on {Path(features.data).name}"
