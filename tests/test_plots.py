"""Figures are drawn for every kind of run; what they look like is for eyes."""

import matplotlib
import matplotlib.image
import numpy as np
import pytest

from wgfpde import plots
from wgfpde.errors import StoreError
from wgfpde.flow import Snapshot
from wgfpde.grid import Grid
from wgfpde.plots import plot
from wgfpde.store import Label, Writer


def make(folder, grid, energies, status="finished", kl=None):
    labels = [Label("energy", "1", "energy", "E.")] + ([] if kl is None else [Label("kl_gibbs", "1", "KL", "KL.")])
    with Writer(folder / "output.h5", grid, {"title": "costs 5$ & 6_7"}, labels, len(energies) + 2) as writer:
        for k, energy in enumerate(energies):
            rho = np.random.default_rng(k).uniform(size=grid.shape)
            values = {"energy": energy} | ({} if kl is None else {"kl_gibbs": kl[k]})
            writer.append(Snapshot(0.1 * k, k, {"rho": rho}), values)
        if status != "running":
            writer.finish(status)
    return folder


LINE = Grid([0.0], [1.0], [30])
PLANE = Grid([0.0, -1.0], [2.0, 1.0], [12, 10], mapping=[lambda s: s**1.2, None])


@pytest.mark.parametrize("grid", [LINE, PLANE], ids=["1d", "2d"])
@pytest.mark.parametrize("count", [1, 9])
def test_a_png_lies_in_the_run_folder(tmp_path, grid, count):
    before = dict(matplotlib.rcParams)
    paths = plot(make(tmp_path, grid, np.exp(-3.0 * np.arange(count))))
    assert paths == [tmp_path / "plots" / "density.png"]
    picture = matplotlib.image.imread(paths[0])
    assert min(picture.shape[:2]) > 500 and picture[..., :3].std() > 0.05
    assert dict(matplotlib.rcParams) == before, "the caller's style is left alone"


def test_another_folder_and_a_running_run(tmp_path):
    folder = make(tmp_path, LINE, [1.0, 0.5, 0.2], status="running")
    assert plot(folder / "output.h5", tmp_path / "a" / "b") == [tmp_path / "a" / "b" / "density.png"]


def test_flat_infinite_and_missing_energies(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "DPI", 30)
    for k, energies in enumerate([[1.0] * 6, [np.inf, 2.0, 1.0, 1.0, 1.0], [np.nan] * 5, [0.0] * 5]):
        folder = tmp_path / str(k)
        folder.mkdir()
        assert plot(make(folder, LINE, energies))[0].exists()


@pytest.mark.parametrize(
    ("energies", "kl", "scale", "label"),
    [
        ([5.0, 4.0, 3.5], None, "linear", "$E(t)$"),
        (np.exp(-2.0 * np.arange(8)), None, "log", r"$E(t) - E(t_\mathrm{end})$"),
        (-np.arange(8.0), 10.0 ** -np.arange(8), "log", r"$(E - E_\infty)/\kappa$"),
    ],
)
def test_how_the_energy_is_drawn(tmp_path, energies, kl, scale, label):
    figure = plots._figure_1d(plots.read(make(tmp_path, LINE, energies, kl=kl)))
    axes = figure.axes[1]
    assert axes.get_yscale() == scale and axes.get_ylabel() == label


def test_panels_share_one_scale(tmp_path):
    figure = plots._figure_2d(plots.read(make(tmp_path, PLANE, [3.0, 2.0, 1.0])))
    meshes = [axes.collections[0] for axes in figure.axes[:3]]
    assert len({mesh.get_clim() for mesh in meshes}) == 1


def test_a_towering_first_peak_is_cut():
    assert plots._top([100.0, 2.0, 1.5]) == 4.0
    assert plots._top([2.0, 2.0, 1.5]) == 2.0
    assert plots._top([3.0]) == 3.0 and plots._top([0.0]) == 1.0


def test_nothing_to_draw(tmp_path):
    with pytest.raises(StoreError, match="nothing to draw"):
        plot(make(tmp_path, LINE, []))


def test_an_unwritable_folder(tmp_path):
    (tmp_path / "plots").write_text("")
    with pytest.raises(StoreError, match="Choose another folder"):
        plot(make(tmp_path, LINE, [1.0]))
