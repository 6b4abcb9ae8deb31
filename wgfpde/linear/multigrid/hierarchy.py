"""The levels of a geometric multigrid hierarchy: sizes and geometry (`build_levels`), coefficients (`fill_levels`).

Each axis is coarsened on its own: neighbours are merged in pairs where the pair is not much wider than the narrow pairs
of the finer axis.  Regular grids thus coarsen 2 × 2 (the last cell of an odd axis stands alone), elongated cells first
across their short side, and stretched grids first where they are finest, so that coarse cells tend to squares and point
smoothing stays good (on widths that vary 1 : 10 along both axes: 12 iterations at 256², where 2 × 2 takes 93).

Transfers are piecewise constant.  Cell terms add up; the conductance across a coarse face is rediscretised,

    c_I = Σ_{i ∈ I} c_i,     g_{IJ} = Σ_{σ between I and J} g_σ d_σ/d_{IJ},

on uniform grids half of the Galerkin value, which corrects the factor two that piecewise-constant transfers cost.
The coarsest level is small enough for direct elimination (`network`); in 1D that is the finest one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array, Grid

LARGEST = 1.7e308
"""Bound of 1/D where D is a denormal number."""

DIRECT_WORK = 5000
"""Levels of at most this many cells times cells per row are solved directly."""

EVEN_SLACK = 1.25
UNEVEN_SLACK = 1.4
"""Neighbours are merged up to this many times the width of the narrow pairs, on even and on stretched axes."""

TYPICAL = 0.1
"""Share of the pairs of an axis that may be narrower than its narrow pairs."""


@dataclass
class Level:
    """One level: c, w = 1/D, right-hand side f, solution u (ny, nx); conductances gx, gy, seam; transfers to the next.

    gx : (ny, nx+1), gx[j, i] between (j, i−1) and (j, i); gy : (ny+1, nx); their borders are zero.
    seam : (ny+nx,) conductances of the faces that close rings: of each row between its ends, then of each column.
    edges : (2, ny+nx) work: values at the lower and upper ends of each row, then of each column.
    parents : (ny+nx,) coarse row of each row, then coarse column of each column.
    kind : how columns are merged: 1 not at all, 2 in regular pairs, 0 as parents says.
    ratios : (ny+nx,) d_σ/d_coarse of the face below each row, then left of each column; 0 inside coarse cells, the
        closing face first.
    """

    c: Array
    w: Array
    f: Array
    u: Array
    gx: Array
    gy: Array
    seam: Array
    edges: Array
    kind: int
    parents: Array
    ratios: Array


def build_levels(grid: Grid) -> list[Level]:
    """The levels of a grid, down to the one that is solved directly."""
    widths: list[Array] = [grid.y.widths if grid.dim == 2 else np.ones(1), grid.x.widths]
    ring = [grid.dim == 2 and grid.axes[-1].ring, grid.x.ring]
    levels: list[Level] = []
    while True:
        ny, nx = len(widths[0]), len(widths[1])
        done = grid.dim == 1 or ny * nx * nx * (1 + ring[0]) <= DIRECT_WORK
        limit = 0.0 if done else _limit(widths)
        maps = [_merge(w, limit) for w in widths]
        coarse: list[Array] = [np.bincount(m, w) for m, w in zip(maps, widths, strict=True)]
        ratios = [_ratios(widths[k], coarse[k], maps[k], ring[k]) for k in range(2)]
        c, w, f, u = np.zeros((4, ny, nx))
        gx, gy, seam, edges = np.zeros((ny, nx + 1)), np.zeros((ny + 1, nx)), np.zeros(ny + nx), np.zeros((2, ny + nx))
        transfer = (_kind(maps[1]), np.concatenate(maps), np.concatenate(ratios))
        levels.append(Level(c, w, f, u, gx, gy, seam, edges, *transfer))
        if done:
            return levels
        widths = coarse


def _limit(widths: list[Array]) -> float:
    """Largest width of a merged pair: SLACK times the narrow pairs of the finer axis, few odd ones out disregarded."""
    pairs = [np.sort(w[:-1] + w[1:]) for w in widths if len(w) > 1]
    narrow = [float(p[math.ceil(TYPICAL * (len(p) - 1))]) for p in pairs]
    wide = [float(p[math.floor((1.0 - TYPICAL) * (len(p) - 1))]) for p in pairs]
    even = all(w <= 1.1 * n for w, n in zip(wide, narrow, strict=True))
    return (EVEN_SLACK if even else UNEVEN_SLACK) * min(narrow)


def _merge(widths: Array, limit: float) -> Array:
    """(n,) index of the coarse cell of each cell: neighbours are paired from the left where their sum is ≤ limit."""
    narrow = widths[:-1] + widths[1:] <= limit
    if narrow[::2].all() or not narrow.any():
        return np.arange(len(widths)) // (2 if narrow.any() else 1)
    parent = np.zeros(len(widths), dtype=np.int64)
    i, coarse = 0, 0
    while i < len(widths):
        parent[i] = coarse
        if i + 1 < len(widths) and widths[i] + widths[i + 1] <= limit:
            parent[i + 1] = coarse
            i += 1
        i, coarse = i + 1, coarse + 1
    return parent


def _kind(parent: Array) -> int:
    """1 where nothing is merged, 2 for regular pairs, 0 otherwise."""
    index = np.arange(len(parent))
    if np.array_equal(parent, index):
        return 1
    return 2 if np.array_equal(parent, index // 2) else 0


def _ratios(fine: Array, coarse: Array, parent: Array, ring: int) -> Array:
    """(n,) d_σ/d_coarse of the face below each cell, 0 inside a coarse cell; entry 0 is the seam."""
    out = np.zeros(len(fine))
    lower = np.arange(-1, len(fine) - 1)
    crossing = parent[lower] != parent
    distance = coarse[parent[lower]] + coarse[parent]
    out[crossing] = ((fine[lower] + fine) / distance)[crossing]
    if not ring:
        out[0] = 0.0
    return out


def fill_levels(levels: list[Level], c: Array, gx: Array, gy: Array, bx: Array, by: Array, plain: bool) -> None:
    """All coefficients from the weights of the finest level."""
    top = levels[0]
    _load_finest(c, gx, gy, bx, by, plain, top.c, top.gx, top.gy, top.seam)
    for fine, coarse in pairwise(levels):
        _invert_diagonal(fine.c, fine.gx, fine.gy, fine.seam, fine.w)
        _coarsen(
            fine.c, fine.gx, fine.gy, fine.seam, fine.kind, fine.parents, fine.ratios,
            coarse.c, coarse.gx, coarse.gy, coarse.seam,
        )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _load_finest(c, gx, gy, bx, by, plain, c0, gx0, gy0, seam):
    """Coefficients of the finest level: g + 2 b² (c_i + c_j) on every face, in the bordered layout."""
    ny, nx = c.shape
    for j in range(ny):
        up = j + 1 if j + 1 < ny else 0
        for i in range(nx):
            c0[j, i] = c[j, i]
            gx0[j, i + 1] = gx[j, i]
            gy0[j + 1, i] = gy[j, i]
        if not plain:
            for i in range(nx - 1):
                gx0[j, i + 1] += 2.0 * (bx[j, i] * (c[j, i] + c[j, i + 1])) * bx[j, i]
            gx0[j, nx] += 2.0 * (bx[j, nx - 1] * (c[j, nx - 1] + c[j, 0])) * bx[j, nx - 1]
            for i in range(nx):
                gy0[j + 1, i] += 2.0 * (by[j, i] * (c[j, i] + c[up, i])) * by[j, i]
        seam[j] = gx0[j, nx]
        gx0[j, nx] = 0.0
    for i in range(nx):
        seam[ny + i] = gy0[ny, i] if ny > 1 else 0.0
        gy0[ny, i] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _invert_diagonal(c, gx, gy, seam, w):
    """w = 1/D, D = c + Σ g; 0 where D = 0."""
    ny, nx = c.shape
    for j in range(ny):
        for i in range(nx):
            w[j, i] = c[j, i] + gx[j, i] + gx[j, i + 1] + gy[j, i] + gy[j + 1, i]
        w[j, 0] += seam[j]
        w[j, nx - 1] += seam[j]
        if j == 0 or j == ny - 1:
            for i in range(nx):
                w[j, i] += seam[ny + i]
        for i in range(nx):
            w[j, i] = min(1.0 / w[j, i], LARGEST) if w[j, i] > 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _coarsen(c, gx, gy, seam, kind, parents, ratios, cc, gxc, gyc, seamc):
    """Coefficients of the next level."""
    ny, nx = c.shape
    my, mx = cc.shape
    right = parents[ny:]
    for k in range(my):
        for i in range(mx):
            cc[k, i] = 0.0
            gxc[k, i] = 0.0
            gyc[k, i] = 0.0
    for i in range(my + mx):
        seamc[i] = 0.0
    for j in range(ny):
        k, up = parents[j], ratios[j] if j > 0 else 0.0
        if kind == 2:
            for i in range(nx // 2):
                cc[k, i] += c[j, 2 * i] + c[j, 2 * i + 1]
                gxc[k, i] += gx[j, 2 * i] * ratios[ny + 2 * i]
            if up > 0.0:
                for i in range(nx // 2):
                    gyc[k, i] += up * (gy[j, 2 * i] + gy[j, 2 * i + 1])
        for i in range(2 * (nx // 2) if kind == 2 else 0, nx):
            cc[k, right[i]] += c[j, i]
            gxc[k, right[i]] += gx[j, i] * ratios[ny + i]
            gyc[k, right[i]] += gy[j, i] * up
        seamc[k] += seam[j] * ratios[ny]
    for i in range(nx):
        seamc[my + right[i]] += seam[ny + i] * ratios[0]
