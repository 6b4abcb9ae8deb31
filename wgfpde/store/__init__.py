"""Runs on disk: snapshots ↔ one HDF5 file that netCDF tools read too.  The only package that imports h5py.

`writer` fills an `empty_file` by its `layout`, `reading` looks at one before it trusts it, `checkpoint` is what a march
goes on from.   `study_file` holds results that are no run, `table_file` data of users, `export` other formats.
"""

from ..energy.snapshot import Label
from .layout import FILE_NAME, FORMAT, SWEEP_FILE
from .reading.arrays import damaged
from .reading.opening import is_run
from .reading.reader import Run, read, read_last
from .study_file import (
    Study,
    Variable,
    check_figure,
    check_place,
    coordinates_of,
    dims_of,
    read_study,
    save_study,
    study_of,
    write_study,
)
from .writer import STEP_BUFFER, Writer

__all__ = [
    "FILE_NAME", "FORMAT", "STEP_BUFFER", "SWEEP_FILE", "Label", "Run", "Study", "Variable", "Writer",
    "check_figure", "check_place", "coordinates_of", "damaged", "dims_of", "is_run", "read", "read_last", "read_study",
    "save_study", "study_of", "write_study",
]  # fmt: skip
