"""Cases whose V, W, D and densities come from tables and pictures, from the file to the run."""

import json

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.cases.building import build
from wgfpde.cases.loading import loads
from wgfpde.cases.sources.free_energies import landscape_of
from wgfpde.cli import main
from wgfpde.errors import CaseError
from wgfpde.runs.runner import resume, run

LINE = "[grid]\nshape = [60]\nlower = [-2.0]\nupper = [2.0]\n"
ENTROPY = 'internal = { kind = "entropy", kappa = 0.3 }\n'
REST = (
    '[initial]\ndensity = "(x > -1.2)*(x < -0.8)"\nmass = 1.0\n[time]\nend = 1.0\n[solver]\nmethod = "fv"\ndt = 0.05\n'
)


def double_well(x):
    return (x**2 - 1) ** 2


def write(path, x, values, header="x,V"):
    path.write_text(header + "\n" + "\n".join(f"{a!r},{b!r}" for a, b in zip(x.tolist(), values.tolist(), strict=True)))
    return path


@pytest.fixture
def well(tmp_path):
    x = np.linspace(-2, 2, 41)
    return write(tmp_path / "v.csv", x, double_well(x))


def case(folder, potential='{ file = "v.csv" }', grid=LINE, rest=REST, more=""):
    return loads(f"{grid}[energy]\n{ENTROPY}potential = {potential}\n{more}{rest}", folder / "c.toml", folder)


# ---- numbers -----------------------------------------------------------------------------------------------


EXACT = 25527.0913642925
"""Mean first-passage time from −1 to 1, V = (x² − 1)², κ = 0.1, no-flux at −2, by quadrature in 40 digits."""


def first_passage(potential, kappa=0.1, n=60_000):
    """(1/κ) ∫_{−1}^{1} e^{V(y)/κ} ∫_{−2}^{y} e^{−V(z)/κ} dz dy by the midpoint rule, error 1e-8."""
    h = 3 / n
    middles = -2 + h * (np.arange(n) + 0.5)
    v = potential(x=middles)
    inner = h * (np.cumsum(np.exp(-v / kappa)) - 0.5 * np.exp(-v / kappa))
    return h * np.sum(np.where(middles > -1, np.exp(v / kappa) * inner, 0.0)) / kappa


@pytest.mark.parametrize(
    ("kind", "spacing", "least", "most"),
    [
        ("cubic", 0.25, -1e-4, 1e-4),
        ("cubic", 0.125, -1e-5, 1e-5),
        ("pchip", 0.25, -0.12, -0.08),
        ("pchip", 0.125, -0.02, -0.014),
        ("linear", 0.25, -0.45, -0.41),
        ("linear", 0.125, -0.15, -0.13),
    ],
)
def test_rates_from_tables(tmp_path, kind, spacing, least, most):
    """Only the cubic spline keeps the height of a barrier of 10 kT; PCHIP and straight lines flatten it."""
    x = np.arange(-2, 1 + spacing / 2, spacing)
    write(tmp_path / "v.csv", x, double_well(x))
    grid = "[grid]\nshape = [90]\nlower = [-2.0]\nupper = [1.0]\n"
    found = build(case(tmp_path, f'{{ file = "v.csv", interpolation = "{kind}" }}', grid)).flow.table
    assert first_passage(lambda x: double_well(x)) == pytest.approx(EXACT, rel=1e-7, abs=0)
    assert least <= first_passage(found) / EXACT - 1 <= most


@pytest.mark.parametrize("mapping", ["", 'mapping = ["s + 0.5/(2*pi)*sin(2*pi*s)"]\n'])
def test_a_table_gives_what_its_formula_gives(tmp_path, well, mapping):
    """The spline of spacing 0.1 is right to 1e-5, and so is the run, on equal and on stretched cells."""
    one = list(wgf.march(case(tmp_path, grid=LINE + mapping)))[-1].rho
    two = list(wgf.march(case(tmp_path, '"(x**2 - 1)**2"', LINE + mapping)))[-1].rho
    assert np.max(np.abs(one - two)) <= 1e-4 * two.max()


