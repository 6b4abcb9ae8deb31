"""Cases whose V, W, D and densities come from tables and pictures, from the file to the run and back."""

import json

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.cases.building import build
from wgfpde.cases.loading import loads
from wgfpde.cases.sources.case_files import copied_case, presets
from wgfpde.cases.sources.free_energies import landscape_of, told
from wgfpde.cli import main
from wgfpde.energy.fluxes import dissipation
from wgfpde.energy.openings.losses import exchange
from wgfpde.errors import CaseError
from wgfpde.grid.tables.table import table_of
from wgfpde.grid.tables.tabulated import Tabulated
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


# ---- forbidden cells ---------------------------------------------------------------------------------------


def flow_with_hole(dim, kind, m, ring, mapping):
    """A flow whose table lacks a middle part, on one or two axes."""
    ends = "periodic" if ring else "no-flux"
    n = 24
    x = (np.arange(n) + 0.5) / n
    v = np.cos(2 * np.pi * x)
    values = v if dim == 1 else v + v[:, None]
    hidden = np.abs(x - 0.5) < 0.2
    values[hidden if dim == 1 else np.ix_(hidden, hidden)] = np.nan
    maps = [(lambda s: s + 0.1 * np.sin(2 * np.pi * s) / (2 * np.pi)) if mapping else None] * dim
    grid = wgf.Grid([0.0] * dim, [1.0] * dim, [20, 18][:dim], ends, maps)
    internal = wgf.Internal(kind, 0.2, m) if kind != "none" else wgf.Internal("none")
    return wgf.Flow(grid, wgf.Energy(internal, Tabulated(table_of([x] * dim, values, "t"))))


@pytest.mark.parametrize(("kind", "m"), [("entropy", 1.0), ("none", 1.0), ("power", 0.7), ("power", 4.0)])
@pytest.mark.parametrize(
    ("dim", "ring", "mapping"), [(1, False, True), (1, True, False), (2, True, True), (2, False, False)]
)
def test_nothing_enters_forbidden_cells(kind, m, dim, ring, mapping):
    from wgfpde.energy.snapshot import Snapshot
    from wgfpde.methods.finite_volumes.stepper import FiniteVolumes

    flow = flow_with_hole(dim, kind, m, ring, mapping)
    rng = np.random.default_rng(dim)
    rho = np.where(flow.forbidden, 0.0, rng.uniform(0.5, 1.5, flow.grid.shape))
    for dt in (0.003, 30.0):
        stepper = FiniteVolumes(flow, 2, dt, threads=1)
        snapshot = Snapshot(0.0, 0, {"rho": rho})
        for _ in range(3):
            before, snapshot = snapshot, stepper.step(snapshot, snapshot.t + dt)
            assert np.all(snapshot.rho[flow.forbidden] == 0) and np.all(snapshot.rho >= 0)
            assert flow.mass(snapshot.rho) == pytest.approx(flow.mass(rho), rel=1e-13, abs=0)
            assert flow.value(snapshot.rho) <= flow.value(before.rho) + 1e-13
        assert np.isfinite(dissipation(flow, snapshot.rho))


@pytest.mark.parametrize("dim", [1, 2])
def test_gibbs_is_zero_there_and_rests(dim):
    from wgfpde.energy.snapshot import Snapshot
    from wgfpde.methods.finite_volumes.stepper import FiniteVolumes

    flow = flow_with_hole(dim, "entropy", 1.0, dim == 2, False)
    pi = flow.gibbs(2.0)
    assert flow.mass(pi) == pytest.approx(2.0, rel=1e-13, abs=0) and np.all((pi == 0) == flow.forbidden)
    after = FiniteVolumes(flow, 2, 50.0, threads=1).step(Snapshot(0.0, 0, {"rho": pi}), 50.0).rho
    assert np.max(np.abs(after - pi)) <= 1e-12 * pi.max()
    assert dissipation(flow, pi) == pytest.approx(0, abs=1e-18)


