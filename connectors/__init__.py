"""The two lists: every source we listen to, every sink alerts go to."""
