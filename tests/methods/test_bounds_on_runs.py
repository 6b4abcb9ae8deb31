"""Bounds on runs by hand: which rise is judged, and which steps belong to which snapshots."""

from types import SimpleNamespace

import numpy as np
import pytest

from wgfpde.methods.bounds_on_runs import between_snapshots, energy_rise, first_law, largest_rise
from wgfpde.methods.particles.crowd_promises import svgd_promises


class Made(SimpleNamespace):
    """A run of which only columns are asked."""

    def __len__(self):
        return len(self.t)

    def number(self, name, default=0.0):
        return self.attributes.get(name, default)


def of_energies(*energy):
    return Made(diagnostics={"energy": np.array(energy), "mass": np.ones(len(energy))}, attributes={})


def test_the_largest_rise_is_judged():
    found = largest_rise("", "", np.array([0.5, 0.3]), of_energies(0.0, 0.5, 0.8))
    assert (found["measured"], found["kept"]) == (0.5, False)


def test_rises_before_the_first_snapshot_are_left_out():
    energy = (0.0, 5.0, 5.0, 5.3)
    assert not energy_rise(of_energies(*energy), 1)["kept"]
    found = energy_rise(of_energies(*energy[:2]), 1)
    assert found["kept"] and found["measured"] == 0.0


@pytest.mark.parametrize("unit", [1.0, 1e-20, 1e20])
def test_rounding_is_that_of_the_energies_in_any_unit(unit):
    """A rise by 1e-11 of the energy is broken in all of them: a mass of 1 is no energy."""
    run = of_energies(-4.0 * unit, -4.0 * unit * (1 - 1e-11))
    assert energy_rise(run)["bound"] == pytest.approx(4e-12 * unit, rel=1e-9, abs=0) and not energy_rise(run)["kept"]
    run.attributes["kappa"] = 2.0 * unit
    assert energy_rise(run)["bound"] == pytest.approx(6e-12 * unit, rel=1e-9, abs=0)


def test_a_rise_is_judged_by_the_energies_beside_it():
    """ρ^100 starts at 1e28 and ends at 1: a rise by 1e-9 at the end is no rounding, and the lesser one before is."""
    found = energy_rise(of_energies(1e28, 1e28 * (1 + 1e-15), 3.0, 1.0, 1.0 + 1e-9))
    assert not found["kept"] and found["measured"] == pytest.approx(1e-9, rel=1e-6, abs=0)
    assert found["bound"] == pytest.approx(1e-12, rel=1e-6, abs=0)
    assert energy_rise(of_energies(1e28, 1e28 * (1 + 1e-15), 3.0, 1.0))["kept"]
    assert not energy_rise(of_energies(1.0, np.nan, 0.5))["kept"]


@pytest.mark.parametrize("row", [1, 2, 3])
@pytest.mark.parametrize("name", ["energy", "work", "heat"])
def test_an_account_that_fails_in_one_snapshot(name, row):
    """E − E(0) = work − heat wherever it is looked at; what is missing in one row is told, over the size of it."""
    run = of_energies(2.0, 2.5, 1.5, 1.0)
    run.diagnostics |= {"work": np.array([0.0, 1.0, 1.5, 1.0]), "heat": np.array([0.0, 0.5, 2.0, 2.0])}
    assert first_law(run)["kept"] and first_law(run)["measured"] == 0.0
    run.diagnostics[name][row] += 1e-9
    found = first_law(run)
    assert not found["kept"]
    assert 1e-9 / 10 < found["measured"] < 1e-9 / 4  # the sizes are between 4 and 10


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_a_discrepancy_below_nothing_is_judged_by_the_largest(size):
    run = of_energies(2.0, 1.0)
    run.fields, run.steps = {}, {"stein_discrepancy": size * np.array([0.5, -0.02, 2.0])}
    found = svgd_promises(run, {})[-1]
    assert found["measured"] == pytest.approx(0.01, rel=1e-12, abs=0) and not found["kept"]
    for values in ([0.5, 2.0], [0.0, 0.0]):
        run.steps = {"stein_discrepancy": size * np.array(values)}
        assert svgd_promises(run, {})[-1] == found | {"measured": 0.0, "kept": True}


def test_steps_are_summed_up_to_the_snapshot_that_they_land_on():
    """A step belongs to the snapshot at whose time it ends; those after the last are in none."""
    run = Made(t=np.array([0.0, 1.0, 1.5, 3.0]), steps={"t": np.array([0.5, 1.0, 1.25, 1.5, 3.0, 3.5])})
    np.testing.assert_array_equal(between_snapshots(run, [1, 2, 4, 8, 16, 32]), [3, 12, 16])
    run = Made(t=np.array([0.0, 1.0, 1.5]), steps={"t": np.array([0.5])})
    np.testing.assert_array_equal(between_snapshots(run, [1.0]), [1.0, 0.0])
