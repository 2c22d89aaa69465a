"""exports in csv and xlsx have headings"""

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("bulk_export") as table:
        table.add_column(
            sa.Column("headings", sa.String(length=32), server_default="vi", nullable=False)
        )


def downgrade() -> None:
    with op.batch_alter_table("bulk_export") as table:
        table.drop_column("headings")
