"""What every room may use: amounts in words, pages, TOML, the base of case tables, where packaged files lie."""
