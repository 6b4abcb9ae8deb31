"""Frames of a film, as arrays of palette numbers.

Laying out a figure takes a second, so it is done once: a frame restores that picture, draws the few artists that move,
and looks its colours up.  Maps do not pass through the renderer at all: their pixels are levels of the colour map, and
levels are palette numbers.  One palette for all frames, and no dithering: what does not move does not flicker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from numpy.typing import NDArray

from ....grid import Array
from ....store import Run
from ...shown_values import density_of
from .. import style
from ..density_scale import MapScale, density_label, extremes, map_scale
from ..maps import LEVEL, levels_of
from ..options import Options
from .level_lines import MIXED, covered_pixels, mixed_colours

Pixels = NDArray[np.uint8]
FRAME_DPI = 100
LEVELS = 160
"""Colours of a density map; the rest of a palette of 255 is for text, and for lines over the map."""
SHADES = 22
"""Steps from a colour to the white of the page, for smooth edges of text and lines."""
DOTS, TICKS = 1500, 300
"""Most particles that are shown on a map, and below a line."""
LONGEST = 4.8
"""Longer side of a map, in inches."""


class Palette:
    """At most 255 colours, (n, 3) bytes, and which of them is nearest to any other.

    The 256th is left to the GIF: it marks the pixels that stay as they were.
    """

    def __init__(self, colours: Sequence[Sequence[float]]) -> None:
        self.colours: Pixels = np.round(255 * np.asarray(colours)).astype(np.uint8)
        assert len(self.colours) <= 255
        self._known = np.full(1 << 24, -1, dtype=np.int16)

    def nearest(self, rgb: Pixels) -> Pixels:
        """Palette numbers of an (h, w, 3) picture; a colour is searched for once, then remembered."""
        wide = rgb.astype(np.int32)
        keys = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
        numbers = self._known[keys]
        new = np.unique(keys[numbers < 0])
        if new.size:
            found = np.stack([new >> 16, (new >> 8) & 255, new & 255], axis=1)[:, None, :]
            distance = ((found - self.colours.astype(np.int32)[None]) ** 2).sum(axis=2)
            self._known[new] = distance.argmin(axis=1)
            numbers = self._known[keys]
        return numbers.astype(np.uint8)


class Frames:
    """frames(k) : the (h, w) picture of snapshot k, in numbers of frames.palette; h and w are even, as video wants."""

    palette: Palette

    def __init__(self, run: Run, size: tuple[float, float]) -> None:
        self.run = run
        even = [2 * round(side * FRAME_DPI / 2) / FRAME_DPI for side in size]
        self.figure = Figure(figsize=(even[0], even[1]), dpi=FRAME_DPI, layout="constrained")
        self.canvas = FigureCanvasAgg(self.figure)
        self.moving: list[Artist] = []

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.canvas.get_width_height()

    def __call__(self, k: int) -> Pixels:
        rho = density_of(self.run, k)
        self.clock.set_text(self.words(k, rho))
        self.move(rho)
        self.move_particles(k)
        self.canvas.restore_region(self._still)
        for artist in self.moving:
            self.figure.draw_artist(artist)
        numbers = self.palette.nearest(np.asarray(self.canvas.buffer_rgba())[..., :3])
        self.paint(numbers, rho)
        self.paint_particles(numbers, k)
        return numbers

    def words(self, k: int, rho: Array) -> str:
        """What stands above snapshot k: its time."""
        return f"$t = {style.number(float(self.run.t[k]))}$"

    def move(self, rho: Array) -> None:
        """Bring the moving artists to this density."""

    def move_particles(self, k: int) -> None:
        """Bring the artists that show particles to snapshot k."""

    def paint_particles(self, numbers: Pixels, k: int) -> None:
        """Put the particles of snapshot k into a picture that is painted."""

    def paint(self, numbers: Pixels, rho: Array) -> None:
        """Put into the picture what does not pass through the renderer."""

    def _freeze(self, axes: Axes) -> None:
        """Lay the figure out, keep what stands still, and put the clock over the upper left corner of the axes."""
        widest = max((style.number(float(t)) for t in self.run.t), key=len)
        self.clock: Text = axes.set_title(f"$t = {widest}$", loc="left", fontsize=13)
        style.set_title(self.figure, self.run)
        self.canvas.draw()
        self.figure.set_layout_engine("none")
        self.moving.append(self.clock)
        for artist in self.moving:
            artist.set_animated(True)
        self.canvas.draw()
        self._still = self.canvas.copy_from_bbox(self.figure.bbox)


class MapFrames(Frames):
    """Maps of a density in 2D, on one colour scale or each on its own: see `density_scale`.

    potential : V, of which level lines are shown where no value is: as on maps.
    """

    def __init__(self, run: Run, picks: Sequence[int], options: Options, potential: Array | None = None) -> None:
        spans = [float(np.ptp(edges)) for edges in run.edges]
        wide, high = (LONGEST * max(span / max(spans), 0.25) for span in spans)
        size = max(wide + 2.2, 0.09 * min(len(run.title), style.LONGEST_TITLE) + 0.4), high + 1.2
        super().__init__(run, size)
        self.figure.set_layout_engine("none")  # placed by hand: the bar is as high as a map of a fixed shape
        self.scale = _scale(run, picks, options)
        colours = style.density_colours(options.cmap)
        levels = colours((np.arange(LEVELS) + 0.5) / LEVELS)[:, :3]
        self.palette = Palette([*levels, to_rgb(style.EMPTY), *_shades("black"), *mixed_colours(levels)])
        axes = self.figure.add_axes((0.75 / size[0], 0.6 / size[1], wide / size[0], high / size[1]))
        axes.set(xlim=run.edges[0][[0, -1]], ylim=run.edges[1][[0, -1]], xlabel="$x$", ylabel="$y$")
        style.map_axes(axes)
        place = self.figure.add_axes(((wide + 0.9) / size[0], 0.6 / size[1], 0.2 / size[0], high / size[1]))
        bar = self.figure.colorbar(ScalarMappable(self.scale.norm, colours), cax=place, extend=self.scale.extend)
        bar.set_label(self.scale.label("frame"))
        named: list[tuple[Artist, str]] = []
        if options.log and self.scale.empty:
            named.append((Patch(color=style.EMPTY), r"$\rho = 0$"))
        levelled = potential is not None and not style.has_value(run) and levels_of(potential).size > 0
        if levelled:
            named.append((Line2D([], [], **LEVEL), "equal $V$"))
        if named:
            style.legend_above(axes, [handle for handle, _ in named], [text for _, text in named])
        self._freeze(axes)
        self._find_cells(axes)
        (x, y), v = run.centers, potential
        self._lines = covered_pixels(self.canvas, axes, self._box, x, y, v) if levelled and v is not None else None

    def words(self, k: int, rho: Array) -> str:
        return self.scale.title(float(self.run.t[k]), rho)

    def _find_cells(self, axes: Axes) -> None:
        """Which cell lies under each pixel inside the frame of the axes."""
        box, (_, height) = axes.get_window_extent(), self.size
        columns = np.arange(round(box.x0) + 1, round(box.x1))  # the frame itself lies on the rounded pixels
        rows = np.arange(round(height - box.y1) + 1, round(height - box.y0))
        self._box = np.ix_(rows, columns)
        self._cells = np.ix_(
            _cell_under((height - rows - 0.5 - box.y0) / box.height, self.run.edges[1]),
            _cell_under((columns + 0.5 - box.x0) / box.width, self.run.edges[0]),
        )

    def paint(self, numbers: Pixels, rho: Array) -> None:
        norm, shown = self.scale.norm, self.scale.shown(rho)
        with np.errstate(divide="ignore"):
            share = np.ma.filled(norm(np.where(shown > 0, shown, float(norm.vmin or 0.0))), 0.0)
        levels = np.clip(share * LEVELS, 0, LEVELS - 1).astype(np.uint8)
        if isinstance(norm, LogNorm):
            levels[rho == 0] = LEVELS  # EMPTY
        seen = levels[self._cells]
        if self._lines is not None:
            mixed = (np.minimum(seen, LEVELS - 1).astype(int) * MIXED // LEVELS + LEVELS + 1 + SHADES).astype(np.uint8)
            seen = np.where(self._lines, mixed, seen)
        numbers[self._box] = seen

    def paint_particles(self, numbers: Pixels, k: int) -> None:
        """A dot of two by two pixels each."""
        places = style.particles_of(self.run, k, DOTS)
        if places is None:
            return
        rows, columns = (np.ravel(part) for part in self._box)
        for shift in ((0, 0), (0, 1), (1, 0), (1, 1)):
            x, y = ((places[:, axis] - self.run.edges[axis][0]) / np.ptp(self.run.edges[axis]) for axis in (0, 1))
            at = np.clip((x * len(columns)).astype(int) + shift[0], 0, len(columns) - 1)
            down = np.clip(((1 - y) * len(rows)).astype(int) + shift[1], 0, len(rows) - 1)
            numbers[rows[down], columns[at]] = LEVELS + SHADES  # the last shade: white


class ProfileFrames(Frames):
    """The profile of a density in 1D, over the first one and the steady state."""

    def __init__(self, run: Run, picks: Sequence[int], options: Options, steady: Array | None = None) -> None:
        super().__init__(run, (7.0, 4.3))
        scale = _scale(run, picks, replace(options, scale="shared"), room=2.0)
        self.norm, below, self.log = scale.norm, scale.below, options.log
        tones = ["black", style.INK, style.GRAPHITE, style.STEADY["color"], style.EMPTY]
        self.palette = Palette([shade for tone in tones for shade in _shades(tone)])
        axes = self.figure.subplots()
        x, first = run.centers[0], density_of(run, picks[0])
        faint = f"$t = {style.number(float(run.t[picks[0]]))}$"
        named = axes.plot(x, self._visible(first), color=style.EMPTY, lw=1.4, label=faint)
        (self.line,) = axes.plot(x, self._visible(first), color=style.INK, lw=1.8)
        self.moving.append(self.line)
        if steady is not None:  # it does not move, but is drawn over what does
            self.moving += axes.plot(x, self._visible(steady), **style.STEADY, label="Gibbs state")
            named.append(axes.lines[-1])
        self._scale_axes(axes, run, below)
        if "position" in run.fields:
            self.moving += axes.plot([], [], "|", color=style.GRAPHITE, ms=9, mew=0.6, clip_on=False)
            self.ticks, self.floor = axes.lines[-1], axes.get_ylim()[0]
        style.legend_above(axes, named, [str(line.get_label()) for line in named])
        self._freeze(axes)

    def _scale_axes(self, axes: Axes, run: Run, below: bool) -> None:
        low, high = float(self.norm.vmin or 0.0), float(self.norm.vmax or 1.0)
        style.value_axis(axes, np.array([low, high]), self.log)
        axes.set(xlim=run.edges[0][[0, -1]], ylim=(low / 1.5, 2.0 * high) if self.log else (low, 1.05 * high))
        axes.set(xlabel="$r$" if run.radial > 1 else "$x$", ylabel=density_label(self.norm, below))

    def move_particles(self, k: int) -> None:
        places = style.particles_of(self.run, k, TICKS)
        if places is not None:
            self.ticks.set_data(places[:, 0], np.full(len(places), self.floor))

    def move(self, rho: Array) -> None:
        self.line.set_ydata(self._visible(rho))

    def _visible(self, rho: Array) -> Array:
        return np.where(rho > 0, rho, np.nan) if self.log else rho


def _scale(run: Run, picks: Sequence[int], options: Options, room: float = 1.0) -> MapScale:
    """The scale of all frames.   room : what remains of a peak that is cut, see `density_scale.top`.

    The first quarter counts as one picture: a peak that soon falls is cut there, or the rest of the film would be dark.
    """
    seen = [extremes(density_of(run, k)) for k in picks]  # one density in memory at a time
    return map_scale(seen, options, early=max(1, len(seen) // 4), room=room)


def _shades(colour: str) -> list[Any]:
    """From a colour to white."""
    share = np.linspace(0.0, 1.0, SHADES)[:, None]
    return list((1 - share) * np.array(to_rgb(colour)) + share)


def _cell_under(share: Array, edges: Array) -> NDArray[np.intp]:
    """The cells at places from 0 to 1 along an axis."""
    place = edges[0] + share * (edges[-1] - edges[0])
    return np.clip(np.searchsorted(edges, place, side="right") - 1, 0, len(edges) - 2)
