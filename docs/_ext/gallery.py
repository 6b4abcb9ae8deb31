"""`.. gallery::`: every case of cases/, with the question it asks, its picture and its text.

Each case is run by the command line, as a reader would run it, when the docs are built; picture and record are kept in
docs/_build/gallery until the case, or the version of the package, changes.  A case that takes longer than SLOW is
shown on a reduced problem, named in REDUCED with what the whole one took.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from words import BUILD, block, digest, inserted, prose, run, tell

from wgfpde.cases.sources.case_files import presets
from wgfpde.output.promises import measured_text

logger = logging.getLogger(__name__)
FOLDER = BUILD / "gallery"
SLOW = 5.0
"""Seconds beyond which a case is reduced for its picture."""
REDUCED: dict[str, tuple[float, list[str]]] = {
    "crowd_motion_2d": (13.7, ["grid.shape=[48,36]", "time.end=2.1"]),
    "jko_aggregation_2d": (6.5, ["grid.shape=[64,64]"]),
}
"""Case → (seconds the whole case took, starting included, on 2 cores; overrides for the picture)."""
GROUPS = (
    "Heat",
    "Fokker–Planck",
    "Porous medium and fast diffusion",
    "Interaction",
    "JKO steps",
    "Geodesics",
    "Bridges",
    "Mean field games",
    "Particles",
    "Fisher–Rao",
    "Stein variational gradient descent",
    "Networks",
    "Gaussians and inertia",
)


def group_of(case: dict[str, Any]) -> str:
    """The section a case belongs to, by its method and its energy."""
    method, energy = case.get("solver", {}).get("method", "fv"), case["energy"]
    if method != "fv":
        known = {
            "jko": "JKO steps", "sinkhorn": "JKO steps", "bridge": "Bridges", "langevin": "Particles",
            "wfr": "Fisher–Rao", "game": "Mean field games",
            "svgd": "Stein variational gradient descent", "gaussian": GROUPS[-1], "accelerated": GROUPS[-1],
        }  # fmt: skip
        return known.get(method, "Geodesics")
    if "features" in energy:
        return "Networks"
    if "interaction" in energy:
        return "Interaction"
    if energy["internal"]["kind"] == "power":
        return "Porous medium and fast diffusion"
    return "Fokker–Planck" if "potential" in energy else "Heat"


def question_of(text: str) -> list[str]:
    """The comment at the top of a case as paragraphs: the question, and the sources."""
    top = re.match(r"(?:#.*\n)*", text)
    words = " ".join(line.removeprefix("#").strip() for line in (top[0] if top else "").splitlines())
    found = re.split(r"\s(?=Source: )", words)
    return [prose(part) for part in found if part]


def energy_words(energy: dict[str, Any]) -> str:
    """The three parts of the energy in one line of reStructuredText."""
    internal = energy["internal"]
    kappa = internal.get("kappa", 1.0)
    factor = "" if kappa == 1 else f"{kappa:g} "
    if internal["kind"] == "entropy":
        parts = [f"U = {factor}(ρ ln ρ − ρ)" if factor else "U = ρ ln ρ − ρ"]
    elif internal["kind"] == "power":
        parts = [f"U = {factor}ρ^m/(m − 1), m = {internal['m']:g}"]
    else:
        parts = ["U = 0"]
    named = (("V", "potential"), ("W", "interaction"))
    parts += [f"{name} = ``{energy[key]}``" for name, key in named if key in energy]
    features = energy.get("features", [])
    if isinstance(features, dict):
        parts.append(f"features ``{features['formula']}``")
    elif features:
        parts.append(f"{len(features)} features, the first ``{features[0]['formula']}``")
    return ", ".join(parts)


def kept_files(name: str, text: str) -> tuple[Path, Path]:
    """Where the picture and the record of a case are kept."""
    stem = f"{name}-{digest(text, *REDUCED.get(name, (0.0, []))[1])}"
    return FOLDER / f"{stem}.png", FOLDER / f"{stem}.json"


def make(name: str, path: Path) -> str:
    """Run a case and keep its picture and record; returns what went wrong, or ""."""
    picture, record = kept_files(name, path.read_text(encoding="utf-8"))
    overrides = [word for item in REDUCED.get(name, (0.0, []))[1] for word in ("--set", item)]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "wgfpde", "run", str(path), "--out", f"{folder}/run"]
        done = run([*command, *overrides, "--json", "--quiet", "--plot"], Path(folder), threads=1, name=name)
        if done.returncode != 0:
            return f"{name} ended with exit code {done.returncode}: {done.stderr[-500:]}"
        shutil.copyfile(Path(folder) / json.loads(done.stdout)["figures"][0], picture)
    record.write_text(done.stdout, encoding="utf-8")
    return ""


def make_all(app: Sphinx) -> None:
    """Run what is missing, a case per core."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    cases = presets()
    texts = {name: path.read_text(encoding="utf-8") for name, path in cases.items()}
    wanted = {file for name, text in texts.items() for file in kept_files(name, text)}
    for stale in set(FOLDER.iterdir()) - wanted:
        stale.unlink()
    missing = [name for name, text in texts.items() if not kept_files(name, text)[1].is_file()]
    if not missing:
        return
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        made = pool.map(lambda name: make(name, cases[name]), missing)
        for k, (name, trouble) in enumerate(zip(missing, made, strict=True), 1):
            tell(f"gallery, case {k} of {len(missing)}: {name}")
            if trouble:
                logger.warning("gallery: %s", trouble)


