"""Case files that are wrong: how each mistake is told."""

import json
from pathlib import Path

import pytest
from case_texts import BASE_1D, BASE_2D

from wgfpde.base import amounts
from wgfpde.cases.building import build
from wgfpde.cases.loading import load
from wgfpde.errors import CaseError, WgfpdeError


def message(path: Path, overrides: list[str]) -> str:
    """The message of load or build, which must be a mistake of the user's (exit code 2) and name the file."""
    with pytest.raises(WgfpdeError) as caught:
        build(load(path, overrides))
    assert caught.value.exit_code == 2
    text = str(caught.value)
    assert all(line.startswith(f"{path}: ") for line in text.splitlines())
    return text.replace(f"{path}: ", "")


MISTAKES_1D = {
    "unknown key": (
        ["solver.ordr=2"],
        'solver.ordr: unknown key; did you mean "order"? Valid keys: method, order',
    ),
    "unknown table": (["slover.dt=1"], 'slover: unknown key; did you mean "solver"?'),
    "key elsewhere, one here is near": (["potential=x"], "potential: unknown key; did you mean energy.potential?"),
    "key elsewhere": (["kappa=1"], "kappa: unknown key; did you mean energy.internal.kappa?"),
    "key of another kind": (
        ["energy.internal.m=2"],
        'energy.internal.m: unknown key; it belongs to "power"',
    ),
    "wrong type": (["grid.shape=[3.5]"], "grid.shape[0]: expected an integer, found 3.5"),
    "bool is no number": (["initial.mass=true"], "initial.mass: expected a number"),
    "bool is no integer": (["grid.shape=[true]"], "grid.shape[0]: expected an integer, found true"),
    "number is no text": (["energy.force=1"], 'found 1; write "1"'),
    "text is no list": (["grid.shape=64,64"], 'found "64,64"; write [64,64]'),
    "number is no table": (["time=3"], "time: expected a table"),
    "three axes": (["grid.shape=[4,4,4]"], "grid.shape: a grid has one or two axes, found 3"),
    "three dimensions": (["grid.shape=[4,4,4]"], "Not supported: three dimensions, but for what depends on a radius"),
    "boundary text": (["grid.boundary=periodic"], '; write ["periodic"], one entry per axis'),
    "boundary of others": (["grid.boundary=[neumann]"], 'found "neumann"; write "no-flux", or { inflow = "…" }'),
    "boundary of others, no list": (["grid.boundary=dirichlet"], "for density 0, in a list, one per axis"),
    "source term": (["energy.source=x"], "energy.source: unknown key; not supported: source terms, mass leaves by"),
    "mobility": (["mobility=x"], 'dynamics.diffusion; see the page "Limits" of the documentation. Valid keys: schema'),
    "gradient energy": (["energy.internal.kind=cahn-hilliard"], "not supported: energies that depend on gradients"),
    "gpu": (["solver.gpu=true"], "solver.gpu: unknown key; not supported: GPUs and distributed memory"),
    "rho in a formula": (['energy.potential="rho**2"'], "what depends on the density is energy.internal and"),
    "gradient in a formula": (['energy.potential="grad(x)"'], "Not supported: energies that depend on gradients of"),
    "no axis": (["grid.shape=[]"], "grid.shape: a grid has one or two axes, found 0"),
    "one cell": (["grid.shape=[1]"], "grid.shape[0]: expected at least 2 cells, found 1"),
    "lower too long": (
        ["grid.lower=[0, 0]"],
        "grid.lower: expected 1 entry, one per axis of grid.shape, found 2",
    ),
    "upper too short": (["grid.upper=[]"], "grid.upper: expected 1 entry"),
    "boundary length": (["grid.boundary=['periodic','periodic']"], "grid.boundary: expected 1 entry"),
    "mapping length": (["grid.mapping=['s','s']"], "grid.mapping: expected 1 entry"),
    "boundary name": (["grid.boundary=['perodic']"], 'found "perodic"; did you mean "periodic"?'),
    "boundary number": (["grid.boundary=[1]"], 'grid.boundary[0]: expected "no-flux", "periodic", "absorbing", '),
    "boundary table": (["grid.boundary=[{lowr='no-flux'}]"], 'found { lowr = "no-flux" }; did you mean "lower"?'),
    "boundary of one": (["grid.boundary=[['no-flux']]"], 'or a pair, found ["no-flux"]'),
    "boundary of three": (["grid.boundary=[['no-flux','no-flux','no-flux']]"], "or a pair, found ["),
    "boundary nested": (["grid.boundary=[[['no-flux'],['no-flux']]]"], 'found ["no-flux"]'),
    "upper below lower": (
        ["grid.upper=[-1]"],
        "grid.upper: upper[0] must lie above lower[0]; found -1 and -1",
    ),
    "infinite bound": (["grid.upper=[inf]"], "grid.upper[0]: expected a finite number, found inf"),
    "memory": (["grid.shape=[4000000000]"], "GiB of memory and this machine has"),
    "mapping not monotone": (
        ["grid.mapping=['s + sin(4*pi*s)/2']"],
        "grid.mapping: the mapping of axis x must increase",
    ),
    "mapping not onto": (["grid.mapping=['2*s']"], "must take s = 0 to 0 and s = 1 to 1"),
    "mapping variable": (["grid.mapping=['x']"], "grid.mapping[0]: "),
    "dt zero": (["solver.dt=0"], 'solver.dt: expected a positive number or "adaptive", found 0'),
    "dt negative": (
        ["solver.dt=-0.1"],
        'solver.dt: expected a positive number or "adaptive", found -0.1',
    ),
    "dt text": (["solver.dt=fast"], 'solver.dt: expected a positive number or "adaptive", found "fast"'),
    "order": (["solver.order=3"], "solver.order: expected 1 or 2, found 3"),
    "first_dt": (["solver.first_dt=0.1"], "solver: first_dt belongs to adaptive stepping"),
    "method": (
        ["solver.method=fvm"],
        ', found "fvm"; did you mean "fv"?',
    ),
    "jko without tau": (["solver={method='jko'}"], "solver.tau: missing: JKO step, a positive number"),
    "tau zero": (["solver={method='jko', tau=0}"], "solver.tau: expected a number larger than 0, found 0"),
    "tau negative": (["solver={method='jko', tau=-1}"], "solver.tau: expected a number larger than 0, found -1"),
    "dt with jko": (["solver={method='jko', tau=0.1, dt=0.1}"], 'solver.dt: unknown key; it belongs to "fv"'),
    "algorithm": (
        ["solver={method='jko', tau=0.1, algorithm='nweton'}"],
        'solver.algorithm: expected "newton", "pdhg" or "exact", found "nweton"; did you mean "newton"?',
    ),
    "inner steps": (["solver={method='jko', tau=0.1, inner_steps=0}"], "solver.inner_steps: expected an integer ≥ 1"),
    "a bound of a number": (["solver={method='accelerated', friction=-1}"], "solver.friction: expected a number ≥ 0"),
    "an upper bound": (["solver={method='gaussian', nodes=900}"], "solver.nodes: expected an integer ≤ 400, found 900"),
    "too many steps": (["solver={method='fv', dt=1e-300}"], "solver.dt: dt = 1e-300 asks for 1"),
    "too many steps of parcels": (["solver={method='accelerated', dt=1e-14}"], "solver.dt: dt = 1e-14 asks for "),
    "inner steps by newton": (
        ["solver={method='jko', tau=0.1, inner_steps=4}"],
        'solver: algorithm = "newton" takes inner_steps = 1, found 4; "pdhg" takes more',
    ),
    "congestion by newton": (
        ["solver={method='jko', tau=0.1, congestion=2}"],
        'solver: algorithm = "newton" takes no congestion; write algorithm = "pdhg", or remove congestion',
    ),
    "congestion extrapolated": (
        ["solver={method='jko', tau=0.1, algorithm='pdhg', congestion=2, scheme='extrapolated'}"],
        'solver: scheme = "extrapolated" takes no congestion',
    ),
    "congestion too low": (
        ["solver={method='jko', tau=0.1, algorithm='pdhg', congestion=0.25}"],
        "solver.congestion: 0.25 lies below the mean density 0.5 (mass 1 on a grid of volume 2)",
    ),
    "tolerance of newton": (
        ["solver={method='jko', tau=0.1, tolerance=1e-14}"],
        "solver.tolerance: expected at least 1e-12, found 1e-14: double precision leaves",
    ),
    "tolerance of pdhg": (
        ["solver={method='jko', tau=0.1, algorithm='pdhg', tolerance=1e-12}"],
        "solver.tolerance: expected at least 1e-10, found 1e-12",
    ),
    "pdhg stretched": (
        ["solver={method='jko', tau=0.1, algorithm='pdhg'}", "grid.mapping=['s**2']"],
        'solver.algorithm: expected cells of one size, axis x is stretched; algorithm = "newton" takes stretched ones',
    ),
    "exact with inner steps": (
        ["solver={method='jko', tau=0.1, algorithm='exact', inner_steps=4}"],
        'solver: algorithm = "exact" takes inner_steps = 1, found 4; "pdhg" takes more',
    ),
    "exact extrapolated": (
        ["solver={method='jko', tau=0.1, algorithm='exact', scheme='extrapolated'}"],
        'solver: algorithm = "exact" takes scheme = "jko"',
    ),
    "end between steps": (
        ["solver={method='jko', tau=0.1}", "time.end=0.25"],
        "time.end: 0.25 is not a multiple of tau = 0.1; the nearest are 0.2 and 0.3; or take tau = 0.08333333333333333",
    ),
    "end before the first step": (
        ["solver={method='jko', tau=0.5}", "time.end=0.3"],
        "time.end: 0.3 is not a multiple of tau = 0.5; the nearest is 0.5; or take tau = 0.3",
    ),
    "end after a late start": (
        ["solver={method='jko', tau=0.1}", "time.start=0.03", "time.end=0.3"],
        "time.end: 0.3 is not a multiple of tau = 0.1 after the start 0.03; the nearest are 0.23 and 0.33",
    ),
    "every between steps": (
        ["solver={method='jko', tau=0.1}", "output.every=0.25"],
        "output.every: 0.25 is not a multiple of tau = 0.1; the nearest are 0.2 and 0.3; or take tau = 0.0833333333",
    ),
    "times between steps": (
        ["solver={method='jko', tau=0.1}", "output.times=[0.2, 0.31]"],
        "output.times: 0.31 is not a multiple of tau = 0.1; the nearest are 0.3 and 0.4; or take tau = 0.01",
    ),
    "no better step": (
        ["solver={method='jko', tau=0.1}", "output.times=[0.3141592653]"],
        "output.times: 0.3141592653 is not a multiple of tau = 0.1; the nearest are 0.3 and 0.4",
    ),
    "geodesic without target": (["solver={method='geodesic'}"], 'target: missing: method = "geodesic" needs a table'),
    "target without geodesic": (
        ["target.density='1'"],
        'has one, found method = "fv"; remove the table',
    ),
    "target twice": (
        ["solver={method='geodesic'}", "target={density='1', file='a.npy'}"],
        "target: expected exactly one of density, file, samples, image; found density and file",
    ),
    "negative target": (["solver={method='geodesic'}", "target.density='x'"], "target.density: "),
    "diagnostic": (
        ["output.diagnostics=['w2_prevous']"],
        'output.diagnostics: there is no diagnostic "w2_prevous"; did you mean "w2_previous"?',
    ),
    "end before start": (["time.end=-1"], "time.end: expected a time after time.start = 0, found -1"),
    "output time late": (
        ["output.times=[0.5, 2]"],
        "output.times: expected times within [0, 1], found 2",
    ),
    "output time early": (["output.times=[-1]"], "output.times: expected times within [0, 1], found -1"),
    "output order": (
        ["output.times=[0.5, 0.2]"],
        "output.times: expected increasing times, found 0.5 before 0.2",
    ),
    "output both": (
        ["output={every=0.1, times=[0.5]}"],
        "output: expected either every or times, found both",
    ),
    "output count": (["output.every=1e-9"], "output.every: 1e-09 asks for 1e+09 snapshots"),
    "m zero": (
        ["energy.internal={kind='power', m=0}"],
        "energy.internal.m: expected a number larger than 0, found 0",
    ),
    "m one": (["energy.internal={kind='power', m=1}"], "energy.internal.m: m = 1 is the entropy"),
    "m missing": (["energy.internal.kind='power'"], "energy.internal.m: missing"),
    "kappa": (
        ["energy.internal.kappa=0"],
        "energy.internal.kappa: expected a number larger than 0, found 0",
    ),
    "kind": (
        ["energy.internal.kind=entrpy"],
        'energy.internal.kind: expected "entropy", "power" or "none"',
    ),
    "odd W": (['energy.interaction="x"'], "energy.interaction: the interaction must be even"),
    "W not finite": (
        ['energy.interaction="1/(abs(x) - 0.5)"'],
        "energy.interaction: the interaction is not finite",
    ),
    "V not finite": (
        ['energy.potential="log(x)"'],
        "energy.potential: the potential is not finite at x = -",
    ),
    "V not periodic": (
        ['energy.potential="x"', "grid.boundary=['periodic']"],
        "energy.potential: axis x is periodic but the potential is not",
    ),
    "unknown name": (['energy.potential="q*x"'], "energy.potential: "),
    "y in 1D": (['initial.density="1 + y**2"'], "initial.density: "),
    "t in the start": (['initial.density="1 + t"'], "initial.density: "),
    "negative density": (['initial.density="x"'], "initial.density: "),
    "density without mass": (['initial.density="0*x"'], "initial.density: "),
    "density not finite": (['initial.density="1/(x - x)"'], "initial.density: "),
    "mass": (["initial.mass=-1"], "initial.mass: expected a number larger than 0, found -1"),
    "two sources": (
        ["initial={density='1', file='a.npy'}"],
        "initial: expected exactly one of density, file, samples, image",
    ),
    "missing npy": (
        ["initial.file=nowhere.npy"],
        f"nowhere.npy does not exist; looked in {Path.cwd()}: a path in a case begins at the folder of its file",
    ),
    "missing samples": (["initial.samples=nowhere.csv"], "initial.samples: "),
    "file type": (["initial.file=pyproject.toml"], "initial.file: "),
    "sampling": (["initial.sampling=center"], 'did you mean "centre"?'),
    "schema": (["schema=2"], "schema: this version reads schema = 1, found 2"),
    "param name": (["params.x=1"], "params: x: x is a variable"),
    "param value": (["params.a=one"], 'params.a: expected a number, found "one"'),
    "param infinite": (["params.a=inf"], "params.a: expected a finite number, found inf"),
}


