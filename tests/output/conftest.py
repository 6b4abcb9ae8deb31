"""A run to be drawn."""

import pytest
from drawn_runs import LINE, make

from wgfpde.store import read


@pytest.fixture
def line(tmp_path):
    return read(make(tmp_path, LINE))
