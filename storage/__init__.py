"""The memory: tables and the one store that reads and writes them."""
