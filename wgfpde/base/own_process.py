"""What the command line may do to its process, and a library must not do to that of others.

A short run is mostly the start of Python, NumPy, Numba, HDF5 and Matplotlib.  Parts of that are needless here:

- Python looks for reference cycles after every 700 objects; imports make some hundred thousand, none of them garbage.
  It goes through them all again at the end, though the process gives its memory back as a whole.
- Numba loads all of SciPy's linear algebra with the first kernel, to see whether there is a BLAS.  Kernels that call
  it ask again when they are compiled; without an answer now some of Numba's own functions sum by a loop.
- Matplotlib lists the properties of each of its classes in docstrings, and loads axes in 3D.
"""

from __future__ import annotations

import gc
import sys
import warnings

COLLECT = 50_000, 20, 50
"""Objects and generations between two searches for cycles."""
BLAS, SOLID = "scipy.linalg.cython_blas", "mpl_toolkits.mplot3d"
_claimed: list[bool] = []


def claim() -> None:
    """Say that the process is the command line's own, before it has loaded Numba."""
    _claimed.append(True)
    gc.set_threshold(*COLLECT)


def end() -> None:
    """Say that nothing is left to do but to leave, a sixth of a second sooner: nothing is looked through for cycles."""
    if _claimed:
        gc.freeze()


def load_kernel_library() -> None:
    """Load what Numba needs for array kernels; in a process of one's own not yet linear algebra."""
    if not _claimed or "numba.np.arraymath" in sys.modules or BLAS in sys.modules:
        return
    sys.modules[BLAS] = None  # type: ignore[assignment]  # while Numba asks for it; SciPy itself finds it later
    try:
        import numba.np.arraymath  # noqa: F401
    finally:
        del sys.modules[BLAS]


def load_figure_library() -> None:
    """Load what figures are made of; in a process of one's own without what nobody asks for there."""
    if not _claimed or "matplotlib.artist" in sys.modules or SOLID in sys.modules:
        return
    from matplotlib import artist as artists

    properties = artists.kwdoc
    artists.kwdoc = lambda artist: ""
    sys.modules[SOLID] = None  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of axes in 3D that are not there
            import matplotlib.figure  # noqa: F401
    finally:
        artists.kwdoc = properties
        del sys.modules[SOLID]
