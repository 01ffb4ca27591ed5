"""The people's door: the command line and the demo."""

import os

os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")  # what went wrong is said once, in our words, by the command
os.environ.setdefault("DO_NOT_TRACK", "1")  # before anything imports Prefect: it tells its makers of its first import