@pytest.mark.parametrize(("overrides", "expected"), MISTAKES_1D.values(), ids=list(MISTAKES_1D))
def test_mistakes_1d(write, overrides, expected):
    assert expected in message(write(), overrides)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('method = "fv"', "order = 2", 'solver.method: missing; expected "fv", "jko", '),
        (
            'density = "1 + x**2"',
            "",
            "initial: expected exactly one of density, file, samples, image; found none of them",
        ),
        ("end = 1", "", "time.end: missing: a number larger than start"),
        ('internal = { kind = "entropy" }', "", "energy.internal: missing"),
        (
            'internal = { kind = "entropy" }',
            "internal = {}",
            'energy.internal.kind: missing; expected "entropy"',
        ),
        ("[energy]", "[enrgy]", 'enrgy: unknown key; did you mean "energy"?'),
        (
            '{ kind = "entropy" }\npotential = "k*x**2/2"',
            '{ kind = "none" }',
            "energy: the energy is zero",
        ),
    ],
)
def test_mistakes_in_the_text(write, old, new, expected):
    assert old in BASE_1D
    assert expected in message(write(BASE_1D.replace(old, new)), [])


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["grid.shape=[65536, 65536]"], "grid.shape: 4294967296 cells need about 640 GiB of memory"),
        (["grid.shape=[100000, 100000]"], "grid.shape: 10000000000 cells"),
        (["grid.shape=[8]"], "grid.lower: expected 1 entry"),
        (["grid.shape=[8, 1]"], "grid.shape[1]: expected at least 2 cells, found 1"),
        (["grid.upper=[1, -2]"], "grid.upper: upper[1] must lie above lower[1]; found -2 and -2"),
        (
            ["energy.internal={kind='power', m=0.4}"],
            "energy.internal.m: m must be at least 1 − 1/d = 0.5 in 2D; found 0.4",
        ),
        (
            ["solver={method='jko', tau=0.1, algorithm='exact'}", "energy.internal={kind='power', m=0.8}"],
            "solver.algorithm: expected in 2D the entropy or a power m > 1, found",
        ),
    ],
)
def test_mistakes_2d(write, monkeypatch, overrides, expected):
    monkeypatch.setattr(amounts.os, "sysconf", {"SC_PHYS_PAGES": 2**21, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert expected in message(write(BASE_2D), overrides)


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os').system('true')",
        "().__class__.__bases__[0]",
        "(lambda: 1)()",
        "open('/etc/passwd')",
        "x.real",
        "[x for x in (1, 2)]",
        "9**9**9**9**9",
        "x;x",
        "",
        "(" * 500 + "x" + ")" * 500,
    ],
)
@pytest.mark.parametrize("key", ["energy.potential", "energy.interaction", "initial.density", "exact.density"])
def test_malicious_expressions(write, formula, key):
    assert key in message(write(), [f"{key}={json.dumps(formula)}"])


