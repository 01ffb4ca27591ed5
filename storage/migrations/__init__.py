"""Alembic: one file a change of the schema, run by itself."""
