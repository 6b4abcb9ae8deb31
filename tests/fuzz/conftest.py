"""How much the fuzz job tries: WGFPDE_FUZZ_INPUTS inputs of each kind, 200 unless it is set."""

import os

import pytest


@pytest.fixture
def inputs():
    return int(os.environ.get("WGFPDE_FUZZ_INPUTS", "200"))
