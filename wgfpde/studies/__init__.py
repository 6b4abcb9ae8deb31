"""Questions about a case, or about many runs: its spectrum, its stationary states, orders of convergence."""
