"""The command line tunes its own process; a library leaves that of others alone."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

import wgfpde
from wgfpde.base import own_process

PACKAGE = Path(wgfpde.__file__).parent
OWN = """
import gc, sys
from wgfpde.base import own_process
own_process.claim()
assert "numba" not in sys.modules and gc.get_threshold() == own_process.COLLECT
import numpy as np
from wgfpde.energy.energy import Energy
from wgfpde.energy.flow import Flow
from wgfpde.energy.fluxes import dissipation
from wgfpde.grid import Grid
assert dissipation(Flow(Grid([0.0], [1.0], [8]), Energy()), np.linspace(1.0, 2.0, 8)) > 0
assert "scipy.linalg" not in sys.modules
import numba
assert numba.njit(lambda a, b: a @ b)(np.eye(2), np.ones((2, 2))).sum() == 4, "kernels that call it find it"
import scipy.linalg, scipy.linalg.cython_blas
assert scipy.linalg.solve(np.eye(2), np.ones(2)).sum() == 2
own_process.end()
assert gc.get_freeze_count() > 1000
"""

FIGURES = """
import sys
from wgfpde.base import own_process
own_process.claim()
own_process.load_figure_library()
assert "matplotlib.figure" in sys.modules and "mpl_toolkits.mplot3d" not in sys.modules
from matplotlib.artist import kwdoc
from matplotlib.lines import Line2D
assert "linewidth" in kwdoc(Line2D), "whoever asks is told"
import mpl_toolkits.mplot3d
own_process.load_figure_library()
"""


@pytest.mark.parametrize("script", [OWN, FIGURES])
def test_the_command_line_loads_less_and_what_is_asked_for_is_found(script):
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_process_that_is_not_ones_own_is_left_as_it_is():
    threshold, frozen, before = gc.get_threshold(), gc.get_freeze_count(), dict(sys.modules)
    own_process.load_kernel_library()
    own_process.load_figure_library()
    own_process.end()
    assert not own_process._claimed, "main(argv) is called by tests and notebooks, whose process it is not"
    assert (gc.get_threshold(), gc.get_freeze_count()) == (threshold, frozen) and sys.modules == before
