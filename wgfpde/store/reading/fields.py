"""The arrays of a run over time, each read from disk when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ...grid import Array
from .opening import opened

if TYPE_CHECKING:
    from .reader import Run


class Stored:
    """The densities of a run, or another of its fields, oldest first; each is read when asked for, as float64.

    stored[k] : of snapshot k (negative from the end), an array of the shape of one.   stored[a:b] : stacked.
    shape : (n, …), of densities (n, nx) or (n, ny, nx).   np.asarray(stored) reads them all.
    """

    def __init__(self, run: Run, name: str, each: tuple[int, ...] | None = None) -> None:
        self._run, self._name = run, name
        self._each = tuple(len(e) - 1 for e in reversed(run.edges)) if each is None else each

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self._run), *self._each)

    def __len__(self) -> int:
        return len(self._run)

    def __getitem__(self, k: Any) -> Array:
        """Raises StoreError where there is no such snapshot."""
        place = slice(*k.indices(len(self))) if isinstance(k, slice) else self._run.find(index=int(k))
        with opened(self._run.path, checked=True) as file:
            return np.asarray(file[self._name][place], dtype=float)

    def __iter__(self) -> Iterator[Array]:
        return (self[k] for k in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)

    def __repr__(self) -> str:
        what = "densities" if self._name == "rho" else self._name
        return f"{what} of {len(self)} snapshots, each of shape {self.shape[1:]}"