def test_mass_of_parts_that_are_cut_apart():
    """Walls of forbidden cells keep the mass of either part; the spectrum and the landscape say that there are two."""
    flow = flow_with_hole(1, "entropy", 1.0, False, False)
    left = flow.grid.x.centers < 0.5
    rho = np.where(flow.forbidden, 0.0, np.where(left, 2.0, 1.0))
    from wgfpde.energy.snapshot import Snapshot
    from wgfpde.methods.finite_volumes.stepper import FiniteVolumes

    after = FiniteVolumes(flow, 2, 5.0, threads=1).step(Snapshot(0.0, 0, {"rho": rho}), 5.0).rho
    assert flow.mass(after * left) == pytest.approx(flow.mass(rho * left), rel=1e-13, abs=0)
    assert landscape_of(flow).parts == 2 and "leave 2 parts" in told(flow)["forbidden"]
    from wgfpde.studies.spectrum import spectrum

    with pytest.raises(CaseError, match=r"cut the grid into 2 parts \(of 6, 6 cells\)"):
        spectrum(flow)


def test_spectrum_without_forbidden_cells_is_that_of_the_smaller_box():
    """A line with one end forbidden, against the line without it: the same network, the same eigenvalues."""
    from wgfpde.studies.spectrum import spectrum

    x = (np.arange(30) + 0.5) / 30
    values = np.cos(2 * np.pi * x)
    values[:10] = np.nan
    energy = wgf.Energy(wgf.Internal("entropy", 0.3), Tabulated(table_of([x], values, "t"), "nearest"))
    whole = spectrum(wgf.Flow(wgf.Grid([0], [1], [30]), energy), 4)
    part = spectrum(wgf.Flow(wgf.Grid([1 / 3], [1], [20]), energy), 4)
    assert whole.eigenvalues == pytest.approx(part.eigenvalues, rel=1e-10, abs=1e-12)
    assert whole.modes[1][10:] == pytest.approx(part.modes[1], rel=1e-8, abs=0) and np.all(whole.modes[1][:10] == 0)
    ring = spectrum(wgf.Flow(wgf.Grid([0], [1], [30], "periodic"), energy), 4)  # cut open, a line again
    assert ring.eigenvalues == pytest.approx(part.eigenvalues, rel=1e-9, abs=1e-11)


def test_what_cannot_be_had_with_forbidden_cells_says_so(tmp_path):
    x = np.linspace(-2, 2, 41)
    write(tmp_path / "v.csv", x, np.where(np.abs(x) > 1.6, np.nan, double_well(x)))
    hidden = "the table of the potential has no value in 1[0-9] of 60"
    known = case(tmp_path)
    with pytest.raises(CaseError, match=f"JKO steps are not found .* {hidden}"):
        build(case(tmp_path, rest=REST.replace('method = "fv"\ndt = 0.05', 'method = "jko"\ntau = 0.05')))
    with pytest.raises(CaseError, match=f"paths of particles are not found .* {hidden}"):
        build(
            case(
                tmp_path,
                rest=REST.replace('method = "fv"\ndt = 0.05', 'method = "langevin"\ntau = 0.05\nparticles = 10'),
            )
        )
    for more in ("", "particles = 10\n"):
        svgd = f'method = "svgd"\nkernel = {{ kind = "gaussian", bandwidth = 0.5 }}\n{more}'
        with pytest.raises(CaseError, match=f"smoothed by a kernel are not found .* {hidden}"):
            build(case(tmp_path, rest=REST.replace('method = "fv"\ndt = 0.05\n', svgd)))
    with pytest.raises(CaseError, match=f"stationary states are not found .* {hidden}"):
        wgf.stationary(known, progress=False)
    with pytest.raises(CaseError, match=r"slack_lsi.*has no meaning for this case"):
        build(
            loads(
                known.text.replace("[time]", '[output]\ndiagnostics = ["slack_lsi"]\n[time]'), tmp_path / "c", tmp_path
            )
        )
    names = {d.name for d in build(known).diagnostics}
    assert "kl_gibbs" in names and not {n for n in names if n.startswith("slack")}


