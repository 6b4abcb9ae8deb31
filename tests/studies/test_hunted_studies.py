"""What the hunts found in spectra and stationary states, each once."""

import numpy as np
import pytest

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.errors import SolverError
from wgfpde.grid import Grid
from wgfpde.studies.spectrum import spectrum
from wgfpde.studies.stationary import stationary


def test_small_eigenvalues_with_one_of_their_cluster_left_out():
    """Four wells have three small eigenvalues.  With two asked for, the third was mixed into them: 2e-7, relatively."""
    wall = np.array([0.0, 0.0, 24.6, 24.6, 0.0, 0.0])
    lengths, noise = (5.08, 1.4), (wall, wall[:5] * [1, 1, 1, 0, 0])
    chains = [
        spectrum(
            Flow(Grid([0.0], [n], [len(v)]), Energy(Internal("entropy", 10.9), lambda x, v=v: 10.9 * v)), len(v) - 1
        )
        for n, v in zip(lengths, noise, strict=True)
    ]
    plane = Grid([0.0, 0.0], lengths, [6, 5])
    flow = Flow(plane, Energy(Internal("entropy", 10.9), lambda x, y: 10.9 * (noise[0] + noise[1][:, None])))
    expected = np.sort(np.add.outer(chains[0].eigenvalues, chains[1].eigenvalues).ravel())
    assert expected[1] < 1e-7 and expected[3] < 1e-7
    for k in (1, 2, 3):
        np.testing.assert_allclose(spectrum(flow, k).eigenvalues[1:], expected[1 : k + 1], rtol=1e-11)


def test_modes_that_rounding_makes_equal_are_refused_with_a_sentence():
    """A random V of some hundred κ: eigenvalues of 1e-55, and a message of NumPy's."""
    grid = Grid([0.0, 0.0], [3.07, 0.0203], [5, 2], [True, False])
    noise = 186.0 * np.random.default_rng(1367035419).normal(size=(2, 5))
    for sample in range(5):
        potential = np.roll(noise, sample, axis=1) * (1 + sample)
        flow = Flow(grid, Energy(Internal("entropy", 1.0), lambda x, y, v=potential: v if np.size(x) == 5 else 0 * x))
        with pytest.raises(SolverError, match="the gap lies below"):
            spectrum(flow, 5)


@pytest.mark.parametrize("mass", [1.0, 1e-3, 0.3])
@pytest.mark.parametrize("cells", [2, 4])
def test_the_fastest_rate_of_a_ring(cells, mass):
    """A'H' of m = 1.5 on a ring: −1.5 · (2/h)², the largest that there is, for every mass; half of it was found."""
    flow = Flow(Grid([0.0], [1.0], [cells], True), Energy(Internal("power", mass**-0.5, 1.5)))
    rates = stationary(flow, mass).stability.rates
    assert rates.min() == pytest.approx(-1.5 * (2 * cells) ** 2, rel=1e-12)
