"""A sweep on disk, as what one does with it in a notebook: its dataset, and the runs in its folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import store
from ...base.plain_text import one_line
from ...base.toml import plain, show, to_value
from ...errors import CaseError, StoreError
from ...store import Run, Study, read_study
from .dataset import FILE_NAME, KIND, VARIED

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, repr=False)
class Sweep:
    """A sweep on disk.   path : sweep.h5.   study : its arrays by name.   keys : the names of what was varied."""

    path: Path
    study: Study

    def __repr__(self) -> str:
        runs, done = self.study.attributes.get("runs", 0), self.study.attributes.get("finished", 0)
        return f"Sweep({str(self.folder)!r}: {done} of {runs} runs finished, over {', '.join(self.keys)})"

    def __getitem__(self, name: str) -> np.ndarray:
        """The values of a variable, by the dimensions of the sweep.   Raises CaseError where there is none."""
        if name not in self.study.variables:
            raise CaseError(f"{self.path} holds no {name!r}; it holds {', '.join(self.study.variables)}")
        return self.study[name]

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def keys(self) -> dict[str, str]:
        """Dimension, or name by run → the key of the case."""
        found = {v.long_name: v.name for v in self.study.variables.values() if v.description == VARIED}
        return {found[key]: key for key in str(self.study.attributes.get("keys", "")).split() if key in found}

    def run(self, **values: Any) -> Run:
        """The run at some values, from its folder: sweep.run(theta=0.5, kappa=0.3).

        Numbers are taken as the nearest.  Raises CaseError for a key that is missing or unknown, and StoreError where
        the run left no folder.
        """
        if set(values) != set(self.keys):
            raise CaseError(f"run: expected {', '.join(self.keys)}; found {', '.join(values) or 'nothing'}")
        folder = str(self["folder"][self._index(values)])
        if not folder:
            raise StoreError(f"{self.folder}: that run left no folder; run the sweep with folders, or the case alone.")
        if Path(folder).name != folder:
            raise StoreError(f"{self.path} names no run folder of its own: {one_line(folder)}. The file is damaged.")
        return store.read(self.folder / folder)

    def _index(self, values: Mapping[str, Any]) -> tuple[int, ...]:
        zipped = bool(self.study.attributes.get("zipped", 0))
        masks = []
        for name, value in values.items():
            known = self.study[name]
            if known.dtype.kind == "f":
                masks.append(np.abs(known - _number(name, value)))
                continue
            text = value if isinstance(value, str) else to_value(plain(value))
            if not np.any(known == text):
                raise CaseError(f"run: {name}: no run has {show(plain(value))}; there are {_listed(known)}")
            masks.append(np.where(known == text, 0.0, np.inf))
        best = [int(np.argmin(mask)) for mask in ([np.sum(masks, axis=0)] if zipped else masks)]
        if zipped and not np.isfinite(np.min(np.sum(masks, axis=0))):
            raise CaseError("run: no run has all of these values together")
        order = list(values) if not zipped else ["run"]
        dims = self.study.variables["folder"].dims
        return tuple(best[order.index(dim)] for dim in dims)

    def to_xarray(self) -> xarray.Dataset:
        """All of it in memory, a dimension for each key.   Raises CaseError where xarray is not installed."""
        xr = needed()
        names = [v for v in self.study.variables.values() if v.dims == (v.name,)]
        about = ("units", "long_name", "description")

        def entry(v: Any) -> tuple[tuple[str, ...], Any, dict[str, str]]:
            return v.dims, v.values, {name: getattr(v, name) for name in about}

        coordinates = {v.name: entry(v) for v in names}
        coordinates |= {name: entry(self.study.variables[name]) for name in self.keys}
        data = {v.name: entry(v) for v in self.study.variables.values() if v.name not in coordinates}
        return xr.Dataset(
            data, coordinates, {k: str(v) if isinstance(v, str) else v for k, v in self.study.attributes.items()}
        )


def _number(name: str, value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = np.nan
    if not np.isfinite(found):
        raise CaseError(f"run: {name}: expected a number, found {show(plain(value))}")
    return found


def _listed(known: np.ndarray, most: int = 8) -> str:
    found = list(dict.fromkeys(known.tolist()))
    return ", ".join(map(one_line, found[:most])) + (", …" if len(found) > most else "")


def needed() -> Any:
    """xarray.   Raises CaseError where it is not installed."""
    try:
        import xarray
    except ImportError:
        raise CaseError("a sweep as an xarray.Dataset needs xarray: pip install 'wgfpde[xarray]'") from None
    return xarray


def read_sweep(path: Path) -> Sweep:
    """The sweep of a folder, or of its sweep.h5.   Raises StoreError where there is none that can be read."""
    file = path / FILE_NAME if path.is_dir() else path
    study = read_study(file)
    if study.kind != KIND:
        raise StoreError(f"{file} holds a study of another kind: {study.kind}.")
    return Sweep(file, study)
