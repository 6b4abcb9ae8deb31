"""The folder of a sweep: what it is a sweep of, who may write there, and its journals.

    DIR/sweep.json    the case, the keys and their values, what is kept of each run; with it the sweep goes on
    DIR/rows.jsonl    the runs that are done                   DIR/NAME=VALUE,…/   the run folders, where there are any
    DIR/sweep.h5  DIR/sweep.csv  DIR/sweep.png                   what came of it

sweep.lock is held locked, by the system, while a sweep writes there; the shares of an array hold it together, and each
a lock of its own.  No link is followed where something is written.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from ...base.plain_text import in_words
from ...base.replaced_files import BeingWritten, growing, whole_file
from ...base.toml import flat, shortened, show
from ...cases.loading import Draft, override
from ...cases.schema import Case
from ...cases.varying import Vary
from ...errors import CaseError, StoreError
from ..sweep_mark import SWEEP_FILE, is_sweep
from .plan import Plan

try:
    import fcntl
except ImportError:  # Windows: no lock
    fcntl = None  # type: ignore[assignment]

FILE, LOCK = SWEEP_FILE, "sweep.lock"
KIND = "wgfpde sweep"
LARGEST = 1 << 26
"""Bytes of sweep.json that are read."""
PATIENCE = 10.0
"""Seconds that a share waits for another to have written sweep.json."""


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
    """What a folder says of its sweep.   values : key → its values.   kept : what is kept of each run.

    functions : digest of those of a case that was put together in Python, which the folder does not hold; else "".
    """

    folder: Path
    case: Draft
    values: dict[str, list[Any]]
    zipped: bool
    kept: Kept
    base: dict[str, Any] = field(default_factory=dict)
    functions: str = ""

    def plan(self) -> Plan:
        """The sweep again.   Raises CaseError where the case is none any more."""
        case = override(self.case, {})
        varied = tuple(Vary(key, tuple(values)) for key, values in self.values.items())
        return Plan(case, varied, self.zipped, self.functions)


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
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise StoreError(f"{path} is not a sweep of wgfpde, or damaged: {shortened(str(error))}.") from error


def _known(folder: Path, data: Any) -> Known:
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise ValueError(f'expected "kind": "{KIND}"')
    if "\\u0000" in json.dumps(data) or not json.dumps(data, ensure_ascii=False).encode():  # also for halves of pairs
        raise ValueError("expected text without NUL")
    case, kept = data["case"], data["kept"]
    values = {str(key): list(values) for key, values in data["vary"]}
    if len(values) != len(data["vary"]) or not values or not all(values.values()):
        raise ValueError("expected keys with values")
    for value in (value for several in values.values() for value in several if isinstance(value, int)):
        float(value)
    if not isinstance(case["tables"], dict) or not isinstance(data["base"], dict) or not isinstance(data["zip"], bool):
        raise TypeError("expected tables")
    draft = Draft(case["tables"], {}, Path(str(case["path"])), str(case["text"]))
    folders = kept["folders"]
    series = tuple(str(name) for name in kept["series"])
    found = Kept(folders if folders is None else bool(folders), series, bool(kept["density"]), str(kept["against"]))
    return Known(folder, draft, values, data["zip"], found, data["base"], str(data.get("functions", "")))


def write_known(folder: Path, plan: Plan, kept: Kept) -> None:
    """Say what the folder is a sweep of.  Raises StoreError."""
    case: Case = plan.case
    data = {
        "kind": KIND, "zip": plan.zipped, "vary": [[v.key, list(v.values)] for v in plan.varied],
        "kept": asdict(kept),
        "base": plan.base, "functions": plan.functions,
        "case": {"tables": case._draft.data, "path": str(case.path), "text": case.text},
    }  # fmt: skip
    path = folder / FILE
    text = json.dumps(data, indent=1, ensure_ascii=False, default=str)
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if path.is_file() and path.stat().st_size <= LARGEST and path.read_bytes() == text.encode():
                return
            with whole_file(path) as part:
                part.write_text(text, encoding="utf-8")
            return
        except BeingWritten as error:  # by another share of the array
            if time.monotonic() > end:
                raise _unwritable(path, error) from error
            time.sleep(0.05)
        except OSError as error:
            raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(f"cannot write {path}: {in_words(error)} Choose a writable folder with --out.")


def check_folder(folder: Path, plan: Plan, overwrite: bool) -> None:
    """Raises CaseError where the folder holds another sweep, or other things, and `overwrite` was not said.

    Another sweep is one of another case; one over other values of the same keys goes on.
    """
    if folder.exists() and not folder.is_dir():
        raise CaseError(f"{folder} is a file; give another folder with --out.")
    if not folder.is_dir() or overwrite:
        return
    if not is_sweep(folder):
        if any(not file.name.startswith(LOCK) for file in folder.iterdir()):
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
    """The folder, for this process alone, or a share of an array in it, beside the other shares.

    Raises CaseError where another has it.
    """
    with ExitStack() as stack:
        _hold(folder, LOCK, stack, together=bool(share))
        if share:
            _hold(folder, f"{LOCK}-{share}", stack, together=False)
        yield


def _hold(folder: Path, name: str, stack: ExitStack, together: bool) -> None:
    """A lock file, until the stack closes.   together : with others that hold it so."""
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream: IO[bytes] = stack.enter_context(growing(path))
    except OSError as error:
        raise _unwritable(path, error) from error
    if fcntl is None:
        return
    try:
        fcntl.flock(stream, (fcntl.LOCK_SH if together else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CaseError(
            f"{folder} is being written by another sweep; wait for it to end, stop it, or choose another folder with "
            "--out."
        ) from None
    except OSError:
        pass  # a file system without locks
