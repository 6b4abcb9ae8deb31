"""Checkpoints: all that the rest of a march depends on, on disk at every moment.

    checkpoint/STEP.npz   the fields, the density of the last written snapshot, and one JSON text: t, dt, dt_next,
                          report, rows written, times spent

A checkpoint is written under another name, flushed to the disk and renamed, and only then is the oldest of three
removed: two whole ones are there from the second on, whatever happens.  Floats are kept to the last bit.  The archive
carries a checksum of each part, so that a damaged file is known as one and the other is taken.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import StoreError
from ..flow import Report, Snapshot
from ..grid import Array
from .layout import in_words

FOLDER = "checkpoint"
FORMAT = 1
KEPT = 2
FIELD = "field_"


@dataclass(frozen=True)
class Checkpoint:
    """Where a march stood.

    snapshot : the state.   previous : the density of the last snapshot in the file, or None before the first.
    previous_t : its time.   rows, step_rows : snapshots and steps in the file then.   digest : of the case.
    wall, cpu : seconds spent so far.
    """

    snapshot: Snapshot
    previous: Array | None
    previous_t: float
    rows: int
    step_rows: int
    digest: str
    wall: float = 0.0
    cpu: float = 0.0


def save(run_folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint; the older ones stay as they are until it is whole.

    Raises StoreError where it cannot be written: then nothing has changed.
    """
    folder = run_folder / FOLDER
    target = folder / f"{checkpoint.snapshot.step:012d}.npz"
    part = folder / "new.part"
    try:
        folder.mkdir(exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, **_arrays(checkpoint))
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
        _sync_folder(folder)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise StoreError(f"cannot write the checkpoint {target}: {in_words(error)} Make room on the disk.") from error
    for old in _files(folder)[KEPT:]:
        with suppress(OSError):
            old.unlink()
    return target


def checkpoints(run_folder: Path) -> Iterator[Checkpoint]:
    """The checkpoints of a run that can be read, the latest first; a damaged one is passed over.

    Raises StoreError for one that a newer version wrote.
    """
    for path in _files(run_folder / FOLDER):
        with suppress(OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            yield _load(path)


def _arrays(checkpoint: Checkpoint) -> dict[str, Any]:
    snapshot = checkpoint.snapshot
    state = {
        "format": FORMAT, "wgfpde_version": __version__,
        "t": snapshot.t, "step": snapshot.step, "dt": snapshot.dt, "dt_next": snapshot.dt_next,
        "report": asdict(snapshot.report),
    }  # fmt: skip
    rest = ("previous_t", "rows", "step_rows", "digest", "wall", "cpu")
    state |= {name: getattr(checkpoint, name) for name in rest}
    arrays: dict[str, Any] = {FIELD + name: values for name, values in snapshot.fields.items()}
    if checkpoint.previous is not None:
        arrays["previous"] = checkpoint.previous
    return arrays | {"state": np.array(json.dumps(state, default=lambda number: number.item()))}


def _load(path: Path) -> Checkpoint:
    with np.load(path, allow_pickle=False) as archive:
        state = json.loads(str(archive["state"]))
        if state["format"] > FORMAT:
            raise StoreError(
                f"{path} has format {state['format']}, written by wgfpde {state['wgfpde_version']}; "
                f"this version {__version__} reads formats up to {FORMAT}. Update wgfpde."
            )
        fields = {name.removeprefix(FIELD): archive[name] for name in archive.files if name.startswith(FIELD)}
        previous = archive["previous"] if "previous" in archive.files else None
    snapshot = Snapshot(
        t=state["t"],
        step=state["step"],
        fields=fields,
        dt=state["dt"],
        dt_next=state["dt_next"],
        report=Report(**state["report"]),
    )
    rest = {name: state[name] for name in ("previous_t", "rows", "step_rows", "digest", "wall", "cpu")}
    return Checkpoint(snapshot, previous, **rest)


def _files(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the latest first."""
    return sorted(folder.glob("*.npz"), reverse=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power failure, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
