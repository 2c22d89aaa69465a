"""reorganisations that are behind are found by an index"""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    where = sa.text("behind IS NOT NULL")
    op.create_index(
        "ix_reorganisation_behind",
        "reorganisation",
        ["id"],
        postgresql_where=where,
        sqlite_where=where,
    )


def downgrade() -> None:
    op.drop_index("ix_reorganisation_behind", table_name="reorganisation")
