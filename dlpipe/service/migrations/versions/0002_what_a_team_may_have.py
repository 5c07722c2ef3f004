"""What a team may have, and how much memory a job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("teams", sa.Column("max_bytes", sa.BigInteger(), nullable=True))
    op.add_column("teams", sa.Column("max_waiting", sa.Integer(), nullable=True))
    op.add_column("teams", sa.Column("max_time_limit", sa.Double(), nullable=True))
    op.add_column("teams", sa.Column("max_memory", sa.BigInteger(), nullable=True))
    op.add_column("jobs", sa.Column("memory_limit", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "memory_limit")
    for name in ("max_memory", "max_time_limit", "max_waiting", "max_bytes"):
        op.drop_column("teams", name)