@pytest.mark.parametrize("kind", ["entropy", "power"])
def test_scale_histogram_and_dataset_options(tmp_path, kind):
    x = np.linspace(-2, 2, 41)
    write(tmp_path / "h.csv", x, 7 * np.exp(-double_well(x) / 0.3), "x,count")
    write(tmp_path / "v.csv", x, double_well(x) / 4.184)
    internal = f'{{ kind = "{kind}", kappa = 0.3{", m = 2.0" if kind == "power" else ""} }}'
    flows = []
    for potential in ('{ file = "v.csv", scale = 4.184 }', '{ file = "h.csv", histogram = true }', '"(x**2 - 1)**2"'):
        text = f"{LINE}[energy]\ninternal = {internal}\npotential = {potential}\n{REST}"
        flows.append(build(loads(text, tmp_path / "c.toml", tmp_path)).flow.potential)
    assert flows[0] == pytest.approx(flows[2], abs=2e-4)
    assert np.ptp(flows[1] - flows[2]) <= 2e-4  # up to a constant


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("lower = [-2.0]", "upper: missing: a .npy array lies between lower and upper"),
        ("upper = [-2.0]", "lower: missing: a .npy array lies between lower and upper"),
        ('points = "ends"', "points: the places are in v.csv"),
    ],
)
def test_keys_of_arrays_are_of_no_use_for_texts(well, more, words):
    with pytest.raises(CaseError, match=words):
        build(case(well.parent, f'{{ file = "v.csv", {more} }}'))


# ---- from the file to the run ------------------------------------------------------------------------------


def test_the_run_holds_v_and_the_digest_and_goes_on(tmp_path):
    x = np.linspace(-2, 2, 41)
    file = write(tmp_path / "v.csv", x, np.where(x > 1.7, np.inf, double_well(x)))
    known = case(tmp_path)
    result = run(known, tmp_path / "r")
    found = wgf.read(tmp_path / "r")
    v = found.constants["potential"]
    assert v.shape == (60,) and np.isnan(v).sum() == 5
    assert v[:55] == pytest.approx(double_well(found.centers[0][:55]), abs=5e-2)
    assert list(found.data_files) == [str(file)] and len(found.data_files[str(file)]) == 64
    assert result.status == "finished" and np.all(found.rho[-1][55:] == 0)
    resume(tmp_path / "r", 1.5)
    assert np.isnan(wgf.read(tmp_path / "r").constants["potential"]).sum() == 5
    if pytest.importorskip("xarray"):
        assert found.to_xarray()["potential"].dims == ("x",)
    assert main(["export", str(tmp_path / "r"), "--to", "nc"]) == 0
    file.write_text(file.read_text() + "\n")
    with pytest.raises(CaseError, match="which has changed since"):
        resume(tmp_path / "r", 2.0)


def test_without_tables_the_file_holds_no_potential(tmp_path):
    run(case(tmp_path, '"x**2"'), tmp_path / "r")
    found = wgf.read(tmp_path / "r")
    assert found.constants == {} and "constants" not in found.attributes


def test_paths_are_relative_to_the_case_and_kept_absolute(tmp_path, well):
    known = case(tmp_path)
    assert known.energy.potential.file == str(well)
    assert loads(known.resolved_toml(), "again").energy == known.energy
    changed = wgf.load(_written(tmp_path, known), ["energy.potential.interpolation=linear"])
    assert changed.energy.potential.interpolation == "linear" and changed.energy.potential.file == str(well)
    assert wgf.load(_written(tmp_path, known), ["energy.potential=x**2"]).energy.potential == "x**2"


def _written(folder, known):
    (folder / "c.toml").write_text(known.text)
    return folder / "c.toml"


@pytest.mark.parametrize(
    ("potential", "message"),
    [
        ('{ file = "v.csv", colum = "V" }', 'energy.potential.colum: unknown key; did you mean "column"?'),
        ('{ column = "V" }', "energy.potential.file: missing"),
        (
            '{ file = "v.csv", interpolation = "cubc" }',
            'energy.potential.interpolation: expected "cubic", "pchip", "linear"',
        ),
        ('{ file = "v.csv", scale = 0.0 }', "energy.potential.scale: expected a number other than 0"),
        ('{ file = "w.csv" }', "energy.potential: a table must be a file; found nothing"),
        ("5", "energy.potential: expected text (V, a formula"),
        ('{ file = "v.csv", column = "W" }', 'energy.potential: v.csv has no column "W" of values; found "V"'),
    ],
)
def test_mistakes_in_the_table(tmp_path, well, potential, message):
    with pytest.raises(CaseError) as caught:
        build(case(tmp_path, potential))
    assert message in str(caught.value)


