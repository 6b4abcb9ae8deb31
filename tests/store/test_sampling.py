"""Points drawn from the densities of a run: where they may lie, how they are spread, and once more the same."""

import numpy as np
import pytest
from samples import write_run

from wgfpde.errors import CaseError, StoreError

PLANE = np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 0.5]])


def test_points_of_a_line(tmp_path):
    rho = np.array([0.0, 3.0, 0.0, 1.0])
    run = write_run(tmp_path, [rho[::-1].copy(), rho])
    found = run.sample(20000)
    assert found.shape == (20000, 1)
    counts = np.histogram(found[:, 0], bins=run.edges[0])[0]
    assert counts[0] == counts[2] == 0 and counts[1] / 20000 == pytest.approx(0.75, abs=4 * 0.0031)
    inside = (found[found[:, 0] < 1.0, 0] - 0.5) / 0.5  # evenly within the cell
    assert inside.mean() == pytest.approx(0.5, abs=0.01) and inside.var() == pytest.approx(1 / 12, abs=0.003)
    np.testing.assert_array_equal(found, run.sample(20000, run.t[1], seed=0))
    assert np.mean(run.sample(5000, run.t[0])[:, 0]) == pytest.approx(1.0, abs=0.03)
    assert not np.array_equal(found[:10], run.sample(20000, seed=1)[:10])


def test_points_of_a_plane(tmp_path):
    run = write_run(tmp_path, [PLANE])
    found = run.sample(30000)
    share = np.histogram2d(found[:, 1], found[:, 0], bins=[run.edges[1], run.edges[0]])[0] / 30000
    np.testing.assert_allclose(share, PLANE / PLANE.sum(), atol=0.012)
    assert np.all(share[PLANE == 0] == 0)


def test_mistakes(tmp_path):
    run = write_run(tmp_path, [np.zeros(4)])
    with pytest.raises(CaseError, match="a number of points ≥ 1, found 0"):
        run.sample(0)
    with pytest.raises(CaseError, match="no density with mass"):
        run.sample(3)
    with pytest.raises(StoreError, match="no snapshot at t = 7"):
        run.sample(3, 7.0)
