"""Kernels compiled before they are needed, by several processes at once."""
