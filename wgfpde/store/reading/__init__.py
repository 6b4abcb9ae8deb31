"""Reading what is stored: files are looked at before they are trusted, then given as arrays by name."""
