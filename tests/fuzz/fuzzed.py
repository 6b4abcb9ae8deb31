"""Damaged inputs by their seed, and one verb on each, in a process of its own: `python fuzzed.py KIND SEED COUNT`.

    flips    bytes of a run's file, changed at random, or the file cut short
    parts    the same file, whole, with links, attributes, arrays and texts exchanged for others
    cases    packaged cases with lines, values and formulas exchanged for others
    tables   tables of text, .npy, and points, changed at random, as potentials and initial data

Prints a line for each input that ends in anything but an exit code of the documentation: an exception, a warning, a
control character on the terminal, more than a minute, or more than 400 MB beyond what was there.  What was begun is
printed before, so that a crash of a library is told with its seed.
"""

import contextlib
import io
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import h5py
import numpy as np

CASE = """
[grid]
lower = [-3]
upper = [3]
shape = [24]
[energy]
internal = { kind = "entropy", kappa = 0.5 }
potential = "x**2/2"
[initial]
density = "exp(-(x - 1)**2)"
[time]
end = 0.2
[solver]
method = "fv"
dt = 0.02
"""
SECONDS, MEGABYTES = 60, 400
CODES = (0, 1, 2, 3)
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
ON_RUNS = (
    ["inspect"], ["inspect", "--json"], ["export", "--to", "csv", "--out", "o.csv"], ["plot", "--out", "o.png"],
    ["report", "--out", "o.html"], ["check"], ["w2", "../whole/output.h5"], ["compare", "../whole/output.h5"],
)  # fmt: skip
VALUES = (
    "0", "-1", "1e308", "1e-320", "nan", "inf", "''", '"x"', "[]", "[1]", "{}", "true", "9223372036854775807", "1e400",
    "[[1,2],[3]]", '"\\u0000"', '"\\u001b[31m"', "1979-05-27", '"1/0"', '"exp(exp(x))"', "1000000000", '"/dev/zero"',
    "[0,0]", '"periodic"', '"where(x>0, 1, 0)"', '{ kind = "entropy", kappa = 1e300 }', '{ kind = "power", m = 1e9 }',
)  # fmt: skip
ATOMS = (
    "x", "y", "t", "pi", "r", "1e308", "0", "-1", "1e-320", "x*y", "exp(x)", "log(x)", "sqrt(x)", "x**0.5", "max(x,0)",
    "where(x>0,1,0)", "erf(x)", "(x<0)", "sin", "λ", '\\"', "#", "__import__", "x**1e9", "lambda:0", "[x]", "x.real",
    "x;y", "x%0", "~x", "'a'*9**9",
)  # fmt: skip
LINES = (
    "[solver]", "[nothing]", "x=1", "\x00", "[[grid]]", "schema=true", "include='/dev/zero'", "title=3",
    "[initial]\nfile='/dev/zero'", "[initial]\nsamples='/dev/stdin'", "[output]\nevery=1e-12",
)  # fmt: skip


ODD_VALUES = ("", np.bytes_(b"\xff\xfe"), 3, 1e308, np.nan, [1, 2], "a" * 60000, "\x1b[31m", "../x", np.zeros((2, 2)))
ODD_LINKS = (h5py.SoftLink("/t"), h5py.ExternalLink("/dev/zero", "/t"), h5py.SoftLink("/no"))
ODD_ARRAYS = (
    np.zeros(0), np.zeros((3, 2)), 3.0, np.arange(5, dtype="i2"), np.zeros(3, complex), "text", np.full(9, np.nan),
)  # fmt: skip
JOINS = ("{}+{}", "{}*{}", "{}/{}", "exp({})*{}", "where({}>{},1,2)", "max({},{})", "({})**({})", "{} {}")


def flipped(raw, random):
    out = bytearray(raw)
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        k = random.randrange(len(out))
        out[k] = random.choice((0, 255, random.randrange(256), out[k] ^ (1 << random.randrange(8))))
    return bytes(out[: random.randrange(len(out))] if random.random() < 0.1 else out)


