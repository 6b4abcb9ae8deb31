"""Orders of convergence from runs on finer and finer grids and steps."""
