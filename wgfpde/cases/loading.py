"""TOML → validated `Case`: includes, overrides, and the defaults that depend on other keys.

A case is read with the standard library, merged with its `include`s and overrides, validated strictly and
completed with every default: `Case.resolved_toml()` is the whole truth about a run.

    title         the file's stem
    boundary      "no-flux" on every axis
    solver        fv, order 2; what depends on the span as the method says, as solver.dt = (end − start)/200
    sampling      what the method asks for, "average" for most
    output.every  (end − start)/10, where `times` is absent; with steps of one size the next multiple of it

Where each value came from is kept: `Case.sources` says "default", "file" (or which included file), "command line".

Every failure is a CaseError (exit code 2) of one line per mistake: file, key path, what was expected, what
was found, and the nearest valid name.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .. import store
from ..base.toml import flat, plain, show, to_toml
from ..errors import CaseError
from ..store.reading.structure import check_regular
from .messages import no_key_to_remove, sentences
from .overrides import absolute_paths, as_tables, merge, removals
from .schema import Case
from .sources.case_files import existing, find_case, parsed, presets
from .sources.python_code import code_of
from .table_places import validated
from .times import asked_spans, check_count, check_multiples, output_times

FIXED = {"grid", "energy", "dynamics", "initial", "exact", "params"}
"""Tables of a case in Python that nothing is laid over."""


@dataclass(frozen=True)
class Draft:
    """A case as it was written, before its defaults.

    data : its tables, includes merged.   sources : dotted key → where its value comes from.   path : as messages name
    it.   text : as the user wrote it.   run : the run that it was read from, or None.
    """

    data: dict[str, Any] = dataclasses.field(repr=False)
    sources: Mapping[str, str] = dataclasses.field(repr=False)
    path: Path
    text: str = dataclasses.field(repr=False)
    run: store.Run | None = None


def load(path: Path | str, overrides: Sequence[str] | Mapping[str, Any] = ()) -> Case:
    """Read and validate a case: a case file, a packaged preset by its name, or the one that a run (folder, file) keeps.

    overrides : "a.b=value" strings, as on the command line (the value is read as TOML, else as text; without one the
    key is removed), or nested tables.
    Raises CaseError, and StoreError for an output file that cannot be read.
    """
    inside = Path(path) / store.FILE_NAME
    if inside.is_file() and str(path) not in presets():
        path = inside
    if Path(path).suffix in (".h5", ".hdf5"):
        return override(stored(store.read(path)), overrides)
    file = find_case(path)
    data, sources = _read(file, ())
    return override(Draft(data, sources, file, file.read_text(encoding="utf-8")), overrides)


def loads(text: str, source: Path | str = "case", folder: Path | str = ".") -> Case:
    """The same from TOML text, such as the one kept in an output file; relative paths start from `folder`."""
    data, sources = _merged(parsed(text, Path(source)), Path(source), Path(folder), ())
    return _validate(Draft(data, sources, Path(source), text))


def from_mapping(data: Mapping[str, Any], source: Path | str = "case", folder: Path | str = ".") -> Case:
    """The same from nested dictionaries, for scripts."""
    draft = loads(to_toml(plain(data)), source, folder)._draft
    return _validate(dataclasses.replace(draft, sources=dict.fromkeys(draft.sources, "Python")))


def stored(run: store.Run) -> Draft:
    """The case of a run: with every value as it was, and where that came from."""
    data = parsed(run.resolved_toml, run.path)
    return Draft(data, run.sources, run.path, run.case_toml, run)


def kept(folder: Path) -> Draft:
    """The case of a run folder, from the texts beside the output file that is not there."""
    for name in ("resolved.toml", "case.toml"):
        if (folder / name).exists():
            check_regular(folder / name)
    try:
        texts = [(folder / name).read_text(encoding="utf-8") for name in ("resolved.toml", "case.toml")]
    except OSError as error:
        raise CaseError(f"{folder} cannot be resumed: {error.strerror or error}: {error.filename}") from error
    except UnicodeDecodeError as error:
        raise CaseError(f"{folder} cannot be resumed: its resolved.toml or case.toml is damaged, no text") from error
    data = parsed(texts[0], folder / "resolved.toml")
    return Draft(data, dict.fromkeys(dict(flat(data)), "resolved.toml"), folder / "resolved.toml", texts[1])


def override(case: Case | Draft, overrides: Sequence[str] | Mapping[str, Any], source: str = "") -> Case:
    """A case with other values; the defaults that depend on them follow.

    overrides : as for `load`.   source : where they come from, for the record.   Raises CaseError.
    """
    draft = case._draft if isinstance(case, Case) else case
    if isinstance(overrides, Mapping):
        top, source = plain(overrides), source or "Python"
        absolute_paths(top, Path())
    else:
        top, source = as_tables(overrides), source or "command line"
    code, run = (case._code, None) if isinstance(case, Case) else (None, draft.run)
    kept_in = run if run is not None and run.attributes.get("made_in") == "python" else None
    fixed = sorted(set(top) & FIXED) if code is not None or kept_in is not None else []
    if fixed:
        raise CaseError(f"{', '.join(fixed)}: this case was put together in Python; put it together again instead")
    data, sources = copy.deepcopy(draft.data), dict(draft.sources)
    for place in removals(top):
        if trouble := no_key_to_remove(place, data):
            raise CaseError(trouble)
    merge(data, top)
    sources = _sources_of(data, sources, top, source)
    changed = _validate(dataclasses.replace(draft, data=data, sources=sources))
    changed._code = code if kept_in is None else code_of(kept_in, changed)
    return changed


def _read(path: Path, above: tuple[Path, ...]) -> tuple[dict[str, Any], dict[str, str]]:
    """One file merged over its includes, and where its values come from.   above : the files that include it."""
    if path.resolve() in above:
        raise CaseError(f"{path}: include: the files include each other in a circle; remove one")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CaseError(f"{path}: cannot be read as text: {error}") from error
    return _merged(parsed(text, path), path, path.parent, (*above, path.resolve()))


def _merged(
    data: dict[str, Any], source: Path, folder: Path, above: tuple[Path, ...]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Tables laid over those of their includes, whose titles do not count; paths become absolute."""
    merged: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name in _include_list(data, source):
        lower, origins = _read(existing(folder / name), above)
        merge(merged, lower)
        sources |= {key: f"included {name}" if origin == "file" else origin for key, origin in origins.items()}
    merged.pop("title", None)
    absolute_paths(data, folder)
    merge(merged, data)
    return merged, _sources_of(merged, sources, data, "file")


