"""Multigrid for the condensed operator of a JKO Newton step: levels, V-cycles, and conjugate gradients on it."""
