"""Every public function and class, given arguments of another kind or length, unknown or missing: a sentence."""

import inspect
import re
import warnings

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.energy.features import Features

SHORT = {"grid": {"shape": [8]}, "time": {"end": 0.02}, "solver": {"dt": 0.01}}
GRID = wgf.Grid([0.0], [1.0], [8])
ONES = np.ones(8)
CHAIN = wgf.graphs.Chain([0.5, 0.5], [(0, 1)], [1.0])
GOOD = {
    "load": {"path": "heat_1d"},
    "run": {"case": "heat_1d", "progress": False} | SHORT,
    "march": {"case": "heat_1d"} | SHORT,
    "spectrum": {"case": "heat_1d", "progress": False, "grid": {"shape": [8]}},
    "exits": {"case": "heat_1d", "to": "x > 0.5", "progress": False, "grid": {"shape": [8]}},
    "stationary": {"case": "heat_1d", "progress": False, "grid": {"shape": [8]}},
    "converge": {"case": "heat_1d", "vary": {"grid.shape": [8, 16]}, "progress": False} | SHORT,
    "problem": {"grid": GRID, "energy": wgf.Energy(), "initial": ONES, "end": 1.0},
    "read_table": {"source": "no-such-file.csv"},
    "w2": {"grid": GRID, "a": ONES, "b": ONES},
    "distance": {"grid": GRID, "a": ONES, "b": ONES},
    "geodesic": {"grid": GRID, "a": ONES, "b": ONES, "times": [0.5]},
    "barycentre": {"grid": GRID, "densities": [ONES, ONES]},
    "resume": {"folder": "no-such-run"},
    "read": {"path": "no-such-run"},
    "Grid": {"lower": [0.0], "upper": [1.0], "shape": [8]},
    "Internal": {"kind": "entropy"},
    "Energy": {},
    "Dynamics": {"diffusion": 1.0},
    "Sink": {"name": "out", "region": lambda x: x > 0.5},
    "Points": {"places": [0.1, 0.2]},
    "Flow": {"grid": GRID, "energy": wgf.Energy()},
}
APART = {"Case", "Run", "Snapshot", "graphs", "sweep"}
"""What is handed out, not made by its name; a room, walked below; and what would start processes at every call."""
GRAPHS = {
    "Chain": {"pi": [0.5, 0.5], "edges": [(0, 1)], "weights": [1.0]},
    "curvature": {"chain": CHAIN},
    "from_rates": {"rates": np.array([[-1.0, 1.0], [1.0, -1.0]])},
    "from_flow": {"flow": wgf.Flow(GRID, wgf.Energy())},
    "from_networkx": {"graph": None},
    "geodesic": {"chain": CHAIN, "start": [1.0, 1.0], "end": [1.5, 0.5]},
    "log_mean": {"a": 1.0, "b": 2.0},
    "onsager": {"chain": CHAIN, "rho": [1.0, 1.0]},
}
WRONG = (object(), "nonsense", 5, -1.5, [1, 2, 3], {}, {"a": 1}, None, np.array(["a"]), lambda q: q, [[1.0], [2.0, 3]],
         np.full(7, np.nan), True, (), b"bytes", [None], 1e400, 3j)  # fmt: skip
"""Handed in for every argument, one after the other."""
CALLS = [("", name) for name in wgf.__all__ if name in GOOD] + [("graphs", name) for name in wgf.graphs.__all__]


def test_every_public_name_is_walked():
    errors = {name for name in wgf.__all__ if name.endswith("Error")}
    assert set(wgf.__all__) == set(GOOD) | APART | errors
    assert set(wgf.graphs.__all__) - {"ChainGeodesic"} == set(GRAPHS)


def thing_and_good(room, name):
    thing = getattr(wgf.graphs if room else wgf, name)
    known, good = inspect.signature(thing).parameters, (GRAPHS if room else GOOD)[name]
    open_ = any(p.kind is p.VAR_KEYWORD for p in known.values())
    return thing, {key: value for key, value in good.items() if open_ or key in known}


def tried(thing, *args, **given):
    """Its error as a sentence, or None where it took the arguments."""
    try:
        found = thing(*args, **given)
        if inspect.isgenerator(found):
            next(found)
    except wgf.WgfpdeError as error:
        text = str(error)
        assert text and not re.search(r"validation error|pydantic|Traceback|object at 0x|__init__\(", text), text
        return text
    return None


