"""Tokens of those for whom an OpenID Connect provider vouches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tokens", sa.Column("identity", sa.String(length=64), nullable=True))
    op.create_index("one_token_per_identity", "tokens", ["team_id", "identity"], unique=True)


def downgrade() -> None:
    op.drop_index("one_token_per_identity", table_name="tokens")
    op.drop_column("tokens", "identity")
