"""Sphinx configuration.  Build with

    python -m sphinx -W --keep-going -b html docs docs/_build/html

What can be generated is: the case-file and command-line references from the code, the gallery, the tutorial's
transcripts, the output of the examples and of the notebook by running them (kept in docs/_build, so that the next
build is quick).
The pages load nothing from the network; extension `offline` fails the build where one would.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from wgfpde import __version__  # noqa: E402

project = "wgfpde"
author = "The wgfpde developers"
copyright = author
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "numpydoc",
    "myst_parser",
    "house_docstrings",
    "mathml",
    "offline",
    "case_tables",
    "claims",
    "output_tables",
    "command_line",
    "gallery",
    "sessions",
    "code_cells",
]
exclude_patterns = ["_build", "examples", "images"]
default_role = "literal"
nitpicky = False
html_theme = "furo"
html_title = f"wgfpde {version}"
html_static_path = ["_static"]
html_css_files = ["wgfpde.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
highlight_language = "none"
smartquotes = False  # they would make one dash of --set
pygments_style = "friendly"
pygments_dark_style = "monokai"

numpydoc_show_class_members = False
numpydoc_xref_param_type = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
