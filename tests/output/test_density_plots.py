"""Figures of densities show what is in the file, and are fit to be looked at."""

import re

import numpy as np
import pytest
from drawn_runs import LINE, PLANE, holds, make, ydata
from matplotlib.colors import LogNorm
from PIL import Image

from wgfpde.errors import CaseError
from wgfpde.output.plots import Options, density_scale, draw, plot, style
from wgfpde.output.plots.symbols import symbol_of
from wgfpde.store import read


@pytest.fixture
def plane(tmp_path):
    return read(make(tmp_path, PLANE))


def exact_on(run):
    return lambda t: np.full(run.rho.shape[1:], 0.25 + t)


def maps_of(figure):
    return [axes for axes in figure.axes if axes.get_title().startswith("$t")]


# ---- densities in 1D ---------------------------------------------------------------------------------------


def test_chosen_times_are_overlaid(line):
    density = draw(line, Options(times=(0.0, 0.3))).axes[0]
    assert [np.array_equal(y, line.rho[k]) for y, k in zip(ydata(density), (0, 3), strict=True)] == [True, True]
    assert [text.get_text() for text in density.get_legend().get_texts()] == ["$t = 0$", "$t = 0.3$"]
    assert holds(ydata(draw(line, Options(index=(-1,))).axes[0]), line.rho[3])


def test_exact_and_gibbs_are_drawn_as_given(line):
    gibbs = np.linspace(0.0, 1.0, 30)
    density = draw(line, Options(times=(0.1,)), exact=exact_on(line), gibbs=gibbs).axes[0]
    assert holds(ydata(density), exact_on(line)(0.1)) and holds(ydata(density), gibbs)
    assert [text.get_text() for text in density.get_legend().get_texts()] == ["$t = 0.1$", "exact", "Gibbs state"]


def test_a_waterfall_raises_exact_and_density_alike(line):
    exact = exact_on(line)
    lines = ydata(draw(line, exact=exact).axes[0])
    raised = {round(float(y[0] - exact(0.1 * k)[0]), 9) for k in range(4) for y in lines if np.ptp(y) == 0}
    step = density_scale.top([float(rho.max()) for rho in line.rho]) * 0.22
    assert {round(k * step, 9) for k in range(4)} <= raised
    assert all(any(np.allclose(y - k * step, line.rho[k], atol=0) for y in lines) for k in range(4))


def test_the_error_is_the_difference(line):
    figure = draw(line, Options(error=True, times=(0.2,)), exact=exact_on(line))
    panel = figure.axes[1]
    assert holds(ydata(panel), line.rho[2] - exact_on(line)(0.2))
    low, high = panel.get_ylim()
    assert low == -high and high >= np.abs(line.rho[2] - exact_on(line)(0.2)).max()


def test_a_logarithmic_scale_shows_no_mass_where_there_is_none(tmp_path):
    rho = np.geomspace(1e-20, 1.0, 30)
    rho[:5] = 0.0
    run = read(make(tmp_path, LINE, [2.0, 1.0], densities=[rho, rho]))
    density = draw(run, Options(log=True)).axes[0]
    drawn = ydata(density)[0]
    assert density.get_yscale() == "log" and np.all(np.isnan(drawn[:5])) and np.array_equal(drawn[5:], rho[5:])
    assert "10^{-10}" in density.get_ylabel(), "the floor is named"
    assert r"$\rho = 0$ at the last time" in [text.get_text() for text in density.get_legend().get_texts()]


# ---- densities in 2D ---------------------------------------------------------------------------------------


def test_panels_share_one_scale(plane):
    maps = maps_of(draw(plane))
    assert len(maps) == 3 and len({axes.collections[0].get_clim() for axes in maps}) == 1
    assert np.array_equal(maps[-1].collections[0].get_array(), plane.rho[-1])


