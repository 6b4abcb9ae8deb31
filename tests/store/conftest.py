"""The file of a study."""

import numpy as np
import pytest

from wgfpde.store import Variable, study_of, write_study


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "s.h5"
    variables = [Variable("mode", ("mode",), np.arange(4)), Variable("gap", ("mode",), np.ones(4), "1/time")]
    return write_study(path, study_of("spectrum", variables, {"title": "A study"}, {"case_toml": "x = 1"}))
