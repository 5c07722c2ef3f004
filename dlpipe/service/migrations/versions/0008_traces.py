"""To which trace a job belongs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("trace", sa.String(length=64), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "trace")
