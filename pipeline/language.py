"""Language: which one it is, and whether we may judge it."""