@pytest.mark.parametrize("count", [1, 5, 8])
def test_chosen_times_have_a_panel_each(tmp_path, count):
    run = read(make(tmp_path, PLANE, np.arange(9.0)))
    figure = draw(run, Options(index=tuple(range(count))))
    assert [axes.get_title() for axes in maps_of(figure)] == [f"$t = {style.number(0.1 * k)}$" for k in range(count)]
    with pytest.raises(CaseError, match="at most 8 panels"):
        draw(run, Options(index=tuple(range(9))))


def test_a_section_holds_the_last_density_against_the_references(plane):
    gibbs = np.random.default_rng(9).uniform(size=(10, 12))
    figure = draw(plane, exact=exact_on(plane), gibbs=gibbs)
    section = next(axes for axes in figure.axes if axes.get_ylabel().startswith(r"$\rho(x"))
    row = np.unravel_index(np.argmax(plane.rho[-1]), (10, 12))[0]
    for wanted in (plane.rho[-1][row], exact_on(plane)(plane.t[-1])[row], gibbs[row]):
        assert holds(ydata(section), wanted)


def test_the_map_of_the_error_is_symmetric(plane):
    exact = exact_on(plane)
    figure = draw(plane, Options(error=True), exact=exact)
    meshes = [axes.collections[0] for axes in figure.axes if axes.collections and axes.get_aspect() == 1.0]
    errors = [mesh for mesh in meshes if mesh.get_cmap().name == style.ERROR_MAP]
    assert len(errors) == 3 and {mesh.norm.vmin + mesh.norm.vmax for mesh in errors} == {0.0}
    assert np.allclose(errors[-1].get_array(), plane.rho[-1] - exact(plane.t[-1]), atol=0)


def test_a_logarithmic_map_marks_empty_cells(tmp_path):
    rho = np.geomspace(1e-20, 1.0, 120).reshape(PLANE.shape)
    rho[0, :3] = 0.0
    figure = draw(make(tmp_path, PLANE, [1.0], densities=[rho]), Options(log=True))
    mesh = maps_of(figure)[0].collections[0]
    assert isinstance(mesh.norm, LogNorm) and mesh.norm.vmin == pytest.approx(1e-10, rel=1e-9, abs=0)
    assert np.array_equal(np.ma.getmaskarray(mesh.get_array()), rho == 0)
    assert any(axes.get_ylabel() == r"$\rho$, shown from $10^{-10}$" for axes in _with_bars(figure))


def _with_bars(figure):
    return [*figure.axes, *(child for axes in figure.axes for child in axes.child_axes)]


def test_a_towering_first_peak_is_cut():
    assert density_scale.top([100.0, 2.0, 1.5]) == 4.0 and density_scale.top([100.0, 2.0, 1.5], room=1.0) == 2.0
    assert density_scale.top([2.0, 2.0, 1.5]) == 2.0
    assert density_scale.top([3.0]) == 3.0 and density_scale.top([0.0]) == 1.0


WELL = (np.linspace(-1.0, 1.0, 10)[:, None] ** 2 - 0.25) ** 2 + np.linspace(-1.0, 1.0, 12) ** 2


def named_beside(figure):
    return [text.get_text() for part in figure.subfigs for legend in part.legends for text in legend.get_texts()]


@pytest.mark.parametrize("scale", ["shared", "each"])
def test_maps_show_level_lines_of_the_potential(plane, scale):
    figure = draw(plane, Options(scale=scale), potential=WELL)
    for axes in maps_of(figure):
        lines = axes.collections[1]
        assert lines.levels.min() > WELL.min() and lines.levels.max() == pytest.approx(np.median(WELL), rel=1e-9, abs=0)
        assert np.allclose(
            np.diff(np.sqrt(lines.levels - WELL.min())), np.diff(np.sqrt(lines.levels - WELL.min()))[0], atol=0
        )
    assert named_beside(figure) == ["equal $V$", "section"]
    assert named_beside(draw(plane)) == ["section"] and len(maps_of(draw(plane))[0].collections) == 1


