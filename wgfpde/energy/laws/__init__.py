"""Internal energies, one file each, and what kernels need of them, dispatched here in one place."""
