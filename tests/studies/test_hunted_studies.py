"""What the hunts found in spectra and stationary states, each once."""

import json
from decimal import Decimal, localcontext

import numpy as np
import pytest

from wgfpde.cli import main
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.output.plots.eigenmodes import _shape
from wgfpde.store import read_study
from wgfpde.studies.spectrum import MODES, Generator, spectrum
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


def sampled(grid, values, kappa=1.0):
    """The flow with V = values in the cells."""
    flow = Flow(grid, Energy(Internal("entropy", kappa), lambda x, y=None: 0 * x + (0 if y is None else 0 * y)))
    flow.potential = np.asarray(values, dtype=float)
    return flow


def count_below(flow, bounds):
    """Eigenvalues below each bound, λ_0 = 0 included, by the signs of the pivots of −L − x in 900 digits."""
    generator = Generator(flow)
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 900, -(10**7), 10**7
        matrix = [[Decimal(0)] * generator.cells for _ in range(generator.cells)]
        for i, j, a, b in zip(generator.lower, generator.upper, generator.a, generator.b, strict=True):
            for here, there, rate in ((i, j, a), (j, i, b)):
                out = Decimal(float(rate)) / Decimal(float(generator.volume[here]))
                matrix[here][here] += out
                matrix[here][there] -= out
        return [_negative_pivots(matrix, Decimal(x)) for x in bounds]


def _negative_pivots(matrix, x):
    rows = [[value - x if i == j else value for j, value in enumerate(row)] for i, row in enumerate(matrix)]
    below = 0
    for k, pivot in enumerate(rows):
        below += pivot[k] < 0
        for row in rows[k + 1 :]:
            if row[k]:
                share = row[k] / pivot[k]
                for j in range(k + 1, len(rows)):
                    if pivot[j]:
                        row[j] -= share * pivot[j]
    return below


def assert_right(flow, found, places, rtol=1e-11):
    for m in places:
        value = Decimal(float(found.eigenvalues[m]))
        low, high = count_below(flow, [value * (1 - Decimal(rtol)), value * (1 + Decimal(rtol))])
        assert low <= m < high, (m, value)


def assert_orthonormal(flow, found, atol=1e-9):
    """By logarithms: π may underflow where φ is large."""
    assert np.all(np.isfinite(found.modes))
    flat = found.modes.reshape(len(found.modes), -1)
    u = flat * np.exp(np.clip(Generator(flow).log_root, -700, None))
    assert u @ u.T == pytest.approx(np.eye(len(u)), abs=atol)
    assert np.all(np.isfinite(found.residuals))
    assert found.residuals.max() <= 1e-9 * Generator(flow).outgoing.max()


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize(("steep", "most"), [(800.0, 9), (2e3, 5), (1e4, 3), (1e5, 1)])
def test_steep_wells_on_coarse_grids(steep, most, periodic):
    """ "Factor is exactly singular", an IndexError, overflow in norms, and 32 for an eigenvalue of 4000."""
    flow = Flow(Grid([-1.0], [1.0], [12], periodic), Energy(Internal("entropy", 0.5), lambda x: steep * x**2))
    found = spectrum(flow, most)
    assert_right(flow, found, range(1, most + 1))
    assert_orthonormal(flow, found)
    with pytest.raises(
        SolverError, match=rf"mode {most + 1} .* lives where V is more than 1300 kappa.*--modes {most}\)"
    ):
        spectrum(flow, 11)
    some = spectrum(flow)  # where none are asked for, those that double precision holds
    assert len(some.eigenvalues) == 1 + min(most, MODES)
    assert some.eigenvalues[1 : most + 1] == pytest.approx(found.eigenvalues[1 : MODES + 1], rel=1e-12, abs=0)
    assert some.note == "" if most >= MODES else some.note.startswith(f"mode {most + 1} ")


@pytest.mark.parametrize("rise", [3.0, 150.0, 300.0])
@pytest.mark.parametrize(
    ("shape", "periodic", "mapping"),
    [([7], True, None), ([9], False, [lambda s: s**2]), ([4, 3], [False, True], [lambda s: s**1.7, None])],
)
def test_every_mode_of_a_random_potential(rise, shape, periodic, mapping):
    """Eigenvalues of 1e-110 beside 1e+4, each to 11 digits."""
    grid = Grid([0.0] * len(shape), [1.0] * len(shape), shape, periodic, mapping)
    flow = sampled(grid, rise * np.random.default_rng(8).uniform(-1, 1, grid.shape))
    found = spectrum(flow, grid.size - 1)
    assert_right(flow, found, range(1, grid.size))
    assert_orthonormal(flow, found)


