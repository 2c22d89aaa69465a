"""why a reorganisation that was decided on for a day is a draft again"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "reorganisation", sa.Column("returned_because", sa.String(length=32), nullable=True)
    )


def downgrade() -> None:
    op.drop_column("reorganisation", "returned_because")
