"""What all figures share: fonts, colours, scales, words, and how a figure is made and saved.

Colour maps are perceptually uniform and readable in grey; lines differ in dash as well as in colour.  Figures live
outside pyplot and inside a style context: a caller's own figures, back end and style are left alone.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure, FigureBase
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from ...base.plain_text import one_line
from ...base.replaced_files import whole_file
from ...base.toml import shortened
from ...errors import CaseError, StoreError
from ...grid import Array
from ...store import Label, Run
from ..shown_values import LARGEST

STYLE: dict[Any, Any] = {
    "font.family": "serif", "font.serif": ["STIXGeneral", "DejaVu Serif"], "mathtext.fontset": "cm",
    "font.size": 11, "axes.labelsize": 12, "axes.titlesize": 11, "axes.titlepad": 6.0, "axes.linewidth": 0.7,
    "axes.spines.top": False, "axes.spines.right": False, "xtick.major.width": 0.7, "ytick.major.width": 0.7,
    "xtick.labelsize": 10, "ytick.labelsize": 10, "lines.linewidth": 1.4, "legend.frameon": False,
    "legend.fontsize": 10, "legend.handlelength": 2.4, "pdf.fonttype": 42, "svg.hashsalt": "wgfpde",
}  # fmt: skip
"""Fonts go into a PDF as TrueType, which journals ask for; the salt keeps the names inside an SVG."""
INK = "#1f3b63"
GRAPHITE = "#5b6773"
LINES = ("#1f3b63", "#d55e00", "#009e73", "#cc79a7")
"""Told apart with any colour vision (Okabe and Ito 2008), the first one darkened."""
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
EXACT: dict[str, Any] = {"color": "black", "ls": (0, (4, 2.5)), "lw": 0.9}
STEADY: dict[str, Any] = {"color": "#d55e00", "ls": (0, (1, 1.3)), "lw": 1.6}
EMPTY = "#c9ced4"
"""Cells without any mass on a logarithmic scale, which has no colour for 0."""
DENSITY_MAP, ERROR_MAP, TIME_MAP = "magma", "RdBu_r", "viridis"
VALUE, SEEN = "value", 1e-3
"""Field of a path that is drawn beside its density, and down to which share of the peak of that."""
PAD = 0.07
"""Inches around all that is drawn: titles do not touch those of panels."""
DPI = 150
VECTOR_DPI = 300
"""Of the maps inside a PDF or SVG."""
FORMATS = ("png", "pdf", "svg")
OTHER_FORMATS = ("jpg", "jpeg", "gif", "eps", "ps", "tif", "tiff", "bmp", "webp", "mp4")
LONGEST_TITLE = 160
"""Letters of a title that are drawn; a film is made as wide as its title."""


def time_colours() -> Colormap:
    """The colours of times, without the pale end that is lost on white paper."""
    return ListedColormap(matplotlib.colormaps[TIME_MAP](np.linspace(0.0, 0.88, 256)))


def time_scale(run: Run) -> Normalize:
    """From the first time of a run to its last."""
    first, last = float(run.t[0]), float(run.t[-1])
    return Normalize(first, last if last > first else first + 1.0)


def line_colours(run: Run, picks: Sequence[int], named: bool) -> list[Any]:
    """One colour for each snapshot: by its time; or evenly, where a legend names the times."""
    if named:
        return list(time_colours()(np.linspace(0.0, 1.0, len(picks)) if len(picks) > 1 else [0.5]))
    return list(time_colours()(time_scale(run)(run.t[list(picks)])))


def density_colours(name: str | None = None) -> Colormap:
    """The colours of densities, or those of a name; what a logarithmic scale cannot show is in EMPTY."""
    return matplotlib.colormaps[name or DENSITY_MAP].with_extremes(bad=EMPTY)


def colour_maps() -> list[str]:
    """The names that --cmap takes."""
    return list(matplotlib.colormaps)


def particles_of(run: Run, k: int, most: int) -> Array | None:
    """Where particles are in snapshot k, (n, dim), at most so many, evenly chosen; None where the run stores none."""
    if "position" not in run.fields:
        return None
    places = run.fields["position"][k]
    return places[:: -(-len(places) // most)]


def has_value(run: Run) -> bool:
    """Whether a value u that drives the path is stored beside the density, one for each cell."""
    return VALUE in run.fields and run.fields[VALUE].shape == run.rho.shape


def value_where_mass_is(run: Run, k: int) -> Array:
    """The value of snapshot k, less its mean over the mass; NaN where the density is small: it drives nothing there."""
    value, rho = run.fields[VALUE][k], run.rho[k]
    shown = (rho > SEEN * rho.max()) & np.isfinite(value)
    weight = np.where(shown, rho, 0.0)
    mean = np.sum(weight * np.where(shown, value, 0.0)) / max(float(np.sum(weight)), np.finfo(float).tiny)
    return np.where(shown, value - mean, np.nan)


def map_axes(axes: Axes) -> None:
    """A frame all round, and few ticks."""
    for side in axes.spines.values():
        side.set_visible(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def label_of(run: Run, name: str) -> str:
    """A diagnostic in words, with its units unless it has none."""
    label = run.labels.get(name, Label(name, "1", name, ""))
    words = label.long_name[:1].upper() + label.long_name[1:]
    return plain(words if label.units in ("", "1") else f"{words} ({label.units})")


def number(value: float, digits: int = 4) -> str:
    """A number as mathematics, to be put between dollar signs."""
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text
    mantissa, exponent = text.split("e")
    power = f"10^{{{int(exponent)}}}"
    return power if mantissa == "1" else rf"{mantissa} \times {power}"


def set_title(figure: FigureBase, run: Run) -> None:
    note = "" if run.status == "finished" else f"  ({run.status})"
    put_title(figure, f"{shortened(run.title, LONGEST_TITLE)}{note}")


def put_title(figure: FigureBase, title: object) -> None:
    """A title above all panels, as it is written: one line, no formula."""
    figure.suptitle(plain(title), fontsize=13)


def plain(text: object) -> str:
    """Words from a file as Matplotlib shows them unchanged: a dollar sign begins no formula, a line break no line."""
    return one_line(shortened(str(text), LONGEST_TITLE + 20)).replace("$", r"\$")


def legend_above(
    axes: Axes, handles: Sequence[Artist] | None = None, labels: Sequence[str] | None = None, columns: int = 6
) -> None:
    """A legend above the panel, where no curve can lie under it.   handles : default all with a label."""
    if handles is None:
        found, labels = axes.get_legend_handles_labels()
        handles = [handle for handle in found if isinstance(handle, Artist)]
    if handles:
        axes.legend(
            handles, labels or [], loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=min(len(handles), columns),
            borderpad=0.1, borderaxespad=0.2, columnspacing=1.2, handlelength=1.8, handletextpad=0.5,
        )  # fmt: skip


def time_axis(axes: Axes, t: Array, label: str = "$t$") -> None:
    """Time from left to right, with a light grid."""
    axes.set_xlabel(label)
    if len(t) and t[-1] > t[0]:
        room = 0.01 * (t[-1] - t[0])  # for the markers at both ends
        axes.set_xlim(t[0] - room, t[-1] + room)
    axes.grid(alpha=0.25, lw=0.5)


def value_axis(axes: Axes, values: Array, log: bool) -> None:
    """Ticks that can be read: whole decades where there are many, plain numbers where few digits tell them apart."""
    finite = values[np.abs(values) <= LARGEST]
    if log:
        few = finite.size > 0 and finite.max() < 100 * finite.min()
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=6))
        if few:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"${number(value)}$"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        if finite.size and finite.max() > 1e3 * finite.min():
            axes.yaxis.set_minor_locator(NullLocator())
        return
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    if finite.size and readable(finite):
        axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    else:
        axes.ticklabel_format(axis="y", useMathText=True)


def readable(values: Array) -> bool:
    """Whether plain tick labels tell the values apart in few digits."""
    size, spread = float(np.max(np.abs(values))), float(np.ptp(values))
    return 1e-3 < size < 1e5 and spread > 1e-3 * size


@contextmanager
def context() -> Iterator[None]:
    """The style, for what is drawn and saved inside; a title in letters that no font has is drawn without a word."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


