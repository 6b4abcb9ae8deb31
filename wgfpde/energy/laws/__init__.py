"""Internal energies, one file each: a record, its case table, and what NumPy needs of it.  For kernels: `by_code`.

A law more is a file with its record and a line below; `register` takes others, such as an `ArrayLaw` of one's own, and
`unregister` lets them go.
"""

from __future__ import annotations

from ...errors import CaseError
from .array_law import ArrayLaw
from .entropy import EntropyLaw
from .law import Law
from .none import NoLaw
from .power import PowerLaw

__all__ = ["LAWS", "ArrayLaw", "Law", "law_named", "register", "unregister"]

LAWS: dict[str, Law] = {law.kind: law for law in (EntropyLaw(), PowerLaw(), NoLaw())}
"""Every law by its name in case files."""


def register(law: Law) -> Law:
    """Enter a law, so that cases, schemes and records know its kind.  Returns it.

    Raises CaseError where another law has that name, or where the table's `kind` is another.
    """
    kind = law.table.model_fields.get("kind")
    if kind is None or getattr(kind.annotation, "__args__", None) != (law.kind,):
        raise CaseError(f'the table of a law needs the line kind: Literal["{law.kind}"].')
    if LAWS.get(law.kind, law) is not law:
        raise CaseError(
            f'there is an internal energy "{law.kind}" already; choose another name, or unregister that one.'
        )
    LAWS[law.kind] = law
    return law


def unregister(kind: str) -> None:
    """Let a law go, so that another may have its name.  Raises CaseError where there is none."""
    del LAWS[law_named(kind).kind]


def law_named(kind: str) -> Law:
    """The law of a kind.  Raises CaseError where there is none."""
    if kind not in LAWS:
        first, last = [f'"{name}"' for name in LAWS][:-1], f'"{list(LAWS)[-1]}"'
        raise CaseError(f"internal energy must be {', '.join(first)} or {last}; found {kind!r}.")
    return LAWS[kind]
