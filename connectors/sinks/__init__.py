"""One file, one place alerts go to."""
