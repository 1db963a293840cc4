"""What Alembic runs: on the connection that `chatbot run migrate` hands in, or on its own for `alembic revision`."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine, make_url

from chatbot import settings
from chatbot.adapters import database


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=database.metadata,
        include_name=lambda name, type_, _: type_ != "table" or name in database.metadata.tables,
    )
    with context.begin_transaction():
        context.run_migrations()


handed_in = context.config.attributes.get("connection")
if handed_in is not None:
    run(handed_in)
else:
    url = make_url(settings.load().database_url.get_secret_value())
    with create_engine(url.set(drivername="postgresql+psycopg")).begin() as own:
        run(own)
