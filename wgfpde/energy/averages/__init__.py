"""Averages of interaction kernels over cells and pairs of cells: what `interaction` builds W∗ρ of."""
