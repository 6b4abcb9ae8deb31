"""An interpreter for each package: one that was named, or an environment of its own in `.peers/NAME`, made when needed.

The versions stand in pyproject.toml, extra `peers`, and nowhere else.  uv makes the environments where it is present,
else venv and pip.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
OWN = ("wgfpde", "entropic", "numpy")
"""What runs in the interpreter that runs this."""
NAMES = ("py-pde", "fipy", "fplanck", "pyddm", "pot", "geomloss", "ott-jax", "back-and-forth")
BUILT = ("back-and-forth",)
"""What no package index has: measured only where an interpreter that has it is named."""
BESIDE = {"py-pde": ("jax", "torch"), "geomloss": ("torch",), "ott-jax": ("jax",)}
"""What is installed beside a package: what it computes with, where it does not ask for that itself."""


def requirements() -> dict[str, str]:
    """{"fipy": "fipy==4.0.3", …} from the extra `peers`."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    return {re.split(r"[=<>~! \[]", line)[0].lower(): line for line in extras["peers"]}


def interpreter(name: str, given: Mapping[str, str]) -> str:
    """The interpreter that has a package; makes its environment where none was given.  Raises CalledProcessError."""
    if name in OWN:
        return sys.executable
    if name in given:
        return given[name]
    folder = ROOT / ".peers" / name
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        print(f"making {folder.relative_to(ROOT)} for {requirements()[name]} …", file=sys.stderr, flush=True)
        try:
            _make(folder, python, [requirements()[wanted] for wanted in (name, *BESIDE.get(name, ()))])
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # half an environment would be taken for a whole one next time
            raise
    return str(python)


def _make(folder: Path, python: Path, wanted: list[str]) -> None:
    if uv := shutil.which("uv"):
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(python), *wanted], check=True)
    else:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *wanted], check=True)


def versions(python: str, name: str) -> dict[str, str]:
    """The versions of a package and of what it computes with, and the interpreter's."""
    wanted = ["wgfpde" if name in OWN else name, "numpy", "scipy", "numba", *BESIDE.get(name, ())]
    script = (
        "import json, platform, importlib.metadata as m\n"
        "def v(n):\n"
        "    try: return m.version(n)\n"
        "    except m.PackageNotFoundError: return ''\n"
        f"print(json.dumps({{'python': platform.python_version(), **{{n: v(n) for n in {wanted!r}}}}}))"
    )
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    return {key: value for key, value in json.loads(done.stdout).items() if value}