def exchange_part(path, random):
    """One object of an HDF5 file for another."""
    with h5py.File(path, "r+") as file:
        names = []
        file.visit(names.append)
        name = random.choice(names)
        item, act = file[name], random.choice(("attribute", "link", "array", "value", "text"))
        if act == "attribute" and len(item.attrs):
            item.attrs[random.choice(sorted(item.attrs))] = random.choice(ODD_VALUES)
        elif act == "link":
            del file[name]
            file[name] = random.choice(ODD_LINKS)
        elif isinstance(item, h5py.Dataset) and act == "value" and item.dtype.kind == "f" and item.size:
            values = item[...]
            values.flat[random.randrange(item.size)] = random.choice((0, -1, 1e308, np.nan, np.inf))
            item[...] = values
        elif isinstance(item, h5py.Dataset):
            about = {key: value for key, value in item.attrs.items() if "_LIST" not in key}
            text = isinstance(item[()], bytes) and act == "text"
            data = flipped(item[()], random).decode("latin-1").replace("\0", "") if text else random.choice(ODD_ARRAYS)
            del file[name]
            file[name] = data
            file[name].attrs.update(about)


def changed_case(text, random):
    lines = text.splitlines()
    for _ in range(random.choice((1, 1, 2, 3))):
        k = random.randrange(len(lines))
        key, equals, value = lines[k].partition("=")
        if not equals or random.random() < 0.1:
            lines[k] = random.choice(LINES)
        elif '"' in value and random.random() < 0.4:
            lines[k] = f'{key}= "{random.choice(JOINS).format(random.choice(ATOMS), random.choice(ATOMS))}"'
        else:
            lines[k] = f"{key}= {random.choice(VALUES)}"
    return "\n".join(lines)


def write_tables(folder, random):
    """A damaged table and the arguments that read it."""
    kind = random.choice(("text", "npy", "points"))
    x = np.linspace(-3, 3, 31)
    if kind == "npy":
        np.save(folder / "v.npy", x**2)
        (folder / "v.npy").write_bytes(flipped((folder / "v.npy").read_bytes(), random))
        return ["energy.potential={ file = 'v.npy', lower = [-3], upper = [3] }"]
    rows = "\n".join(f"{p:.6g},{p * p:.6g}" for p in x)
    text = flipped(f"x,{'v' if kind == 'text' else 'weight'}\n{rows}\n".encode(), random)
    (folder / "v.csv").write_bytes(text)
    return ["energy.potential={ file = 'v.csv' }"] if kind == "text" else ["initial.samples=v.csv"]


def arguments(kind, seed, whole, folder):
    """The command line for an input, which is written into the folder."""
    chance = random.Random(seed)
    if kind in ("flips", "parts"):
        path = folder / "output.h5"
        path.write_bytes(flipped(whole, chance) if kind == "flips" else whole)
        if kind == "parts":
            exchange_part(path, chance)
        verb, *rest = chance.choice(ON_RUNS)
        return [verb, "output.h5", *rest]
    case = folder / "case.toml"
    if kind == "cases":
        packaged = sorted((Path(__file__).parents[2] / "cases").glob("*.toml"))
        case.write_text(changed_case(chance.choice(packaged).read_text(), chance))
        return ["check", "case.toml"]
    case.write_text(CASE)
    return ["check", "case.toml", *(f"--set={key}" for key in write_tables(folder, chance))]


def trouble_of(argv):
    """What an input led to beyond a sentence and an exit code; "" for nothing."""
    from wgfpde.cli import main

    def too_long(*_):
        raise TimeoutError(f"more than {SECONDS} s")

    shown, before = io.StringIO(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
                code = main(argv)
        except BaseException as error:
            return "".join(traceback.format_exception(error)[-3:])
        finally:
            signal.alarm(0)
    taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    found = [str(w.message) for w in warned if not issubclass(w.category, ResourceWarning)]
    found += [] if code in CODES else [f"exit code {code}"]
    found += ["a control character"] if CONTROL.search(shown.getvalue()) else []
    found += [f"{taken:.0f} MB"] if taken > MEGABYTES else []
    return "; ".join(found)


def work(kind, first, count):
    sys.stdout.reconfigure(line_buffering=True)
    place = Path(tempfile.mkdtemp())
    from wgfpde.cli import main

    (place / "case.toml").write_text(CASE)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        main(["run", str(place / "case.toml"), "--out", str(place / "whole")])
        main(["plot", str(place / "whole")])  # what is loaded once is not the input's
        main(["check", str(place / "case.toml")])
    whole = (place / "whole" / "output.h5").read_bytes()
    for seed in range(first, first + count):
        folder = place / "input"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        os.chdir(folder)
        print(f"begun {seed}")
        if found := trouble_of(arguments(kind, seed, whole, folder)):
            print(f"seed {seed}: {found!r}")
    print("done")


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
