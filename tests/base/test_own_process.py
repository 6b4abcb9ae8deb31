"""The command line tunes its own process; a library leaves that of others alone."""

import gc
import os
import subprocess
import sys
from pathlib import Path

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
"""


def test_kernels_of_the_command_line_load_no_linear_algebra_and_those_that_call_it_find_it():
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-c", OWN], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_process_that_is_not_ones_own_is_left_as_it_is():
    threshold, before = gc.get_threshold(), dict(sys.modules)
    own_process.load_kernel_library()
    assert not own_process._claimed, "main(argv) is called by tests and notebooks, whose process it is not"
    assert gc.get_threshold() == threshold and sys.modules == before
