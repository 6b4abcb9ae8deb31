"""Mass that grows and decays where it is: Fisher–Rao flows, and with transport Wasserstein–Fisher–Rao flows."""
