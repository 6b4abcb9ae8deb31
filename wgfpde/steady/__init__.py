"""Stationary states without marching: branches, their energies and their stability."""