def facts(name: str, case: dict[str, Any], record: dict[str, Any]) -> list[str]:
    """What was solved and what came of it, as a field list."""
    lines = [f":Equation: {prose(record['equation'])}, {prose(record['method'])}, {prose(record['grid'])}"]
    lines += [f":Energy: {energy_words(case['energy'])}"]
    promised = [
        f"{p['name']} {measured_text(p, '{:.2g}'.format)} ({'kept' if p['kept'] else 'BROKEN'})"
        for p in record["promises"]
    ]
    lines += [f":Promises: {prose('; '.join(promised))}"]
    if error := record["diagnostics"].get("error_l1"):
        lines += [f":L1 error: {error['last']:.2g} at the end, against the exact solution"]
    if name in REDUCED:
        shown = ", ".join(f"``{item}``" for item in REDUCED[name][1])
        lines += [f":Shown: with {shown}, to build these pages quickly"]
    return ["", ".. container:: facts", "", *(f"   {line}" for line in lines), ""]


def section(name: str, path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    case = tomllib.loads(text)
    title = prose(case["title"])
    lines = ["", f".. _gallery-{name}:", "", title, "^" * (len(title) + 2), ""]
    picture, record = kept_files(name, text)
    for paragraph in question_of(text):
        lines += [paragraph, ""]
    if record.is_file():
        lines += facts(name, case, json.loads(record.read_text(encoding="utf-8")))
        lines += [f".. image:: /_build/gallery/{picture.name}", f"   :alt: {case['title']}", "   :width: 85%"]
        lines += ["   :align: center", ""]
    lines += ["::", *block(f"wgfpde run {name} --plot")]
    lines += [".. raw:: html", *block(f'<details class="toggle"><summary>cases/{path.name}</summary>', "   ")]
    lines += [".. code-block:: toml", *block(text, "   "), ".. raw:: html", *block("</details>", "   ")]
    return lines


class Gallery(SphinxDirective):
    """Thumbnails, then a section per case, in groups."""

    def run(self) -> list[nodes.Node]:
        cases = presets()
        members: dict[str, list[str]] = {group: [] for group in GROUPS}
        for name, path in cases.items():
            self.env.note_dependency(str(path))
            members[group_of(tomllib.loads(path.read_text(encoding="utf-8")))].append(name)
        lines = ["", ".. container:: thumbnails", "", "   .. a picture of each", ""]
        for name in (name for group in members.values() for name in group):
            picture, record = kept_files(name, cases[name].read_text(encoding="utf-8"))
            self.env.note_dependency(str(record))
            if picture.is_file():
                lines += [f"   .. figure:: /_build/gallery/{picture.name}", f"      :target: `gallery-{name}`_"]
                lines += [f"      :alt: {name}", "", f"      ``{name}``", ""]
        for group, names in members.items():
            lines += ["", group, "-" * (len(group) + 2), ""]
            for name in names:
                lines += section(name, cases[name])
        return inserted(self, lines)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("gallery", Gallery)
    app.connect("builder-inited", make_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
