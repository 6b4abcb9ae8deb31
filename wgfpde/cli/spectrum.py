"""The verb spectrum."""

from __future__ import annotations

from .arguments import Verbs


def add(verbs: Verbs) -> None:
    del verbs
