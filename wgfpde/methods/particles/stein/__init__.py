"""Stein variational gradient descent: particles under a kernel, and the density that infinitely many of them have."""
