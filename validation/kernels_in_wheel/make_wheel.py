"""A wheel with compiled kernels: `make wheel-with-kernels`, or `python make_wheel.py [CASE ...] [--out DIR]`.

The plain wheel is for every system and compiles its kernels at the first run of each kind of problem.  This one is for
one system, one minor version of Python and one version of Numba: it holds the kernels of all packaged cases (or of
those named), compiled for a processor that most machines have (`wgfpde.base.kernel_cache.PORTABLE`).  Where Numba is
another or the processor can do less, nothing of it is read, and kernels are compiled as from the plain wheel.

With --try it is unpacked into a fresh folder, and a case is run there twice, with an empty cache of its own.
"""

from __future__ import annotations

import argparse
import base64
import compileall
import hashlib
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = "wgfpde/_kernels"


def plain_wheel(folder: Path) -> Path:
    """Build the plain wheel into a folder, from a copy: what an older build has left would come along."""
    source = folder / "source"
    source.mkdir()
    for name in ("wgfpde", "cases", "validation"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "benchmarks"))
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    if shutil.which("uv"):
        subprocess.run(["uv", "build", "-q", "--wheel", "-o", str(folder), str(source)], check=True)
    else:
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, "-w", str(folder), str(source)], check=True)
    return next(folder.glob("wgfpde-*.whl"))


def environment(site: Path, cache: Path, **more: str) -> dict[str, str]:
    """To run the package in a folder of its own, with a cache of its own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    return kept | {"PYTHONPATH": str(site), "NUMBA_CACHE_DIR": str(cache)} | more


def compile_into(site: Path, cases: Sequence[str]) -> None:
    """Compile the kernels of cases (none: of all packaged ones) for the portable processor into site/SHIPPED."""
    from wgfpde.base.kernel_cache import PORTABLE

    name, features = PORTABLE[platform.machine()]
    with tempfile.TemporaryDirectory() as cache:
        aim = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}
        for case in cases or [""]:
            command = [sys.executable, "-m", "wgfpde", "warm", *([case] if case else [])]
            subprocess.run(command, env=environment(site, Path(cache), **aim), cwd=cache, check=True)
        ship(Path(cache), site / "wgfpde")


def ship(cache: Path, package: Path) -> int:
    """Copy what Numba's cache folder holds of a package to where the package looks for it.  Returns how many files."""
    count = 0
    for folder in sorted({path.parent for path in package.rglob("*.py")}):
        found = cache / f"{folder.name}_{hashlib.sha1(str(folder).encode()).hexdigest()}"  # as Numba names it
        for file in sorted(found.glob("*.nb[ci]")):
            aim = package / "_kernels" / folder.relative_to(package)
            aim.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, aim)
            count += 1
    return count


def packed(site: Path, out: Path) -> Path:
    """The wheel of an unpacked one that has got kernels: for this system and this Python alone."""
    info = next(site.glob("wgfpde-*.dist-info"))
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    tag = f"{tag}-{tag}-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
    lines = (info / "WHEEL").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith(("Tag:", "Root-Is-Purelib:"))]
    (info / "WHEEL").write_text("\n".join([*lines, "Root-Is-Purelib: false", f"Tag: {tag}", ""]), encoding="utf-8")
    (info / "RECORD").unlink()
    records = [_record(path, site) for path in sorted(site.rglob("*")) if path.is_file()]
    (info / "RECORD").write_text("\n".join([*records, f"{info.name}/RECORD,,", ""]), encoding="utf-8")
    out.mkdir(parents=True, exist_ok=True)
    wheel = out / f"{info.name.removesuffix('.dist-info')}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(site.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(site).as_posix())
    return wheel


def _record(path: Path, site: Path) -> str:
    content = path.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path.relative_to(site).as_posix()},sha256={digest},{len(content)}"


def tried(wheel: Path, case: str) -> list[dict[str, float]]:
    """Two runs of a case from a wheel, with an empty cache: wall and CPU seconds, and what was compiled."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        site, cache = Path(folder, "site"), Path(folder, "cache")
        with zipfile.ZipFile(wheel) as file:
            file.extractall(site)
        compileall.compile_dir(site, quiet=2)  # as pip does
        for _ in range(2):
            begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            command = ["-m", "wgfpde", "run", case, "--out", str(Path(folder, "run")), "--overwrite", "--json"]
            subprocess.run(
                [sys.executable, *command, "--quiet"],
                env=environment(site, cache), cwd=folder, check=True, capture_output=True,
            )  # fmt: skip
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            compiled = len(list(cache.rglob("*.nbc")))
            found.append({"wall": time.perf_counter() - begin, "cpu": cpu, "compiled": compiled})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", metavar="CASE", nargs="*", help="packaged cases (default: all)")
    parser.add_argument("--out", type=Path, metavar="DIR", default=ROOT / "dist", help="(default: dist)")
    parser.add_argument("--try", dest="trial", metavar="CASE", help="then run this case from it, twice")
    args = parser.parse_args()
    if not sys.platform.startswith("linux"):
        sys.exit("error: wheels with kernels are for Linux alone; build the plain one.")
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder, "site")
        with zipfile.ZipFile(plain_wheel(Path(folder))) as file:
            file.extractall(site)
        compile_into(site, args.cases)
        wheel = packed(site, args.out)
    print(f"{wheel}  ({wheel.stat().st_size / 2**20:.1f} MiB)")
    if args.trial:
        print(json.dumps(tried(wheel, args.trial), indent=1))


if __name__ == "__main__":
    main()