@pytest.mark.parametrize(("room", "name"), CALLS)
def test_arguments_of_another_kind_are_refused_by_a_sentence(room, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name == "ChainGeodesic":
        return
    thing, good = thing_and_good(room, name)
    parameters = [p for p in inspect.signature(thing).parameters.values() if p.kind is not p.VAR_KEYWORD]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for parameter in parameters:
            for value in WRONG:
                tried(thing, **(good | {parameter.name: value}))


@pytest.mark.parametrize(("room", "name"), CALLS)
def test_unknown_missing_and_too_many_arguments_are_refused_by_a_sentence(room, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name == "ChainGeodesic":
        return
    thing, good = thing_and_good(room, name)
    assert "nonsense" in (tried(thing, **good, nonsense=1) or "")
    assert tried(thing, *range(30))
    if any(p.default is p.empty and p.kind is not p.VAR_KEYWORD for p in inspect.signature(thing).parameters.values()):
        assert tried(thing)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: wgf.run(5), r"run: case: expected Case, Run, a text or a path, found int 5"),
        (lambda: wgf.run("heat_1d", progres=False), "progres"),
        (lambda: wgf.spectrum("heat_1d", modes="many"), "whole one"),
        (lambda: wgf.Grid(0.0, 1.0, 8), r"Grid: lower: expected a list, each of it a number, found float 0.0"),
        (lambda: wgf.Internal(kappa=np.ones(8)), r"Internal: kappa: expected a number, found ndarray"),
        (lambda: wgf.Internal(kapa=1.0), "no argument kapa; did you mean kappa"),
        (lambda: wgf.Energy("entropy"), r"Energy: internal: expected Internal, found str 'entropy'"),
        (lambda: wgf.problem(GRID, wgf.Energy(), ONES), "missing a required argument: 'end'"),
        (lambda: wgf.distance("grid", ONES, ONES), r"distance: grid: expected Grid or None, found str 'grid'"),
        (lambda: wgf.geodesic(GRID, ONES, ONES, "half"), "times"),
        (lambda: Features([np.sin], ["a"], [1.0]), "targets: expected"),
        (lambda: wgf.read_table("a.csv", points="corners"), 'expected "centres" or "ends", found str \'corners\''),
    ],
)
def test_what_is_said(call, says):
    with pytest.raises(wgf.CaseError, match=says):
        call()


def test_a_run_takes_wrong_arguments_likewise():
    run = wgf.run("heat_1d", progress=False, **SHORT)
    for value in WRONG:
        for option in (
            "field",
            "times",
            "index",
            "log",
            "vmin",
            "vmax",
            "cmap",
            "size",
            "dpi",
            "scale",
            "format",
            "ax",
        ):
            tried(run.plot, **{option: value})
        for call in (run.find, run.sample, run.number):
            tried(call, value)
        tried(run.find, index=value)
        tried(run.sample, 3, time=value)
        tried(run.sample, 3, seed=value)
    assert "dpii" in tried(run.plot, dpii=3)


def test_what_fits_is_taken():
    """Pairs, rows of pairs, functions by another name, arrays for lists, whole numbers for numbers."""
    from wgfpde.grid.public_arguments import public
    from wgfpde.output.plots import Options

    assert Options(size=(7, 4), times=(0, 0.5)).size == (7, 4)
    assert Features([np.sin, lambda x: x], np.array([0.1, 0.2]), [1, 2]).weights == [1, 2]
    with pytest.raises(wgf.CaseError, match="size"):
        Options(size=(7, 4, 3))

    pandas = pytest.importorskip("pandas")
    assert wgf.Energy(potential=pandas.Series([0.0, 1.0, 4.0], index=[0.0, 1.0, 2.0])).potential is not None

    @public
    def function(pairs: "tuple[tuple[str, float], ...]" = (), times: "Sequence[float] | Array" = ()):  # noqa: F821
        return len(pairs) + len(times)

    assert function((("a", 1.0), ("b", 2))) == 2 and function(times=np.arange(3)) == 3
    for wrong in ([("a",)], [("a", "b")], "ab"):
        with pytest.raises(wgf.CaseError, match="pairs: expected a list, each of it a list"):
            function(wrong)


def test_arrays_without_axes_are_numbers_and_columns_are_lists():
    from wgfpde.grid.public_arguments import public

    @public
    def f(a: "float", n: "int", xs: "list[float]", yes: "bool" = True):
        return a, n, xs, yes

    assert f(np.array(0.5), np.array(3), (1.0,), np.bool_(False)) == (0.5, 3, (1.0,), False)
    assert wgf.Internal(kappa=np.array(0.3)) == wgf.Internal(kappa=0.3)
    for wrong in (np.array(0.5), np.array([3]), True):
        with pytest.raises(wgf.CaseError, match="f: n: expected a whole number"):
            f(0.5, wrong, [1.0])
    pandas = pytest.importorskip("pandas")
    for column in (pandas.Series([1.0, 2.0], index=[7, 8]), pandas.Index([1.0, 2.0])):
        assert f(0.5, 3, column)[2] == [1.0, 2.0]
    with pytest.raises(wgf.CaseError, match="f: xs: expected a list"):
        f(0.5, 3, pandas.Series(["a"]))
