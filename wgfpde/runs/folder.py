"""The run folder: who may write into it, what an earlier run left there, and its log.

    runs/NAME/  case.toml   the case as written          output.h5, output.xdmf   the run
                resolved.toml  with every default        checkpoint/              where it can go on from
                run.log     what happened, when

run.log is held locked for as long as a run writes into the folder, by the system: the lock ends with the process,
however that ends.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from ..base.amounts import size_text
from ..base.plain_text import one_line
from ..base.replaced_files import growing
from ..errors import CaseError, StoreError
from ..store import FILE_NAME
from ..store.checkpoint import clear

try:
    import fcntl
except ImportError:  # Windows: no lock, so that two runs in one folder are not noticed there
    fcntl = None  # type: ignore[assignment]

LOG_NAME = "run.log"
WRITTEN = (FILE_NAME, "output.xdmf", "case.toml", "resolved.toml")
"""What a run writes into its folder beside its log and its checkpoints, and all that `overwrite` removes."""


class Log:
    """run.log: one dated line per event, on disk at once, without characters that a terminal would obey."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def empty(self) -> None:
        """Forget an earlier run.  Raises OSError."""
        os.ftruncate(self._file.fileno(), 0)

    def __call__(self, text: str) -> None:
        with suppress(OSError):  # a full disk must not stop the run here: the store reports it
            self._file.write(f"{datetime.now().isoformat(timespec='seconds')}  {one_line(text)}\n".encode())


@contextmanager
def fresh(folder: Path, texts: Mapping[str, str], overwrite: bool) -> Iterator[Log]:
    """The folder for a new run, cleared of an earlier one, with the case written.

    texts : file name → text.   Raises CaseError where the folder is taken, StoreError where it cannot be written.
    """
    check(folder, overwrite)
    _check_files(folder)
    _check_texts(folder, texts)
    with _writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder) as log:
        check(folder, overwrite)  # again: nobody else can write now
        with _writable(folder):
            log.empty()
            for name in WRITTEN:
                (folder / name).unlink(missing_ok=True)
            _clear_parts(folder)
            clear(folder)
        write_texts(folder, texts)
        yield log


@contextmanager
def taken_up(folder: Path) -> Iterator[Log]:
    """The folder of a run that is to go on.  Raises CaseError where there is none, or another process writes there."""
    if not folder.is_dir() or not any((folder / name).is_file() for name in (FILE_NAME, "resolved.toml")):
        raise CaseError(f"{folder} is no run folder: expected {FILE_NAME} in it. Start a run with: wgfpde run CASE")
    _check_files(folder)
    with _locked(folder) as log:
        with _writable(folder):
            _clear_parts(folder)
        yield log


def check(folder: Path, overwrite: bool) -> None:
    """Raises CaseError where a run may not be written there."""
    if folder.exists() and not folder.is_dir():
        raise CaseError(f"{folder} is a file; give another folder with --out.")
    if (folder / FILE_NAME).exists() and not overwrite:
        raise CaseError(
            f"{folder} holds a run already; choose another folder with --out, replace it with --overwrite, "
            f"or go on with: wgfpde resume {shlex.quote(str(folder))}"
        )


def check_room(folder: Path, needed: float) -> None:
    """Raises CaseError where the disk has not the bytes that a run needs, before anything is written.

    What an earlier run left there counts as free, since it is replaced.
    """
    there = next((place for place in (folder, *folder.absolute().parents) if place.is_dir()), None)
    if there is None:
        return
    file = folder / FILE_NAME
    free = shutil.disk_usage(there).free + (file.stat().st_size if file.is_file() else 0)
    if needed > free:
        raise CaseError(
            f"this run writes {size_text(needed)} and {size_text(free)} are free in {there}; write fewer snapshots "
            '(output.every), take longer steps, take output.precision = "float32", or choose another folder with --out'
        )


def _clear_parts(folder: Path) -> None:
    """Remove what was being written under another name when a run was killed."""
    for name in WRITTEN:
        (folder / f"{name}.part").unlink(missing_ok=True)


def _check_files(folder: Path) -> None:
    """Raises CaseError where a pipe, a device or a folder has the name of a file of ours: it might never open or end.

    A log is written alone, and may go to a device.
    """
    for name in (LOG_NAME, *WRITTEN):
        path = folder / name
        odd = path.is_symlink() if name == LOG_NAME else False
        if path.exists() and (odd or not path.is_file()) and not (name == LOG_NAME and path.is_char_device()):
            raise CaseError(f"{path} is no regular file; remove it, or choose another folder with --out.")


def _check_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Raises CaseError where a folder that holds no run has files of other people under the names of ours."""
    if any((folder / name).exists() for name in (FILE_NAME, LOG_NAME)):
        return
    for name, text in texts.items():
        path = folder / name
        if path.exists() and path.read_text(encoding="utf-8", errors="replace") != text:
            raise CaseError(f"{path} is not of a run and would be replaced; choose another folder with --out.")


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files of text; each is whole at every moment.  Raises StoreError where that fails."""
    with _writable(folder):
        for name, text in texts.items():
            path, part = folder / name, folder / f"{name}.part"
            if path.exists() and path.read_bytes() == text.encode():
                continue
            try:
                part.write_bytes(text.encode())
                os.replace(part, path)
            except OSError:
                with suppress(OSError):
                    part.unlink(missing_ok=True)
                raise


@contextmanager
def _locked(folder: Path) -> Iterator[Log]:
    """The log, held by this process alone.  An exception that passes is noted in it."""
    path = folder / LOG_NAME
    with _writable(folder):
        file = growing(path, device=True)
    with file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CaseError(
                    f"{folder} is being written by another run{_owner(path)}; wait for it to end, stop it, or choose "
                    "another folder with --out."
                ) from None
            except OSError:
                pass  # a file system without locks
        log = Log(file)
        try:
            yield log
        except BaseException as error:
            log(f"stopped by {type(error).__name__}: {error}")
            raise


def _owner(log: Path) -> str:
    """ " (process 123)", from the last line of the log that names one."""
    with suppress(OSError):
        if found := re.findall(r"process (\d+)", log.read_text(encoding="utf-8", errors="replace")):
            return f" (process {found[-1]})"
    return ""


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot write to {folder}: {error.strerror or error}. Choose a writable folder with --out."
        ) from error
