"""Folders of sweeps of which something is changed, and one verb on each."""

import json
import os
import shutil

from damaging import damage, exchange_part, exchange_value

SWEEP = ["sweep", "case.toml", "--vary", "solver.dt=0.02,0.04", "--vary", "grid.shape=12,16", "--series", "energy"]
KEPT = ["--density", "--folders", "--quiet"]
ON_SWEEPS = (
    ["plot", "sweep", "--out", "o.png"], ["plot", "sweep/sweep.h5", "--out", "o.png"], ["inspect", "sweep"],
    ["watch", "sweep", "--once"], ["inspect", "sweep/sweep.h5"], ["compare", "sweep/sweep.h5", "sweep/sweep.h5"],
    ["resume", "sweep", "--quiet"], ["resume", "sweep", "--json"], [*SWEEP, *KEPT, "--out", "sweep"],
    [*SWEEP, "--no-folders", "--quiet", "--out", "sweep"], ["report", "sweep/sweep.h5", "--out", "o.html"],
)  # fmt: skip


def write_sweep(main, place):
    """A sweep of four runs, done in this process alone."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core: sweeps start no workers
    os.chdir(place)
    main([*SWEEP, *KEPT, "--out", "sweep"])
    main(["plot", "sweep"])
    main(["watch", "sweep", "--once"])


def sweep_arguments(whole, folder, random):
    """The command line for a sweep of which one file is changed, or is not there."""
    shutil.copytree(whole / "sweep", folder / "sweep")
    (folder / "case.toml").write_text((whole / "case.toml").read_text())
    names = ["sweep.json", "rows.jsonl", "sweep.h5"]
    inner = sorted(path for path in (folder / "sweep").rglob("output.h5"))
    path = folder / "sweep" / random.choice(names) if random.random() < 0.9 else random.choice(inner)
    act = random.random()
    if act < 0.4:
        damage(path, random)
    elif act < 0.45:
        path.unlink()
    elif path.suffix == ".h5":
        exchange_part(path, random)
    else:
        change_json(path, random)
    return list(random.choice(ON_SWEEPS))


def change_json(path, random):
    """A value in one of the lines of a file of JSON."""
    text = path.read_text()
    lines = text.splitlines() if path.suffix == ".jsonl" else [text]
    k = random.randrange(len(lines))
    lines[k] = json.dumps(exchange_value(json.loads(lines[k]), random), ensure_ascii=random.random() < 0.9)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogatepass")
