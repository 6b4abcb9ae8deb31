"""The statistics of the benchmark history, on times that are made up."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "validation" / "benchmarks" / "history"))

import past
import timed
from ratios import Ratio, ratio, verdict


def noisy(factor: float, seed: int, n: int = 39) -> Ratio:
    """Times under a drift of ±30 % that meets both, 3 % of noise each, and every tenth sample disturbed twofold."""
    rng = np.random.default_rng(seed)
    drift = 1 + 0.3 * np.sin(np.arange(n) / 5)
    base, new = (drift * np.exp(0.03 * rng.normal(size=n)) * (1 + (rng.random(n) < 0.1)) for _ in range(2))
    return ratio(list(base), list(factor * new))


def test_one_commit_twice_is_no_slowdown():
    assert not {verdict(noisy(1.0, seed), 0.2) for seed in range(300)} & {"slower", "faster"}


@pytest.mark.parametrize(("factor", "word"), [(1.2, "slower"), (1 / 1.2, "faster")])
def test_twenty_per_cent_is_seen(factor, word):
    assert [verdict(noisy(factor, seed), 0.2) for seed in range(100)].count(word) >= 98


def test_the_interval_holds_the_true_ratio():
    inside = [found.low <= 1.1 <= found.high for found in (noisy(1.1, seed) for seed in range(1000))]
    assert np.mean(inside) >= 0.98


@pytest.mark.parametrize(("n", "rank"), [(8, 1), (9, 1), (15, 3), (39, 12)])
def test_ranks_are_those_of_the_sign_test(n, rank):
    found = ratio([1.0] * n, [float(k) for k in range(1, n + 1)])
    assert (found.low, found.high) == (rank, n + 1 - rank)


def test_few_pairs_give_their_range():
    assert ratio([1.0, 1.0], [1.0, 1.3]) == Ratio(1.15, 1.0, 1.3, 2)


def test_an_interval_across_the_edge_decides_nothing():
    assert verdict(Ratio(1.1, 1.05, 1.15, 39), 0.2) == ""


def test_ratios_are_chained_over_commits():
    def line(base: str, commit: str, value: float) -> dict[str, object]:
        return {"benchmark": "step", "base": base, "commit": commit, "ratio": value}

    lines = [line("a", "b", 9.0), line("a", "b", 2.0), line("c", "b", 0.5)]  # the later line counts
    assert past.chained(lines, "step", ["a", "b", "c", "d"]) == {"a": 1.0, "b": 2.0, "c": 4.0}
    assert past.chained(lines, "other", ["a", "b"]) == {}


@pytest.mark.parametrize("name", timed.PLACES)
def test_every_name_stands_where_this_commit_has_it(name):
    found = timed.the(name)
    assert found is getattr(importlib.import_module(timed.PLACES[name][0]), name)
