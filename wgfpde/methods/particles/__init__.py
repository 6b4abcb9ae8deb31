"""What particles do: Langevin chains, the law that one of their particles has, and crowds that pull each other.

`method` is what a case asks for, `langevin_chain` moves particles, `chain_law` is their exact law on the grid, `swarm`
how they start and count as a density.   Pulls: `pair_pull` over pairs, `mesh` over cells, `feature_pull` of neurons.
`stein` holds Stein's variational gradient.
"""
