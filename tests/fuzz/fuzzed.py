"""Damaged inputs by their seed, and one verb on each, in a process of its own: `python fuzzed.py KIND SEED COUNT`.

    flips    bytes of a run's file, changed at random, or the file cut short
    parts    the same file, whole, with links, attributes, arrays and texts exchanged for others
    cases    packaged cases with lines, values and formulas exchanged for others
    tables   tables of text, .npy, HDF5, netCDF, pictures and points, changed at random, as potentials and initial data
    toml     packaged cases with bytes changed, and values of any kind given on the command line
    formulas random formulas, well and badly formed, as every formula of a case in 1D and 2D
    studies  files of spectrum, stationary, exits and converge, changed, where a new one shall go, or read as a run
    resumes  run folders with a changed checkpoint, file or text, as they are resumed and gone on with by converge
    sweeps   folders of sweeps with a changed plan, journal, dataset or run, as they are drawn, watched and gone on with

Prints a line for each input that ends in anything but an exit code of the documentation: an exception, a warning, a
control character on the terminal, more than a minute, or more than 800 MB beyond what was there.  What was begun is
printed before, so that a crash of a library, or one that never ends, is told with its seed.
"""

import contextlib
import faulthandler
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
from damaging import damage, exchange_part, exchange_state, flipped
from PIL import Image
from scipy.io import netcdf_file
from sweep_inputs import sweep_arguments, write_sweep

