"""The people's door: the command line and the demo."""
