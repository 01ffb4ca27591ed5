"""One file, one place we listen to."""
