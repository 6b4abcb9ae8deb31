"""What the tables of a case file are made of: strict pydantic models, and mistakes told in whole sentences."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

Positive = Annotated[float, Field(gt=0)]
"""A number that must lie above 0."""


class Table(BaseModel):
    """A table of a case file: no unknown key, no text for a number, nothing infinite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def fail(message: str) -> PydanticCustomError:
    """A mistake whose text is complete: it is shown after the key path as it stands.

    For validators: ``raise fail("expected …, found …; do …")``.
    """
    return PydanticCustomError("sentence", "{text}", {"text": message})
