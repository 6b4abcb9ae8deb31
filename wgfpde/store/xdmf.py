"""output.xdmf: how ParaView and VisIt read the densities of any grid, stretched ones too, from the HDF5 file.

The XML holds the cell edges and, for each snapshot, its time and which part of /rho it is.  It ends in a tail of
fixed length, so that a snapshot is added by writing over the tail, once: the document is whole at every moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..grid import Grid

HEAD = """<?xml version="1.0" encoding="utf-8"?>
<Xdmf Version="2.0">
  <Domain>
    <Topology TopologyType="2DRectMesh" Dimensions="{nodes}"/>
    <Geometry GeometryType="VXVY">
      <DataItem Format="XML" NumberType="Float" Precision="8" Dimensions="{nx}">{x}</DataItem>
      <DataItem Format="XML" NumberType="Float" Precision="8" Dimensions="{ny}">{y}</DataItem>
    </Geometry>
    <Grid Name="density" GridType="Collection" CollectionType="Temporal">
"""
GRID = """      <Grid Name="rho" GridType="Uniform">
        <Time Value="{time}"/>
        <Topology Reference="/Xdmf/Domain/Topology[1]"/>
        <Geometry Reference="/Xdmf/Domain/Geometry[1]"/>
        <Attribute Name="rho" AttributeType="Scalar" Center="Cell">
          <DataItem ItemType="HyperSlab" Dimensions="{shape}">
            <DataItem Format="XML" NumberType="Int" Dimensions="3 {rank}">{slab}</DataItem>
            <DataItem Format="HDF" NumberType="Float" Precision="{precision}" Dimensions="{whole}">{source}</DataItem>
          </DataItem>
        </Attribute>
      </Grid>
"""
TAIL = """    </Grid>
  </Domain>
</Xdmf>
"""
STRIP = 0.1
"""Height of the strip that shows a 1D run, over its length: the reader of VTK draws no cells without one."""


def path_of(file: Path) -> Path:
    """Where the document that belongs to an HDF5 file lies."""
    return file.with_suffix(".xdmf")


def write(file: Path, grid: Grid, times: Sequence[float] | np.ndarray, rows: int, precision: str) -> Path:
    """Write the document anew, for the snapshots at these times of a file with room for `rows` of them.

    Raises OSError.
    """
    edges = [grid.x.edges, grid.y.edges if grid.dim == 2 else np.array([0.0, STRIP * grid.x.length])]
    x, y = (" ".join(map(repr, axis.tolist())) for axis in edges)
    head = HEAD.format(nodes=f"{len(edges[1])} {len(edges[0])}", nx=len(edges[0]), ny=len(edges[1]), x=x, y=y)
    grids = (_grid(file, grid, k, float(t), rows, precision) for k, t in enumerate(times))
    target = path_of(file)
    part = target.with_name(target.name + ".part")
    try:
        part.write_text("".join((head, *grids, TAIL)), encoding="utf-8")
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return target


def extend(file: Path, grid: Grid, k: int, time: float, rows: int, precision: str) -> None:
    """Add snapshot k to the document.  Raises OSError."""
    with path_of(file).open("r+b", buffering=0) as document:
        document.seek(-len(TAIL), 2)
        document.write((_grid(file, grid, k, time, rows, precision) + TAIL).encode())


def _grid(file: Path, grid: Grid, k: int, time: float, rows: int, precision: str) -> str:
    shape, rank = grid.shape, 1 + grid.dim
    slab = [k] + [0] * grid.dim + [1] * rank + [1, *shape]
    return GRID.format(
        time=repr(time),
        shape=_listed(shape if grid.dim == 2 else [1, *shape]),
        rank=rank,
        slab=_listed(slab),
        precision=np.dtype(precision).itemsize,
        whole=_listed([rows, *shape]),
        source=f"{_escaped(file.name)}:/rho",
    )


def _listed(numbers: Sequence[int]) -> str:
    return " ".join(str(n) for n in numbers)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
