"""Linear algebra that the schemes share."""
