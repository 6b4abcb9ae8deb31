"""Cells that a table of the potential forbids: nothing enters, and what is asked of the rest."""

import numpy as np
import pytest

import wgfpde as wgf
from tests.cases.test_table_cases import ENTROPY, REST, case, double_well, write
from wgfpde.cases.building import build
from wgfpde.cases.loading import loads
from wgfpde.cases.sources.free_energies import landscape_of, told
from wgfpde.energy.fluxes import dissipation
from wgfpde.energy.openings.losses import exchange
from wgfpde.errors import CaseError
from wgfpde.grid.tables.table import table_of
from wgfpde.grid.tables.tabulated import Tabulated


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
