"""grants that ended with their unit, by which the past may be counted"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    reads = sa.Column("reads_past", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("access_grant", reads)


def downgrade() -> None:
    op.drop_column("access_grant", "reads_past")