@pytest.mark.parametrize("transport", ["true", "false"])
def test_reactions_leave_forbidden_cells_empty(tmp_path, transport):
    """Mass grows and decays where it is: nowhere else."""
    x = np.linspace(-2, 2, 41)
    write(tmp_path / "v.csv", x, np.where(np.abs(x - 0.2) < 0.25, np.nan, double_well(x)))
    both = 'density = "(x > -1.2)*(x < -0.8) + (x > 0.8)*(x < 1.2)"'
    rest = REST.replace('density = "(x > -1.2)*(x < -0.8)"', both)
    solver = f'method = "wfr"\ntransport = {transport}\ndt = 0.1'
    given = case(tmp_path, rest=rest.replace('method = "fv"\ndt = 0.05', solver))
    run = wgf.run(given, tmp_path / "out", progress=False)
    flow = build(given).flow
    assert np.all(run.rho[-1][flow.forbidden] == 0) and flow.mass(run.rho[-1]) == pytest.approx(1.0, rel=1e-13, abs=0)
    assert np.all(np.diff(run.diagnostics["energy"]) < 0)


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


def test_a_start_with_mass_where_there_is_no_value_is_refused(tmp_path):
    x = np.linspace(-2, 2, 41)
    write(tmp_path / "v.csv", x, np.where(x < -0.95, np.nan, double_well(x)))
    with pytest.raises(
        CaseError, match=r"initial: the potential has no value in \d+ cells where the density is positive"
    ):
        build(case(tmp_path))
    with pytest.raises(
        CaseError, match=r"energy\.potential: .*has no value in \d+ of the grid's 60 cells, as at x = -1\.9"
    ):
        build(case(tmp_path, '{ file = "v.csv", missing = "error" }'))


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


# ---- and back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["no-flux", "periodic"])
def test_marginals_are_read_back_as_the_potential_they_come_from(tmp_path, ends):
    """At rest ρ ∝ e^{−V/κ}: −κ ln of the density is V, of its marginals −κ ln ∫e^{−V/κ}, up to constants."""
    length = 2.0
    text = (
        f'[grid]\nshape = [24, 18]\nlower = [0.0, -1.0]\nupper = [{length}, 1.0]\nboundary = ["{ends}", "no-flux"]\n'
        f'[energy]\n{ENTROPY}potential = "cos(pi*x)*(1 + y/2) + y**2"\n'
        '[initial]\ndensity = "exp(-(cos(pi*x)*(1 + y/2) + y**2)/0.3)"\nsampling = "centre"\n'
        '[time]\nend = 0.1\n[output]\naverages = { q = "x**2*y" }\n'
    )
    run(loads(text, tmp_path / "c.toml", tmp_path), tmp_path / "r")
    found = wgf.read(tmp_path / "r")
    x, y = found.centers
    weight = found.rho[0] / found.rho[0].sum()
    expected = np.sum(weight * (x**2 + (x[1] - x[0]) ** 2 / 12) * y[:, None])
    assert found.diagnostics["q"] == pytest.approx(np.full(len(found), expected), rel=1e-10, abs=0)
    assert main(["export", str(tmp_path / "r"), "--to", "fes"]) == 0
    v = np.cos(np.pi * x) * (1 + y[:, None] / 2) + y[:, None] ** 2
    for name, shown in (("x", -0.3 * np.log(np.exp(-v / 0.3).sum(0))), ("y", -0.3 * np.log(np.exp(-v / 0.3).sum(1)))):
        axis = dict(zip("xy", found.grid.axes, strict=True))[name]
        line = wgf.Grid([axis.lower], [axis.upper], [axis.size], axis.boundary)
        read = wgf.read_table(tmp_path / "r/export" / f"fes_{name}.dat").on(line)
        assert np.ptp(line.sample(read) - shown) <= 1e-12
    plane = wgf.read_table(tmp_path / "r/export/fes.dat", dim=2).on(found.grid)
    assert np.ptp(found.grid.sample(plane) - v) <= 1e-12
    assert plane.rings == ((length, None) if ends == "periodic" else (None, None))


