"""A function that was given in Python, with the values that a run asked of it: what a file keeps in its place.

V, W, D and the like are asked at places that follow from the grid alone, the same in every run on it.  A record of the
answers therefore gives every number of the run again, to the last bit, without the function.  Where many places are
asked for one result, as for the averages of W over cells, the result is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ...errors import CaseError
from ..grid import Array, Grid
from .table import Table
from .tabulated import Tabulated

KEY_BYTES = 16
"""Of the digest that stands for places."""


@dataclass
class Budget:
    """Bytes that a record may still take; once they are spent it holds nothing any more."""

    left: int

    def spend(self, size: int) -> bool:
        """Whether there is room for so many bytes more."""
        self.left -= size
        return self.left >= 0


@dataclass(eq=False, repr=False)
class Kept:
    """A function f(x=…[, y=…]) and what is known of it.

    name : of the key that it stands for, such as "energy.potential".   function : itself, None where a file was read.
    values : digest of places → values there.   results : what was made of it from many places, by name: the operator of
    W, on the lags of a uniform grid or between all pairs of cells; the curvature of V.
    budget : of the record, None where nothing is recorded any more.
    between : the grid on whose cells it may be interpolated elsewhere, by cubics; None where other places are refused.
    strict : refuse them all the same, but for integrals: what a run computes would be another run.
    """

    name: str
    function: Callable[..., Any] | None = None
    values: dict[bytes, Array] = field(default_factory=dict)
    results: dict[str, Array] = field(default_factory=dict)
    budget: Budget | None = None
    between: Grid | None = None
    strict: bool = False

    @property
    def text(self) -> str:
        """As the user wrote it, where that is known."""
        return str(getattr(self.function, "text", ""))

    @property
    def __name__(self) -> str:
        return str(getattr(self.function, "__name__", "a function in Python"))

    def __call__(self, **places: Array) -> Array:
        """Its values.  Raises CaseError where they are not known."""
        key = digest_of(places)
        if key in self.values:
            return self.values[key].copy()
        if self.function is None:
            if self.strict:
                raise CaseError(self._refusal)
            return self._elsewhere(**places)
        found = np.array(self.function(**places), dtype=float)
        if self.budget is not None and self.budget.spend(found.nbytes + KEY_BYTES):
            self.values[key] = found
            return found.copy()
        return found

    def result(self, name: str, find: Callable[[Callable[..., Any]], Any], shape: tuple[int, ...]) -> Array:
        """What is made of it from many places, which need not be kept then.   find : from a function to the result.

        Raises CaseError where a file holds none of this shape.
        """
        if name not in self.results and self.function is not None:
            found = np.array(find(self.function), dtype=float)
            if self.budget is not None and self.budget.spend(found.nbytes):
                self.results[name] = found
            return found
        if name not in self.results or self.results[name].shape != shape:
            raise CaseError(self._refusal)
        return self.results[name].copy()

    def in_integrals(self) -> Callable[..., Any]:
        """The same for integrals, whose many places are not recorded: itself, or the cubics through its values."""
        return self.function or self._elsewhere

    def _elsewhere(self, **places: Array) -> Array:
        if self._cubic is None:
            raise CaseError(self._refusal)
        return self._cubic(**places)

    @property
    def _refusal(self) -> str:
        return (
            f"{self.name}: a function in Python, of which the file keeps the values at the places that its run asked "
            "for, and other places are asked for now; put the case together again in Python, and give it: "
            "wgf.resume(folder, case=case)"
        )

    @cached_property
    def _cubic(self) -> Tabulated | None:
        """Between the centres of cells."""
        if self.between is None or (here := self.values.get(digest_of(self.between.coordinates()))) is None:
            return None
        table = Table(tuple(a.centers for a in self.between.axes), np.broadcast_to(here, self.between.shape), self.name)
        return Tabulated(table, "cubic", "nearest").on(self.between)


def in_integrals(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function for integrals over all of the box, which ask it at many places; itself unless it is `Kept`."""
    return function.in_integrals() if isinstance(function, Kept) else function


def result_of(
    function: Callable[..., Any], name: str, find: Callable[[Callable[..., Any]], Any], shape: tuple[int, ...] = ()
) -> Any:
    """What is made of a function; of one that is `Kept` only once, and then known by its name in the file too."""
    return function.result(name, find, shape) if isinstance(function, Kept) else find(function)


def digest_of(places: dict[str, Any]) -> bytes:
    """What stands for places: the same for the same numbers, of the same shapes."""
    digest = hashlib.blake2b(digest_size=KEY_BYTES)
    for name in sorted(places):
        values = np.ascontiguousarray(places[name], dtype=float)
        digest.update(f"{name}{np.shape(places[name])}".encode())
        digest.update(values.tobytes())
    return digest.digest()
