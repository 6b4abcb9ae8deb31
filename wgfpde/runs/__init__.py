"""A run: the only time loop, the folder it writes into, where it comes from, and what interrupts it."""