def test_export_of_free_energies_refuses_what_has_none(tmp_path, capsys):
    power = case(tmp_path, '"x**2"').text.replace('kind = "entropy"', 'kind = "power", m = 2.0')
    run(loads(power, tmp_path / "c.toml", tmp_path), tmp_path / "r")
    assert main(["export", str(tmp_path / "r"), "--to", "fes"]) == 2
    assert 'where the internal energy is the entropy; found "power"' in capsys.readouterr().err
    run(case(tmp_path, '"x**2"'), tmp_path / "s")
    assert main(["export", str(tmp_path / "s"), "--to", "fes", "--all"]) == 2
    assert "is of one snapshot; 11 were asked for" in capsys.readouterr().err


@pytest.mark.parametrize(("formula", "last"), [("k + 2*t", 0.5), ("3*k", 0.9)])
def test_the_free_energy_of_a_density_has_the_kappa_of_its_time(tmp_path, formula, last):
    text = (
        case(tmp_path, '"x**2"').text.replace("kappa = 0.3", f'kappa = "{formula}"').replace("end = 1.0", "end = 0.1")
    )
    found = run(loads(f"[params]\nk = 0.3\n{text}", tmp_path / "c.toml", tmp_path), tmp_path / "r")
    assert main(["export", str(tmp_path / "r"), "--to", "fes"]) == 0
    rho, kept = wgf.read(found.folder).rho[-1], np.loadtxt(tmp_path / "r/export/fes.dat")[:, 1]
    assert kept == pytest.approx(-last * np.log(rho), rel=1e-12, abs=0)


def test_what_is_told_of_a_driven_energy_is_of_the_start(tmp_path):
    flow = build(case(tmp_path, '"(1 + t)*(x**2 - 1)**2"')).flow
    assert told(flow)["kT"].startswith("kappa = 0.3 at t = 0; V from")
    assert told(build(case(tmp_path, '"x**2"')).flow)["kT"].startswith("kappa = 0.3; V from")


@pytest.mark.parametrize(
    ("name", "message"), [("energy", "a diagnostic already"), ("rho", "cannot name"), ('"a b"', "of its own")]
)
def test_names_of_averages(tmp_path, name, message):
    rest = REST + f'[output]\naverages = {{ {name} = "x" }}\n'
    with pytest.raises(CaseError, match=f"output.averages.*{message}"):
        build(case(tmp_path, '"x**2"', rest=rest))


def test_averages_travel_over_a_resume(tmp_path):
    rest = REST + '[output]\naverages = { q = "x" }\n'
    run(case(tmp_path, '"x**2"', rest=rest), tmp_path / "r")
    resume(tmp_path / "r", 1.5)
    found = wgf.read(tmp_path / "r")
    assert found.diagnostics["q"] == pytest.approx(found.diagnostics["mean_x"], rel=1e-12, abs=0) and found.t[-1] == 1.5


def test_new_copies_the_data_of_a_case(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "fes_table_2d"]) == 0
    assert "fes_table_2d.dat" in capsys.readouterr().out
    assert (tmp_path / "fes_table_2d.dat").read_bytes() == presets()["fes_table_2d"].with_suffix(".dat").read_bytes()
    assert main(["check", "fes_table_2d.toml"]) == 0
    (tmp_path / "fes_table_2d.toml").unlink()
    capsys.readouterr()
    assert main(["new", "fes_table_2d"]) == 2
    assert "fes_table_2d.dat exists and is kept" in capsys.readouterr().err
    with pytest.raises(FileExistsError):
        copied_case(presets()["fes_table_2d"], tmp_path / "other.toml")
    assert not (tmp_path / "other.toml").exists()


# ---- exits -------------------------------------------------------------------------------------------------


def passage(potential, lower=-2.0, cells=600):
    grid = wgf.Grid([lower], [1.0], [cells], [("no-flux", "absorbing")])
    energy = wgf.Energy(wgf.Internal("entropy", 0.1), potential)
    known = wgf.problem(grid, energy, lambda x: np.exp(-((x + 1) ** 2) / 1e-3) * (x > -1.4), end=1.0)
    return wgf.exits(known, lambda x: x < -0.8, "x_upper", progress=False)


