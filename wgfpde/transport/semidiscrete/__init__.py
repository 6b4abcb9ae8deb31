"""Points beside a density in the plane: weights whose power cells hold the points' masses.

`beside_density` is what `distances` asks; `newton_weights` finds weights by way of `easier_densities`, `power_cells`
cuts their `polygons` with the cells of the density.
"""
