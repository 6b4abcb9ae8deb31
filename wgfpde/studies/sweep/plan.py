"""What a sweep runs: every combination of the values of its keys, or row by row where they go together.

    params.theta = 0.5, 1, 2      solver.dt = 0.1, 0.05       six runs; together ("zip") as many as each has

Nothing is made before it is asked for: a run is known by its number, and the plan of a million runs takes no memory.
The *digest* of a run is what it depends on: the case as it was written without the keys that are varied, the data
files, the version of this program, and the values; of a case that was put together in Python also the values of its
functions on the grid.  Two runs with one digest are one run, in whatever sweep they stand.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ...base.toml import alike, flat, nested, plain, to_value
from ...cases.loading import override
from ...cases.overrides import absolute_paths, merge
from ...cases.schema import Case
from ...cases.varying import Vary
from ...errors import CaseError
from ...runs.provenance import checksum

MOST = 1_000_000
"""Runs of one sweep."""
TAKEN = frozenset(
    {"status", "message", "verdict", "folder", "steps", "wall_seconds", "t_end", "run", "snapshot", "times", "rho"}
    | {"x", "y", "x_cell", "y_cell", "case_toml"}
)
"""Names in the dataset that no key can have."""
NAME_LENGTH = 100
"""Letters of the name of a run folder."""


@dataclass(frozen=True, repr=False)
class Plan:
    """The runs of a sweep, numbered from 0; the last key changes fastest.

    case : the case that is varied.   varied : the keys.   zipped : whether they change together.
    made_of : digest of the functions of a case in Python that is only known by its tables, as from a folder.
    Raises CaseError where keys that change together have not as many values each, or there are more than MOST runs.
    """

    case: Case
    varied: tuple[Vary, ...]
    zipped: bool = False
    made_of: str = ""

    def __post_init__(self) -> None:
        counts = [len(v) for v in self.varied]
        if self.zipped and len(set(counts)) > 1:
            text = ", ".join(f"{v.key} has {len(v)}" for v in self.varied)
            raise CaseError(f"keys that are varied together need as many values each; {text}")
        if self.count > MOST:
            how = " × ".join(f"{count:,}" for count in counts)
            raise CaseError(
                f"a sweep has at most {MOST:,} runs; {how} = {self.count:,} were asked for; vary fewer values"
            )

    def __repr__(self) -> str:
        how = "together" if self.zipped else "in every combination"
        return f"Plan({self.count} runs of {self.case.title!r}: {', '.join(v.key for v in self.varied)}, {how})"

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """How many values there are along each dimension of the sweep."""
        counts = tuple(len(v) for v in self.varied)
        return counts[:1] if self.zipped else counts

    @cached_property
    def count(self) -> int:
        """How many runs there are."""
        return math.prod(self.shape)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A short name for each key, its last part, or all of it where two end alike; for folders and dimensions."""
        last = [v.key.rpartition(".")[2] for v in self.varied]
        often = Counter(last)
        taken = set(TAKEN)
        found = []
        for v, n in zip(self.varied, last, strict=True):
            name = v.key if often[n] > 1 or n in TAKEN else n
            found.append(unique(re.sub(r"[^\w-]", "_", name), taken))
        return tuple(found)

    def places(self, k: int) -> tuple[int, ...]:
        """Which value each key has in run k, from 0."""
        if self.zipped:
            return (k,) * len(self.varied)
        return tuple(int(i) for i in np.unravel_index(k, self.shape))

    def values(self, k: int) -> dict[str, Any]:
        """Key → value, of run k."""
        return {v.key: v.values[i] for v, i in zip(self.varied, self.places(k), strict=True)}

    def case_of(self, k: int) -> Case:
        """The case of run k.  Raises CaseError where its values make none."""
        return varied_case(self.case, self.values(k))

    def label(self, k: int) -> str:
        """The values of run k in words: "theta = 0.5, dt = 0.01"."""
        places = zip(self.names, self.varied, self.places(k), strict=True)
        return ", ".join(f"{name} = {v.text(i)}" for name, v, i in places)

    def folder(self, k: int) -> str:
        """The name of the folder of run k: "theta=0.5,dt=0.01"; with letters of its digest where values do not fit."""
        places = zip(self.names, self.varied, self.places(k), strict=True)
        exact = ",".join(f"{name}={_exact(v.values[i])}" for name, v, i in places)
        safe = re.sub(r"[^A-Za-z0-9._+=,-]+", "-", exact).strip("-.")[:NAME_LENGTH]
        return safe if safe == exact else f"{safe}-{self.digest(k)[:8]}"

    def digest(self, k: int) -> str:
        """What run k depends on, in 32 letters."""
        if (known := self._digests.get(k)) is None:
            values = self.values(k)
            files = {name: self._checksum(name) for name in _files(nested(values))} if self._may_name_files else {}
            text = json.dumps([self.base_digest, alike(values), files], sort_keys=True, default=str)
            known = self._digests[k] = hashlib.sha256(text.encode()).hexdigest()[:32]
        return known

    @cached_property
    def _digests(self) -> dict[int, str]:
        return {}

    @cached_property
    def _may_name_files(self) -> bool:
        return any(isinstance(value, str | Mapping) for v in self.varied for value in v.values)

    @cached_property
    def base(self) -> dict[str, Any]:
        """The tables of the case as they were written, without the keys that are varied."""
        data = plain(self.case._draft.data)
        for v in self.varied:
            *above, last = v.key.split(".")
            table: Any = data
            for name in above:
                table = table.get(name, {}) if isinstance(table, Mapping) else {}
            if isinstance(table, dict):
                table.pop(last, None)
        return data

    @cached_property
    def base_digest(self) -> str:
        """What all runs depend on alike."""
        files = {name: self._checksum(name) for name in _files(self.base)}
        known = alike({key: value for key, value in self.base.items() if key != "title"})
        about = [__version__, known, files, *([self.functions] if self.functions else [])]
        return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()

    @cached_property
    def functions(self) -> str:
        """Digest of the functions of a case that was put together in Python, by their values; "" for another.

        Functions of time, sinks and so on are not told apart by a few values: there no two plans have a run in common.
        """
        code = self.case._code
        if code is None:
            return self.made_of
        if code.driven or code.exact or code.sinks or code.dynamics or self.case.traits.path:
            return uuid.uuid4().hex
        from ...cases.building import build
        from ...runs.description import digest_of

        return digest_of(self.case, build(self.case))

    @cached_property
    def _sums(self) -> dict[str, str]:
        return {}

    def _checksum(self, name: str) -> str:
        if name not in self._sums:
            self._sums[name] = checksum(Path(name))
        return self._sums[name]


def unique(name: str, taken: set[str]) -> str:
    """A name that is not taken, which it is from now on."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def varied_case(case: Any, values: Mapping[str, Any]) -> Case:
    """A case, or what it was made from, with other values.   values : dotted key → value.  Raises CaseError."""
    tables: dict[str, Any] = {}
    for key, value in values.items():
        merge(tables, nested({key: value}))
    return override(case, tables, "--vary")


def _files(tables: Mapping[str, Any]) -> list[str]:
    """The paths of data files in tables, absolute."""
    found = plain(tables)
    absolute_paths(found, Path())
    texts = [value for _, value in flat(found) if isinstance(value, str) and value.startswith("/")]
    return [text for text in texts if Path(text).exists()]


def _exact(value: Any) -> str:
    """A value in as few letters as tell it from every other: 0.1, 64, fv, [64, 32]; a list of one is its entry."""
    if isinstance(value, Sequence) and not isinstance(value, str) and len(set(map(repr, value))) == 1:
        value = value[0]
    if isinstance(value, float):
        return f"{value:.10g}" if float(f"{value:.10g}") == value else repr(value)
    return value if isinstance(value, str) else to_value(value)
