"""Films: the frames hold the densities, the files can be read back, and mistakes are named."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from wgfpde.cli import main
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError, StoreError
from wgfpde.grid import Grid
from wgfpde.output.plots import Options, movie, style
from wgfpde.output.plots.films.level_lines import MIXED
from wgfpde.output.plots.films.movie_frames import LEVELS, SHADES, MapFrames, Palette, ProfileFrames
from wgfpde.runs.progress import StatusLine
from wgfpde.store import Label, Writer, read
from wgfpde.store.layout import Layout

LINE = Grid([0.0], [1.0], [20])
PLANE = Grid([0.0, -1.0], [2.0, 1.0], [6, 4], mapping=[lambda s: s**1.5, None])


def make(folder, grid, densities):
    with Writer(folder / "output.h5", Layout(grid, [Label("energy", "1", "E", "E.")]), {"title": "film"}, 8) as writer:
        for k, rho in enumerate(densities):
            writer.append(Snapshot(0.25 * k, k, {"rho": rho}), {"energy": 1.0})
        writer.finish("finished")
    return read(folder)


def random_run(folder, grid, count=5):
    return make(folder, grid, [np.random.default_rng(k).uniform(0.1, 1.0, grid.shape) for k in range(count)])


def pictures(path):
    with Image.open(path) as film:
        shown = []
        for k in range(film.n_frames):
            film.seek(k)
            shown.append((np.asarray(film.convert("RGB")), film.info["duration"]))
        return shown, film.info.get("loop")


@pytest.mark.parametrize("grid", [LINE, PLANE], ids=["1d", "2d"])
@pytest.mark.parametrize("log", [False, True])
def test_a_gif_has_a_frame_for_each_snapshot(tmp_path, grid, log):
    run = random_run(tmp_path, grid)
    calls = []
    path = movie(run, fps=4, log=log, progress=lambda *done: calls.append(done))
    assert path == tmp_path / "plots" / "movie.gif" and [p.name for p in path.parent.iterdir()] == ["movie.gif"]
    shown, loop = pictures(path)
    assert [duration for _, duration in shown] == [250] * 4 + [1500] and loop == 0
    assert all(np.any(a != b) for (a, _), (b, _) in pairwise(shown))
    assert calls == [(k, 5) for k in range(1, 6)]


@pytest.mark.parametrize("grid", [LINE, PLANE], ids=["1d", "2d"])
def test_a_gif_keeps_every_pixel_of_its_frames(tmp_path, grid):
    run = random_run(tmp_path, grid, 3)
    frames = MapFrames(run, range(3), Options()) if grid is PLANE else ProfileFrames(run, range(3), Options())
    shown, _ = pictures(movie(run))
    if grid is PLANE:  # text aside, the picture is the palette at the frame's numbers
        for k, (picture, _) in enumerate(shown):
            box = np.ix_(*[part.ravel() for part in frames._box])
            assert np.array_equal(picture[box], frames.palette.colours[frames(k)[box]])
    assert {picture.shape for picture, _ in shown} == {(*reversed(frames.size), 3)}


def test_pixels_of_a_map_are_levels_of_their_cells(tmp_path):
    run = random_run(tmp_path, PLANE)
    frames = MapFrames(run, range(5), Options())
    numbers, rho = frames(2), run.rho[2]
    inside = numbers[frames._box]
    levels = np.clip(rho / frames.scale.norm.vmax * LEVELS, 0, LEVELS - 1).astype(int)
    # y points upwards: the last row of cells is at the top
    corners = [(0, 0, -1, 0), (0, -1, -1, -1), (-1, 0, 0, 0), (-1, -1, 0, -1)]
    assert all(inside[row, column] == levels[j, i] for row, column, j, i in corners)
    assert set(np.unique(inside)) == set(np.unique(levels)), "every cell is seen, and nothing else"
    widths = [np.count_nonzero(inside[0] == levels[-1, i]) for i in range(6)]
    expected = np.diff(run.edges[0]) / 2.0 * inside.shape[1]
    assert np.all(np.abs(np.array(widths) - expected) <= 1.0), "stretched cells keep their widths"


def test_empty_cells_have_a_colour_of_their_own(tmp_path):
    rho = np.full(PLANE.shape, 0.5)
    rho[0, 0], rho[1, 1] = 0.0, 1e-30
    frames = MapFrames(make(tmp_path, PLANE, [rho, rho]), range(2), Options(log=True))
    inside = frames(0)[frames._box]
    assert inside[-1, 0] == LEVELS and np.count_nonzero(np.unique(inside) == 0) == 1
    assert inside[0, 0] == LEVELS - 1


def test_a_peak_that_soon_falls_is_cut(tmp_path):
    run = make(tmp_path, PLANE, [np.full(PLANE.shape, peak) for peak in (50.0, 30.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.9)])
    assert MapFrames(run, range(8), Options(scale="shared")).scale.norm.vmax == 1.0
    assert MapFrames(run, range(2, 8), Options(scale="shared")).scale.norm.vmax == 1.0
    rising = MapFrames(run, [7, 6, 5, 4, 3, 2, 1, 0], Options(scale="shared"))
    assert rising.scale.norm.vmax == 50.0, "a peak that comes late is the point of the film"


@pytest.mark.parametrize("grid", [PLANE, Grid([0.0, -1.0], [2.0, 1.0], [6, 4], periodic=[True, False])], ids=str)
def test_a_film_of_what_concentrates_shows_each_frame_up_to_its_peak(tmp_path, grid):
    hill = 1.0 + np.arange(24.0).reshape(grid.shape)
    run = make(tmp_path, grid, [hill, hill**3, hill**4])
    frames = MapFrames(run, range(3), Options())
    for k in range(3):
        inside = frames(k)[frames._box]
        assert inside[0, -1] == LEVELS - 1, "the peak has the last colour in every frame"
        assert len(np.unique(inside)) > 6, "and below it there is something to be seen"
    assert rf"\max\rho = {style.number(24.0**4, 3)}" in frames.clock.get_text()
    assert any(axes.get_ylabel() == r"$\rho/\max\rho$ of each frame" for axes in frames.figure.axes)
    shared = MapFrames(run, range(3), Options(scale="shared"))
    assert np.all(shared(0)[shared._box] == 0) and shared.clock.get_text() == "$t = 0$"
    cut = MapFrames(run, range(3), Options(vmax=24.0, cmap="viridis"))
    assert cut(0)[cut._box][0, -1] == LEVELS - 1 and cut.scale.above
    assert not np.array_equal(cut.palette.colours[:LEVELS], shared.palette.colours[:LEVELS])


def test_the_profile_moves_between_the_first_and_the_steady_one(tmp_path):
    run = random_run(tmp_path, LINE)
    steady = np.linspace(0.2, 0.4, 20)
    frames = ProfileFrames(run, range(5), Options(), steady)
    frames(3)
    lines = [np.asarray(line.get_ydata()) for line in frames.figure.axes[0].lines]
    assert [np.array_equal(*pair) for pair in zip(lines, (run.rho[0], run.rho[3], steady), strict=True)] == [True] * 3
    assert frames.clock.get_text() == "$t = 0.75$"


def test_palette_finds_the_nearest_colour():
    palette = Palette([(0, 0, 0), (1, 0, 0), (1, 1, 1)])
    picture = np.array([[[10, 0, 0], [200, 30, 30]], [[255, 255, 255], [140, 0, 0]]], dtype=np.uint8)
    assert palette.nearest(picture).tolist() == [[0, 1], [2, 1]]
    assert palette.nearest(picture).tolist() == [[0, 1], [2, 1]], "also when they are remembered"


def test_speed_span_and_place(tmp_path):
    run = random_run(tmp_path, LINE)
    shown, _ = pictures(movie(run, tmp_path / "b" / "c.gif", seconds=1.0, times=(0.25, 0.75)))
    assert [duration for _, duration in shown] == [330, 330, 1500]
    assert movie(tmp_path, tmp_path / "b").name == "movie.gif"


def test_mp4(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    run = random_run(tmp_path, PLANE)
    path = movie(run, tmp_path / "a.mp4", fps=5)
    reader = ffmpeg.read_frames(str(path))
    facts = next(reader)
    assert facts["size"] == MapFrames(run, range(5), Options()).size and facts["fps"] == pytest.approx(
        5, rel=1e-9, abs=0
    )
    assert sum(1 for _ in reader) == 5
    assert not list(tmp_path.glob("*.part*"))


def test_mp4_without_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(CaseError, match=r"pip install 'wgfpde\[movie\]'"):
        movie(random_run(tmp_path, LINE), tmp_path / "a.mp4")
    assert not (tmp_path / "a.mp4").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fps": 0.0}, "fps must be a positive number"),
        ({"seconds": float("nan")}, "seconds must be a positive number"),
        ({"fps": 1.0, "seconds": 1.0}, "leave one of the two out"),
        ({"seconds": 0.01}, "at most 50 frames per second"),
        ({"times": (0.9, 5.0)}, "found 1 between t = 0.9 and 5"),
        ({"out": "a.avi"}, ".gif or .mp4"),
        ({"cmap": "magna"}, "did you mean magma"),
        ({"scale": "own"}, "shared, each"),
    ],
)
def test_films_that_cannot_be(tmp_path, options, message):
    with pytest.raises(CaseError, match=message):
        movie(random_run(tmp_path, LINE), **options)


def test_one_snapshot_is_no_film(tmp_path):
    with pytest.raises(CaseError, match=r"at least two snapshots, found 1; run the case with a smaller output\.every"):
        movie(random_run(tmp_path, LINE, 1))


def test_an_unwritable_place_leaves_nothing(tmp_path):
    run = random_run(tmp_path, LINE)
    (tmp_path / "plots").write_text("")
    with pytest.raises(StoreError, match="Choose another place"):
        movie(run)


def test_the_verb_films_and_says_where(tmp_path, capsys):
    random_run(tmp_path, LINE)
    out = tmp_path / "a.gif"
    assert main(["movie", str(tmp_path), "--out", str(out), "--times", ":0.5", "--seconds", "1", "--log"]) == 0
    assert capsys.readouterr() == (f"{out}\n", ""), "quick films show no progress"
    assert len(pictures(out)[0]) == 3
    for wrong in ("0.5", "a:b"):
        assert main(["movie", str(tmp_path), "--times", wrong]) == 2


def test_a_long_film_shows_how_far_it_is(capsys, monkeypatch):
    clock = iter([0.0, 1.0, 6.0, 7.0])
    monkeypatch.setattr("wgfpde.runs.progress.time.monotonic", lambda: next(clock))
    line = StatusLine(sys.stderr)
    for done in (1, 2, 3):
        line(f"frame {done} of 9")
    line.clear()
    assert capsys.readouterr().err == "frame 2 of 9\n"


def test_level_lines_of_the_potential_stand_still(tmp_path):
    """They cover few pixels, the same in every frame and on either side of a well; all others are as without V."""
    grid = Grid([-2.0, -1.0], [2.0, 1.0], [24, 12])
    run = random_run(tmp_path, grid)
    x, y = (axis.centers for axis in grid.axes)
    v = x[None, :] ** 2 + 2 * y[:, None] ** 2
    plain, lined = (MapFrames(run, range(5), Options(), potential) for potential in (None, v))
    covered = lined._lines
    assert 0.01 < covered.mean() < 0.25
    assert np.mean(covered == covered[:, ::-1]) > 0.9 and np.mean(covered == covered[::-1]) > 0.9
    for k in (0, 3):
        without, seen = (frames(k)[frames._box] for frames in (plain, lined))
        assert np.array_equal(without[~covered], seen[~covered])
        assert np.all(seen[covered] > LEVELS + SHADES) and np.all(without[covered] < LEVELS)
        assert np.array_equal(seen[covered], without[covered].astype(int) * MIXED // LEVELS + LEVELS + 1 + SHADES)
        near = np.abs(lined.palette.colours[seen[covered]].astype(int) - [0x87, 0x96, 0xA5])
        assert near.max() <= 26  # 0.9 of the colour of the lines
    for flat in (np.ones(grid.shape), np.full(grid.shape, np.nan)):
        assert MapFrames(run, range(5), Options(), flat)._lines is None
    with pytest.raises(CaseError, match="the potential has the shape"):
        movie(run, potential=v.T)
