"""What verbs print: a run in words, sizes, JSON."""

from __future__ import annotations

from typing import Any

from ..progress import QUIET_SECONDS, duration


def print_record(record: dict[str, Any]) -> None:
    from ..promises import verdicts

    wall = record["wall_seconds"]
    print(record["title"])
    print(f"  equation    {record['equation']}, {record['method']}, {record['grid']}")
    took = f" in {duration(wall)}" if wall is not None and wall == wall else ""
    compiled = record["compile_seconds"] or 0.0
    took += f", after {duration(compiled)} of compiling" if compiled > QUIET_SECONDS else ""
    span = f"t = {record['t_first']:g} to {record['t_last']:g}" if record["snapshots"] else "nothing yet"
    counts = f"{record['steps']} steps, {record['snapshots']} snapshots"
    print(f"  status      {record['status']}: {span}, {counts}{took}")
    if record["message"]:
        print(f"  message     {record['message']}")
    for line in verdicts(record):
        print(f"  {line}")
    print(f"  file        {record['file']}")


def size_text(n: float) -> str:
    for unit in ("KiB", "MiB"):
        n /= 1024
        if n < 1024:
            return f"{n:.3g} {unit}"
    return f"{n / 1024:.3g} GiB"


def print_json(data: Any) -> None:
    import json

    print(json.dumps(_plain(data), indent=2, ensure_ascii=False, allow_nan=False))


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
