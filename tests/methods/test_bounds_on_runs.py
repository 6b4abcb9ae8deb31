"""Bounds on runs by hand: which rise is judged, with which slack, and which steps belong to which snapshots."""

from types import SimpleNamespace

import numpy as np
import pytest

from wgfpde.methods.bounds_on_runs import between_snapshots, energy_rise, largest_rise


class Made(SimpleNamespace):
    """A run of which only columns are asked."""

    def __len__(self):
        return len(self.t)


def of_energies(*energy):
    return Made(diagnostics={"energy": np.array(energy), "mass": np.ones(len(energy))})


def test_the_rise_that_exceeds_its_slack_most_is_judged():
    """Not the largest rise: that one had room."""
    found = largest_rise("", "", np.array([0.5, 0.3]), np.array([1.0, 0.1]), of_energies(0.0, 0.5, 0.8))
    assert (found["measured"], found["bound"], found["kept"]) == (0.3, pytest.approx(0.1, rel=1e-10), False)


def test_rises_before_the_first_snapshot_are_left_out_with_their_slack():
    energy, slack = (0.0, 5.0, 5.3, 5.3), np.array([9.0, 0.1, 0.0])
    assert not energy_rise(of_energies(*energy), 1, slack)["kept"]
    assert not energy_rise(of_energies(*energy))["kept"]
    found = energy_rise(of_energies(*energy[:2]), 1)
    assert found["kept"] and found["measured"] == 0.0


def test_rounding_is_that_of_the_largest_energy_and_the_mass():
    assert energy_rise(of_energies(-4.0, -4.0))["bound"] == 5e-12


def test_steps_are_summed_up_to_the_snapshot_that_they_land_on():
    """A step belongs to the snapshot at whose time it ends; those after the last are in none."""
    run = Made(t=np.array([0.0, 1.0, 1.5, 3.0]), steps={"t": np.array([0.5, 1.0, 1.25, 1.5, 3.0, 3.5])})
    np.testing.assert_array_equal(between_snapshots(run, [1, 2, 4, 8, 16, 32]), [3, 12, 16])
    run = Made(t=np.array([0.0, 1.0, 1.5]), steps={"t": np.array([0.5])})
    np.testing.assert_array_equal(between_snapshots(run, [1.0]), [1.0, 0.0])
