"""Checkpoints: all that the rest of a march depends on, on disk at every moment.

    checkpoint/STEP.npz   the fields, the density of the last written snapshot, and one JSON text: t, dt, dt_next,
                          report, rows written, times spent

A checkpoint is written under another name, flushed to the disk and renamed, and only then is the oldest of three
removed: two whole ones are there from the second on, whatever happens.  The output file, whose rows it counts on, is
flushed before it; a checkpoint before there is one counts for nothing until it comes, and is not flushed.  Floats are
kept to the last bit.  The text names every array with its checksum, so that a damaged file is known as one and the
other is taken.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..base.plain_text import in_words
from ..energy.snapshot import Report, Snapshot
from ..errors import StoreError
from ..grid import Array
from .layout import FILE_NAME
from .reading.structure import check_regular
from .replacing import sync

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
        lasting = (run_folder / FILE_NAME).is_file()
        if lasting:
            sync(run_folder / FILE_NAME)
        with part.open("wb") as file:
            np.savez(file, **_arrays(checkpoint))
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        os.replace(part, target)
        if lasting:
            sync(folder)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise StoreError(f"cannot write the checkpoint {target}: {in_words(error)} Make room on the disk.") from error
    below = [path for path in _files(folder) if path.name < target.name]
    for path in set(_files(folder)) - {target, *below[: KEPT - 1]}:  # those of later steps were given up
        with suppress(OSError):
            path.unlink()
    return target


def clear(run_folder: Path) -> None:
    """Remove the checkpoints of a run, and their folder where it holds nothing else."""
    folder = run_folder / FOLDER
    for path in (*_files(folder), folder / "new.part"):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def checkpoints(run_folder: Path) -> Iterator[Checkpoint]:
    """The checkpoints of a run, the latest first; a damaged one is passed over.

    Raises StoreError for one that a newer version wrote, or that the system does not let us read: that is no damage.
    """
    for path in _files(run_folder / FOLDER):
        check_regular(path)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise StoreError(f"cannot read the checkpoint {path}: {in_words(error)} Try again later.") from error
        try:
            found = _load(path, content)
        except (StoreError, MemoryError):
            raise
        except Exception:  # a damaged archive fails in a dozen ways
            continue
        yield found


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
    state["arrays"] = {name: _digest(values) for name, values in arrays.items()}
    return arrays | {"state": np.array(json.dumps(state, default=lambda number: number.item()))}


def _digest(values: Array) -> str:
    """A checksum of an array, its shape and type included."""
    about = f"{values.dtype.str} {values.shape} ".encode()
    return hashlib.blake2b(about + np.ascontiguousarray(values).tobytes(), digest_size=16).hexdigest()


def _load(path: Path, content: bytes) -> Checkpoint:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        state = json.loads(str(_array(archive, "state")))
        if state["format"] > FORMAT:
            raise StoreError(
                f"{path} has format {state['format']}, written by wgfpde {state['wgfpde_version']}; "
                f"this version {__version__} reads formats up to {FORMAT}. Update wgfpde."
            )
        arrays = {name: _array(archive, name) for name in state["arrays"]}
    if any(_digest(values) != state["arrays"][name] for name, values in arrays.items()):
        raise ValueError(f"{path} is damaged")
    fields = {name.removeprefix(FIELD): values for name, values in arrays.items() if name.startswith(FIELD)}
    snapshot = Snapshot(
        t=state["t"],
        step=state["step"],
        fields=fields,
        dt=state["dt"],
        dt_next=state["dt_next"],
        report=Report(**state["report"]),
    )
    _check_state(path, state)
    rest = {name: state[name] for name in ("previous_t", "rows", "step_rows", "digest", "wall", "cpu")}
    return Checkpoint(snapshot, arrays.get("previous"), **rest)


def _array(archive: zipfile.ZipFile, name: str) -> Array:
    """An array of the archive.  Raises ValueError where it claims more bytes than are there, before any are taken."""
    about = archive.getinfo(f"{name}.npy")
    with archive.open(about) as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if about.compress_type != zipfile.ZIP_STORED or math.prod(shape) * dtype.itemsize > about.file_size:
        raise ValueError(f"{name} is packed, or claims more than is there")
    with archive.open(about) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _check_state(path: Path, state: dict[str, Any]) -> None:
    """Raises ValueError where a number of the state is none, or cannot be."""
    said = state["report"]
    texts = {"digest": state["digest"], "note": said.get("note", ""), "limit": said.get("limit", "")}
    numbers = {name: state[name] for name in ("t", "dt", "dt_next", "previous_t", "wall", "cpu")}
    counts = {name: state[name] for name in ("step", "rows", "step_rows")}
    report = {name: value for name, value in said.items() if name not in ("note", "limit", "more")}
    report |= said.get("more", {})
    wrong = [name for name, value in texts.items() if not isinstance(value, str)]
    wrong += [name for name, value in {**numbers, **report}.items() if not _is_number(value)]
    wrong += [name for name, value in numbers.items() if value != value]
    wrong += [name for name, value in counts.items() if type(value) is not int or not 0 <= value < 2**53]
    if wrong or numbers["dt"] < 0 or numbers["dt_next"] < 0:
        raise ValueError(f"{path}: {', '.join(wrong) or 'a step'} cannot be")


def _is_number(value: Any) -> bool:
    """Whether a value of JSON is a number that a float holds."""
    return isinstance(value, float) or (type(value) is int and abs(value) < 2**63)


def _files(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the latest first."""
    return sorted((path for path in folder.glob("*.npz") if re.fullmatch(r"\d{12}", path.stem)), reverse=True)
