"""What verbs print: lines, a run in words, JSON.

Nothing else here writes to stdout or stderr but the parser (`arguments.Parser`) and the line of progress
(`runs.progress`), which clean what they show in the same way: titles, names and messages come from files of others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from types import TracebackType
from typing import Any

from ..base.amounts import duration, size_text
from ..base.plain_text import in_json, one_line
from ..runs.progress import QUIET_SECONDS

WIDTH, WIDE = 12, 17
"""Of the column of names, after an indent of two: of a record, and of all else about a run."""

LINES, PROBLEM_LINES = 40, 12
"""Of a screen, and of the problem on it, at most."""


def say(text: object = "", error: bool = False) -> None:
    """One line, on stdout or stderr, seen at once.  What is in it neither begins another line nor moves the cursor."""
    print(one_line(text), file=sys.stderr if error else sys.stdout, flush=True)


def show_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """`sys.excepthook` of the command line: what nobody expected quotes files of others, too."""
    import traceback

    for text in "".join(traceback.format_exception(kind, error, trace)).rstrip("\n").split("\n"):
        say(text, error=True)


def print_record(record: dict[str, Any]) -> None:
    """The few lines that a run leaves: what it solved, how it ended, what was kept."""
    from ..output.promises import verdicts

    wall = record["wall_seconds"]
    say(record["title"])
    _line("equation", f"{record['equation']}, {record['method']}, {record['grid']}")
    took = f" in {duration(wall)}" if wall is not None and wall == wall else ""
    compiled = record["compile_seconds"] or 0.0
    took += f", after {duration(compiled)} of compiling or loading kernels" if compiled > QUIET_SECONDS else ""
    span = f"t = {record['t_first']:g} to {record['t_last']:g}" if record["snapshots"] else "nothing yet"
    cut = record["status"] != "finished" or record["verdict"]
    if record.get("t_end") is not None and cut:
        span += f" of {record['t_end']:g}"
    counts = f"{record['steps']} steps, {record['snapshots']} snapshots"
    ended = f" with a {record['verdict']}" if record["verdict"] == "blow-up" else ""
    _line("status", f"{record['status']}{ended}: {span}, {counts}{took}")
    if record["message"]:
        _line("message", record["message"])
    for line in verdicts(record):
        say(f"  {line}")
    _line("file", record["file"])


def print_screen(record: dict[str, Any]) -> None:
    """What fits a screen of LINES: promises, what was solved, certificates, and as many diagnostics."""
    top = _lines_of(print_record, record) + _lines_of(_print_advice, record)
    problem = _lines_of(_print_problem, record)
    last = ["", "All of it, with steps, parameters and provenance: wgfpde inspect RUN --all"]
    numbers = _lines_of(_print_diagnostics, record["diagnostics"])
    shown = top + _cut(problem, PROBLEM_LINES) + _lines_of(_print_certificates, record)
    shown = _cut(shown, LINES - len(last) - min(len(numbers), 4))
    for line in [*shown, *_cut(numbers, LINES - len(last) - len(shown)), *last]:
        say(line)


def _lines_of(print_: Callable[..., None], *arguments: Any) -> list[str]:
    """What a printer prints."""
    with redirect_stdout(StringIO()) as text:
        print_(*arguments)
    return text.getvalue().splitlines()


def _cut(lines: list[str], most: int) -> list[str]:
    """The first lines, the last of which says how many more there are."""
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"  … {len(lines) - most + 1} more"]


def _print_advice(record: Mapping[str, Any]) -> None:
    for name in ("advice", "resolution"):
        if record[name]:
            _line(name, record[name])


def print_summary(record: dict[str, Any]) -> None:
    """All that `print_record` leaves out, a block per question."""
    _print_advice(record)
    _print_problem(record)
    _print_steps(record)
    _print_certificates(record)
    _print_diagnostics(record["diagnostics"])
    _print_parameters(record["parameters"])
    _print_provenance(record)


def _print_problem(record: dict[str, Any]) -> None:
    asked = record["question"]
    _block("problem")
    if asked["formula"]:
        _line(asked["name"], f"∂t ρ = {asked['formula']}: {asked['description']}", WIDE)
    for key, text in asked["energy"].items():
        _line(key, text, WIDE)
    for name, value in asked["params"].items():
        _line(name, f"{value:g}", WIDE)
    for key in ("initial", "target", "terminal", "exact"):
        if asked[key]:
            _line(key, asked[key], WIDE)
    for axis in record["axes"]:
        cells = f"{axis['cells']} cells of {axis['smallest_cell']:.4g}"
        cells += f" to {axis['largest_cell']:.4g}, stretched" if axis["stretched"] else ""
        _line(axis["name"], f"[{axis['lower']:g}, {axis['upper']:g}], {axis['boundary']}, {cells}", WIDE)
    options = ", ".join(f"{key} = {_short(value)}" for key, value in record["solver"].items())
    _line("solver", options or record["method"], WIDE)
    for name, field in record["fields"].items():
        _line("field", f"{name} ({', '.join(field['dims'])}): {field['long_name']}", WIDE)


def _print_steps(record: dict[str, Any]) -> None:
    _block("steps")
    if not record["step_sizes"]:
        _line("count", "none", WIDE)
        return
    _line("count", f"{record['steps']}", WIDE)
    _line("dt", ", ".join(f"{key} {value:.6g}" for key, value in record["step_sizes"].items()), WIDE)
    for name, facts in record["step_statistics"].items():
        if "worst" in facts:
            _line(name, f"{facts['worst']:.3g} at worst, at t = {facts['worst_t']:.6g}", WIDE)
        elif facts["total"]:
            _line(name, f"{facts['total']} in all, {facts['mean']:.3g} a step, {facts['max']} at most", WIDE)
        else:
            _line(name, "none", WIDE)


def _print_certificates(record: Mapping[str, Any]) -> None:
    """The smallest slack of each inequality, and the balance of the energy."""
    if not record["certificates"] and record["balance"] is None:
        return
    _block("certificates")
    for c in record["certificates"]:
        constant = f"{'λ' if c['name'] in ('log-Sobolev', 'Talagrand') else 'K'} = {c['constant']:.6g}"
        origin = f" ({c['source']})" if c["source"] else ""
        reason = c["reason"] or "at rest, or not known"
        if c["holds"] is not None:
            reason = f"smallest slack {c['slack']:.3g} at t = {c['t']:.4g}"
        reason += origin if c["reason"] else f", {constant}{origin}"
        _line(c["name"], f"{c['meaning']:<26}{c['verdict']}: {reason}", WIDE)
    if (found := record["balance"]) is not None:
        text = f"|E(t) + ∫D − E(0)| ≤ {found['defect']:.3g}, with {found['lost']:.4g} lost by t = {found['t']:.4g}"
        _line("balance", text, WIDE)


def _print_diagnostics(diagnostics: Mapping[str, Mapping[str, Any]]) -> None:
    if not diagnostics:
        return
    columns = ("first", "last", "min", "max")
    units = {name: facts.get("units", "1") for name, facts in diagnostics.items()}
    titles = {name: name if unit in ("", "1") else f"{name} [{unit}]" for name, unit in units.items()}
    width = 1 + max(len(title) for title in titles.values())
    _block(f"{'diagnostics':<{width + 2}}" + "".join(f"{name:>13}" for name in columns) + "  worst")
    for name, facts in diagnostics.items():
        numbers = "".join(f"{facts[key]:>13.6g}" for key in columns)
        _line(titles[name], f"{numbers}  {worst_text(facts)}".rstrip(), width)


def _print_parameters(parameters: Sequence[Mapping[str, str]]) -> None:
    if not parameters:
        return
    _block("parameters")
    texts = [f"{p['key']} = {p['value']}" for p in parameters]
    width = max((len(text) for text in texts if len(text) <= 60), default=0)
    for text, p in zip(texts, parameters, strict=True):
        say(f"  {text:<{width}}  {p['source']}".rstrip())


def _print_provenance(record: dict[str, Any]) -> None:
    _block("provenance")
    for name, value in record["provenance"].items():
        seconds = name.removesuffix("_seconds")
        if seconds != name:
            _line(f"{seconds} time", duration(value) if value == value else "not yet known", WIDE)
        else:
            _line(name.removeprefix("wgfpde_").replace("_", " "), _short(value), WIDE)
    if record["bytes"] is not None:
        _line("size", f"{size_text(record['bytes'])} on disk", WIDE)


def worst_text(facts: Mapping[str, Any]) -> str:
    """ "largest drift 2e-15 at t = 28", or "" where no value of a diagnostic is worse than another."""
    if facts["worst_t"] is None:
        return ""
    return f"{facts['rule']} {facts['worst']:.3g} at t = {facts['worst_t']:.4g}"


def _block(title: str) -> None:
    say()
    say(title)


def _line(name: str, text: str, width: int = WIDTH) -> None:
    say(f"  {name:<{width}}{' ' if len(name) >= width else ''}{text}")


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def print_json(data: Any) -> None:
    import json

    print(in_json(json.dumps(_plain(data), indent=2, ensure_ascii=False, allow_nan=False)))


def _plain(data: Any) -> Any:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_plain(value) for value in data]
    if isinstance(data, float):
        return float(data) if abs(data) < float("inf") else None
    if hasattr(data, "item"):
        return _plain(data.item())
    return data
