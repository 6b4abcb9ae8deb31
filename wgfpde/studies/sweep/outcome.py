"""What a sweep keeps of a run: a line of JSON, whole or not there.

    {"digest": "…", "status": "finished", "message": "…", "verdict": "", "steps": 812, "wall_seconds": 0.31, "t": 40.0,
     "numbers": {"energy": …, "mass": …}, "folder": "theta=0.5", "series": {"energy": […]}, "times": […], "rho": "…"}

Numbers are written so that they read back bit for bit; a density is its little-endian doubles in base 64.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...base.plain_text import joined_lines
from ...grid import Array

FINISHED, FAILED, INTERRUPTED = "finished", "failed", "interrupted"
LONGEST_NAME = 200
"""Letters of the name of a number."""


@dataclass(frozen=True, repr=False)
class Outcome:
    """How a run of a sweep ended, and its numbers.

    digest : which run it is.   status : "finished", "failed"; "interrupted" is not kept.   message : why, in words.
    verdict : "stationary", "blow-up" or "".   t : of the last snapshot.   numbers : its diagnostics by name.
    folder : where the run is, relative to that of the sweep; "" where it left none.   times, series : of all snapshots,
    for the diagnostics that were asked for.   rho : the last density, where asked for.   against : the reference run,
    its file and its SHA-256.   exit_code : of what interrupted or cut it, else of no meaning; not kept.
    """

    digest: str
    status: str
    message: str = ""
    verdict: str = ""
    steps: int = 0
    wall_seconds: float = math.nan
    t: float = math.nan
    numbers: Mapping[str, float] = field(default_factory=dict)
    folder: str = ""
    times: tuple[float, ...] = ()
    series: Mapping[str, list[float]] = field(default_factory=dict)
    rho: Array | None = None
    against: str = ""
    exit_code: int = 130

    def __repr__(self) -> str:
        return f"Outcome({self.digest[:8]}, {self.status}: {self.message})"

    @property
    def line(self) -> bytes:
        """As it is kept, with its line break."""
        known: dict[str, Any] = {
            "digest": self.digest, "status": self.status, "message": joined_lines(self.message),
            "verdict": self.verdict, "steps": self.steps, "wall_seconds": self.wall_seconds, "t": self.t,
            "numbers": dict(self.numbers), "folder": self.folder, "against": self.against,
        }  # fmt: skip
        if self.series:
            known |= {"times": list(self.times), "series": dict(self.series)}
        if self.rho is not None:
            data = np.ascontiguousarray(self.rho, dtype="<f8")
            known |= {"shape": list(data.shape), "rho": base64.b64encode(data.tobytes()).decode()}
        return json.dumps(known).encode() + b"\n"


def read_line(line: bytes) -> Outcome | None:
    """The outcome in a line; None for what is none: torn, or by another hand."""
    try:
        data = json.loads(line)
        if not isinstance(data, dict):
            return None
        series = {_field(name): [float(v) for v in values] for name, values in data.get("series", {}).items()}
        return Outcome(
            digest=_text(data["digest"]),
            status=_one_of(data["status"], (FINISHED, FAILED)),
            message=_text(data["message"]),
            verdict=_text(data["verdict"]),
            steps=_count(data["steps"]),
            wall_seconds=float(data["wall_seconds"]),
            t=float(data["t"]),
            numbers={_field(name): float(value) for name, value in data["numbers"].items()},
            folder=_name(data["folder"]),
            times=tuple(float(t) for t in data.get("times", [])),
            series=series,
            rho=_density(data["rho"], data["shape"]) if "rho" in data else None,
            against=_text(data["against"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, binascii.Error):
        return None


def _text(value: Any) -> str:
    """A text that every file can hold: no NUL, no half of a pair.  Raises TypeError, ValueError."""
    if not isinstance(value, str):
        raise TypeError
    value.encode()
    if "\0" in value:
        raise ValueError
    return value


def _field(value: Any) -> str:
    """The name of a number: no path in a file."""
    name = _text(value)
    if not name or "/" in name or name in (".", "..") or len(name) > LONGEST_NAME:
        raise ValueError
    return name


def _count(value: Any) -> int:
    count = int(value)
    if not 0 <= count < 1 << 53:
        raise ValueError
    return count


def _one_of(value: Any, words: tuple[str, ...]) -> str:
    if value not in words:
        raise ValueError
    return str(value)


def _name(value: Any) -> str:
    """The name of a folder inside that of the sweep: no path that leads out of it."""
    name = _text(value)
    if "/" in name or "\\" in name or "\0" in name or name in (".", ".."):
        raise ValueError
    return name


def _density(text: Any, shape: Any) -> Array:
    values = np.frombuffer(base64.b64decode(_text(text), validate=True), dtype="<f8").astype(float)
    return values.reshape([int(n) for n in shape])
