"""How a density is evolved: a folder for each family of methods."""
