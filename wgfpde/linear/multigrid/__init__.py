"""Multigrid for the condensed operator of a JKO Newton step: levels, V-cycles, and the conjugate gradients they serve."""
