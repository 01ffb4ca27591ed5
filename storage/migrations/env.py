"""How Alembic runs here: on the connection it is given, in the transaction that is already open on it."""

from alembic import context

from storage.schema import VERSION_TABLE
from storage.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    user_module_prefix="",
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
