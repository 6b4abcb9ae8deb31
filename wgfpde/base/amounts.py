"""Seconds and bytes in words, the memory that this machine has, and the scales that double precision carries."""

from __future__ import annotations

import operator
import os
from typing import Any

LEAST, MOST = 1e-100, 1e100
"""Lengths, masses, κ and D that double precision carries, so that squares and quotients of them can be computed."""


def at_least_one(value: Any) -> bool:
    """Whether it is a whole number from 1 on, of any type that has them."""
    try:
        return operator.index(value) >= 1
    except TypeError:
        return False


def duration(seconds: float) -> str:
    """Seconds: "1.5 s", "2 min 05 s", "1 h 00 min"; "? s" where nobody knows."""
    if seconds == float("inf"):
        return "? s"
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours} h {m:02d} min" if hours else f"{m} min {s:02d} s"


def size_text(count: float) -> str:
    """Bytes: "1.5 MiB"."""
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1000:
            return f"{count:.3g} {unit}"
    return f"{count / 1024:.3g} TiB"


def machine_memory() -> int | None:
    """Bytes of main memory; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def memory_lacking(needed: float) -> str:
    """Why so many bytes are refused: "about 3 TiB of memory and this machine has 16 GiB"; "" where they suffice."""
    available = machine_memory()
    if available is None or needed <= available:
        return ""
    return f"about {size_text(needed)} of memory and this machine has {size_text(available)}"
