"""The command line from outside: --help, the first run ever (empty kernel cache) and a warm run of the main case."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import table

CASE = Path(__file__).resolve().parents[2] / "cases" / "double_well_2d.toml"


def run(arguments: list[str], environment: dict[str, str]) -> tuple[float, float, str]:
    """Wall and CPU seconds of one command of its own process, and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "wgfpde", *arguments], env=environment, capture_output=True, text=True, check=True
    )
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.stdout


def solve_seconds(output: str) -> float:
    """What the run says that its solve took."""
    return float(json.loads(output)["wall_seconds"])


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(Path(folder) / "cache")}
        helps = sorted(run(["--help"], environment)[:2] for _ in range(5))[2]
        rows.append(["wgfpde --help", f"{helps[0]:.2f}", f"{helps[1]:.2f}", "–"])
        command = ["run", str(CASE), "--out", str(Path(folder) / "out"), "--overwrite", "--quiet", "--json"]
        wall, cpu, output = run(command, environment)
        beyond = wall - solve_seconds(output)
        rows.append(["main case, empty kernel cache", f"{wall:.2f}", f"{cpu:.2f}", f"{beyond:.2f}"])
        for _ in range(3):
            wall, cpu, output = run(command, environment)
            beyond = wall - solve_seconds(output)
            rows.append(["main case, warm", f"{wall:.2f}", f"{cpu:.2f}", f"{beyond:.2f}"])
    table("first and later runs", ["command", "wall s", "CPU s", "s beyond the solve"], rows)


if __name__ == "__main__":
    main()
