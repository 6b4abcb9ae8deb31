"""A run as a film: an animated GIF, by Pillow, which comes with Matplotlib; or an MP4, by ffmpeg."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from ....base.replaced_files import whole_file
from ....errors import CaseError, StoreError
from ....grid import Array
from ....store import Run, read
from ...shown_values import QUIETLY
from .. import style
from ..options import Options, References
from .movie_frames import Frames, MapFrames, Palette, Pixels, ProfileFrames

KINDS = (".gif", ".mp4")
SLOWEST, FASTEST = 2.0, 25.0
"""Frames per second where none are asked for; between them the film lasts LASTS seconds."""
LASTS = 8.0
MOST = round(FASTEST * LASTS)
"""Frames of a film whose speed is not chosen; of more snapshots these are taken evenly."""
FASTEST_GIF = 50.0
"""Browsers slow down frames that are shorter than 20 ms."""
PAUSE = 1500
"""Milliseconds that a GIF rests on its last frame before it begins again."""


@QUIETLY
def movie(
    source: Run | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    fps: float | None = None,
    seconds: float | None = None,
    log: bool = False,
    times: tuple[float, float] | None = None,
    scale: str | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    cmap: str | None = None,
    gibbs: Array | None = None,
    potential: Array | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Film a run, one frame for each snapshot, and return the file.

    source : a Run, a run folder or its HDF5 file.   out : a file ending in .gif or .mp4, or a folder (default: plots/
    beside the run's file).   fps, seconds : frames per second, or how long the film of all snapshots lasts; by default
    about 8 s, and at most 200 snapshots.   log : a logarithmic scale
    of densities.   times : the first and the last time.   scale, vmin, vmax, cmap : as in `Options`; by default all
    maps share a scale, unless one peak hides another map.   gibbs : the steady state, drawn in 1D.
    potential : V at the cell centres, of which maps show level lines.
    progress : called as progress(done, total) with every frame.

    Raises StoreError where the run cannot be read or the file not written; CaseError for fewer than two snapshots, for
    a kind of file, a speed or looks that cannot be, and for an MP4 without imageio-ffmpeg.
    """
    options = Options(log=log, scale=scale, vmin=vmin, vmax=vmax, cmap=cmap)
    run = source if isinstance(source, Run) else read(source)
    path = _path(run, out)
    picks = _picks(run, times)
    if fps is None and seconds is None:
        picks = [picks[k] for k in np.unique(np.linspace(0, len(picks) - 1, MOST).round().astype(int))]
    rate = _rate(len(picks), fps, seconds, path.suffix)
    write = _write_gif if path.suffix == ".gif" else _write_mp4
    if write is _write_mp4:
        _ffmpeg()
    References(None, gibbs, potential).check(run)
    with style.context():
        frames = (
            ProfileFrames(run, picks, options, gibbs) if run.dim == 1 else MapFrames(run, picks, options, potential)
        )
        try:
            with whole_file(path, keep_ending=True) as part:
                write(part, _reported(frames, picks, progress), frames, len(picks), rate)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror or error}. Choose another place.") from error
    return path


def _path(run: Run, out: str | os.PathLike[str] | None) -> Path:
    place = run.folder / "plots" if out is None else Path(out)
    if out is not None and not place.is_dir() and place.suffix:
        if place.suffix not in KINDS:
            raise CaseError(f"{place}: films are written as {' or '.join(KINDS)}; give the file one of these endings.")
        return place
    return place / "movie.gif"


def _picks(run: Run, times: tuple[float, float] | None) -> list[int]:
    """The snapshots between the times, both included."""
    first, last = times or (-np.inf, np.inf)
    slack = 1e-9 * float(np.ptp(run.t)) if len(run) else 0.0
    picks = np.flatnonzero((run.t >= first - slack) & (run.t <= last + slack)).tolist()
    if len(picks) < 2:
        found = f"{run.path}: a film needs at least two snapshots, found {len(picks)}"
        if times is None or len(run) == 0:
            raise CaseError(f"{found}; run the case with a smaller output.every.")
        span = f"they go from t = {run.t[0]:g} to {run.t[-1]:g}"
        raise CaseError(f"{found} between t = {first:g} and {last:g}; {span}, choose a longer part of that.")
    return picks


def _rate(count: int, fps: float | None, seconds: float | None, kind: str) -> float:
    """Frames per second."""
    if fps is not None and seconds is not None:
        raise CaseError("the speed of a film is given by fps or by seconds; leave one of the two out.")
    for name, value in (("fps", fps), ("seconds", seconds)):
        if value is not None and not 0 < value < np.inf:
            raise CaseError(f"{name} must be a positive number, found {value:g}.")
    rate = float(np.clip(count / LASTS, SLOWEST, FASTEST)) if fps is None else fps
    rate = rate if seconds is None else count / seconds
    if kind == ".gif" and rate > FASTEST_GIF:
        raise CaseError(
            f"a GIF shows at most {FASTEST_GIF:g} frames per second, {rate:.4g} were asked for; "
            "let it last longer, or write an .mp4."
        )
    return rate


def _reported(frames: Frames, picks: list[int], progress: Callable[[int, int], None] | None) -> Iterator[Pixels]:
    for done, k in enumerate(picks, 1):
        yield frames(k)
        if progress is not None:
            progress(done, len(picks))


def _write_gif(path: Path, pictures: Iterator[Pixels], frames: Frames, count: int, rate: float) -> None:
    """One palette for the whole film; only what moves is stored again."""
    from PIL import Image

    def image(numbers: Pixels, palette: Palette) -> Image.Image:
        made = Image.fromarray(numbers)
        made.putpalette(palette.colours.tobytes())
        return made

    images = (image(numbers, frames.palette) for numbers in pictures)
    duration = [round(100 / rate) * 10] * (count - 1) + [PAUSE]
    next(images).save(
        path, save_all=True, append_images=images, duration=duration, loop=0, disposal=1, optimize=False
    )  # fmt: skip


def _write_mp4(path: Path, pictures: Iterator[Pixels], frames: Frames, count: int, rate: float) -> None:
    writer = _ffmpeg().write_frames(
        str(path), frames.size, fps=rate, codec="libx264", quality=8, macro_block_size=2, ffmpeg_log_level="error"
    )
    writer.send(None)
    try:
        for numbers in pictures:
            writer.send(np.ascontiguousarray(frames.palette.colours[numbers]))
    finally:
        writer.close()


def _ffmpeg() -> ModuleType:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise CaseError(
            "an MP4 needs imageio-ffmpeg, which is not installed: pip install 'wgfpde[movie]'; or write a .gif."
        ) from error
    return imageio_ffmpeg
