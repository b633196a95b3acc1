"""What Alembic runs to migrate: on the connection, and inside the transaction, that `store.migrate` hands it."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
