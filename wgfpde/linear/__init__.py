"""Linear algebra that the schemes share, without a subtraction where signs must hold.

Along lines: `lines`, `tridiagonal`.   On networks of rates: `network` (small), `dissection` and `elimination` (large).
On grids: `multigrid`, `transforms`.   Fixed points: `mixing`, `fixed_point`.   `threads` shares kernels among cores.
"""
