"""which officer handed in what a phone could not send itself"""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(length=16), "sqlite")


def upgrade() -> None:
    op.add_column("pushed_operation", sa.Column("rescued_by", _ID, nullable=True))


def downgrade() -> None:
    op.drop_column("pushed_operation", "rescued_by")
