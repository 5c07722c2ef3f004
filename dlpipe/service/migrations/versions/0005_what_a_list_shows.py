"""What a list says of a job, so that it need not read all that was asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dlpipe.service.asked import Asked

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("shown", sa.JSON(), nullable=True))
    jobs = sa.table("jobs", sa.column("id"), sa.column("asked", sa.JSON()), sa.column("shown", sa.JSON()))
    connection = op.get_bind()
    for number in connection.execute(sa.select(jobs.c.id)).scalars().all():  # one at a time: each may be megabytes
        mine = jobs.c.id == number
        asked = connection.execute(sa.select(jobs.c.asked).where(mine)).scalar_one()
        connection.execute(sa.update(jobs).where(mine).values(shown=Asked.of_row(asked).shown()))


def downgrade() -> None:
    op.drop_column("jobs", "shown")
