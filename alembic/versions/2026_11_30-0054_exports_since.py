"""exports of what is different since another"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
)


def upgrade() -> None:
    op.add_column("bulk_export", sa.Column("since", _JSON, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("bulk_export") as table:
        table.drop_column("since")
