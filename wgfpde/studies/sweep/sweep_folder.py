"""The folder of a sweep: what it is a sweep of, who may write there, and its journals.

    DIR/sweep.json    the case, the keys and their values, what is kept of each run; with it the sweep goes on
    DIR/rows.jsonl    the runs that are done                   DIR/NAME=VALUE,…/   the run folders, where there are any
    DIR/sweep.h5  DIR/sweep.csv  DIR/sweep.png                   what came of it

sweep.json is held locked, by the system, while a sweep writes there; each share of an array has a lock of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...base.toml import flat, shortened, show
from ...cases.loading import Draft, override
from ...cases.schema import Case
from ...cases.varying import Vary
from ...errors import CaseError, StoreError
from ...store.layout import in_words
from .plan import Plan

try:
    import fcntl
except ImportError:  # Windows: no lock
    fcntl = None  # type: ignore[assignment]

FILE, LOCK = "sweep.json", "sweep.lock"
KIND = "wgfpde sweep"
LARGEST = 1 << 26
"""Bytes of sweep.json that are read."""


@dataclass(frozen=True)
class Kept:
    """What is kept of each run beside its last diagnostics.

    folders : run folders; None: where runs are not small and many.   series : diagnostics for all snapshots.
    density : the last density.   against : a reference run, its HDF5 file, or "".
    """

    folders: bool | None = None
    series: tuple[str, ...] = ()
    density: bool = False
    against: str = ""


@dataclass(frozen=True, repr=False)
class Known:
    """What a folder says of its sweep.   values : key → its values.   kept : what is kept of each run."""

    folder: Path
    case: Draft
    values: dict[str, list[Any]]
    zipped: bool
    kept: Kept
    base: dict[str, Any] = field(default_factory=dict)

    def plan(self) -> Plan:
        """The sweep again.   Raises CaseError where the case is none any more."""
        case = override(self.case, {})
        return Plan(case, tuple(Vary(key, tuple(values)) for key, values in self.values.items()), self.zipped)


def is_sweep(folder: Path) -> bool:
    """Whether a folder says that it holds a sweep."""
    return (folder / FILE).is_file()


def read_known(folder: Path) -> Known:
    """What a folder says of its sweep.   Raises StoreError for what is none."""
    path = folder / FILE
    try:
        if path.stat().st_size > LARGEST:
            raise StoreError(f"{path} is larger than any sweep's; it is not read.")
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{folder} holds no sweep: expected {FILE} in it.") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {in_words(error)}") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is no JSON: {shortened(str(error))}.") from error
    try:
        return _known(folder, data)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise StoreError(f"{path} is not a sweep of wgfpde, or damaged: {shortened(str(error))}.") from error


def _known(folder: Path, data: Any) -> Known:
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise ValueError(f'expected "kind": "{KIND}"')
    case, kept = data["case"], data["kept"]
    values = {str(key): list(values) for key, values in data["vary"]}
    if not isinstance(case["tables"], dict) or not isinstance(data["base"], dict) or not isinstance(data["zip"], bool):
        raise TypeError("expected tables")
    draft = Draft(case["tables"], {}, Path(str(case["path"])), str(case["text"]))
    folders = kept["folders"]
    series = tuple(str(name) for name in kept["series"])
    found = Kept(folders if folders is None else bool(folders), series, bool(kept["density"]), str(kept["against"]))
    return Known(folder, draft, values, data["zip"], found, data["base"])


def write_known(folder: Path, plan: Plan, kept: Kept) -> None:
    """Say what the folder is a sweep of.  Raises StoreError."""
    case: Case = plan.case
    data = {
        "kind": KIND, "zip": plan.zipped, "vary": [[v.key, list(v.values)] for v in plan.varied],
        "kept": asdict(kept),
        "base": plan.base,
        "case": {"tables": case._draft.data, "path": str(case.path), "text": case.text},
    }  # fmt: skip
    path, part = folder / FILE, folder / f"{FILE}.part"
    try:
        part.write_text(json.dumps(data, indent=1, ensure_ascii=False, default=str), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {in_words(error)} Choose a writable folder with --out.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def check_folder(folder: Path, plan: Plan, overwrite: bool) -> None:
    """Raises CaseError where the folder holds another sweep, or other things, and `overwrite` was not said.

    Another sweep is one of another case; one over other values of the same keys goes on.
    """
    if folder.exists() and not folder.is_dir():
        raise CaseError(f"{folder} is a file; give another folder with --out.")
    if not folder.is_dir() or overwrite:
        return
    if not is_sweep(folder):
        if any(folder.iterdir()):
            raise CaseError(f"{folder} holds something else than a sweep; choose another folder with --out.")
        return
    if why := difference(read_known(folder), plan):
        raise CaseError(f"{folder} holds another sweep: {why}. Choose another folder with --out, or add --overwrite.")


def difference(known: Known, plan: Plan) -> str:
    """In what a known sweep is of another case, or varies other keys; "" where it is the same."""
    keys = [v.key for v in plan.varied]
    if set(known.values) != set(keys):
        return f"it varies {', '.join(known.values)}, not {', '.join(keys)}"
    before, now = dict(flat(known.base)), dict(flat(json.loads(json.dumps(plan.base, default=str))))
    for key in [*before, *now]:
        if key != "title" and before.get(key) != now.get(key):
            was, wanted = (show(side[key]) if key in side else "absent" for side in (before, now))
            return f"its {key} is {was}, not {wanted}"
    return ""


@contextmanager
def locked(folder: Path, share: str = "") -> Iterator[None]:
    """The folder, for this process alone, or a share of an array in it.   Raises CaseError where another has it."""
    path = folder / (f"{LOCK}-{share}" if share else LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = path.open("ab")
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {in_words(error)} Choose a writable folder with --out.") from error
    with stream:
        if fcntl is not None:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CaseError(
                    f"{folder} is being written by another sweep; wait for it to end, stop it, or choose another "
                    "folder with --out."
                ) from None
            except OSError:
                pass  # a file system without locks
        yield
