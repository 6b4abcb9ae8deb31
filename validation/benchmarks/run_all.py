"""Run every benchmark, one after the other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPTS = ("heat_2d", "double_well_2d", "barenblatt_1d", "jko_steps", "scaling", "first_run")

if __name__ == "__main__":
    folder = Path(__file__).resolve().parent
    for script in SCRIPTS:
        subprocess.run([sys.executable, str(folder / f"{script}.py")], check=True)
