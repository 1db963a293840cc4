"""What Alembic runs: on the connection that `chatbot run migrate` hands in. `alembic revision` needs none."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
