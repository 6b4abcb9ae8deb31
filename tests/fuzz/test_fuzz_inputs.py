"""The fuzz job: damaged and hostile inputs by the thousand end in a sentence and an exit code, in no other way.

    WGFPDE_FUZZ_INPUTS=5000 pytest -m nightly tests/fuzz

An input is known by its kind and its seed: `python tests/fuzz/fuzzed.py KIND SEED 1` does it again.  What was found is
mended and kept in tests/store/test_damaged_files.py and beside the tests of what failed.
"""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.nightly


KINDS = ("flips", "parts", "cases", "tables", "toml", "formulas", "studies", "resumes", "sweeps")


@pytest.mark.parametrize("kind", KINDS)
def test_every_input_ends_in_a_sentence(kind, inputs):
    script = Path(__file__).with_name("fuzzed.py")
    done = subprocess.run([sys.executable, script, kind, "0", str(inputs)], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    found = [line for line in lines if line.startswith("seed")]
    assert lines and lines[-1] == "done", f"crashed after {lines[-1:]}: {done.stderr[-2000:]}"
    assert not found, "\n".join(found)