def _sources_of(
    merged: Mapping[str, Any], below: Mapping[str, str], top: Mapping[str, Any], source: str
) -> dict[str, str]:
    """Where the values of merged tables come from: `source` for those of `top`, else as `below` says."""
    known = {**below, **dict.fromkeys(dict(flat(top)), source)}
    return {key: known[key] for key, _ in flat(merged) if key in known}


def _include_list(data: dict[str, Any], source: Path) -> list[str]:
    names = data.pop("include", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CaseError(f'{source}: include: expected a list such as ["base.toml"], found {show(names)}')
    return names


def _validate(draft: Draft) -> Case:
    source = draft.path
    data = {"title": source.stem} | draft.data
    try:
        case = validated(data)
    except ValidationError as error:
        raise CaseError(*(f"{source}: {line}" for line in sentences(error))) from None
    _check_times(case, source)
    case = _complete(case)
    case._draft = draft
    found = flat(case.model_dump(by_alias=True, exclude_none=True))
    case._sources = {key: draft.sources.get(key, "default") for key, _ in found}
    if case.output.times is None:
        with located(source, "output.every"):
            output_times(case)
    return case


def _check_times(case: Case, source: Path) -> None:
    """Times are in order, and steps not too many; where they are of one size, each time is a whole number of them."""
    if case.output.times is not None:
        with located(source, "output.times"):
            output_times(case)
    size = case.traits.step
    if size is None:
        with located(source, "solver.dt"):
            check_count(case.time.end - case.time.start, getattr(case.solver, "dt", None))
        return
    name = next((name for name, value in case.solver if name in ("tau", "dt") and value == size), "the step")
    spans = asked_spans(case)
    mistakes: list[str] = []
    for key, values in spans.items():
        start = 0.0 if key == "output.every" else case.time.start
        try:
            with located(source, key):
                check_multiples(values, size, start, [s for group in spans.values() for s in group], name)
        except CaseError as error:
            mistakes += error.lines
    if mistakes:
        raise CaseError(*mistakes)


def _complete(case: Case) -> Case:
    """Fill in the defaults that depend on other tables."""
    span, step = case.time.end - case.time.start, case.traits.step
    update: dict[str, Any] = {"solver": case.method.complete(case.solver, span)}
    if "sampling" not in case.initial.model_fields_set:
        update["initial"] = case.initial.model_copy(update={"sampling": case.method.start_sampling(case.solver)})
    if case.output.every is None and case.output.times is None:
        every = span / 10 if step is None else math.ceil(round(span / step) / 10) * step
        update["output"] = case.output.model_copy(update={"every": every})
    return case.model_copy(update=update)


@contextmanager
def located(source: Path, key: str) -> Iterator[None]:
    """Put the file and the key path before the message of a CaseError raised inside."""
    try:
        yield
    except CaseError as error:
        message = str(error).removeprefix(f"{source}: ").removeprefix(f"{key}: ")
        deeper = message.startswith(f"{key}.")  # it names the key already
        raise CaseError(f"{source}: {message}" if deeper else f"{source}: {key}: {message}") from error
