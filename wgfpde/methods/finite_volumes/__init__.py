"""Structure-preserving finite volumes: implicit variational two-point fluxes on tensor grids."""