def mean_time(potential, lower=-2.0, cells=600):
    return passage(potential, lower, cells).mean_time


def test_first_passage_from_a_table():
    """Against the formula on the same grid, from a table of spacing 1/4; PCHIP is a tenth too fast."""
    x = np.arange(-2, 1.125, 0.25)
    exact = mean_time(lambda x: double_well(x))
    table = table_of([x], double_well(x), "t")
    assert mean_time(Tabulated(table)) == pytest.approx(exact, rel=1e-4, abs=0)
    assert mean_time(Tabulated(table, "pchip")) < 0.92 * exact


def test_first_passage_beside_forbidden_cells_is_that_of_the_smaller_box():
    """Also where forbidden cells lie at a wall that absorbs: nothing leaves there."""
    x = -2 + 3 * (np.arange(300) + 0.5) / 300
    values = double_well(x)
    values[x < -1.5] = np.nan
    holed = passage(Tabulated(table_of([x], values, "t"), "nearest"), cells=300)
    whole = passage(Tabulated(table_of([x], double_well(x), "t"), "nearest"), -1.5, 250)
    for name in ("mean_time", "rate", "committor", "quasi_stationary_rate"):
        assert getattr(holed, name) == pytest.approx(getattr(whole, name), rel=1e-8, abs=0), name
    values = double_well(x)
    values[x > 0.5] = np.nan
    with pytest.raises(CaseError):
        mean_time(Tabulated(table_of([x], values, "t"), "nearest"), cells=300)


@pytest.mark.parametrize("wall", [("density", "1.0"), ("inflow", "0.5")])
def test_nothing_comes_in_by_a_wall_of_forbidden_cells(wall):
    x = (np.arange(20) + 0.5) / 20
    values = np.cos(2 * np.pi * x) + 0 * x[:, None]
    values[:, :3] = np.nan
    values[15:, :] = np.nan
    text = (
        f"[grid]\nshape = [20, 20]\nlower = [0.0, 0.0]\nupper = [1.0, 1.0]\n"
        f'boundary = [{{ lower = {{ {wall[0]} = "{wall[1]}" }} }}, {{ upper = {{ {wall[0]} = "{wall[1]}" }} }}]\n'
        f'[energy]\n{ENTROPY}potential = "0"\n[initial]\ndensity = "(x > 0.4)*(y < 0.5)"\n[time]\nend = 1.0\n'
    )
    grid = build(loads(text, "c")).flow.grid
    flow = wgf.Flow(grid, wgf.Energy(wgf.Internal("entropy", 0.3), Tabulated(table_of([x, x], values, "t"))))
    losses, gains = exchange(flow)
    for rates in (*losses.values(), *gains.values()):
        assert np.all(rates[flow.forbidden] == 0)


def test_forbidden_cells_under_a_force_cut_the_ring():
    """A force round a ring with a hole: no current in the end, no mass in the hole, and no steady state is claimed."""
    x = (np.arange(24) + 0.5) / 24
    values = np.where(np.abs(x - 0.5) < 0.1, np.nan, np.cos(2 * np.pi * x))
    energy = wgf.Energy(wgf.Internal("entropy", 0.3), Tabulated(table_of([x], values, "t")), tilt=(2.0,))
    grid = wgf.Grid([0], [1], [24], "periodic")
    known = wgf.problem(
        grid, energy, lambda x: 1.0 * (np.abs(x - 0.5) > 0.2), end=2000.0, solver={"method": "fv", "dt": 50.0}
    )
    last = list(wgf.march(known))[-1].rho
    flow = build(known).flow
    assert np.all(last[flow.forbidden] == 0) and flow.mass(last) == pytest.approx(0.6, rel=0.05, abs=0)
    tilted = flow.potential - 2.0 * np.mod(x + 0.5, 1.0)  # along the line from the hole to the hole
    rest = np.where(flow.forbidden, 0, np.exp(-tilted / 0.3))
    assert last == pytest.approx(rest * flow.mass(last) / flow.mass(rest), rel=1e-6, abs=1e-12)
    with pytest.raises(CaseError, match="stationary states are not found"):
        wgf.stationary(known, progress=False)
