"""What a run is held against is rebuilt from its file, and left out where it would not be the run's own."""

import numpy as np
import pytest

from wgfpde.cases.building import build_exact, build_flow, build_grid
from wgfpde.cases.loading import from_mapping
from wgfpde.energy.snapshot import Snapshot
from wgfpde.output.references import exact_and_gibbs, potential_of
from wgfpde.store import Label, Writer, read
from wgfpde.store.layout import Layout

OU = {
    "grid": {"shape": [40], "lower": [-4.0], "upper": [4.0]},
    "params": {"a": 1.5},
    "energy": {"internal": {"kind": "entropy", "kappa": 0.5}, "potential": "a*x**2/2"},
    "initial": {"density": "exp(-x**2)", "mass": 2.0},
    "time": {"end": 1.0},
    "exact": {"density": "exp(-(x - t)**2)"},
}


def stored(folder, data, text=None, energy=None):
    """A run of one snapshot, as a solver would leave it."""
    case = from_mapping(data)
    grid = build_grid(case)
    flow, exact = build_flow(case, grid), build_exact(case, grid)
    rho = 0.1 + np.random.default_rng(1).uniform(size=grid.shape)
    values = {"energy": flow.value(rho) if energy is None else energy}
    if flow.external is not None:
        values["energy_potential"] = flow.integral(flow.external * rho)
    if exact is not None:
        values["error_linf"] = np.abs(rho - exact(0.5)).max()
    texts = {"resolved_toml": case.resolved_toml() if text is None else text}
    labels = [Label(name, "1", name, name) for name in values]
    with Writer(folder / "output.h5", Layout(grid, labels, texts=texts), {"title": "t"}, 1) as writer:
        writer.append(Snapshot(0.5, 3, {"rho": rho}), values)
        writer.finish("finished")
    return read(folder), flow, exact


def test_both_are_those_of_the_case(tmp_path):
    run, flow, exact = stored(tmp_path, OU)
    found, gibbs = exact_and_gibbs(run)
    assert np.array_equal(found(0.25), exact(0.25))
    x = run.centers[0]
    expected = np.exp(-1.5 * x**2 / (2 * 0.5))
    assert np.allclose(gibbs / gibbs.max(), expected / expected.max(), rtol=1e-12, atol=0)
    assert flow.mass(gibbs) == pytest.approx(flow.mass(run.rho[-1]), rel=1e-14, abs=0), (
        "the mass of the run, not of the case"
    )


def test_in_2d_on_stretched_cells(tmp_path):
    grid = {"shape": [8, 6], "lower": [0.0, 0.0], "upper": [1.0, 2.0], "mapping": ["s**2", "s"]}
    data = OU | {"grid": grid, "energy": {"internal": {"kind": "entropy"}, "potential": "x + y"}}
    run, flow, exact = stored(tmp_path, data)
    found, gibbs = exact_and_gibbs(run)
    assert found(0.0).shape == gibbs.shape == (6, 8) and np.array_equal(found(0.0), exact(0.0))
    assert flow.mass(gibbs) == pytest.approx(flow.mass(run.rho[-1]), rel=1e-14, abs=0)


JKO = {"method": "jko", "tau": 0.5, "algorithm": "pdhg", "congestion": 1.0}


@pytest.mark.parametrize(
    "change",
    [
        {"energy": {"internal": {"kind": "power", "m": 2.0}, "potential": "x**2"}},
        {"energy": {"internal": {"kind": "entropy"}, "interaction": "x**2"}},
        {"solver": JKO},
        {"solver": {"method": "geodesic"}, "target": {"density": "exp(-x**2)"}},
    ],
    ids=["power", "interaction", "congestion", "geodesic"],
)
def test_no_gibbs_state_where_the_run_does_not_tend_to_one(tmp_path, change):
    run, _, _ = stored(tmp_path, OU | change)
    assert exact_and_gibbs(run)[1] is None and exact_and_gibbs(run)[0] is not None