class NotebookFigure(Figure):
    """A figure that a notebook shows without any set-up, and that is saved in the style it was drawn in.

    png_dpi : dots per inch of a PNG, where a caller says nothing else.
    """

    png_dpi: float = DPI

    def savefig(self, fname: Any, **options: Any) -> None:
        """As Matplotlib's, with its options; in a PDF and an SVG maps are of VECTOR_DPI, and no date is written."""
        ending = Path(fname).suffix if isinstance(fname, str | Path) else ""
        kind = str(options.get("format") or ending.removeprefix(".") or "png").lower()
        # without dates a figure drawn again is the same file, but for rounding in the layout of an SVG
        dates = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
        defaults = {"dpi": self.png_dpi if kind == "png" else VECTOR_DPI, "metadata": dates.get(kind)}
        fonts = logging.getLogger("fontTools")  # warns of the dates inside Matplotlib's own fonts
        level = fonts.level
        fonts.setLevel(logging.ERROR)
        try:
            with context():
                super().savefig(fname, **defaults | options)
        finally:
            fonts.setLevel(level)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=0.5 * DPI)
        return buffer.getvalue()


def new_figure(size: tuple[float, float], space: float = 0.02, pad: float = PAD) -> NotebookFigure:
    """A figure of its own, outside pyplot: nothing to close, no window.

    size : in inches.   space : between panels side by side, relative to their width.   pad : inches above and below.
    """
    figure = NotebookFigure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=pad, w_pad=PAD, wspace=space))
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a figure in the format that the path ends in.  Raises StoreError where it cannot be written."""
    try:
        with whole_file(path, keep_ending=True) as part:
            figure.savefig(part)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}. Choose another folder.") from error
    except (OverflowError, ValueError) as error:  # Matplotlib's, of numbers without measure
        raise StoreError(f"{path} cannot be drawn: {shortened(str(error))} Are its numbers damaged?") from error
    return path


def picture_path(out: Path | None, folder: Path, stem: str, kind: str | None) -> Path:
    """Where a picture goes: the file that `out` names, else `stem` in the folder `out`, or in `folder`.

    kind : "png", "pdf", "svg", or None for what `out` ends in, else "png".
    Raises CaseError for a format that pictures are not written in, and where `out` and `kind` contradict each other.
    """
    if kind is not None and kind not in FORMATS:
        raise CaseError(f'expected a format among {", ".join(FORMATS)}, found "{kind}".')
    place = folder if out is None else out
    ending = place.suffix.removeprefix(".").lower()
    if out is None or place.is_dir() or ending not in FORMATS + OTHER_FORMATS:
        return place / f"{stem}.{kind or FORMATS[0]}"
    if ending not in FORMATS:
        raise CaseError(f"{out}: pictures are written as {', '.join(FORMATS)}; give the file one of these endings.")
    if kind is not None and kind != ending:
        raise CaseError(f"{out} ends in .{ending} and the format asked for is {kind}; leave one of the two out.")
    return place
