"""A run in VTK's XML files: a line or an image of cells a snapshot, numbers as raw bytes after the XML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..reading.opening import opened
from ..reading.reader import Run
from .targets import Counted, check, written

FILE = """<?xml version="1.0"?>
<VTKFile type="{kind}" version="1.0" byte_order="LittleEndian" header_type="UInt64">
  <{kind} {whole}>
    <FieldData>
      <DataArray type="Float64" Name="TimeValue" NumberOfTuples="1" format="ascii">{time!r}</DataArray>
    </FieldData>
    <Piece Extent="{extent}">
      <CellData Scalars="rho">
        <DataArray type="{type}" Name="rho" format="appended" offset="0"/>
      </CellData>{coordinates}
    </Piece>
  </{kind}>
  <AppendedData encoding="raw">
_"""
END = "\n  </AppendedData>\n</VTKFile>\n"
COORDINATES = """
      <Coordinates>{arrays}
      </Coordinates>"""
ARRAY = """
        <DataArray type="Float64" Name="{name}" format="ascii">{values}</DataArray>"""
COLLECTION = """<?xml version="1.0"?>
<VTKFile type="Collection" version="1.0" byte_order="LittleEndian">
  <Collection>
{entries}
  </Collection>
</VTKFile>
"""


def vtk(
    run: Run, folder: Path, snapshots: Sequence[int] | None = None, overwrite: bool = False, progress: Counted = None
) -> list[Path]:
    """Write rho.pvd and, for each snapshot, rho_NUMBER.vti (equal cells) or .vtr (stretched); the .pvd comes first.

    snapshots : None for all.   1D runs become lines of cells.   Densities keep the type they are stored with.
    Raises StoreError where a file exists already or cannot be written, or the run holds no snapshot.
    """
    run.find()
    chosen = list(range(len(run))) if snapshots is None else [run.find(index=k) for k in snapshots]
    digits = len(str(len(run) - 1))
    suffix = "vti" if run.grid.uniform else "vtr"
    files = [folder / f"rho_{k:0{digits}d}.{suffix}" for k in chosen]
    index = folder / "rho.pvd"
    check(run, [index, *files], overwrite)
    with opened(run.path, checked=True) as source:
        for done, (k, path) in enumerate(zip(chosen, files, strict=True), start=1):
            with written(path) as part:
                part.write_bytes(_document(run, source["rho"][k], float(run.t[k])))
            if progress is not None:
                progress(done, len(chosen))
    lines = (
        f'    <DataSet timestep="{float(run.t[k])!r}" part="0" file="{path.name}"/>'
        for k, path in zip(chosen, files, strict=True)
    )
    with written(index) as part:
        part.write_text(COLLECTION.format(entries="\n".join(lines)), encoding="utf-8")
    return [index, *files]


def _document(run: Run, rho: np.ndarray, time: float) -> bytes:
    """One snapshot; rho : (nx,) or (ny, nx)."""
    edges = [*run.edges, *([np.zeros(1)] * (3 - run.dim))]
    extent = " ".join(f"0 {len(e) - 1}" for e in edges)
    whole, coordinates = f'WholeExtent="{extent}"', ""
    if run.grid.uniform:
        spacing = [axis.length / axis.size for axis in run.grid.axes] + [1.0] * (3 - run.dim)
        whole += f' Origin="{_listed([e[0] for e in edges])}" Spacing="{_listed(spacing)}"'
    else:
        named = zip("xyz", edges, strict=True)
        arrays = "".join(ARRAY.format(name=name, values=_listed(values)) for name, values in named)
        coordinates = COORDINATES.format(arrays=arrays)
    data = np.ascontiguousarray(rho, dtype=rho.dtype.newbyteorder("<"))
    head = FILE.format(
        kind="ImageData" if run.grid.uniform else "RectilinearGrid",
        whole=whole,
        time=time,
        extent=extent,
        type=f"Float{8 * data.itemsize}",
        coordinates=coordinates,
    )
    return head.encode() + np.array([data.nbytes], dtype="<u8").tobytes() + data.tobytes() + END.encode()


def _listed(values: Sequence[float] | np.ndarray) -> str:
    return " ".join(repr(float(value)) for value in values)
