"""Sweeps for power-law energies: their time steps, Newton's method for a line, its moves, and a way where it fails."""
