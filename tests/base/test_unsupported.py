"""Words for what the package does not do: they name the page, and leave alone what there is."""

from pathlib import Path

import pytest

from wgfpde.base.unsupported import PAGE, density_in_formula, entries_instead, not_supported, wall_instead
from wgfpde.cases.table_places import tables_by_place
from wgfpde.formulas.vocabulary import FUNCTIONS
from wgfpde.grid.boundary import PLAIN, VALUED

LIMITS = (Path(__file__).parents[2] / "docs/limits.rst").read_text(encoding="utf-8")


@pytest.mark.parametrize(("word", "what"), [
    ("dim", "three dimensions"), ("Mobility", "mobilities other than"), ("sources", "source terms"),
    ("thin-film", "gradients of the density"), ("species", "several species"), ("cuda", "GPUs"), ("mesh", "meshes"),
    ("noise", "noise beside"), ("velocity", "drifts that are no gradients"),
])  # fmt: skip
def test_what_there_is_not_is_named_with_its_page(word, what):
    sentence = not_supported(word)
    assert sentence.startswith("not supported: ") and what in sentence and sentence.endswith(PAGE)


@pytest.mark.parametrize("phrase", [
    "Three dimensions", "source terms", "gradients of the density", "several species", "GPUs", "mobilities",
    "unstructured meshes",
])  # fmt: skip
def test_the_page_says_so_too(phrase):
    assert phrase in LIMITS


def test_what_there_is_is_not_refused():
    keys = {name for table in tables_by_place().values() for name in table.model_fields}
    assert [word for word in keys | set(FUNCTIONS) if not_supported(word)] == []
    assert [word for word in (*PLAIN, *VALUED) if wall_instead(word)] == []


def test_walls_by_their_other_names():
    assert "density" in wall_instead("Dirichlet") and "no-flux" in wall_instead("zero_flux")


def test_entries_and_names():
    assert entries_instead("boundary", 1, ["periodic"] * 2) == '; write [["periodic", "periodic"]] for its two ends'
    assert entries_instead("lower", 2, [0.5]) == "; write [0.5, 0.5] for the same along both"
    assert entries_instead("lower", 1, [0.0, 1.0]) == entries_instead("lower", 2, [0.0] * 3) == ""
    assert "energy.internal" in density_in_formula("rho") and density_in_formula("x") == ""
