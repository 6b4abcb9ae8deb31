"""References: what every packaged case gave on a coarse grid when it was last looked at, and what has changed since.

    |a − b| ≤ 1e-9 · scale      for the density at every output time and for every diagnostic

The scale of a density is its largest value at that time; those of diagnostics are `compare`'s, so that what rounding
leaves of a number that cancels is allowed for.  A reference says nothing about right and wrong: closed forms do.  It
says that a change of the code, of a library or of the machine has changed no result, or which ones it has.

A reference is one study file per case with the overrides it was made with.  Steps are few and large, minimisations are
solved far below the default gap, and what has no closed form is stopped early, before it amplifies what rounding
does: so a reference holds on another machine too.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import __version__
from ..base.packaged import PACKAGE, packaged_folder
from ..cases.loading import load
from ..cases.sources.case_files import presets
from ..errors import CaseError, SolverError, StoreError
from ..grid import Array
from ..output.compare.metrics import Metric, worst
from ..output.compare.run_records import diagnostic_metrics, scales_of_differences
from ..runs.runner import run as run_case
from ..store import Run, Study, Variable, read, read_study, study_of, write_study

__all__ = ["RTOL", "Change", "changes", "coarse", "folder", "names", "reference", "regenerate", "write"]

RTOL = 1e-9
NOISE = 1e-12
"""A reference from which a new run differs by no more is left as it is."""
KIND = "reference"
SNAPSHOTS, STEPS = 4, 16
"""After the start; and in all, where the steps are fixed."""
UNSETTLED = {
    "sharpness": "depends on which of several equal cells is taken for the peak",
    "min": "of a minimiser with vacuum it is any number below the rounding of the largest density",
}
"""Diagnostics that rounding may change, and why; they are stored and not compared."""
UNSETTLED_IN = {
    "crowd_motion_2d": {"entropy_gibbs": "takes the density through cells that are empty up to rounding"},
    "geodesic_2d": {"dissipation": "takes slopes of ln rho between cells that are empty up to rounding"},
    "jko_aggregation_2d": {
        "mean_y": "0 by symmetry, up to what the iteration on W leaves",
        "covariance_xy": "0 by symmetry, up to what the iteration on W leaves",
    },
}
"""The same for one case."""


@dataclass(frozen=True)
class Change:
    """How far a run lies from its reference.   worst : the number that fills most of its bound, None without one.

    value : the part of the bound it fills, times 1e-9: at most 1e-9 where the reference holds.
    arrays : of the density and of all diagnostics.   notes : sentences on what cannot be compared.
    """

    worst: Metric | None
    arrays: tuple[Metric, ...]
    notes: tuple[str, ...]

    @property
    def value(self) -> float:
        if self.notes or self.worst is None:
            return np.inf
        return RTOL * _filled(self.worst)


def folder() -> Path:
    """Where the references lie: beside the claims, in a source tree and in a wheel alike."""
    return (packaged_folder("validation") or PACKAGE.parent / "validation") / "reference"


def names() -> list[str]:
    """The packaged cases."""
    return list(presets())


def coarse(name: str) -> list[str]:
    """Overrides that make a packaged case small: few cells, few steps, and without a closed form a shorter span."""
    case = load(name)
    start, span = case.time.start, case.time.end - case.time.start
    if case.exact is None:
        span /= 4
    cells = [64] if case.dim == 1 else [24, 24]
    shorter = [f"grid.shape={cells}", f"time.end={start + span!r}", f"output.every={span / SNAPSHOTS!r}"]
    return [*shorter, *case.method.coarse(case.solver, span, STEPS)]


def reference(name: str, place: Path | None = None) -> Study:
    """The reference of a case.   place : the folder of all.  Raises StoreError where there is none."""
    path = (place or folder()) / f"{name}.h5"
    if not path.exists():
        raise StoreError(f"{path}: no such file. Make it with `wgfpde validate --regenerate {name}`.")
    found = read_study(path)
    if found.kind != KIND:
        raise StoreError(f"{path}: expected a reference, found a study of {found.kind}.")
    return found


def overrides(study: Study) -> list[str]:
    """Those that a reference was made with."""
    return list(json.loads(study.texts["overrides"]))


def write(path: Path, run: Run, name: str, texts: Sequence[str]) -> Path:
    """Write a run as the reference of a case.   texts : its overrides."""
    axes = [Variable(key, (key,), centers) for key, centers in zip("xy", run.centers, strict=False)]
    dims = ("t", *(axis.name for axis in reversed(axes)))
    variables = [
        Variable("t", ("t",), run.t, long_name="time"),
        *axes,
        Variable("rho", dims, np.asarray(run.rho[:]), long_name="density"),
        *(Variable(_dataset(key), ("t",), values) for key, values in run.diagnostics.items()),
    ]
    about = {"case": name, "made_with": f"wgfpde {__version__}"}
    about |= {key: run.attributes[key] for key in ("equation", "method", "kappa", "sobolev") if key in run.attributes}
    return write_study(path, study_of(KIND, variables, about, {"overrides": json.dumps(list(texts))}))


def changes(run: Run, study: Study) -> Change:
    """A run beside its reference."""
    notes = []
    if run.t.shape != study["t"].shape or not np.allclose(run.t, study["t"], rtol=1e-12, atol=0):
        notes.append(f"output times were {study['t'].tolist()} and are {run.t.tolist()}")
    elif np.shape(run.rho) != np.shape(study["rho"]):
        notes.append(f"the density had the shape {np.shape(study['rho'])} and has {np.shape(run.rho)}")
    if notes:
        return Change(None, (), tuple(notes))
    old = _as_run(run, study)
    if gone := sorted(set(old.diagnostics) - set(run.diagnostics)):
        notes.append(f"no longer there: {', '.join(gone)}")
    if new := sorted(set(run.diagnostics) - set(old.diagnostics)):
        notes.append(f"not there before: {', '.join(new)}")
    arrays = tuple(_metrics(run, old, study["rho"]))
    return Change(max(arrays, key=_filled), arrays, tuple(notes))


def regenerate(
    place: Path, chosen: Sequence[str] = (), done: Callable[[str, Change | None, bool], None] | None = None
) -> list[str]:
    """Make the references anew and return the names of those that were written.

    chosen : cases (default: all).   done : called after each case with its name, what changed (None where there was no
    reference) and whether it was written.  One that differs by rounding only stays as it is.
    Raises CaseError for an unknown case, StoreError where a file cannot be written, SolverError where a case does not
    finish.
    """
    for name in chosen:
        if name not in names():
            raise CaseError(f'there is no packaged case "{name}"; expected among {", ".join(names())}.')
    written = []
    for name in chosen or names():
        texts = coarse(name)
        with tempfile.TemporaryDirectory(prefix="wgfpde-reference-") as scratch:
            result = run_case(load(name, texts), Path(scratch) / name)
            if result.status != "finished":
                raise SolverError(f"{name} with {', '.join(texts)} {result.message}")
            run = read(result.folder)
            change = _since(run, name, place, texts)
            if needed := change is None or not change.value <= NOISE:
                write(place / f"{name}.h5", run, name, texts)
                written.append(name)
        if done is not None:
            done(name, change, needed)
    return written


def _since(run: Run, name: str, place: Path, texts: Sequence[str]) -> Change | None:
    if not (place / f"{name}.h5").exists():
        return None
    old = reference(name, place)
    if overrides(old) != list(texts):
        return Change(None, (), (f"overrides were {', '.join(overrides(old))} and are {', '.join(texts)}",))
    return changes(run, old)


def _metrics(run: Run, old: Run, rho: Array) -> Iterator[Metric]:
    now = np.asarray(run.rho[:])
    space = tuple(range(1, rho.ndim))
    scale = np.max(np.abs(rho), axis=space)
    difference = np.max(np.abs(now - rho), axis=space)
    yield worst("rho", np.where(np.isnan(difference), np.inf, difference), scale, RTOL * scale, run.t)
    volume = run.grid.cell_volume
    norms = {
        "error_l1": np.sum(rho * volume, axis=space),
        "error_l2": np.sqrt(np.sum(rho**2 * volume, axis=space)),
        "error_linf": scale,
    }
    scales = {key: float(np.max(values)) for key, values in norms.items()} | scales_of_differences(old)
    every = np.arange(len(run.t))
    unsettled = UNSETTLED | UNSETTLED_IN.get(str(old.attributes["case"]), {})
    shared = [key for key in old.diagnostics if key in run.diagnostics and key not in unsettled]
    yield from diagnostic_metrics(run, old, shared, every, every, RTOL, 0.0, scales)


def _as_run(run: Run, study: Study) -> Run:
    """A reference with the grid of the run, for the functions that compare."""
    held = {"t", "x", "y", "rho"}
    found = {key.removeprefix("of_"): study[key] for key in study.variables if key not in held}
    return Run(study.path, dict(study.attributes), study["t"], run.edges, run.boundary, found, {}, run.radial)


def _dataset(key: str) -> str:
    """Diagnostics named like a coordinate get another name in the file."""
    return f"of_{key}" if key in ("t", "x", "y", "rho") else key


def _filled(metric: Metric) -> float:
    if metric.difference == 0:
        return 0.0
    return metric.difference / metric.bound if metric.bound > 0 else np.inf