def test_level_lines_leave_forbidden_cells_out_and_a_flat_potential_has_none(plane):
    forbidden = np.where(WELL > 0.5, np.nan, WELL)
    lines = maps_of(draw(plane, potential=forbidden))[0].collections[1]
    assert lines.levels.max() == pytest.approx(np.nanmedian(forbidden), rel=1e-9, abs=0)
    assert named_beside(draw(plane, potential=np.ones(PLANE.shape))) == ["section"]
    assert named_beside(draw(plane, potential=np.full(PLANE.shape, np.nan))) == ["section"]
    with pytest.raises(CaseError, match="potential has the shape"):
        draw(plane, potential=np.ones(3))


def test_every_line_of_the_section_is_named_and_has_the_scale_of_its_map(tmp_path):
    run = read(make(tmp_path, PLANE, np.arange(9.0)))
    figure = draw(run, Options(index=tuple(range(8)), scale="each"), exact=exact_on(run))
    section = next(axes for axes in figure.axes if axes.get_ylabel().endswith(r"/\max\rho$"))
    names = [text.get_text() for text in section.get_legend().get_texts()]
    assert names == [*(f"$t = {style.number(0.1 * k)}$" for k in range(8)), "exact"]
    row = np.unravel_index(np.argmax(run.rho[7]), PLANE.shape)[0]
    assert all(holds(ydata(section), run.rho[k][row] / run.rho[k].max()) for k in range(8))
    assert holds(ydata(section), exact_on(run)(0.3)[row] / run.rho[3].max())


def test_of_particles_the_sum_over_y_is_drawn(tmp_path):
    run = read(make(tmp_path, PLANE))
    run.__dict__["fields"] = {"position": np.random.default_rng(1).uniform(0.0, 1.0, (4, 50, 2))}
    figure = draw(run, exact=exact_on(run))
    section = next(axes for axes in figure.axes if "mathrm{d}y" in axes.get_ylabel())
    heights = np.diff(run.edges[1])
    assert holds(ydata(section), heights @ run.rho[3]) and holds(ydata(section), heights @ exact_on(run)(0.3))
    assert np.sum(np.diff(run.edges[0]) * ydata(section)[0]) == pytest.approx(
        np.sum(run.rho[0] * heights[:, None] * np.diff(run.edges[0])), rel=1e-12, abs=0
    )
    assert named_beside(figure) == []


# ---- how it looks ------------------------------------------------------------------------------------------


def concentrating(tmp_path, peaks):
    """A hill that narrows, on the plane."""
    hill = np.zeros(PLANE.shape)
    hill[3, 5] = 1.0
    densities = [peak * hill + 0.01 for peak in peaks]
    folder = tmp_path / f"up to {max(peaks)}"
    folder.mkdir()
    return read(make(folder, PLANE, np.linspace(1.0, 0.0, len(peaks)), densities=densities))


def shown_maxima(figure):
    return [float(axes.collections[0].get_array().max()) for axes in figure.axes if axes.get_title().startswith("$t")]


def test_what_one_peak_would_hide_has_a_scale_of_its_own(tmp_path):
    run = concentrating(tmp_path, [1.0, 3.0, 40.0])
    figure = draw(run)
    assert shown_maxima(figure) == pytest.approx([1.0, 1.0, 1.0], rel=1e-9, abs=0)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title().startswith("$t")]
    assert r"\max\rho = 40" in titles[-1] and r"\max\rho = 1.01" in titles[0]
    assert shown_maxima(draw(run, Options(scale="shared"))) == pytest.approx([1.01, 3.01, 40.01], rel=1e-9, abs=0)
    assert shown_maxima(draw(run, Options(vmax=5.0))) == pytest.approx([1.01, 3.01, 40.01], rel=1e-9, abs=0)
    flat = concentrating(tmp_path, [1.0, 1.2, 1.4])
    assert shown_maxima(draw(flat)) == pytest.approx([1.01, 1.21, 1.41], rel=1e-9, abs=0)
    assert shown_maxima(draw(flat, Options(scale="each"))) == pytest.approx([1.0, 1.0, 1.0], rel=1e-9, abs=0)


