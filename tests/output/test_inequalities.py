"""What is said of inequalities, by hand: which snapshots are judged, what each is allowed, and what is compared."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from wgfpde.output.inequalities import inequalities_of, sides

KAPPA, SOBOLEV = 0.5, 2.0


class Made(SimpleNamespace):
    """A run of which only columns are asked, a snapshot each 0.5."""

    def __len__(self):
        return len(self.t)

    def number(self, name, default=np.nan):
        return self.attributes.get(name, default)


def made(dim=1, convexity=1.0, **columns):
    columns = {name: np.array(values, dtype=float) for name, values in columns.items()}
    n = len(columns["kl_gibbs"])
    about = {"method": "fv", "kappa": KAPPA, "sobolev": SOBOLEV, "convexity": convexity, "equation": "Fokker-Planck"}
    columns = {"mass": np.ones(n)} | columns
    return Made(
        resolved_toml="", t=0.5 * np.arange(n), dim=dim, attributes=about, diagnostics=columns, boundary=(),
    )  # fmt: skip


def verdict(run, name):
    (found,) = [c for c in inequalities_of(run) if c["name"] == name]
    return found["verdict"]


@pytest.mark.parametrize(("name", "dim", "allowed"), [
    ("log-Sobolev", 1, 1e-8), ("log-Sobolev", 2, 1e-8), ("HWI", 1, 1e-8), ("HWI", 2, 2e-3), ("Talagrand", 1, 1e-8),
    ("Talagrand", 2, 2e-3),
])  # fmt: skip
def test_what_a_state_is_allowed(name, dim, allowed):
    """A part of its larger side, which is the bounded one where the inequality fails."""
    sizes = {"log-Sobolev": ("slack_lsi", 0.8), "HWI": ("slack_hwi", 0.4), "Talagrand": ("slack_talagrand", 0.4)}
    column, size = sizes[name]
    for part, wanted in ((0.9, "holds"), (1.1, "VIOLATED")):
        slack = -part * allowed * size
        w2 = math.sqrt(0.4)  # at 2κH/λ = 0.4
        run = made(dim, kl_gibbs=[0.8], w2_gibbs=[w2], **{column: [slack]})
        assert verdict(run, name) == wanted


@pytest.mark.parametrize(("part", "wanted"), [(0.95, "holds"), (1.05, "VIOLATED")])
def test_what_evi_is_allowed(part, wanted):
    """1e-3 of ½W₂² before, and 2|D/κ²I − 1| = 0.1 of the half that it lost; the first snapshot is not judged."""
    run = made(
        kl_gibbs=[1.0, 1.0], w2_gibbs=[2.0, math.sqrt(2.0)], slack_evi=[-9.0, -part * (1e-3 + 0.05) * 2.0],
        dissipation=[KAPPA**2 * 2 * 1.05] * 2, fisher_gibbs=[2.0, 2.0],
    )  # fmt: skip
    assert verdict(run, "EVI") == wanted
    plain = made(kl_gibbs=[1.0, 1.0], w2_gibbs=[2.0, math.sqrt(2.0)], slack_evi=[0.0, -part * 1e-3 * 2.0])
    assert verdict(plain, "EVI") == wanted


@pytest.mark.parametrize(("error", "wanted"), [(0.19, "holds"), (0.21, "not judged")])
def test_cells_that_are_too_coarse_say_nothing_of_a_march(error, wanted):
    run = made(
        kl_gibbs=[1.0, 1.0], w2_gibbs=[2.0, 1.0], slack_evi=[0.0, 0.1],
        dissipation=[KAPPA**2 * (1 + error / 2)] * 2, fisher_gibbs=[1.0, 1.0],
    )  # fmt: skip
    assert verdict(run, "EVI") == wanted


@pytest.mark.parametrize(("entropy", "wanted"), [(3.3e-10, "VIOLATED"), (2.7e-10, "not judged")])
def test_a_run_at_rest_is_not_judged_below_1e_10_of_the_mass(entropy, wanted):
    assert verdict(made(kl_gibbs=[entropy], slack_lsi=[-entropy], mass=[3.0]), "log-Sobolev") == wanted


def test_what_fails_by_most_is_shown_though_another_share_is_smaller():
    """−0.06 was allowed where cells are coarse, −0.02 is not where they are fine."""
    dissipation = KAPPA**2 * np.array([1.0, 1.09, 1.0])
    run = made(
        kl_gibbs=[1.0] * 3, w2_gibbs=[2.0, 1.0, 0.9], slack_evi=[0.0, -0.06 * 2.0, -0.02 * 0.5],
        dissipation=dissipation, fisher_gibbs=[1.0] * 3,
    )  # fmt: skip
    (found,) = inequalities_of(run)
    assert (found["verdict"], found["t"], found["slack"]) == ("VIOLATED", 1.0, -0.01)


def test_one_snapshot_near_its_bound_says_something():
    assert verdict(made(kl_gibbs=[1.0, 1.0], slack_lsi=[500.0, 99.0]), "log-Sobolev") == "holds"
    assert verdict(made(kl_gibbs=[1.0, 1.0], slack_lsi=[500.0, 101.0]), "log-Sobolev") == "says nothing here"


@pytest.mark.parametrize("k", [-1.5, 0.0, 1.5])
def test_both_sides(k):
    """Of EVI e^{−|K|₋s} ½W₂² + κH (1 − e^{−|K|s})/|K| ≤ ½W₂² before, s = 1/2."""
    run = made(
        convexity=k, kl_gibbs=[0.3, 0.2], w2_gibbs=[2.0, 1.0],
        **{f"slack_{name}": [0.1, 0.1] for name in ("lsi", "talagrand", "hwi", "evi")},
    )  # fmt: skip
    found = sides(run)
    np.testing.assert_allclose(found["log-Sobolev"], [[0.3, 0.2], [0.4, 0.3]], rtol=1e-14)
    np.testing.assert_allclose(found["Talagrand"], [[4.0, 1.0], [4.1, 1.1]], rtol=1e-14)
    np.testing.assert_allclose(found["HWI"], [[0.15, 0.1], [0.25, 0.2]], rtol=1e-14)
    time = 0.5 if k == 0 else (1 - math.exp(-abs(k) * 0.5)) / abs(k)
    assert found["EVI"][0][1] == pytest.approx(math.exp(min(k, 0) * 0.5) * 0.5 + 0.1 * time, rel=1e-14, abs=0)
    np.testing.assert_array_equal(found["EVI"][1], [2.0, 2.0])
    del run.diagnostics["w2_gibbs"]  # then W₂² is 2κH/λ less its slack
    np.testing.assert_allclose(sides(run)["Talagrand"], [[0.05, 0.0], [0.15, 0.1]], rtol=1e-12, atol=1e-16)