def test_modes_that_rounding_made_equal():
    """A random V of some hundred κ: eigenvalues of 1e-55, and a message of NumPy's; then they were refused."""
    grid = Grid([0.0, 0.0], [3.07, 0.0203], [5, 2], [True, False])
    noise = 186.0 * np.random.default_rng(1367035419).normal(size=(2, 5))
    flow = sampled(grid, noise)
    found = spectrum(flow, 5)
    assert 0 < found.gap < 1e-50
    assert_right(flow, found, range(1, 6))
    with pytest.raises(CaseError, match="cut off from each other"):
        spectrum(sampled(grid, 5 * noise), 5)


def test_modes_beside_cells_that_have_an_eigenvalue_of_their_own():
    """V jumps by 26 κ: continued into the other cells, modes lost their orthogonality, to 4e-6."""
    flow = sampled(Grid([-1.0], [1.0], [40], True), 26.0 * np.random.default_rng(4).integers(0, 2, 40))
    assert_orthonormal(flow, spectrum(flow, 39))


@pytest.mark.parametrize(("rise", "words"), [(1e2, "lie below"), (1e3, "lie below"), (3e4, "lie below")])
def test_large_grids_refuse_what_rounding_leaves(rise, words, capfd):
    """ "there are -1", and lines of LAPACK's on the terminal."""
    law = Internal("entropy", 0.5)
    grid = Grid([-1.0, -1.0], [1.0, 1.0], [40, 40])
    with pytest.raises(SolverError, match=words):
        spectrum(Flow(grid, Energy(law, lambda x, y: rise * np.sin(40 * x) * np.cos(17 * x) + rise * y**2)), 6)
    assert capfd.readouterr() == ("", "")


def test_a_large_grid_in_a_steep_well():
    """Against sums of chains."""
    law = Internal("entropy", 0.5)
    line = spectrum(Flow(Grid([-1.0], [1.0], [40]), Energy(law, lambda x: 1e3 * x**2)), 4).eigenvalues
    flow = Flow(Grid([-1.0, -1.0], [1.0, 1.0], [40, 40]), Energy(law, lambda x, y: 1e3 * (x**2 + y**2)))
    sums = np.sort(np.add.outer(line, line).ravel())
    assert spectrum(flow, 4).eigenvalues[1:] == pytest.approx(sums[1:5], rel=1e-12, abs=0.0)


STEEP = """
[grid]
lower = [-1]
upper = [1]
shape = [12]
[energy]
internal = { kind = "entropy", kappa = 0.5 }
potential = "800*x**2"
[initial]
density = "1"
[time]
end = 1
"""


def test_the_verb_on_a_coarse_grid_with_a_steep_potential(tmp_path, monkeypatch, capsys):
    """The modes are drawn and stored also where π underflows: φ√π has norm 1."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "steep.toml").write_text(STEEP)
    assert main(["spectrum", "steep.toml", "--modes", "9"]) == 0
    study = read_study(tmp_path / "steep-spectrum.h5")
    assert study["pi"].min() == 0.0 and np.all(np.isfinite(study["log_pi"]))
    for k in range(10):
        assert np.sum(_shape(study, k) ** 2) / 6 == pytest.approx(1.0, rel=1e-10, abs=0)
    for steep, held in (("1e4", 3), ("2e3", 5)):
        arguments = ["spectrum", "steep.toml", "--set", f"energy.potential={steep}*x**2"]
        assert main([*arguments, "--modes", "8"]) == 1
        assert f"Ask for fewer modes (--modes {held})" in capsys.readouterr().err
        assert main(arguments) == 0  # where none are asked for, those that can be had
        assert f"note        mode {held + 1} (eigenvalue" in capsys.readouterr().out
        assert read_study(tmp_path / "steep-spectrum.h5")["eigenvalue"].shape == (held + 1,)
        assert main([*arguments, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert len(told["eigenvalues"]) == held + 1 and "lives where V is more than" in told["note"]
    assert main(["spectrum", "steep.toml", "--set", "grid.shape=[5]", "--set", "energy.potential=x**2"]) == 0
    assert read_study(tmp_path / "steep-spectrum.h5")["eigenvalue"].shape == (5,)  # all that five cells have
    assert main(["spectrum", "steep.toml", "--set", "energy.potential=1e4*x**2", "--modes", "1", "--richardson"]) == 0


@pytest.mark.parametrize("mass", [1.0, 1e-3, 0.3])
@pytest.mark.parametrize("cells", [2, 4])
def test_the_fastest_rate_of_a_ring(cells, mass):
    """A'H' of m = 1.5 on a ring: −1.5 · (2/h)², the largest that there is, for every mass; half of it was found."""
    flow = Flow(Grid([0.0], [1.0], [cells], True), Energy(Internal("power", mass**-0.5, 1.5)))
    rates = stationary(flow, mass).stability.rates
    assert rates.min() == pytest.approx(-1.5 * (2 * cells) ** 2, rel=1e-12, abs=0)
