"""The conformance kit: runs a connector against a local server that keeps a script of faults, and grades it."""
