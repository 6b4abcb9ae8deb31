"""What particles do: Langevin chains, the law that one of their particles has, and crowds that interact."""
