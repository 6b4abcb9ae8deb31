"""Internal energies, one file each: a record, its case table, and what NumPy needs of it.  For kernels: `by_code`.

A law more is a file with its record and a line in `known`; `register` takes others, such as an `ArrayLaw` of one's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .known import LAWS, ArrayLaw, Law, law_named, register

__all__ = ["LAWS", "ArrayLaw", "Law", "law_named", "register"]


def __getattr__(name: str) -> Any:
    """The records load pydantic, which what only reads a run does without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import known

    return getattr(known, name)