def test_no_exact_solution_where_the_case_has_none(tmp_path):
    run, _, _ = stored(tmp_path, {key: table for key, table in OU.items() if key != "exact"})
    exact, gibbs = exact_and_gibbs(run)
    assert exact is None and gibbs is not None


@pytest.mark.parametrize("text", ["", "made in Python", "schema = 1\n[grid]\nshape = [3]\n"])
def test_text_that_is_no_case(tmp_path, text):
    assert exact_and_gibbs(stored(tmp_path, OU, text)[0]) == (None, None)


def test_numbers_that_are_not_those_of_the_text(tmp_path):
    other = OU | {"params": {"a": 3.0}, "exact": {"density": "2*exp(-(x - t)**2)"}}
    run, _, _ = stored(tmp_path, OU, from_mapping(other).resolved_toml())
    assert exact_and_gibbs(run) == (None, None)
    finer = OU | {"grid": OU["grid"] | {"shape": [41]}}
    (tmp_path / "b").mkdir()
    run, _, _ = stored(tmp_path / "b", OU, from_mapping(finer).resolved_toml())
    assert exact_and_gibbs(run) == (None, None)


RING = {"shape": [8, 6], "lower": [0.0, 0.0], "upper": [1.0, 2.0], "boundary": ["periodic", "no-flux"]}
BENT = {"shape": [8, 6], "lower": [0.0, 0.0], "upper": [1.0, 2.0], "mapping": ["s**2", "s"]}
WALLS = {"shape": [8, 6], "lower": [0.0, 0.0], "upper": [1.0, 2.0], "boundary": [["no-flux", "absorbing"], "no-flux"]}


@pytest.mark.parametrize("grid", [RING, BENT, WALLS], ids=["periodic", "stretched", "absorbing"])
@pytest.mark.parametrize("more", [{}, {"interaction": "cos(2*pi*x)"}], ids=["linear", "interaction"])
def test_the_potential_is_that_of_the_case(tmp_path, grid, more):
    energy = {"internal": {"kind": "entropy"}, "potential": "a*cos(2*pi*x) + y**2"} | more
    if grid is WALLS and more:
        energy["interaction"] = "x**2 + y**2"
    run, flow, _ = stored(tmp_path, OU | {"grid": grid, "energy": energy})
    x, y = np.meshgrid(*run.centers)
    assert np.array_equal(potential_of(run), flow.external)
    assert potential_of(run) == pytest.approx(1.5 * np.cos(2 * np.pi * x) + y**2, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("potential", [None, "a*(1 + t)*x**2/2"], ids=["none", "moves"])
def test_no_potential(tmp_path, potential):
    energy = {"internal": {"kind": "entropy"}} | ({} if potential is None else {"potential": potential})
    assert potential_of(stored(tmp_path, OU | {"energy": energy})[0]) is None


def test_a_potential_with_other_numbers_is_left_out(tmp_path):
    for k, text in enumerate(["", "schema = 1", from_mapping(OU | {"params": {"a": 3.0}}).resolved_toml()]):
        (tmp_path / str(k)).mkdir()
        assert potential_of(stored(tmp_path / str(k), OU, text)[0]) is None


@pytest.mark.parametrize(
    "ends", [["no-flux", "absorbing"], "absorbing", [{"density": 0.2}, "no-flux"], [{"robin": 0.5}, "no-flux"]], ids=str
)
@pytest.mark.parametrize("dim", [1, 2])
def test_the_potential_of_a_box_with_exits(ends, dim, tmp_path):
    """V is that of the cells, whatever may pass the walls."""
    grid = {"shape": [40, 6][:dim], "lower": [-4.0, 0.0][:dim], "upper": [4.0, 1.0][:dim]}
    data = OU | {"grid": grid | {"boundary": [ends, "no-flux"][:dim]}, "solver": {"method": "fv", "dt": 0.1}}
    run, flow, _ = stored(tmp_path, {key: value for key, value in data.items() if key != "exact"})
    assert flow.exits
    np.testing.assert_allclose(
        potential_of(run), np.broadcast_to(0.75 * run.centers[0] ** 2, run.rho.shape[1:]), rtol=1e-13
    )
