"""A script for a Slurm array: each element does its share of a sweep, and the last line says how they become one.

    sbatch sweep.slurm          N elements, each  wgfpde sweep CASE … --array K/N
    wgfpde resume DIR           what is missing, if anything, and the dataset of all

Shares do not talk to each other: each writes the rows of its own runs, K, K + N, …, into DIR.  The same command line
runs a share anywhere, with another scheduler, or by hand.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ....base.plain_text import in_words, one_line
from ....errors import CaseError, StoreError

SCRIPT = """#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --array=1-{count}
#SBATCH --cpus-per-task={cores}
#SBATCH --time={time}
#SBATCH --output={log}
# {runs} runs in {count} shares.  Add what your site asks for: --account, --partition, modules, an environment.
# When all have ended: {collect}
set -eu
cd {folder}
export WGFPDE_NUM_THREADS="${{SLURM_CPUS_PER_TASK:-1}}"
{command} --array "$SLURM_ARRAY_TASK_ID/{count}" --workers 1 --quiet
"""


def array_script(
    name: str, command: Sequence[str], runs: int, shares: int, out: Path, cores: int = 1, time: str = "01:00:00"
) -> str:
    """The text of the script.

    name : of the job.   command : what does the whole sweep, as typed, without engine.   runs : in the sweep.
    shares : elements of the array.   out : the folder of the sweep.   cores, time : asked for each element.
    Raises CaseError for more shares than runs, and for words with a line break or another control character.
    """
    if not 1 <= shares <= runs:
        raise CaseError(f"an array has from 1 share to as many as there are runs, {runs}; found {shares}")
    for word in (*command, str(out), os.getcwd()):
        if one_line(word) != word:  # what is quoted may have no line of its own: a comment ends with its line
            raise CaseError(f"a script has no line breaks or control characters in its words; found {one_line(word)}")
    words = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)[:40] or "sweep"
    return SCRIPT.format(
        name=words, count=shares, cores=cores, time=time, runs=runs, log=shlex.quote(f"{words}-%a.log"),
        folder=shlex.quote(os.getcwd()), command=shlex.join(command),
        collect=shlex.join([command[0], "resume", str(out), *(["--yes"] if "--yes" in command else [])]),
    )  # fmt: skip


def write_script(path: Path, text: str) -> None:
    """Write the script, executable.   Raises CaseError where a file is there, StoreError where it cannot be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CaseError(f"{path} exists and is kept; give another file with --slurm FILE") from None
    except OSError as error:
        raise StoreError(f"cannot write {path}: {in_words(error)}") from error
    with suppress(OSError):
        path.chmod(0o755)
