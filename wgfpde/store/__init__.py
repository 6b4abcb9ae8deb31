"""Runs on disk: snapshots ↔ one HDF5 file that netCDF tools read too.  The only package that imports h5py.

    output.h5
      /t /x /y /x_bnds /y_bnds      coordinates (dimension scales; /t unlimited) and cell edges
      /rho (t,x) or (t,y,x)         cell averages, one chunk per snapshot
      /NAME (t,…)                   other fields of the snapshots, those in the attribute `fields`
      /diagnostics/NAME (t)         one number per snapshot
      /steps/NAME (steps/step)      one row per accepted step
      /case_toml /resolved_toml     the case as written and as understood
      /sources_json                 where each value of the case came from
      /code/NAME/…                  values of functions that were given in Python
      /VTKHDF /entry                hard links to the same data, for ParaView and for NeXus viewers
    output.xdmf                     the same for ParaView and VisIt on any grid: text that points into output.h5

**The file opens at every moment, also after SIGKILL.**  It is built under another name, with room for all
planned snapshots filled with NaN, and renamed when it is whole.  From then on a snapshot only overwrites
allocated bytes: no HDF5 metadata moves.  /t is written last, so a row counts once its t is a number; only the
step count of VTK comes after it.
Growing in place is not safe (the chunk index reaches the disk before the end-of-file mark does), so a table
that is full is copied into a larger file, renamed likewise; shrinking in place is safe.  The old file format
is used on purpose: the newer one, SWMR included, marks a file that is being written, and after a kill only
h5clear opens it.
"""

from .layout import FILE_NAME, FORMAT, Label, Quantity
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
    "FILE_NAME", "FORMAT", "STEP_BUFFER", "Label", "Quantity", "Run", "Study", "Variable", "Writer", "check_figure",
    "check_place", "coordinates_of", "damaged", "dims_of", "is_run", "read", "read_last", "read_study", "save_study",
    "study_of", "write_study",
]  # fmt: skip
