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
    op.drop_column("household", "head_missing_since")
