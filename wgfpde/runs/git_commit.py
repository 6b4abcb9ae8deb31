"""The commit of a repository, read from its files as text: no git is run.

    .git/HEAD  →  a commit, or  ref: refs/heads/NAME  →  .git/refs/heads/NAME, else a line of .git/packed-refs

Git itself obeys the configuration of the repository that it is asked about, which may name commands to run
(`core.fsmonitor`, `filter.*.clean`); a case that came in somebody's archive would run them.  So no configuration is
read here, no symbolic link is followed, only plain files of bounded size are opened, and only hexadecimal digits come
back.
Whether files have changed since the commit, and whether it holds the folder at all, only git could tell: not known.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from ..base.packaged import PACKAGE, in_source_tree

SHOWN = 12
"""Digits of a commit that are kept."""
MOST_BYTES, MOST_PACKED = 4096, 2**24
"""Of HEAD or of a reference, and of packed-refs; what is longer counts as unknown."""
COMMIT = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
"""SHA-1, or SHA-256."""
REFERENCE = re.compile(r"refs(?:/(?!\.)(?:(?!\.\.)[^/\\:\x00-\x20\x7f-\x9f])+)+")
"""A name below refs/: no part is empty or begins with a dot, none climbs, none holds a blank or a control character."""


def commit_around(folder: Path) -> str:
    """The commit of the repository in which a folder lies: "0123456789ab (changes unknown)"; "" where none is found.

    The first .git on the way up counts, and only a folder: the file that a linked work tree or a submodule has there
    names a place elsewhere, which whoever sent the folder would choose.
    """
    for place in (folder, *folder.parents):
        if _kind(place / ".git"):
            return _in_words(_commit(place / ".git", place / ".git"))
    return ""


def own_commit() -> str:
    """That of the source tree that this package runs from, linked work trees included; "" once it is installed.

    Whoever could write a false .git there could write the code.
    """
    if not in_source_tree():
        return ""
    git = PACKAGE.parent / ".git"
    if stat.S_ISREG(_kind(git)):
        name = _plain_file(git, MOST_BYTES).decode("utf-8", "replace").strip()
        git = PACKAGE.parent / name.removeprefix("gitdir: ") if name.startswith("gitdir: ") else git
    shared = _plain_file(git / "commondir", MOST_BYTES).decode("utf-8", "replace").strip()
    return _in_words(_commit(git, git / shared))


def _in_words(commit: str) -> str:
    return f"{commit[:SHOWN]} (changes unknown)" if commit else ""


def _commit(git: Path, shared: Path) -> str:
    """The commit that HEAD names.   git : the folder of HEAD.   shared : that of the references."""
    if not (stat.S_ISDIR(_kind(git)) and stat.S_ISDIR(_kind(shared))):
        return ""
    head = _plain_file(git / "HEAD", MOST_BYTES).strip()
    if COMMIT.fullmatch(head):
        return head.decode()
    try:
        name = head.decode().removeprefix("ref: ")
    except UnicodeDecodeError:
        return ""
    if not head.startswith(b"ref: ") or not REFERENCE.fullmatch(name):
        return ""
    *above, _ = name.split("/")
    folders = [shared.joinpath(*above[: k + 1]) for k in range(len(above))]
    loose = _plain_file(shared / name, MOST_BYTES).strip() if all(stat.S_ISDIR(_kind(f)) for f in folders) else b""
    if COMMIT.fullmatch(loose):
        return loose.decode()
    packed = _plain_file(shared / "packed-refs", MOST_PACKED)
    found = re.search(rb"^(%s) %s\r?$" % (COMMIT.pattern, re.escape(name.encode())), packed, re.MULTILINE)
    return found[1].decode() if found else ""


def _kind(path: Path) -> int:
    """The mode of what is there, a link as such; 0 where nothing is, or it cannot be looked at."""
    try:
        return os.lstat(path).st_mode
    except (OSError, ValueError):
        return 0


def _plain_file(path: Path, most: int) -> bytes:
    """The bytes of a plain file; b"" for anything else, a longer one included.  Waits for no pipe, opens no device."""
    if not stat.S_ISREG(_kind(path)):
        return b""
    flags = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
    try:
        with open(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return b""
            found = file.read(most + 1)
    except OSError:
        return b""
    return found if len(found) <= most else b""
