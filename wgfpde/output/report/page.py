"""The page about a run: one HTML file, readable offline, on paper and without scripts."""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

from ...base.html import Markup, page
from ...base.replaced_files import whole_file
from ...errors import CaseError, StoreError
from ...store import Run
from ..shown_values import QUIETLY
from . import sections
from .density_animation import Animation, animated
from .embedded_figures import drawn_figures
from .run_summary import summary

NAME = "report.html"


def write(run: Run, out: str | os.PathLike[str] | None = None) -> Path:
    """Write the page of a run and return its path.

    out : a file, or a folder to put report.html into; by default beside the run's file.
    Raises StoreError where it cannot be written, CaseError for a file that is no page.
    """
    path = run.folder / NAME if out is None else Path(out)
    if path.is_dir():
        path = path / NAME
    if path.suffix not in (".html", ".htm"):
        raise CaseError(f"{path}: expected a folder, or a file ending in .html; choose another --out.")
    text = html_of(run)
    try:
        with whole_file(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}. Choose another file with --out.") from error
    return path


@QUIETLY
def html_of(run: Run) -> str:
    """The page of a run as text, also of one that is going on, failed, or has no snapshot yet."""
    from ..references import exact_and_gibbs, potential_of

    record = summary(run)
    body = [sections.question(record), sections.verdict(record)]
    script = ""
    if len(run):
        exact, gibbs = exact_and_gibbs(run)
        shown = animated(run, exact, gibbs)
        body += [_figure_of(shown, float(run.t[-1])), sections.promises(record), sections.certificates(record)]
        body.append(sections.figures(drawn_figures(run, exact, gibbs, potential_of(run) if run.dim == 2 else None)))
        script = _resource("density.js") + _resource("slider.js")
    body += [sections.work(record), sections.parameters(record), sections.diagnostics(record)]
    body += [sections.case_file(run.case_toml), sections.provenance(record)]
    return page(record["title"], "\n".join(filter(None, body)), script, _resource("page.css"))


def _figure_of(shown: Animation, t_end: float) -> Markup:
    """The density with its controls, the data they show, and a picture for where no script runs."""
    notes = "".join(f'<p class="note">{note}</p>\n' for note in shown.notes)
    return Markup(f"""<h2>Density</h2>
<figure class="animation">
<canvas id="density" role="img" aria-label="The density at the time chosen"></canvas>
{shown.legend}
<div class="controls">
<button id="play" type="button">▶ Play</button>
<input id="slider" type="range" min="0" value="0" step="1" aria-label="Time">
<output id="time" for="slider"></output>
<label><input id="log" type="checkbox"> logarithmic</label>
</div>
</figure>
{notes}<noscript><figure class="still">{shown.still}<figcaption class="note">The density at the
last time, t = {t_end:g}.  With JavaScript a slider here shows all times.</figcaption></figure></noscript>
<script type="application/json" id="animation">{_embedded(shown.data)}</script>""")


def _embedded(data: dict[str, Any]) -> str:
    """JSON that may stand in a page: no "</script>" can occur in it."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
