"""Run by alembic, with the connection that `Database.migrate` hands over. There is no other way in."""

from __future__ import annotations

from alembic import context

from dlpipe.service.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
