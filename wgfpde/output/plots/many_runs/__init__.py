"""Figures of more than one run: of a sweep over its keys, and of a few runs in one figure.

`sweep_figure` draws a number of each run over one key, over two as a map, or over more; `small_multiples` the last
densities of a sweep, a panel each; `overlaid` puts the densities and energies of a few runs into one figure.
"""