def test_check_says_kt_barriers_and_the_unit_of_time(tmp_path, well, capsys):
    known = case(tmp_path, grid=LINE.replace("60", "400"))
    path = _written(tmp_path, known)
    assert main(["check", str(path), "--set", "energy.internal.kappa=0.1"]) == 0
    said = capsys.readouterr().out
    assert "V = a table (v.csv, cubic)" in said
    assert "kT          kappa = 0.1; V from" in said and "10 kT from x = " in said and "10 kT back" in said
    assert "t = 1 is the time 0.1/D0" in said
    assert main(["check", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["notes"] == [] and facts["barriers"].startswith("3.33 kT")


def test_barriers_in_the_plane():
    """(x² − 1)² + 2y² + 0.1x: one pass, of 0.9025 and 1.1025 up to the cells; the landscape finds it on the cells."""
    grid = wgf.Grid([-2, -1], [2, 1], [101, 51])
    energy = wgf.Energy(wgf.Internal("entropy", 0.05), lambda x, y: (x**2 - 1) ** 2 + 2 * y**2 + 0.1 * x)
    found = landscape_of(wgf.Flow(grid, energy))
    assert len(found.barriers) == 1 and found.parts == 1
    assert found.barriers[0].height == pytest.approx(0.9025, abs=4e-3)
    assert found.barriers[0].back == pytest.approx(1.1025, abs=4e-3)
    assert found.barriers[0].minimum.startswith("x = 0.99") and found.barriers[0].deeper.startswith("x = -1.0")


def test_a_note_where_the_spline_leaves_its_table(tmp_path):
    x = np.linspace(-2, 2, 41)
    write(tmp_path / "v.csv", x, np.minimum(double_well(x), 1.2))
    small = "energy.internal.kappa=0.1"
    path = _written(tmp_path, case(tmp_path, grid=LINE.replace("60", "200")))
    notes = build(wgf.load(path, [small])).notes
    assert len(notes) == 1 and "= 0.18 kappa near x = " in notes[0]
    assert build(wgf.load(path, ["energy.internal.kappa=0.3"])).notes == []
    assert build(wgf.load(path, [small, "energy.potential.interpolation=pchip"])).notes == []


# ---- W, D, densities ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 2])
def test_interaction_from_a_table(tmp_path, dim):
    r = np.linspace(0, 6, 121)
    write(tmp_path / "w.csv", r, np.exp(-(r**2)), "r,w")
    shape = ", ".join(["24"] * dim)
    grid = f"[grid]\nshape = [{shape}]\nlower = [{', '.join(['-2.0'] * dim)}]\nupper = [{', '.join(['2.0'] * dim)}]\n"
    start = '[initial]\ndensity = "exp(-r**2)"\nmass = 1.0\n[time]\nend = 1.0\n'
    drives = []
    for w in ('{ file = "w.csv" }', '"exp(-r**2)"'):
        flow = build(loads(f"{grid}[energy]\n{ENTROPY}interaction = {w}\n{start}", tmp_path / "c.toml", tmp_path)).flow
        drives.append(flow.interaction.apply(flow.grid.sample(lambda x, y=0.0: np.exp(-(x**2) - y**2))))
    assert drives[0] == pytest.approx(drives[1], rel=2e-5, abs=0)
    write(tmp_path / "w.csv", r, np.exp(-r), "r,w")  # with a kink at 0
    kinked = build(
        loads(f'{grid}[energy]\n{ENTROPY}interaction = {{ file = "w.csv" }}\n{start}', tmp_path / "c", tmp_path)
    )
    plain = build(loads(f'{grid}[energy]\n{ENTROPY}interaction = "exp(-r)"\n{start}', tmp_path / "c", tmp_path))
    ones = np.ones(plain.flow.grid.shape)
    assert kinked.flow.interaction.apply(ones) == pytest.approx(plain.flow.interaction.apply(ones), rel=1e-4, abs=0)
    write(tmp_path / "w.csv", r[1:], np.exp(-(r[1:] ** 2)), "r,w")
    with pytest.raises(CaseError, match=r"energy\.interaction: w\.csv begins at r = 0\.05"):
        build(loads(f'{grid}[energy]\n{ENTROPY}interaction = {{ file = "w.csv" }}\n{start}', tmp_path / "c", tmp_path))


def test_diffusion_from_a_table(tmp_path):
    x = np.linspace(-2, 2, 81)
    write(tmp_path / "d.csv", x, 1 / (1 + x**2), "x,D")
    found = [build(case(tmp_path, '"x**2"', more=f"[dynamics]\ndiffusion = {d}\n")).flow.mobility[0]
             for d in ('{ file = "d.csv" }', '"1/(1 + x**2)"')]  # fmt: skip
    assert found[0] == pytest.approx(found[1], rel=2e-3, abs=0)
    write(tmp_path / "d.csv", x, np.where(x > 1.5, np.nan, 1 / (1 + x**2)), "x,D")
    with pytest.raises(CaseError, match=r"dynamics: .*has no value in \d+ of the grid's 60 cells"):
        build(case(tmp_path, '"x**2"', more='[dynamics]\ndiffusion = { file = "d.csv" }\n'))
    kept = build(case(tmp_path, '"x**2"', more='[dynamics]\ndiffusion = { file = "d.csv", missing = "nearest" }\n'))
    assert kept.flow.mobility[0][-1] == pytest.approx(1 / 3.25, rel=1e-12, abs=0) and kept.record.files
    both = build(case(tmp_path, '"x**2"', more='[dynamics]\ndiffusion = { file = "d.csv", missing = "nearest" }\n'
                      'convention = "ito"\n'))  # fmt: skip
    assert np.all(np.isfinite(both.flow.potential))


@pytest.mark.parametrize("source", ['"rho.csv"', '{ file = "rho.csv", column = "p" }'])
def test_density_from_a_table(tmp_path, source):
    x = np.linspace(-2, 2, 33)
    write(tmp_path / "rho.csv", x, np.where(np.abs(x) > 1, np.nan, 1 + x), "x,p")
    rest = f"[initial]\nfile = {source}\nmass = 1.0\n[time]\nend = 1.0\n"
    rho = build(case(tmp_path, '"x**2"', rest=rest)).initial.rho
    centers = build(case(tmp_path, '"x**2"', rest=rest)).flow.grid.x.centers
    inside = np.abs(centers) < 1.05
    assert np.all(rho[np.abs(centers) > 1.07] == 0)
    assert rho[inside][1:-1] == pytest.approx((1 + centers)[inside][1:-1] / 2, rel=0.1, abs=0)


def test_density_from_a_picture(tmp_path):
    """The bottom row is at the lower end of y; each pixel is spread over its part of the box, exactly."""
    image = pytest.importorskip("PIL.Image")
    grey = np.array([[0, 0, 255], [0, 51, 0]], dtype=np.uint8)
    image.fromarray(grey).save(tmp_path / "p.png")
    grid = "[grid]\nshape = [6, 4]\nlower = [0.0, 0.0]\nupper = [3.0, 2.0]\n"
    text = f'{grid}[energy]\n{ENTROPY}[initial]\nimage = "p.png"\n[time]\nend = 1.0\n'
    rho = build(loads(text, tmp_path / "c.toml", tmp_path)).initial.rho
    assert rho == pytest.approx(np.kron(grey[::-1], np.ones((2, 2))), rel=1e-12, abs=0)
    dark = build(loads(text.replace("[time]", "invert = true\n[time]"), tmp_path / "c.toml", tmp_path)).initial.rho
    assert dark == pytest.approx(255 - np.kron(grey[::-1], np.ones((2, 2))), rel=1e-12, abs=0)
    with pytest.raises(CaseError, match="only an image can be inverted"):
        loads(text.replace('image = "p.png"', 'density = "1"\ninvert = true'), tmp_path / "c.toml", tmp_path)
    line = text.replace(grid, LINE)
    with pytest.raises(CaseError, match=r"initial\.image: a picture gives a density on a grid of two axes"):
        build(loads(line, tmp_path / "c.toml", tmp_path))


# ---- Python ------------------------------------------------------------------------------------------------


def test_objects_of_pandas_and_xarray_in_python():
    pandas, xarray = pytest.importorskip("pandas"), pytest.importorskip("xarray")
    x = np.linspace(-2, 2, 41)
    grid = wgf.Grid([-2], [2], [40])
    start = pandas.Series(np.exp(-(x**2)), index=x)
    energy = wgf.Energy(wgf.Internal("entropy", 0.3), xarray.DataArray(double_well(x), {"x": x}, ("x",)))
    found = list(wgf.march(wgf.problem(grid, energy, start, end=0.1)))[-1].rho
    plain = wgf.Energy(wgf.Internal("entropy", 0.3), lambda x: double_well(x))
    expected = list(wgf.march(wgf.problem(grid, plain, lambda x: np.exp(-(x**2)), end=0.1)))[-1].rho
    assert np.max(np.abs(found - expected)) <= 5e-3 * expected.max()
    frame = pandas.DataFrame({"x": x, "V": np.where(x > 1.5, np.nan, double_well(x))})
    table = wgf.read_table(frame, interpolation="pchip", scale=2.0)
    flow = wgf.Flow(grid, wgf.Energy(wgf.Internal("entropy", 0.3), table))
    assert flow.forbidden.sum() == 5 and flow.potential[20] == pytest.approx(2 * double_well(0.05), rel=1e-2, abs=0)


def test_read_table_from_files(tmp_path, well):
    table = wgf.read_table(well)
    assert table(x=np.array([0.5])) == pytest.approx(double_well(0.5), rel=1e-3, abs=0)
    with pytest.raises(CaseError, match="a histogram needs kappa"):
        wgf.read_table(well, histogram=True)
