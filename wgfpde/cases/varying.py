"""Keys of a case that are varied: "grid.shape=64,128,256" or "params.sigma=0.2:0.6:41" → the cases that are meant.

From Python also a list of such texts, or {"grid.shape": [64, 128, 256]}.

a,b,c        these values, as TOML or as text; a list holds its own commas: [64, 32],[128, 64]
a:b:n        n numbers from a to b, evenly spaced, both included
a:b:n:log    the same, evenly spaced in their logarithms
grid.shape   one number means that many cells on every axis
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from ..base.toml import alike, flat, nested, plain, shortened, show, to_value
from ..errors import CaseError
from .loading import override
from .overrides import parse_value
from .schema import Case

EXAMPLE = "for example grid.shape=64,128,256 or params.sigma=0.2:0.6:41"
MOST_VALUES = 10_000
"""That a key may take: each is a case."""

Given = str | Sequence[str] | Mapping[str, Any]
"""A text as on the command line, several of them, or values by key."""


@dataclass(frozen=True, repr=False)
class Vary:
    """A key and the values that it takes, in the order given."""

    key: str
    values: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"Vary({self.key}: {shortened(', '.join(map(self.text, range(len(self)))))})"

    def override(self, k: int) -> dict[str, Any]:
        """The k-th value as nested tables, for `loading.override`."""
        return nested({self.key: self.values[k]})

    @property
    def numbers(self) -> np.ndarray:
        """The values as numbers: of lists the first entry; NaN where there is none."""
        found = [value[0] if isinstance(value, list) and value else value for value in self.values]
        numeric = (int, float)
        return np.array([float(v) if isinstance(v, numeric) and not isinstance(v, bool) else math.nan for v in found])

    def text(self, k: int) -> str:
        """The k-th value in a few letters: "64", "[64, 32]", "0.01"; a list of one is its entry."""
        value = self.values[k]
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        return value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else to_value(value)


def varied_by(given: Given | Sequence[Vary], case: Case, together: bool = True, most: int = MOST_VALUES) -> list[Vary]:
    """The keys that are varied, from whatever says so.   Raises CaseError, also where nothing does.

    together : whether they change together, so that a value may stand twice where another key tells the two apart.
    """
    if isinstance(given, Mapping):
        found = vary_values(given, case, together, most)
    elif isinstance(given, str):
        found = vary([given], case, together, most)
    else:
        items = list(given) if isinstance(given, Sequence) else [given]
        if items and all(isinstance(item, Vary) for item in items):
            return [item for item in items if isinstance(item, Vary)]
        if not all(isinstance(item, str) for item in items):
            raise CaseError(f"vary: expected a text, a list of texts or a mapping, found {show(given)}; {EXAMPLE}")
        found = vary([item for item in items if isinstance(item, str)], case, together, most)
    if not found:
        raise CaseError(f"vary: expected a key and its values, found none; {EXAMPLE}")
    return found


def vary(items: Sequence[str], case: Case, together: bool = True, most: int = MOST_VALUES) -> list[Vary]:
    """The keys that are varied, as on the command line.   together : whether they change together.

    most : values of a key.

    Raises CaseError for what is no KEY=VALUE,…, a key that is given twice, or one that the case does not have.
    """
    found: dict[str, Vary] = {}
    for item in items:
        key, equals, text = item.partition("=")
        key = ".".join(part.strip() for part in key.split("."))
        if not equals or not all(key.split(".")) or not text.strip():
            raise CaseError(f"--vary {item}: expected KEY=VALUE,VALUE,…; {EXAMPLE}")
        if key in found:
            raise CaseError(f"--vary {item}: {key} was given already")
        parts = _split(text)
        _check_number(f"--vary {shortened(item)}", len(parts), most)
        if not all(parts):
            raise CaseError(f"--vary {item}: a value is missing between two commas, or at an end")
        values = _range(item, text, most) or [parse_value(part) for part in parts]
        found[key] = _made(f"--vary {item}", key, values, case)
    return _distinct(list(found.values()), together)


def vary_values(given: Mapping[str, Any], case: Case, together: bool = True, most: int = MOST_VALUES) -> list[Vary]:
    """The same from Python: {"grid.shape": [64, 128, 256], "solver.dt": [0.02, 0.01, 0.005]}.

    Values may be NumPy's; lists of numbers, as of cells, may be tuples; a text is read as on the command line.
    Raises CaseError.
    """
    found = []
    for key, values in given.items():
        if isinstance(values, str):
            found += vary([f"{key}={values}"], case, most=most)
            continue
        try:
            numbers = [plain(value) for value in islice(values, most + 1)]
        except TypeError:
            raise CaseError(f'"{key}": expected a list of values, found {show(values)}; {EXAMPLE}') from None
        _check_number(f'"{key}"', len(numbers), most)
        found.append(_made(f'"{key}"', str(key), numbers, case))
    return _distinct(found, together)


def _check_number(where: str, count: int, most: int) -> None:
    """Refuse more values than `most` before they are there.   where : what the message begins with."""
    if count > most:
        found = f"{count}" if count > most + 1 else f"more than {most}"
        raise CaseError(f"{where}: expected at most {most} values, a case each, found {found}; take fewer")


def _made(where: str, key: str, values: list[Any], case: Case) -> Vary:
    """where : what messages begin with."""
    _check_key(where, key, values, case)
    if key == "grid.shape":
        values = [[v] * case.dim if isinstance(v, int) and not isinstance(v, bool) else v for v in values]
    if not values:
        raise CaseError(f"{where}: expected at least one value, found none")
    return Vary(key, tuple(values))


def _distinct(varied: list[Vary], together: bool = True) -> list[Vary]:
    """Raises CaseError where a value is given twice and no other key tells the two apart."""
    if not together:
        return [v for one in varied for v in _distinct([one])]
    rows = list(zip(*([to_value(alike(value)) for value in v.values] for v in varied), strict=False))
    seen: set[tuple[str, ...]] = set()
    for k, row in enumerate(rows):
        if row not in seen:
            seen.add(row)
            continue
        raise CaseError(f"{', '.join(f'{v.key} = {v.text(k)}' for v in varied)} is given twice; leave one out")
    return varied


def together(case: Case, varied: Sequence[Vary]) -> list[Case]:
    """The cases where all keys take their k-th values at once.  Raises CaseError where their counts differ."""
    counts = {len(v) for v in varied}
    if len(counts) > 1:
        text = ", ".join(f"{v.key} has {len(v)}" for v in varied)
        raise CaseError(f"keys that are varied together need as many values each; {text}")
    cases = []
    for k in range(max(counts, default=0)):
        changed = case
        for v in varied:
            changed = override(changed, v.override(k), "--vary")
        cases.append(changed)
    return cases


def _check_key(where: str, key: str, values: Sequence[Any], case: Case) -> None:
    """A key need not be in the file, but a misspelt parameter must not pass: it would change nothing.

    The key of a whole table has tables as its values.
    """
    if key.startswith("params.") and key.removeprefix("params.") not in case.params:
        known = [f"params.{name}" for name in case.params]
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known) or 'none'}"
        raise CaseError(f"{where}: the case has no {key}{hint}")
    if "." not in key and not (values and all(isinstance(value, Mapping) for value in values)):
        known = [name for name, _ in flat(case.model_dump(by_alias=True, exclude_none=True))]
        near = [name for name in known if name.endswith(f".{key}")] or difflib.get_close_matches(key, known, cutoff=0.4)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise CaseError(f"{where}: expected a key inside a table{hint}")


def _range(item: str, text: str, most: int) -> list[Any]:
    """a:b:n as numbers; empty where the text is none: texts and lists may hold colons of their own."""
    parts = text.split(":")
    if len(parts) == 1 or any(mark in text for mark in "\"'[{,"):
        return []
    form = "FIRST:LAST:COUNT, or FIRST:LAST:COUNT:log,"
    try:
        first, last, count = float(parts[0]), float(parts[1]), int(parts[2])
    except (ValueError, IndexError):
        raise CaseError(f"--vary {item}: expected {form} found {text}; {EXAMPLE}") from None
    if parts[3:] not in ([], ["log"]) or count < 2 or not (math.isfinite(first) and math.isfinite(last)):
        raise CaseError(f"--vary {item}: expected {form} with a count of at least 2, found {text}")
    _check_number(f"--vary {item}", count, most)
    if parts[3:] and not first * last > 0:
        raise CaseError(f"--vary {item}: logarithms need ends of one sign and not 0, found {parts[0]} and {parts[1]}")
    values = np.geomspace(first, last, count) if parts[3:] else np.linspace(first, last, count)
    return [float(f"{value:.15g}") for value in values]


def _split(text: str) -> list[str]:
    """At the commas outside brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if letter in "\"'" and quote in ("", letter):
            quote = "" if quote else letter
        depth += 0 if quote else (letter in "[{(") - (letter in "]})")
        if letter == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