def test_all_mistakes_are_told_at_once(write):
    text = message(write(), ["solver.ordr=2", "grid.shape=[1]", "time.end=-1"])
    assert len(text.splitlines()) == 3


def test_syntax_error_has_line_and_column(write):
    path = write("[grid]\nshape = [1,\nlower = 2\n")
    with pytest.raises(CaseError, match=r"not valid TOML: .*line 3, column 1"):
        load(path)


def test_missing_case_names_the_nearest(write, tmp_path):
    write(name="double.toml")
    with pytest.raises(CaseError, match=r"no such case file; did you mean .*double\.toml"):
        load(tmp_path / "duoble.toml")
    with pytest.raises(CaseError, match='did you mean the packaged case "heat_1d"'):
        load("heat1d")
    with pytest.raises(CaseError, match=r"packaged cases: .*heat_1d"):
        load("zzzzzz")
    with pytest.raises(CaseError, match="found a folder"):
        load(tmp_path)


def test_include_mistakes(write, tmp_path):
    write('include = ["b.toml"]', "a.toml")
    write('include = ["a.toml"]', "b.toml")
    with pytest.raises(CaseError, match="include each other in a circle"):
        load(tmp_path / "a.toml")
    with pytest.raises(CaseError, match="include: expected a list"):
        load(write('include = "b.toml"', "c.toml"))
    with pytest.raises(CaseError, match="no such case file"):
        load(write('include = ["gone.toml"]', "d.toml"))


@pytest.mark.parametrize("item", ["x", "=1", "a..b=1", ".a=1"])
def test_malformed_override(write, item):
    with pytest.raises(CaseError, match="expected key=value"):
        load(write(), [item])


def test_override_below_a_value(write):
    with pytest.raises(CaseError, match="has no keys"):
        load(write(), ["a=1", "a.b=2"])


def test_override_cannot_smuggle_keys(write):
    case = load(write(), ["title=1\nschema = 7"])
    assert case.title == "1 schema = 7" and case.schema_version == 1


def test_binary_file_is_no_case(tmp_path):
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CaseError, match="cannot be read as text"):
        load(path)