from wgfpde.formulas.vocabulary import FUNCTIONS

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
[output]
checkpoint = 0.001
[solver]
method = "fv"
dt = 0.02
"""
PLANE = ["grid.lower=[-3,-3]", "grid.upper=[3,3]", "grid.shape=[12,12]"]
SECONDS = 60
MEGABYTES = 800
"""That an input may take beyond what was there."""
CODES, STOPPED = (0, 1, 2, 3), (129, 130, 143)
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


JOINS = ("{}+{}", "{}*{}", "{}/{}", "exp({})*{}", "where({}>{},1,2)", "max({},{})", "({})**({})", "{} {}")


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
    kind = random.choice(("text", "npy", "points", "h5", "nc", "png", "tif", "pgm", "values", "samples", "features"))
    x = np.linspace(-3, 3, 31)
    if kind in ("h5", "nc"):
        write_grid(folder / f"v.{kind}", x, kind)
        if kind == "h5" and random.random() < 0.5:
            exchange_part(folder / "v.h5", random)
        else:
            damage(folder / f"v.{kind}", random)
        return [f"energy.potential={{ file = 'v.{kind}' }}"]
    if kind in ("png", "tif", "pgm"):
        Image.fromarray((np.add.outer(x, x) * 20 + 120).astype("u1")).save(folder / f"v.{kind}".replace("pgm", "ppm"))
        damage(folder / f"v.{kind}".replace("pgm", "ppm"), random)
        return [*PLANE, "initial.density=", f"initial.image=v.{kind}".replace("pgm", "ppm")]
    if kind == "values":
        np.save(folder / "v.npy", np.exp(-(np.linspace(-3, 3, 24) ** 2)))
        damage(folder / "v.npy", random)
        return ["initial.density=", "initial.file=v.npy"]
    if kind == "samples":
        rows = "\n".join(f"{p:.6g} {p * p / 9:.6g}" for p in x)
        (folder / "v.csv").write_bytes(flipped(f"{rows}\n".encode(), random))
        return [*PLANE, "initial.density=", "initial.samples=v.csv", *random.choice(([], ["initial.bandwidth=0.1"]))]
    if kind == "features":
        rows = "\n".join(f"{p:.6g},{p * p:.6g}" for p in x)
        (folder / "v.csv").write_bytes(flipped(f"a,target\n{rows}\n".encode(), random))
        return ["energy.potential=", "energy.features={ data = 'v.csv', formula = 'tanh(a*x)' }"]
    if kind == "npy":
        np.save(folder / "v.npy", x**2)
        (folder / "v.npy").write_bytes(flipped((folder / "v.npy").read_bytes(), random))
        return ["energy.potential={ file = 'v.npy', lower = [-3], upper = [3] }"]
    rows = "\n".join(f"{p:.6g},{p * p:.6g}" for p in x)
    text = flipped(f"x,{'v' if kind == 'text' else 'weight'}\n{rows}\n".encode(), random)
    (folder / "v.csv").write_bytes(text)
    return ["energy.potential={ file = 'v.csv' }"] if kind == "text" else ["initial.density=", "initial.samples=v.csv"]


def write_grid(path, x, kind):
    """A table of V in HDF5 or netCDF-3."""
    if kind == "nc":
        with netcdf_file(path, "w") as file:
            file.createDimension("x", len(x))
            file.createVariable("x", "d", ("x",))[:] = x
            file.createVariable("v", "d", ("x",))[:] = x**2
        return
    with h5py.File(path, "w") as file:
        file["x"], file["v"] = x, x**2
        file["x"].make_scale("x")
        file["v"].dims[0].attach_scale(file["x"])


# ---- formulas and values --------------------------------------------------------------------------------------

BINARY = ("+", "-", "*", "/", "**", "<", "<=", ">", "==", "!=", " and ", " or ", "//", "%", "^", ",", "")
CALLS = (*FUNCTIONS, "sin2", "delta", "open", "np.exp", "not ", "-", "~", "")
PLACES = (
    "energy.potential", "energy.interaction", "initial.density", "exact.density", "energy.internal.kappa",
    "energy.force", "dynamics.diffusion", "output.averages.q", "sinks.hole", "grid.mapping", "grid.boundary",
)  # fmt: skip


def formula(random, depth):
    """A random formula of VARIABLES, numbers, calls, and now and then of what is none."""
    if depth == 0 or random.random() < 0.2:
        return random.choice((*ATOMS[:18], "x", "x", "y", "1", "2.5", "-3", "pi", "a")).replace('\\"', '"')
    act = random.random()
    inner = [formula(random, depth - 1) for _ in range(3)]
    if act < 0.5:
        return f"({inner[0]}{random.choice(BINARY)}{inner[1]})"
    if act < 0.9:
        name = random.choice(CALLS)
        return f"{name}({', '.join(inner[: random.choice((1, 1, 2, 2, 3))])})"
    return f"({inner[0]} if {inner[1]} else {inner[2]})"


def formula_settings(random):
    """--set arguments that put a random formula into a case."""
    place, text = random.choice(PLACES), formula(random, random.choice((1, 2, 3, 6)))
    plane = PLANE if random.random() < 0.5 else []
    if place == "grid.mapping":
        return [f"grid.mapping={[text]}"]
    if place == "grid.boundary":
        return [*PLANE, f"grid.boundary=[{{ robin = {text!r} }}, 'no-flux']"]
    return [*plane, f"{place}={text!r}" if random.random() < 0.7 else f"{place}={text}"]


def value_settings(random):
    """--set arguments of any kind at keys of a case."""
    keys = (
        "grid.shape", "grid.lower", "grid.upper", "grid.boundary", "energy.internal", "energy.internal.kappa",
        "energy.tilt", "energy.features", "initial.mass", "initial.sampling", "time.start", "time.end", "output.every",
        "output.times", "output.fields", "output.diagnostics", "solver", "solver.dt", "solver.order", "solver.tau",
        "solver.method", "sinks", "terminal", "target", "title", "params", "include", "schema", "grid.radial",
        "time.breakpoints", "energy.sobolev", "output.checkpoint", "solver.stationary", "dynamics",
    )  # fmt: skip
    count = random.choice((1, 1, 2, 3))
    return [f"{random.choice(keys)}={random.choice(VALUES)}" for _ in range(count)]


# ---- studies and run folders ----------------------------------------------------------------------------------

STUDIES = {
    "spectrum": ["spectrum", "case.toml", "--modes", "2"],
    "stationary": ["stationary", "case.toml"],
    "exits": ["exits", "case.toml", "--set=grid.boundary=[['no-flux','absorbing']]"],
    "converge": ["converge", "case.toml", "--vary", "grid.shape=6,8,12", "--quiet", "--out", "."],
}


def study_arguments(whole, folder, random):
    """A changed study where another one shall go, or where a run is expected."""
    name = random.choice((*sorted(STUDIES), *["spectrum", "stationary", "exits"] * 4))  # converge takes its time
    path = folder / ("converge.h5" if name == "converge" else "study.h5")
    shutil.copy(whole / f"{name}.h5", path)
    if random.random() < 0.5:
        damage(path, random)
    else:
        exchange_part(path, random)
    if random.random() < 0.3:
        verb, *rest = random.choice(ON_RUNS)
        return [verb, path.name, *(word.replace("../whole", str(whole / "whole")) for word in rest)]
    if name == "converge":
        shutil.copytree(whole / "runs", folder, dirs_exist_ok=True)
        if random.random() < 0.5:
            damage(random.choice(sorted(folder.glob("*/output.h5"))), random)
        return [*STUDIES[name], "--no-plot"]
    return [*STUDIES[name], "--out", path.name, "--no-plot"]


def resume_arguments(whole, folder, random):
    """A run folder of which one file is changed, as it is resumed."""
    shutil.copytree(whole / "whole", folder / "run")
    files = sorted(path for path in (folder / "run").rglob("*") if path.suffix in (".npz", ".toml", ".h5", ".log"))
    chosen = random.choice([path for path in files if path.suffix == ".npz"] if random.random() < 0.5 else files)
    act = random.random()
    if act < 0.6:
        damage(chosen, random)
    elif act < 0.7:
        chosen.unlink()
    elif chosen.suffix == ".npz":
        exchange_state(chosen, random)
    elif chosen.suffix == ".h5":
        exchange_part(chosen, random)
    else:
        chosen.write_text(changed_case(chosen.read_text(), random))
    if random.random() < 0.2:
        (folder / "run" / "output.h5").unlink(missing_ok=True)
    return ["resume", "run", "--quiet", *random.choice(([], ["--until", "0.24"], ["--until", "0.24"]))]


def arguments(kind, seed, whole, folder):
    """The command line for an input, which is written into the folder."""
    chance = random.Random(seed)
    if kind in ("flips", "parts"):
        path = folder / "output.h5"
        content = (whole / "whole" / "output.h5").read_bytes()
        path.write_bytes(flipped(content, chance) if kind == "flips" else content)
        if kind == "parts":
            exchange_part(path, chance)
        verb, *rest = chance.choice(ON_RUNS)
        return [verb, "output.h5", *rest]
    case = folder / "case.toml"
    if kind == "cases":
        packaged = sorted((Path(__file__).parents[2] / "cases").glob("*.toml"))
        case.write_text(changed_case(chance.choice(packaged).read_text(), chance))
        return ["check", "case.toml"]
    if kind == "toml" and chance.random() < 0.6:
        packaged = sorted((Path(__file__).parents[2] / "cases").glob("*.toml"))
        case.write_bytes(flipped(chance.choice(packaged).read_bytes(), chance))
        return ["check", "case.toml"]
    case.write_text(CASE)
    if kind in ("toml", "formulas"):
        settings = value_settings(chance) if kind == "toml" else formula_settings(chance)
        return ["check", "case.toml", *(f"--set={setting}" for setting in settings)]
    if kind == "studies":
        return study_arguments(whole, folder, chance)
    if kind == "resumes":
        return resume_arguments(whole, folder, chance)
    if kind == "sweeps":
        return sweep_arguments(whole, folder, chance)
    return ["check", "case.toml", *(f"--set={key}" for key in write_tables(folder, chance))]


def trouble_of(argv):
    """What an input led to beyond a sentence and an exit code; "" for nothing."""
    from wgfpde.cli import main

    def too_long(*_):
        raise TimeoutError(f"more than {SECONDS} s")

    shown, before = io.StringIO(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    faulthandler.dump_traceback_later(SECONDS + 30, exit=True, file=sys.__stderr__)  # a library hears no alarm
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
                code = main(argv)
        except BaseException as error:
            return "".join(traceback.format_exception(error)[-3:])
        finally:
            signal.alarm(0)
            faulthandler.cancel_dump_traceback_later()
    taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    found = [str(w.message) for w in warned if not issubclass(w.category, ResourceWarning)]
    if code in STOPPED:
        sys.exit(code)  # the job is stopped, not the verb
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
        if kind == "studies":
            os.chdir(place)
            for name, words in STUDIES.items():
                place_of = (
                    ["--out", str(place / f"{name}.h5")] if name != "converge" else ["--out", str(place / "runs")]
                )
                main([*words, *place_of, "--no-plot"])
            shutil.move(place / "runs" / "converge.h5", place / "converge.h5")
        if kind == "sweeps":
            write_sweep(main, place)
        if kind == "tables":
            main(["check", str(place / "case.toml"), "--set=initial.image=no.png", *(f"--set={s}" for s in PLANE)])
    whole = place
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
