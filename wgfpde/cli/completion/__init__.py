"""Tab completion: `shell_scripts` writes the script of a shell, `completion_verb` prints it."""
