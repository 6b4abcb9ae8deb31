"""Fails the build (a warning, under -W an error) where a page would load anything from another machine."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)
LOADS = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=["'](?:https?:)?//[^"']*"""
    r"""|<link\b(?![^>]*rel=["'](?:canonical|license))[^>]*\bhref=["'](?:https?:)?//[^"']*""",
    re.IGNORECASE,
)
IN_STYLES = re.compile(r"""(?:@import\s+|url\(\s*)["']?(?:https?:)?//[^"')]*""", re.IGNORECASE)


def external_loads(folder: Path) -> list[str]:
    """What pages and styles under a folder would fetch, as "file: tag"."""
    found = []
    for pattern, places in ((LOADS, "*.html"), (IN_STYLES, "*.css"), (IN_STYLES, "*.html")):
        for file in sorted(folder.rglob(places)):
            text = file.read_text(encoding="utf-8", errors="replace")
            found += [f"{file.relative_to(folder)}: {load}" for load in pattern.findall(text)]
    return found


def check(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        for load in external_loads(Path(app.outdir)):
            logger.warning("loads from the network: %s", load)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
