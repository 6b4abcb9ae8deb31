"""Seconds and bytes in words."""

from __future__ import annotations


def duration(seconds: float) -> str:
    if seconds == float("inf"):
        return "? s"
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours} h {m:02d} min" if hours else f"{m} min {s:02d} s"


def size_text(count: float) -> str:
    """Bytes: "1.5 MiB"."""
    for unit in ("KiB", "MiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.3g} {unit}"
    return f"{count / 1024:.3g} GiB"
