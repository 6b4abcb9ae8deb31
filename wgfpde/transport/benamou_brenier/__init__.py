"""The Benamou–Brenier problem on a staggered grid: what distances and JKO steps are solved by.

`pdhg` (from coarse to fine in `pdhg_cascade`, proved in `pdhg_certificate`) solves space–time problems with any number
of inner steps; `nearby` shoots between densities near each other; `operators` is the problem with one inner step.
"""
