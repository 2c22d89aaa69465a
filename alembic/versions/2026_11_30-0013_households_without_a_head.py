"""a household whose head has died has none until another is named"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("household", sa.Column("head_missing_since", sa.Date(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("household") as batch_op:
        batch_op.drop_column("head_missing_since")
