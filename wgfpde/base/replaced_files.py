"""A file is whole or it is the one before: it is written beside its place, by one process at a time, and renamed.

The part beside it is locked while it is written, by the system: the lock ends with the process, however it ends.  What
a process that was killed left there is written over by the next.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: no lock, so that two writers of one file are not noticed there
    fcntl = None  # type: ignore[assignment]


class BeingWritten(OSError):
    """Another process is writing the file."""


def regular(path: Path, flags: int, device: bool = False) -> int:
    """The handle of a regular file, which is no link, pipe or folder; opening it never waits.

    flags : O_RDONLY, or O_WRONLY | O_CREAT and so on.   device : whether it may be, or lead to, a character device.
    Raises OSError.
    """
    follow = device and path.is_char_device()
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags | (0 if follow else getattr(os, "O_NOFOLLOW", 0)), 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link; a pipe that nobody reads
            raise OSError(f"{path.name} is a link or a pipe, and no regular file") from None
        raise
    mode = os.fstat(handle).st_mode
    if not (stat.S_ISREG(mode) or (device and stat.S_ISCHR(mode))):
        os.close(handle)
        raise OSError(f"{path.name} is no regular file")
    return handle


def growing(path: Path, device: bool = False) -> IO[bytes]:
    """A file that only grows, made where there is none, unbuffered; arguments and errors as for `regular`."""
    return os.fdopen(regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, device), "ab", buffering=0)


@contextmanager
def whole_file(target: Path, keep_ending: bool = False) -> Iterator[Path]:
    """A path to write to, put in place of the target once it is whole; gone where an exception passes.

    keep_ending : whether the path ends as the target does, for writers that choose the format by that.
    Raises OSError where it cannot be written, BeingWritten where another process writes it.
    """
    name = f"{target.stem}.part{target.suffix}" if keep_ending else f"{target.name}.part"
    part = target.with_name(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = None if fcntl is None else _claim(part, target)
    try:
        yield part
        os.replace(part, target)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    finally:
        if lock is not None:
            os.close(lock)


def _claim(part: Path, target: Path) -> int:
    """The part, open and locked.  Another process may rename or remove it in between: then there is a new one."""
    while True:
        lock = os.open(part, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            if not stat.S_ISREG(os.fstat(lock).st_mode):
                raise OSError(errno.EINVAL, f"{part.name} stands beside it and is no regular file", str(part))
            _lock(lock, target)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock), os.stat(part)):
                    return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def _lock(handle: int, target: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = "it is being written by another process, whose end is to be waited for"
        raise BeingWritten(errno.EBUSY, text, str(target)) from None
    except OSError:
        pass  # a file system without locks
