"""A TOML text → a validated case → a problem that is ready to march."""