def test_the_ends_of_the_scale_and_the_colours(tmp_path, line):
    run = concentrating(tmp_path, [1.0, 1.2, 1.4])
    image = draw(run, Options(vmin=0.2, vmax=0.9, cmap="viridis")).axes[0].collections[0]
    assert image.get_clim() == (0.2, 0.9) and image.get_cmap().name == "viridis"
    assert draw(line, Options(vmax=7.0)).axes[0].get_ylim()[1] == 7.0
    picture = plot(line, tmp_path / "a.png", options=Options(size=(4.0, 3.0), dpi=50))[0]
    assert Image.open(picture).size == (200, 150)


@pytest.mark.parametrize(("given", "sentence"), [
    ({"scale": "own"}, 'expected one of shared, each, found "own"'),
    ({"cmap": "viridi"}, "did you mean viridis"),
    ({"vmin": 2.0, "vmax": 1.0}, "0 ≤ vmin < vmax"),
    ({"vmin": float("nan")}, "0 ≤ vmin < vmax"),
    ({"vmax": float("inf")}, "0 ≤ vmin < vmax"),
    ({"vmax": 1.0, "scale": "each"}, "leave them out"),
    ({"size": (1e6, 3.0)}, "between 1 and 40 inches"),
    ({"dpi": 1e6}, "between 20 and 1200"),
])  # fmt: skip
def test_looks_that_no_picture_can_have(given, sentence):
    with pytest.raises(CaseError, match=re.escape(sentence)):
        Options(**given)


def test_the_middle_map_is_where_half_of_the_change_was_made(tmp_path):
    run = concentrating(tmp_path, [1.0] * 9)
    energy = run.diagnostics["energy"]
    energy[:] = [8.0, 4.5, 3.0, 2.0, 1.5, 1.2, 1.1, 1.0, 1.0]
    assert Options().picks(run) == [0, 1, 8]
    energy[:] = 1.0
    assert Options().picks(run) == [0, 4, 8]


def test_a_lower_end_above_all_densities_is_named(plane):
    with pytest.raises(CaseError, match=r"vmin: expected less than 0\.\d+, where the scale ends, found 7"):
        draw(plane, Options(vmin=7.0))


@pytest.mark.parametrize(("key", "symbol"), [
    ("energy.internal.kappa", r"$\kappa$"), ("energy.internal.m", "$m$"), ("solver.tau", r"$\tau$"),
    ("solver.dt", r"$\Delta t$"), ("grid.shape", "$h$"), ("params.theta", r"$\theta$"), ("params.K", "$K$"),
    ("params.K1", r"$K_{\mathrm{1}}$"), ("params.sigma_x", r"$\sigma_{\mathrm{x}}$"), ("params.chi", r"$\chi$"),
    ("params.depth", r"$\mathrm{depth}$"), ("params.a_b_c", "params.a_b_c"), ("output.every", "output.every"),
    ("solver.cost_$", r"solver.cost_\$"),
])  # fmt: skip
def test_keys_have_their_symbols(key, symbol):
    assert symbol_of(key) == symbol
    with style.context():
        style.new_figure((2.0, 1.0)).text(0.5, 0.5, symbol_of(key)).figure.canvas.draw()


def test_legends_lie_above_their_panels(tmp_path):
    """Where no curve can lie under them."""
    left = np.linspace(1.0, 0.2, 4)
    run = read(make(tmp_path, LINE, survival=left, mass=left, dissipation=[9.0, 8.0, 4.0, 0.5]))
    for figure in (draw(run), draw(run, Options(field="energy"))):
        figure.canvas.draw()
        legends = [(axes, legend) for axes in figure.axes if (legend := axes.get_legend()) is not None]
        assert legends
        for axes, legend in legends:
            assert legend.get_window_extent().y0 >= axes.get_window_extent().y1
