"""`python -m desk` is `earful`."""

from desk.cli import main

main()
